"""Turns of a camera, collected from its frames: corners far away and the horizon, before and after."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.turns import Turn
from horizon_rt.geometry import HorizonLine
from horizon_rt.pipeline.corners import far_corners, followed, match_corners
from horizon_rt.pipeline.horizon_edge import FEWEST_STATIONS, horizon_points

__all__ = ["TurnCollector"]

Luma = NDArray[np.uint8]
_WIDEST_PX = 960
_PER_TILE, _FEWEST = 6, 30
_MOVED, _LEAST_MOVED = 0.1, 0.01  # of the width
_LONGEST_S, _SHORTEST_STEP_S = 2.0, 0.03
_RANSAC, _RANSAC_OF_WAY = 0.004, 0.1  # of the width; far and near move differently
_SKY = 0.1  # of the height, above the horizon


@dataclass(frozen=True, slots=True)
class _Seen:
    """A frame whose horizon is known, made smaller."""

    luma: Luma
    time_s: float
    line: HorizonLine


class TurnCollector:
    """Collects turns frame by frame; `turns` are those so far, in px of frames of `size`.

    Corners are followed from frame to frame until they have moved by a tenth of the width, or for two
    seconds; then the first frame is matched with the last anew. `still` counts the stretches in which hardly
    anything moved.
    """

    def __init__(self, width: int, height: int) -> None:
        shrink = min(1.0, _WIDEST_PX / max(width, height))
        self.size = max(1, round(width * shrink)), max(1, round(height * shrink))
        self.turns: list[Turn] = []
        self.still = 0
        self._first: _Seen | None = None
        self._last: Luma | None = None
        self._last_s = 0.0
        self._start = self._now = np.empty((0, 2), np.float32)

    def update(self, luma: Luma, time_s: float, line: HorizonLine | None) -> None:
        """Take the next frame: its luma (height, width), and its horizon in px of `size`, None if unknown."""
        if self._last is not None and time_s - self._last_s < _SHORTEST_STEP_S:
            return
        small = luma
        if luma.shape[::-1] != self.size:
            small = np.asarray(cv2.resize(luma, self.size, interpolation=cv2.INTER_AREA), np.uint8)
        if self._first is not None and self._last is not None and len(self._now):
            there, sure = followed(self._last, small, self._now)
            self._start, self._now = self._start[sure], there[sure]
        self._last, self._last_s = small, time_s
        if line is not None and (self._first is None or self._is_over(self._first, time_s)):
            self._next(_Seen(small, time_s, line))

    def _next(self, seen: _Seen) -> None:
        """End a turn, and begin one."""
        if self._first is not None:
            self._close(self._first, seen)
        self._first = seen
        self._start = self._now = far_corners(seen.luma, seen.line, _PER_TILE)

    def _is_over(self, first: _Seen, time_s: float) -> bool:
        is_late = time_s - first.time_s > _LONGEST_S
        return is_late or len(self._now) < _FEWEST or self._way > _MOVED * self.size[0]

    @property
    def _way(self) -> float:
        """Median way of the corners since the first frame in px."""
        return float(np.median(np.linalg.norm(self._now - self._start, axis=1)))

    def _close(self, first: _Seen, last: _Seen) -> None:
        """Keep the turn from the first frame to the last, where it shows enough."""
        if len(self._now) < _FEWEST:
            return
        if self._way < _LEAST_MOVED * self.size[0]:
            self.still += 1
            return
        limit_px = max(_RANSAC * self.size[0], _RANSAC_OF_WAY * self._way)
        homography, _ = cv2.findHomography(self._start, self._now, cv2.RANSAC, limit_px)
        horizons = horizon_points(first.luma, first.line), horizon_points(last.luma, last.line)
        if homography is None or min(map(len, horizons)) < FEWEST_STATIONS:
            return
        found = match_corners(first.luma, last.luma, np.asarray(homography, np.float64), first.line)
        if len(found.before) < _FEWEST:
            return
        normal, middle = np.array(first.line.normal), (np.array(self.size) - 1) / 2
        above = (found.before - middle) @ normal + first.line.offset_px > 0
        sky = middle + (_SKY * self.size[1] - first.line.offset_px) * normal
        self.turns.append(Turn(*found, above, *horizons, sky))
