"""The frames that went worst, kept small, with the true horizon and the estimate drawn."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.sinks.overlay import Overlay

if TYPE_CHECKING:
    from horizon_rt.camera import Camera
    from horizon_rt.frame import Frame
    from horizon_rt.geometry import UpVector

__all__ = ["ESTIMATE_RGB", "TRUTH_RGB", "HardestFrame", "HardestFrames", "thumbnail"]

TRUTH_RGB, ESTIMATE_RGB = (0, 229, 255), (255, 122, 0)
_WIDTH_PX = 400
_KEPT = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class HardestFrame:
    """A frame with its score (the horizon error, or 1 − IoU), what went wrong in words, and a JPEG of it."""

    score: float
    name: str
    note: str
    jpeg: bytes = field(repr=False)


class HardestFrames:
    """Keeps the 24 highest scores; a picture is only made for a frame that gets in."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, HardestFrame]] = []
        self._seen = 0

    def wants(self, score: float) -> bool:
        """Whether a frame of this score gets in."""
        return score > 0 and (len(self._heap) < _KEPT or score > self._heap[0][0])

    def add(self, frame: HardestFrame) -> None:
        """Take a frame in, and let the least bad go; of equal ones the earlier stays."""
        self._seen += 1
        entry = (frame.score, -self._seen, frame)
        (heapq.heappush if len(self._heap) < _KEPT else heapq.heappushpop)(self._heap, entry)

    def sorted(self) -> tuple[HardestFrame, ...]:
        """Worst first."""
        return tuple(frame for _, _, frame in sorted(self._heap, key=lambda entry: entry[:2], reverse=True))


def thumbnail(
    frame: Frame,
    camera: Camera,
    truth: UpVector | None,
    estimate: UpVector | None,
    sky: NDArray[np.bool_] | None = None,
) -> bytes:
    """A JPEG 400 px wide with the true horizon (or the border of the true mask) and the estimated one."""
    image = frame.to_bgr()
    scale = _WIDTH_PX / frame.width
    size = (_WIDTH_PX, max(1, round(frame.height * scale)))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if truth is not None:
        _draw(image, Overlay(camera).curve(truth), scale, TRUTH_RGB)
    elif sky is not None:
        _draw(image, _border(sky), scale, TRUTH_RGB)
    if estimate is not None:
        _draw(image, Overlay(camera).curve(estimate), scale, ESTIMATE_RGB)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 82])[1])


def _draw(
    image: NDArray[np.uint8], runs: list[NDArray[np.float64]], scale: float, rgb: tuple[int, int, int]
) -> None:
    for run in runs:
        points = np.round(((run + 0.5) * scale - 0.5) * 16).astype(np.int32)
        for colour, width in (((0, 0, 0), 4), (rgb[::-1], 2)):
            cv2.polylines(image, [points], False, colour, width, cv2.LINE_AA, 4)


def _border(sky: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Outlines of the sky side without the parts that run along the edge of the picture."""
    outlines, _ = cv2.findContours(sky.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    runs = []
    limit = np.array(sky.shape[::-1]) - 1
    for outline in outlines:
        points = outline.reshape(-1, 2)
        inside = ((points > 0) & (points < limit)).all(axis=1)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]])))
        runs += [points[a:b].astype(np.float64) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return runs
