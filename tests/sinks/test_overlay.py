"""The drawn horizon against closed forms, OpenCV's lens model and the sky side of rendered scenes."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.camera import brown, coefficients
from support.sinks import frame, horizon, pixels_near

from horizon_rt.camera import Camera
from horizon_rt.errors import OptionsError
from horizon_rt.frame import Frame
from horizon_rt.geometry import Mount, UpVector
from horizon_rt.horizon import State
from horizon_rt.sinks import Canvas, Overlay
from horizon_rt.sinks.drawing import NOTHING, DrawOptions, Style, Use
from horizon_rt.sinks.overlay import STATE_COLOURS

CAMERA = Camera.from_hfov(640, 360, 70)
BARE = Style(band=False, ticks=False, ladder=False, scale=False, text=False, rate=False)
ATTITUDES = [(0, 0), (12.3, -4), (-33, 9), (90, 2), (-90, 5), (180, 3), (165, -8), (-140, 0)]


def drawn(camera: Camera, roll: float | None, pitch: float = 0, **options: object) -> NDArray[np.uint8]:
    return canvas_of(camera, roll, pitch, **options).to_bgr()


def canvas_of(camera: Camera, roll: float | None, pitch: float = 0, **options: object) -> Canvas:
    style = options.pop("style", BARE)
    canvas = Canvas.from_frame(frame(width=camera.width, height=camera.height, luma=40))
    result = horizon(roll=roll, pitch=pitch, camera=camera, **options)  # type: ignore[arg-type]
    Overlay(camera, style=style).draw(canvas, result)  # type: ignore[arg-type]
    return canvas


def line_centres(image: NDArray[np.uint8], along_x: bool) -> NDArray[np.float64]:
    """Middle of the green in each column (or row), without the ticks' columns and the corners' text."""
    green = pixels_near(image, STATE_COLOURS["tracking"], 90)
    axis, other = (0, 1) if along_x else (1, 0)
    centres = []
    for value in np.unique(green[:, axis]):
        run = green[green[:, axis] == value, other]
        if np.ptp(run) <= 4:
            point = [0.0, 0.0]
            point[axis], point[other] = float(value), float(run.mean())
            centres.append(point)
    return np.array(centres)


def in_the_middle(points: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
    """Points that are not in the text's rows at the top, nor at the camera's mark, nor cut by the border."""
    x, y = points.T
    mark = np.hypot(x - camera.width / 2, y - camera.height / 2) < 0.07 * camera.height
    inside = (x > 4) & (x < camera.width - 5) & (y > 0.09 * camera.height) & (y < camera.height - 5)
    return points[inside & ~mark]


@pytest.mark.parametrize(("roll", "pitch"), ATTITUDES)
def test_the_horizon_lies_on_the_closed_form_line(roll: float, pitch: float) -> None:
    line = UpVector.from_roll_pitch(roll, pitch).line(CAMERA.focal_px)
    assert line is not None
    steep = 45 < abs(roll) < 135
    points = in_the_middle(line_centres(drawn(CAMERA, roll, pitch), along_x=not steep), CAMERA)
    away = [line.signed_distance(x, y, CAMERA.width, CAMERA.height) for x, y in points]
    assert len(away) > 150
    assert np.max(np.abs(away)) <= 1.0
    assert abs(np.mean(away)) < 0.3


@pytest.mark.parametrize(("roll", "pitch"), [(0, 12), (25, -15), (-60, 10), (172, 8)])
def test_with_distortion_the_horizon_is_opencvs_curve(roll: float, pitch: float) -> None:
    camera = brown(
        width=640, height=360, fx=420, fy=415, cx=330, cy=172, k1=-0.22, k2=0.05, p1=0.001, p2=-0.002
    )
    up = UpVector.from_roll_pitch(roll, pitch).as_array()
    forward = np.array([0, 0, 1.0]) - up[2] * up
    forward /= np.linalg.norm(forward)
    azimuth = np.radians(np.linspace(-45, 45, 4001))[:, None]
    rays = np.cos(azimuth) * forward + np.sin(azimuth) * np.cross(forward, up)
    intrinsics = np.array([[420, 0, 330], [0, 415, 172], [0, 0, 1.0]])
    expected, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), intrinsics, coefficients(camera))
    points = in_the_middle(line_centres(drawn(camera, roll, pitch), along_x=abs(roll) != 60), camera)
    gaps = np.linalg.norm(points[:, None] - expected.reshape(1, -1, 2), axis=2).min(axis=1)
    assert len(points) > 100
    assert gaps.max() <= 1.0


@pytest.mark.parametrize(("roll", "pitch"), ATTITUDES)
def test_ticks_point_to_the_sky(roll: float, pitch: float) -> None:
    line = UpVector.from_roll_pitch(roll, pitch).line(CAMERA.focal_px)
    assert line is not None
    style = Style(band=False, ladder=False, scale=False, text=False, rate=False)
    green = pixels_near(drawn(CAMERA, roll, pitch, style=style), STATE_COLOURS["tracking"], 90).astype(float)
    points = in_the_middle(green, CAMERA)
    points = points[(points[:, 1] < 330) | (points[:, 0] > 150)]
    away = np.array([line.signed_distance(x, y, CAMERA.width, CAMERA.height) for x, y in points])
    assert away.max() > 4
    assert away.min() > -2.5


@pytest.mark.parametrize("roll", [0, 30, 180, -120])
def test_the_band_is_two_sigma_wide(roll: float) -> None:
    style = Style(ticks=False, ladder=False, scale=False, text=False, rate=False)
    with_band, without = (canvas_of(CAMERA, roll, 0, style=s, sd=(0.0, 2.0)).y for s in (style, BARE))
    changed = np.argwhere(with_band != without)[:, ::-1]
    line = UpVector.from_roll_pitch(roll, 0).line(CAMERA.focal_px)
    assert line is not None
    near = changed[np.hypot(changed[:, 0] - 319.5, changed[:, 1] - 179.5) < 90]
    away = np.array([line.signed_distance(x, y, CAMERA.width, CAMERA.height) for x, y in near])
    expected = CAMERA.focal_px * math.tan(math.radians(4))
    assert away.max() == pytest.approx(expected, abs=2)
    assert away.min() == pytest.approx(-expected, abs=2)


@pytest.mark.parametrize("roll", [0, 30, 180, -120])
def test_an_open_band_leaves_one_sigma_of_the_picture_as_it_is(roll: float) -> None:
    open_band, filled = (
        DrawOptions(draw="band", band=band).style("recording") for band in ("open", "filled")
    )
    bare, with_open, with_filled = (
        canvas_of(CAMERA, roll, 0, style=style, sd=(0.0, 2.0)).y for style in (NOTHING, open_band, filled)
    )
    line = UpVector.from_roll_pitch(roll, 0).line(CAMERA.focal_px)
    assert line is not None
    rows, columns = np.mgrid[60:300, 200:440]
    away = np.abs(line.signed_distance(columns, rows, CAMERA.width, CAMERA.height))  # type: ignore[arg-type]
    one_sigma = CAMERA.focal_px * math.tan(math.radians(2))
    inside = away < one_sigma - 2
    assert (with_open[60:300, 200:440] == bare[60:300, 200:440])[inside].all()
    assert (with_filled[60:300, 200:440] != bare[60:300, 200:440])[inside].all()


ALL = {"line", "ticks", "band", "ladder", "scale", "reference", "state", "view", "text", "time", "rate"}


@pytest.mark.parametrize(
    ("draw", "use", "parts"),
    [
        ("all", "recording", ALL - {"rate"}),
        ("all", "live", ALL - {"time"}),
        ("all", "pictures", ALL - {"state", "time", "rate"}),
        ("all,time", "live", ALL),
        ("-ladder, -scale", "live", ALL - {"time", "ladder", "scale"}),
        ("line,band,state", "pictures", {"line", "band", "state"}),
        ("none", "live", set()),
        ("none,line", "live", {"line"}),
    ],
)
def test_the_parts_that_are_asked_for_are_drawn(draw: str, use: Use, parts: set[str]) -> None:
    style = DrawOptions(draw=draw).style(use)
    assert {part for part in ALL if getattr(style, part)} == parts


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"draw": "line,ladders"}, "knows no part 'ladders'; there are all, none, line, ticks, band"),
        ({"draw": ""}, "knows no part ''"),
        ({"colour": "orange"}, "six hexadecimal digits, such as ff8800 for orange, got 'orange'"),
    ],
)
def test_what_cannot_be_drawn_is_named(options: dict[str, str], error: str) -> None:
    with pytest.raises(OptionsError, match=error):
        DrawOptions(**options)  # type: ignore[arg-type]


def test_colour_width_and_size_are_obeyed() -> None:
    plain = DrawOptions(draw="line,text", colour="#ff8800").style("live")
    bold = DrawOptions(draw="line,text", colour="ff8800", line_width=3, text_size=2).style("live")
    images = [drawn(CAMERA, 0, 0, style=style, sd=(1.0, 1.0)) for style in (plain, bold)]
    orange = [len(pixels_near(image[100:260], (255, 136, 0), 60)) for image in images]
    assert orange[0] > 600
    assert orange[1] / orange[0] == pytest.approx(3, rel=0.4)
    ink = [int((image[280:, :300].min(axis=2) > 200).sum()) for image in images]
    assert ink[1] > 2.5 * ink[0] > 0


@pytest.mark.parametrize(
    ("time_s", "utc", "text"),
    [
        (12.478, None, "0:12.48"),
        (59.999, None, "1:00.00"),
        (3723.4, None, "1:02:03.40"),
        (5.0, datetime(2026, 3, 1, 9, 30, 2, 999_000, UTC), "2026-03-01 09:30:02 UTC"),
    ],
)
def test_a_recording_bears_its_time(
    time_s: float, utc: datetime | None, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    monkeypatch.setattr(Canvas, "text", lambda _, text, *__, **___: said.append(text))
    shown = replace(horizon(), time_s=time_s, time_utc=utc)
    overlay = Overlay(CAMERA, style=DrawOptions(draw="time").style("recording"))
    overlay.render(frame(), shown)
    assert said == [text]


def test_the_band_opens_with_the_roll_sigma() -> None:
    style = Style(ticks=False, ladder=False, scale=False, text=False, rate=False)
    with_band, without = (canvas_of(CAMERA, 0, 0, style=s, sd=(3.0, 0.0)).y for s in (style, BARE))
    rows, columns = np.nonzero(with_band != without)
    for column in (100, 500):
        half = np.ptp(rows[columns == column]) / 2
        assert half == pytest.approx(math.tan(math.radians(6)) * abs(column - 319.5), abs=2)


@pytest.mark.parametrize(
    ("roll", "pitch", "direction"),
    [
        (0, 60, (0, 1)),
        (0, -60, (0, -1)),
        (180, 60, (0, -1)),
        (90, 60, (1, 0)),
        (90, -60, (-1, 0)),
        (45, 70, (1, 1)),
    ],
)
def test_the_arrow_points_to_a_horizon_out_of_the_picture(
    roll: float, pitch: float, direction: tuple[float, float]
) -> None:
    image = drawn(CAMERA, roll, pitch, view="sky" if pitch > 0 else "ground")
    green = pixels_near(image, STATE_COLOURS["tracking"]) - (319.5, 179.5)
    arrow = green[np.hypot(green[:, 0], green[:, 1]) < 120]
    mean = arrow.mean(axis=0)
    cosine = mean @ direction / np.linalg.norm(mean) / np.linalg.norm(direction)
    assert len(arrow) > 150
    assert cosine > 0.99
    assert np.linalg.norm(mean) > 50


@pytest.mark.parametrize("roll", [0, 20, -45, 100, 180])
def test_the_roll_pointer_stands_on_the_sky_side(roll: float) -> None:
    style = Style(band=False, ticks=False, ladder=False, text=False, rate=False)
    image, bare = drawn(CAMERA, roll, 0, style=style), drawn(CAMERA, roll, 0)
    image[(image == bare).all(axis=2)] = 0
    green = pixels_near(image, STATE_COLOURS["tracking"]) - (319.5, 179.5)
    mean = green.mean(axis=0)
    up = UpVector.from_roll_pitch(roll, 0)
    angle = math.degrees(math.acos(mean @ (up.x, up.y) / np.linalg.norm(mean)))
    assert angle < 3


@pytest.mark.parametrize("state", ["tracking", "coasting", "acquiring", "lost"])
def test_state_text_has_the_states_colour(state: State) -> None:
    image = drawn(CAMERA.resized(1280, 720), None, state=state, view="unknown")
    changed = np.argwhere(np.abs(image.astype(int) - image[360, 640]).max(axis=2) > 20)
    assert changed[:, 0].max() < 60  # without an estimate nothing but the text at the top
    assert len(pixels_near(image[:60, :320], STATE_COLOURS[state], 60)) > 30


@pytest.mark.parametrize("size", [(320, 240), (426, 240), (360, 640), (1001, 563), (3840, 2160)])
@pytest.mark.parametrize(("roll", "pitch"), [(0, 0), (33, 90), (-170, -89.99), (10, -30)])
def test_any_size_and_attitude_can_be_drawn(size: tuple[int, int], roll: float, pitch: float) -> None:
    shown = frame(width=size[0], height=size[1])
    canvas = Overlay(CAMERA).render(shown, horizon(roll=roll, pitch=pitch, sd=(180.0, 90.0)))
    assert canvas.y.shape == (size[1] + size[1] % 2, size[0] + size[0] % 2)
    assert len(np.unique(canvas.y)) > 10


def test_the_frame_itself_stays_untouched() -> None:
    shown: Frame = frame()
    Overlay(CAMERA).render(shown, horizon())
    assert np.unique(shown.luma).tolist() == [60]


def test_dip_lowers_the_horizon() -> None:
    level, dipped = (Overlay(CAMERA).curve(UpVector.from_roll_pitch(0, 0), dip_deg=d)[0] for d in (0.0, 2.0))
    shift = np.interp(319.5, *dipped.T) - np.interp(319.5, *level.T)
    assert shift == pytest.approx(CAMERA.focal_px * math.tan(math.radians(2)), abs=0.05)


def test_a_mount_changes_the_numbers_and_leaves_the_line_where_it_is() -> None:
    mount = Mount(roll_deg=8.0, pitch_deg=-5.0, yaw_deg=20.0)
    without, with_it = (
        drawn(CAMERA, 12.0, -4.0, mount=chosen, style=replace(BARE, band=True)) for chosen in (None, mount)
    )
    ahead = CAMERA.project(mount.rotation[:, 2][None])[0]
    rows, columns = np.mgrid[: CAMERA.height, : CAMERA.width]
    marks = ((319.5, 179.5), ahead)
    near = np.min([np.hypot(columns - x, rows - y) for x, y in marks], axis=0) < 0.08 * CAMERA.height
    assert (without[~near] == with_it[~near]).all()
    x, y = np.round(ahead).astype(int)
    assert with_it[y, x].min() > 200  # where the vehicle heads
    assert abs(int(with_it[180, 320].max()) - int(without[180, 320].max())) > 100


def test_a_vehicle_that_heads_out_of_the_picture_has_no_mark() -> None:
    sideways = Mount(roll_deg=0.0, pitch_deg=0.0, yaw_deg=90.0)
    image = drawn(CAMERA, 0.0, -12.0, mount=sideways)
    assert image[172:188, 290:350].max() < 100
