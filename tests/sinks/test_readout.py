"""The writing of the overlay: no text on another one, and none out of the picture, by the pixels drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.sinks import frame, horizon

from horizon_rt.camera import Camera
from horizon_rt.sinks import Canvas, Overlay
from horizon_rt.sinks.drawing import DrawOptions, Style

SIZES = [(360, 640), (640, 360), (240, 500), (128, 96)]
WRITING = "state,view,text"


def texts(
    size: tuple[int, int],
    style: Style,
    monkeypatch: pytest.MonkeyPatch,
    *,
    attitude: tuple[float, float] = (-170.4, -89.9),
    is_live: bool = False,
) -> dict[str, tuple[tuple[float, float], float, NDArray[np.bool_]]]:
    """Each text with its place, its height and its ink, on a picture three times as wide and high."""
    calls: list[tuple[Any, ...]] = []

    def keep(_: Canvas, text: str, at: Any, colour: Any, height: float, *, align: str = "left") -> None:
        calls.append((text, at, height, align))

    shown = horizon(roll=attitude[0], pitch=attitude[1], state="acquiring", view="ground", sd=(179.99, 85.5))
    utc = datetime(2026, 3, 1, 9, 30, 2, tzinfo=UTC) if is_live else None
    shown = replace(shown, time_s=3723.4, time_utc=utc, latency_ms=123.4)
    with monkeypatch.context() as patch:
        patch.setattr(Canvas, "text", keep)
        canvas = Canvas.from_frame(frame(width=size[0], height=size[1]))
        Overlay(Camera.from_hfov(*size, 70), style=style).draw(canvas, shown, 119.9)
    found = {}
    for text, at, height, align in calls:
        canvas = Canvas(3 * size[0], 3 * size[1])
        canvas.clear((128, 128, 128))
        canvas.text(text, (at[0] + size[0], at[1] + size[1]), (255, 255, 255), height, align=align)
        found[text] = (at, height, cv2.absdiff(canvas.y, canvas.y[0, 0].item()) > 8)
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text_size", [1, 3, 10])
@pytest.mark.parametrize(
    "draw", [f"{WRITING},time", f"{WRITING},rate", f"{WRITING},time,rate", "view", "text"]
)
def test_no_text_lies_on_another_or_out_of_the_picture(
    size: tuple[int, int], text_size: float, draw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    style = DrawOptions(draw=draw, text_size=text_size).style("live")
    found = texts(size, style, monkeypatch, is_live="rate" in draw)
    width, height = size
    total = np.zeros((3 * height, 3 * width), np.uint8)
    for _, _, ink in found.values():
        total += ink
    assert total.max() <= 1
    inside = total[height : 2 * height, width : 2 * width]
    assert inside.sum() == total.sum()
    right = "time" in draw or "rate" in draw
    assert len(found) == 6 * ("text" in draw) + ("state" in draw) + ("view" in draw) + right


@pytest.mark.parametrize("size", [(640, 360), (1920, 1080), (1080, 1920)])
def test_text_that_fits_has_the_size_that_is_asked_for(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, twice = (
        texts(size, DrawOptions(draw="all", text_size=k).style("recording"), monkeypatch) for k in (1, 1.8)
    )
    assert usual["ROLL"][1] == pytest.approx(0.027 * min(size))
    assert twice["ROLL"][1] == pytest.approx(1.8 * usual["ROLL"][1])
    assert usual["ACQUIRING"][0][1] == usual["1:02:03.40"][0][1]  # on one line


def test_held_text_still_fills_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest line, here of the numbers, leaves no more than its margins."""
    found = texts((360, 640), DrawOptions(draw="text", text_size=10).style("recording"), monkeypatch)
    reach = np.flatnonzero(found["±179.99°"][2].any(axis=0)).max() - 360
    assert 0.88 * 360 < reach < 360


@pytest.mark.parametrize("latency_ms", [0.1, 9.9, 512.3])
def test_nothing_moves_while_the_numbers_change(latency_ms: float, monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, Any] = {}
    monkeypatch.setattr(Canvas, "text", lambda _, text, at, *__, **___: said.setdefault(text, at))
    camera = Camera.from_hfov(360, 640, 70)
    overlay = Overlay(camera, style=DrawOptions(draw="state,rate", text_size=1.8).style("live"))
    canvas = Canvas.from_frame(frame(width=360, height=640))
    overlay.draw(canvas, replace(horizon(), latency_ms=latency_ms), 9.0)
    baseline = said.pop("TRACKING")[1]
    assert [at[1] - baseline for at in said.values()] == [pytest.approx(1.9 * 1.8 * 0.027 * 360)]
