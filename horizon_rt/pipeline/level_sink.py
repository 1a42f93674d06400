"""The output of `level`: every frame turned as planned, encoded, and some of them in a picture for a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import OutputError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.imaging.planar import Planar
from horizon_rt.imaging.tags import VideoTags
from horizon_rt.imaging.video_writer import VideoWriter
from horizon_rt.levelling import Leveller, LevelPlan
from horizon_rt.options import EncodeOptions
from horizon_rt.sinks import Sink
from horizon_rt.sources import SourceInfo
from horizon_rt.system.files import write_atomic

__all__ = ["LevelSink", "PlannedPart", "Preview"]

_SHOWN = 6
_SHOWN_PX = 360


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPart:
    """So many frames of one size, what turns them, and how."""

    frames: int
    leveller: Leveller
    plan: LevelPlan


class Preview:
    """Frames spread over a recording side by side, the source above and the levelled picture below."""

    def __init__(self, target: Path) -> None:
        """Raises OutputError for what is no name of a picture."""
        if target.suffix.lower() not in (".png", ".jpg", ".jpeg"):
            raise OutputError(f"a preview is a picture, .png or .jpg, got {target}")
        self.target = target
        self._pairs: list[NDArray[np.uint8]] = []
        self._wanted: set[int] = set()

    def begin(self, frames: int) -> None:
        """Choose from so many frames."""
        self._wanted = set(np.linspace(0, frames - 1, _SHOWN + 2).round().astype(int)[1:-1].tolist())

    def take(self, number: int, source: Frame, levelled: Frame) -> None:
        """Keep a frame that was chosen."""
        if number in self._wanted:
            self._pairs.append(np.concatenate([_small(source), _small(levelled)]))

    def write(self) -> None:
        """Write the picture; raises OutputError."""
        if not self._pairs:
            return
        height = self._pairs[0].shape[0]
        same = [pair for pair in self._pairs if pair.shape[0] == height]
        coded = cv2.imencode(self.target.suffix, np.concatenate(same, axis=1))[1]
        write_atomic(self.target, coded.tobytes())


def _small(frame: Frame) -> NDArray[np.uint8]:
    """At most so many px wide, with a black line around."""
    picture: Any = frame.to_bgr()
    scale = min(1.0, _SHOWN_PX / frame.width)
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cast("NDArray[np.uint8]", cv2.copyMakeBorder(small, 2, 2, 2, 2, cv2.BORDER_CONSTANT))


class LevelSink(Sink):
    """Writes the levelled video, with the sound and the tags of a file; `begin` tells it how."""

    def __init__(
        self,
        target: Path,
        info: SourceInfo,
        *,
        audio_from: str | None,
        from_s: float,
        is_whole: bool,
        preview: Preview | None,
        coding: EncodeOptions,
        tags: VideoTags | None = None,
    ) -> None:
        """Open the file; raises OutputError."""
        self._from_s, self._is_whole, self._preview = from_s, is_whole, preview
        self._writer = VideoWriter(
            target,
            frame_rate=info.frame_rate,
            audio_from=audio_from,
            audio_from_s=from_s,
            coding=coding,
            tags=tags,
        )
        self._parts: Sequence[PlannedPart] = ()
        self._part, self._at, self._count = 0, 0, 0

    def begin(self, parts: Sequence[PlannedPart]) -> None:
        """Level the frames that come by these plans, one after the other."""
        self._parts = parts
        if self._preview is not None:
            self._preview.begin(sum(part.frames for part in parts))

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        part, at = self._parts[self._part], self._at
        turn, zoom = part.plan.turn.part(slice(at, at + 1)), float(part.plan.zoom[at])
        levelled = part.leveller.level(frame, turn, zoom)
        picture = Planar.of(levelled.arrays(), levelled.sampling)
        self._writer.write(picture, frame.time_s - self._from_s)
        if self._preview is not None:
            self._preview.take(self._count, frame, levelled)
        self._count, self._at = self._count + 1, self._at + 1
        if self._at == part.frames:
            self._part, self._at = self._part + 1, 0

    def _finish(self) -> None:
        self._writer.close(all_sound=self._is_whole and self._complete)
        if self._preview is not None:
            self._preview.write()

    def _abandon(self) -> None:
        self._writer.abort()
