"""The moments of a recording at which the horizon was known worst, as pictures; kept while it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from horizon_rt.reports.hardest import thumbnail
from horizon_rt.sinks.base import Sink, SinkContext
from horizon_rt.system.files import make_folder, write_atomic

if TYPE_CHECKING:
    from horizon_rt.frame import Frame
    from horizon_rt.horizon import Horizon

__all__ = ["HardestMoments", "Moment", "ThumbnailSink"]

_KEPT = 12
_APART_S = 2.0
_APART_SHARE = 0.02  # of what has passed
_WORTH_A_PICTURE = 1.25  # times the score of the one that it takes the place of
_LOST_SCORE = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A frame with its score (the sigma of its attitude in degrees), what it was like, and a JPEG of it."""

    time_s: float
    frame: int
    score: float
    note: str
    jpeg: bytes = field(repr=False)


class HardestMoments:
    """Keeps the twelve moments of the largest sigma that lie apart in time, and those where a track was lost.

    The score is √(σ_roll² + σ_pitch²); where a track ended it is 90.
    """

    def __init__(self, context: SinkContext) -> None:
        self._camera = context.camera
        self._still = context.is_image_set
        self._moments: list[Moment] = []
        self._had_track = False

    def add(self, frame: Frame, horizon: Horizon) -> None:
        """Take in the next frame."""
        score = self._score(horizon)
        self._had_track = horizon.attitude is not None
        if score <= 0 or not self._make_room(horizon, score):
            return
        jpeg = thumbnail(frame, self._camera.for_size(frame.width, frame.height), None, horizon.up)
        note = _describe(horizon)
        self._moments.append(
            Moment(time_s=horizon.time_s, frame=horizon.frame, score=score, note=note, jpeg=jpeg)
        )

    def _score(self, horizon: Horizon) -> float:
        if horizon.attitude is None:
            return _LOST_SCORE if self._had_track else 0.0
        return math.hypot(*horizon.attitude.seen_sd_deg)

    def _make_room(self, horizon: Horizon, score: float) -> bool:
        """Whether a frame of this score gets in, where another one may have to leave."""
        apart_s = 0.0 if self._still else max(_APART_S, _APART_SHARE * horizon.time_s)
        near = [one for one in self._moments if abs(one.time_s - horizon.time_s) < apart_s]
        beaten = near or (sorted(self._moments, key=lambda one: one.score)[:1] if self._is_full else [])
        if any(score < _WORTH_A_PICTURE * one.score for one in beaten):
            return False
        self._moments = [one for one in self._moments if one not in beaten]
        return True

    @property
    def _is_full(self) -> bool:
        return len(self._moments) >= _KEPT

    def in_time(self) -> list[Moment]:
        """The first one first."""
        return sorted(self._moments, key=lambda one: one.time_s)


def _describe(horizon: Horizon) -> str:
    """What the horizon of a frame was like, in a few words."""
    if horizon.roll_sd_deg is None or horizon.pitch_sd_deg is None:
        return f"{horizon.state}: no estimate"
    return (
        f"{horizon.state}: roll {horizon.roll_deg:.1f}° ± {horizon.roll_sd_deg:.1f}°, "
        f"pitch {horizon.pitch_deg:.1f}° ± {horizon.pitch_sd_deg:.1f}°"
    )


class ThumbnailSink(Sink):
    """Writes the pictures of the hardest moments into a folder, as TIME.jpg with the time in seconds."""

    def __init__(self, folder: Path | str, context: SinkContext) -> None:
        """Make the folder; raises OutputError."""
        self._folder, self._moments = Path(folder), HardestMoments(context)
        make_folder(self._folder)

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self._moments.add(frame, horizon)

    def _finish(self) -> None:
        moments = self._moments.in_time()
        names = {f"{one.time_s:010.3f}-{one.frame:06d}.jpg": one.jpeg for one in moments}
        for earlier in self._folder.glob("*-*.jpg"):
            if earlier.name not in names:
                earlier.unlink(missing_ok=True)
        for name, jpeg in names.items():
            write_atomic(self._folder / name, jpeg)

    def _abandon(self) -> None:
        """Nothing is written before the end."""
