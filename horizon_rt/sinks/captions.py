"""Text on a dark panel over a picture; its size follows that of the canvas."""

from __future__ import annotations

from collections.abc import Sequence

from horizon_rt.imaging.canvas import Canvas, text_size
from horizon_rt.sinks.instrument import WHITE

__all__ = ["draw_note", "draw_rows"]

_SHARE, _LEAST_PX, _LINE = 0.024, 8.0, 2.2
_DARKNESS = 0.6


def draw_note(canvas: Canvas, lines: Sequence[str]) -> None:
    """Lines in the middle of the lower half; of one that is too long its end."""
    height = _text_px(canvas)
    middle, y = canvas.width / 2, 0.8 * canvas.height - _LINE * height * len(lines)
    for line in lines:
        shown = _fitted(line, height, canvas.width - 4 * height)
        half = text_size(shown, height)[0] / 2 + height
        y += _LINE * height
        _panel(canvas, middle - half, y - 1.6 * height, middle + half, y + 0.6 * height)
        canvas.text(shown, (middle, y), WHITE, height, align="centre")


def draw_rows(canvas: Canvas, rows: Sequence[tuple[str, str]]) -> None:
    """A table of two columns in the middle, smaller where it would not fit."""
    height = _text_px(canvas)
    widths = [max(text_size(cell, height)[0] for cell in column) for column in zip(*rows, strict=True)]
    needed = (sum(widths) + 5 * height, _LINE * height * (len(rows) + 1))
    scale = min(1.0, canvas.width / needed[0], canvas.height / needed[1])
    height, column = scale * height, scale * widths[0]
    width, tall = (scale * n for n in needed)
    left, top = (canvas.width - width) / 2, (canvas.height - tall) / 2
    _panel(canvas, left, top, left + width, top + tall)
    for number, (name, text) in enumerate(rows, 1):
        y = top + _LINE * height * number + 0.5 * height
        canvas.text(name, (left + 1.5 * height, y), WHITE, height)
        canvas.text(text, (left + 3.5 * height + column, y), WHITE, height)


def _text_px(canvas: Canvas) -> float:
    return max(_LEAST_PX, _SHARE * min(canvas.width, canvas.height))


def _panel(canvas: Canvas, left: float, top: float, right: float, bottom: float) -> None:
    canvas.rectangle((left, top), (right, bottom), (0, 0, 0), _DARKNESS)


def _fitted(text: str, height: float, room: float) -> str:
    shown = text
    while len(shown) > 4 and text_size(shown, height)[0] > room:
        shown = "..." + shown[4:]
    return shown
