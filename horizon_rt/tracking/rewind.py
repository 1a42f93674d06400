"""A filter that takes in an observation when later frames have gone through it already.

It goes back to its state before the frame, and the later observations are taken in anew: exact for delayed
measurements of any filter, where Larsen et al. (1998) and Bar-Shalom (2002) save the memory of the frames.
"""

from __future__ import annotations

from horizon_rt.horizon import Observation
from horizon_rt.tracking.filter import Track, TrackFilter

__all__ = ["RewindFilter"]


class RewindFilter:
    """A `Filter` with a mark at one frame, whose observation may be replaced."""

    def __init__(self, forward: TrackFilter | None = None) -> None:
        self._filter = forward or TrackFilter()
        self._marked: TrackFilter | None = None
        self._since: list[tuple[float, Observation]] = []

    def update(self, time_s: float, observation: Observation) -> Track:
        """See `Filter`."""
        if self._marked is not None:
            self._since.append((time_s, observation))
        return self._filter.update(time_s, observation)

    def at(self, time_s: float, *, to_frame: bool = False) -> Track:
        """See `Filter`."""
        return self._filter.at(time_s, to_frame=to_frame)

    @property
    def is_contested(self) -> bool:
        """See `Filter`."""
        return self._filter.is_contested

    def mark(self) -> None:
        """The next frame is the one whose observation may be replaced."""
        self._marked, self._since = self._filter.copy(), []

    def correct(self, observation: Observation) -> Track:
        """The track of the marked frame with this observation; the filter has it, too, and all that came
        since. Raises ValueError without a frame after a mark.
        """
        if self._marked is None or not self._since:
            raise ValueError("there is no frame to correct; mark one, and update")
        self._filter, self._marked = self._marked, None
        track = self._filter.update(self._since[0][0], observation)
        for time_s, later in self._since[1:]:
            self._filter.update(time_s, later)
        return track
