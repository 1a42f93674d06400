"""A filter that takes in an observation when later frames have gone through it already.

It goes back to its state before the frame, and the later observations are taken in anew: exact for delayed
measurements of any filter, where Larsen et al. (1998) and Bar-Shalom (2002) save the memory of the frames.
"""

from __future__ import annotations

from horizon_rt.horizon import Observation
from horizon_rt.tracking.filter import Track, TrackFilter
from horizon_rt.tracking.hypothesis import TrackSettings

__all__ = ["RewindFilter"]

_SETTINGS = TrackSettings(acquire_s=2.0)  # looks that take a second are late by as much
_PATIENCE_S = 0.5  # for which a frame may wait for its observation without the track knowing less for it


class RewindFilter:
    """A `Filter` with a mark at one frame, whose observation may be replaced."""

    def __init__(self, forward: TrackFilter | None = None) -> None:
        self._filter = forward or TrackFilter(_SETTINGS)
        self._marked: TrackFilter | None = None
        self._since: list[tuple[float, Observation]] = []
        self._begun_s: float | None = None

    def update(self, time_s: float, observation: Observation) -> Track:
        """See `Filter`."""
        if self._marked is not None:
            self._since.append((time_s, observation))
            self._begun_s = self._since[0][0]
        late_s = self._late_s(time_s)
        if late_s > self._filter.settings.max_gap_s:
            self._marked, self._since = None, []
        return self._filter.update(time_s, observation, late_s=0.0 if self.is_late(time_s) else late_s)

    def at(self, time_s: float, *, to_frame: bool = False) -> Track:
        """See `Filter`."""
        return self._filter.at(time_s, to_frame=to_frame)

    @property
    def is_contested(self) -> bool:
        """See `Filter`."""
        return self._filter.is_contested

    @property
    def is_marked(self) -> bool:
        """Whether there is a frame whose observation may be replaced; one that is too old is given up."""
        return self._marked is not None

    def is_late(self, time_s: float) -> bool:
        """Whether the marked frame has waited for too long for its observation at this time."""
        return self._late_s(time_s) > _PATIENCE_S

    def mark(self) -> None:
        """The next frame is the one whose observation may be replaced."""
        self._marked, self._since, self._begun_s = self._filter.copy(), [], None

    def unmark(self) -> None:
        """No observation is to be replaced."""
        self._marked, self._since, self._begun_s = None, [], None

    def correct(self, observation: Observation) -> Track:
        """The track of the marked frame with this observation; the filter has it, too, and all that came
        since. Raises ValueError without a frame after a mark.
        """
        if self._marked is None or not self._since:
            raise ValueError("there is no frame to correct; mark one, and update")
        (begun_s, _), *since = self._since
        self._filter = self._marked
        self.unmark()
        track = self._filter.update(begun_s, observation)
        for time_s, later in since:
            self._filter.update(time_s, later, late_s=time_s - begun_s)
        return track

    def _late_s(self, time_s: float) -> float:
        return 0.0 if self._begun_s is None else time_s - self._begun_s
