"""The attitude instrument that is drawn over the picture."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from horizon_rt.frame.colour import Colour
from horizon_rt.imaging.canvas import Canvas
from horizon_rt.sinks.drawing import Style
from horizon_rt.sinks.instrument import Instrument
from horizon_rt.sinks.readout import Readout

if TYPE_CHECKING:
    from horizon_rt.camera import Camera
    from horizon_rt.frame import Frame
    from horizon_rt.geometry import UpVector
    from horizon_rt.horizon import Horizon, State

__all__ = ["STATE_COLOURS", "Overlay"]

STATE_COLOURS: dict[State, Colour] = {
    "tracking": (70, 240, 100),
    "coasting": (255, 190, 0),
    "acquiring": (90, 175, 255),
    "lost": (255, 75, 65),
}

_RATE_OVER_S = 1.0


class _Rate:
    """Frames per second from the moments at which frames pass, over about a second."""

    def __init__(self) -> None:
        self._passed: deque[float] = deque()

    def tick(self) -> float | None:
        passed, now = self._passed, time.perf_counter()
        passed.append(now)
        while len(passed) > 2 and now - passed[0] > _RATE_OVER_S:
            passed.popleft()
        return (len(passed) - 1) / (now - passed[0]) if now > passed[0] else None


class _Drawn(NamedTuple):
    frame: Frame
    horizon: Horizon
    size: tuple[int, int] | None
    style: Style
    canvas: Canvas


class Overlay:
    """Draws a horizon and its numbers; sizes follow the smaller side of the picture.

    `camera` may have any size: it is resized to the picture. One instance may serve several sinks, which then
    share one drawing for each frame.
    """

    def __init__(self, camera: Camera, *, style: Style | None = None) -> None:
        self._source_camera = camera
        self._style = style or Style()
        self._rate = _Rate()
        self._fps: float | None = None
        self._last: _Drawn | None = None
        self._fit(camera)

    @property
    def style(self) -> Style:
        """What is drawn; may be changed at any time."""
        return self._style

    @style.setter
    def style(self, style: Style) -> None:
        self._style = style
        self._fit(self._camera)

    def render(self, frame: Frame, horizon: Horizon, *, size: tuple[int, int] | None = None) -> Canvas:
        """A canvas with the frame and its overlay, kept for the other sinks: do not draw on it.

        With an even `size` (width, height) in px of about the same shape the picture is resized first, so
        that what is drawn on it is sharp.
        """
        last = self._last
        if last is None or last.frame is not frame:
            self._fps = self._rate.tick()
        elif last.horizon is horizon and (last.size, last.style) == (size, self._style):
            return last.canvas
        canvas = Canvas.from_frame(frame)
        canvas = canvas if size is None else canvas.letterboxed(*size)
        self.draw(canvas, horizon, self._fps, size=size or (frame.width, frame.height))
        self._last = _Drawn(frame, horizon, size, self._style, canvas)
        return canvas

    def draw(
        self,
        canvas: Canvas,
        horizon: Horizon,
        fps: float | None = None,
        *,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Draw onto the canvas; `size` is that of the picture when the canvas was padded to even."""
        width, height = size or (canvas.width, canvas.height)
        if (width, height) != (self._camera.width, self._camera.height):
            self._fit(self._source_camera.for_size(width, height))
        colour, up = STATE_COLOURS[horizon.state], horizon.up
        away = None if up is None else self._instrument.draw(canvas, horizon, up, colour)
        self._readout.draw(canvas, horizon, colour, away, fps)

    def curve(self, up: UpVector, *, dip_deg: float = 0.0) -> list[NDArray[np.float64]]:
        """The horizon in the picture as runs of points (N, 2) in px, for this attitude and dip."""
        return self._instrument.curve(up, math.radians(dip_deg))

    def _fit(self, camera: Camera) -> None:
        self._camera = camera
        self._readout = Readout(camera, self._style)
        self._instrument = Instrument(camera, self._style, self._readout.text_px)
