"""Boxes on the overlay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from horizon_rt.detections.judging import Judgement, judge
from horizon_rt.frame.colour import Colour
from horizon_rt.geometry import Range
from horizon_rt.horizon import Side
from horizon_rt.imaging.canvas import Canvas
from horizon_rt.sinks.overlay import Overlay

if TYPE_CHECKING:
    from horizon_rt.camera import Camera
    from horizon_rt.detections.boxes import Box, Boxes
    from horizon_rt.horizon import Horizon

__all__ = ["BoxOverlay", "range_text"]

_COLOURS: dict[Side | None, Colour] = {
    "sea": (255, 170, 40),
    "horizon": (255, 235, 80),
    "sky": (150, 190, 235),
    None: (200, 200, 200),
}
_BLACK: Colour = (0, 0, 0)


class BoxOverlay(Overlay):
    """An overlay with the boxes of each frame, coloured by their side of the horizon, and their ranges."""

    def __init__(self, camera: Camera, boxes: Boxes, **options: Any) -> None:
        super().__init__(camera, **options)
        self._boxes = boxes

    def draw(
        self,
        canvas: Canvas,
        horizon: Horizon,
        fps: float | None = None,
        *,
        size: tuple[int, int] | None = None,
    ) -> None:
        """See `Overlay`."""
        super().draw(canvas, horizon, fps, size=size)
        width, height = size or (canvas.width, canvas.height)
        scale = width / (horizon.width or width)
        for box in self._boxes.of(horizon.frame, horizon.file):
            edges = box.in_picture(round(width / scale), round(height / scale))
            self._box(canvas, box, judge(box, horizon), np.array(edges) * scale, min(width, height))

    def _box(self, canvas: Canvas, box: Box, found: Judgement, edges: np.ndarray, unit: int) -> None:
        x1, y1, x2, y2 = edges
        colour, stroke = _COLOURS[found.side], max(1, round(unit / 400))
        corners = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])
        canvas.polyline(corners, _BLACK, stroke + 2, closed=True)
        canvas.polyline(corners, colour, stroke, closed=True)
        said = found.side if found.range is None else range_text(found.range)
        text, tall = " ".join(part for part in (box.label, said) if part), max(7.0, 0.022 * unit)
        above = y1 - 0.5 * tall
        canvas.text(text, (x1, above if above > 1.2 * tall else y2 + 1.5 * tall), colour, tall)


def range_text(found: Range) -> str:
    """A distance in m, or in km from 1000 m on, with its sigma, to the digits that the sigma leaves."""
    distance, sd = found
    if distance < 1000:
        return f"{distance:.0f} m ±{sd:.0f}"
    digits = 2 if sd < 100 else 1
    return f"{distance / 1000:.{digits}f} km ±{sd / 1000:.{digits}f}"
