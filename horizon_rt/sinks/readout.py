"""The writing of the overlay: state, view and time at the top, roll and pitch at the bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from horizon_rt.imaging.canvas import text_size
from horizon_rt.sinks.instrument import WHITE
from horizon_rt.system.units import clock_time

if TYPE_CHECKING:
    from horizon_rt.camera import Camera
    from horizon_rt.frame.colour import Colour
    from horizon_rt.horizon import Horizon
    from horizon_rt.imaging.canvas import Canvas
    from horizon_rt.sinks.drawing import Style

__all__ = ["Readout"]

_VIEW_TEXT = {"horizon": "", "sky": "sky only", "ground": "ground only", "unknown": "no horizon seen"}
# The widest of what may stand there, so that nothing moves while the numbers change.
_STATE, _SIGMA, _RATE = "ACQUIRING", "±180.00°", ("000 FPS", "000.0 ms")
_CLOCK, _TIME = "0000-00-00 00:00:00 UTC", "0:00:00.00"
# In heights of capitals.
_MARGIN, _LINE, _ENDS, _VALUE, _SD = 1.3, 1.9, 1.7, 4.6, 5.4
_SMALLEST_PX, _STEP = 2.0, 0.98


class Readout:
    """Writes for one picture size; `text_px` is the height of its capitals.

    That is the wanted one, or the largest with which each line fits the width, and all lines the height.
    """

    def __init__(self, camera: Camera, style: Style) -> None:
        self._width, self._height, self._style = camera.width, camera.height, style
        self.text_px = max(7.0, 0.027 * min(camera.width, camera.height)) * style.text_scale
        while self.text_px > _SMALLEST_PX and not self._fits():
            self.text_px *= _STEP

    def _fits(self) -> bool:
        """Numbers and sigma, the state, and what stands on the right each have a line of their own."""
        style, margins = self._style, 2 * _MARGIN * self.text_px
        lines = [self._size(_STATE)] * style.state + [self._size(self._widest_right(_CLOCK))]
        rows = 2 * style.text + style.state + style.view + (style.time or style.rate)
        numbers = self._column() + _SD * self.text_px + self._size(_SIGMA)
        fits = max([*lines, *[numbers] * style.text]) + margins <= self._width
        return fits and (rows * _LINE + _ENDS) * self.text_px <= self._height

    def draw(
        self, canvas: Canvas, horizon: Horizon, colour: Colour, away: float | None, fps: float | None
    ) -> None:
        """Write what the style asks for; `away` is the angle to a horizon that is out of the picture."""
        taken = self._state_and_time(canvas, horizon, colour, fps)
        if self._style.view:
            self._view(canvas, horizon, away, taken)
        if horizon.up is not None and self._style.text:
            self._numbers(canvas, horizon)

    def _state_and_time(
        self, canvas: Canvas, horizon: Horizon, colour: Colour, fps: float | None
    ) -> tuple[float, float, int]:
        """The free part of the first line, from and to, and the lines that are taken."""
        text_px, row = self.text_px, 0
        left, right = _MARGIN * text_px, self._width - _MARGIN * text_px
        if self._style.state:
            state = horizon.state.upper()
            canvas.text(state, (left, self._line(0)), colour, text_px)
        widest = self._size(self._widest_right(_TIME if horizon.time_utc is None else _CLOCK))
        if widest:
            state_px = self._size(_STATE) + text_px if self._style.state else 0.0
            row = int(left + state_px + widest > right)
            text = "  ".join(self._right(horizon, fps))
            if text:
                canvas.text(text, (right, self._line(row)), WHITE, text_px, align="right")
        left += self._size(horizon.state.upper()) + text_px if self._style.state else 0.0
        rows = row + 1 if self._style.state or widest else 0
        return left, right - (0.0 if row or not widest else widest + text_px), rows

    def _view(
        self, canvas: Canvas, horizon: Horizon, away: float | None, taken: tuple[float, float, int]
    ) -> None:
        """What is seen, and how far below or above the optical axis a hidden horizon lies.

        On the first line, if there is room, else on one of its own, smaller where it is too long.
        """
        side = "" if away is None else f"horizon {abs(away):.0f}° {'below' if away > 0 else 'above'}"
        text = "  ".join(part for part in (_VIEW_TEXT[horizon.view], side) if part)
        if not text:
            return
        left, right, rows = taken
        if left + self._size(text) <= right:
            canvas.text(text, (left, self._line(0)), WHITE, self.text_px)
            return
        left, text_px = _MARGIN * self.text_px, self.text_px
        while text_px > _SMALLEST_PX and text_size(text, text_px)[0] > self._width - 2 * left:
            text_px *= _STEP
        canvas.text(text, (left, self._line(rows)), WHITE, text_px)

    def _numbers(self, canvas: Canvas, horizon: Horizon) -> None:
        rows = (
            ("ROLL", horizon.roll_deg, horizon.roll_sd_deg),
            ("PITCH", horizon.pitch_deg, horizon.pitch_sd_deg),
        )
        text_px, x = self.text_px, _MARGIN * self.text_px
        bottom, column = self._height - 1.4 * text_px, self._column()
        for row, (name, value, sd) in enumerate(rows):
            y = bottom - (1 - row) * _LINE * text_px
            canvas.text(name, (x, y), WHITE, text_px)
            if value is not None:
                end = x + column + _VALUE * text_px
                canvas.text(f"{value:+.1f}°", (end, y), WHITE, text_px, align="right")
            if sd is not None:
                canvas.text(f"±{sd:.2f}°", (x + column + _SD * text_px, y), WHITE, text_px)

    def _column(self) -> float:
        return self._size("PITCH") + self.text_px

    def _line(self, row: int) -> float:
        """The baseline of a line at the top."""
        return (1.0 + _MARGIN + row * _LINE) * self.text_px

    def _size(self, text: str) -> float:
        return text_size(text, self.text_px)[0] if text else 0.0

    def _widest_right(self, time: str) -> str:
        """The widest text on the right with this one of the time."""
        return "  ".join([*[time] * self._style.time, *_RATE * self._style.rate])

    def _right(self, horizon: Horizon, fps: float | None) -> list[str]:
        """Time, frame rate and latency."""
        parts = [_time(horizon)] if self._style.time else []
        if self._style.rate:
            parts += [f"{fps:.0f} FPS"] if fps is not None else []
            parts += [f"{horizon.latency_ms:.1f} ms"] if horizon.latency_ms is not None else []
        return parts


def _time(horizon: Horizon) -> str:
    """The clock of a live source, the time of a recording."""
    if horizon.time_utc is not None:
        return f"{horizon.time_utc:%Y-%m-%d %H:%M:%S} UTC"
    return clock_time(horizon.time_s, decimals=2)
