"""Calibration against rendered boards of a known lens. The renderer uses OpenCV's distortion, not ours."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from support.camera import brown, changed, coefficients
from typer.testing import CliRunner

from horizon_rt.camera import BrownConrady, load_profile, profiles_folder
from horizon_rt.camera.board import ChessBoard
from horizon_rt.camera.calibration import Calibration, calibrate_lens
from horizon_rt.camera.lens_fit import LensFit, check_fit
from horizon_rt.cli.calibrate import calibrate
from horizon_rt.errors import CalibrationError, CameraModelError
from horizon_rt.frame import Frame, Sampling

WIDTH, HEIGHT = 640, 480
TRUTH = brown(
    width=WIDTH, height=HEIGHT, fx=560.0, fy=556.0, cx=325.0, cy=233.0, k1=-0.28, k2=0.09, p1=8e-4, p2=-5e-4
)
COLUMNS, ROWS, SQUARE = 9, 6, 25.0
TEXELS = 40  # per square

# Rotation of the board (degrees about x, y, z), and the image position of its centre with its distance in mm.
POSES = [
    ((0, 0, 0), (320, 240), 330),
    ((35, 0, 5), (230, 170), 380),
    ((-35, 0, -5), (410, 180), 380),
    ((0, 35, 0), (240, 320), 390),
    ((0, -35, 8), (400, 310), 390),
    ((25, 25, -12), (200, 240), 430),
    ((-25, -25, 12), (440, 240), 430),
    ((20, -30, 0), (320, 130), 460),
    ((-20, 30, 0), (320, 350), 460),
    ((30, 10, 25), (180, 130), 520),
    ((-30, -10, -25), (470, 130), 520),
    ((10, 30, 15), (170, 350), 520),
    ((-10, -30, -15), (470, 350), 520),
]


@cache
def _texture() -> NDArray[np.uint8]:
    squares = np.indices((ROWS + 3, COLUMNS + 3)).sum(axis=0) % 2 * 200 + 25
    squares[[0, -1], :] = squares[:, [0, -1]] = 225
    return np.kron(squares, np.ones((TEXELS, TEXELS))).astype(np.uint8)


@cache
def _normalised() -> NDArray[np.float64]:
    """Undistorted normalised coordinates of all pixels, by OpenCV."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    matrix = np.array([[TRUTH.fx, 0, TRUTH.cx], [0, TRUTH.fy, TRUTH.cy], [0, 0, 1]])
    points = np.stack([x.ravel(), y.ravel()], axis=1)[:, None, :]
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-10)
    return cv2.undistortPoints(points, matrix, coefficients(TRUTH), criteria=criteria)[:, 0]


def _render(pose, *, blur: float = 0.6, seed: int = 0) -> NDArray[np.uint8]:
    """The board seen through the true lens: pixel -> ray -> board plane -> texture."""
    angles, (u, v), distance = pose
    turns = [cv2.Rodrigues(np.eye(3)[i] * np.radians(angle))[0] for i, angle in enumerate(angles)]
    rotation = turns[2] @ turns[1] @ turns[0]
    centre = np.array([(COLUMNS - 1) / 2, (ROWS - 1) / 2, 0]) * SQUARE
    place = distance * np.array([(u - TRUTH.cx) / TRUTH.fx, (v - TRUTH.cy) / TRUTH.fy, 1.0])
    to_image = np.column_stack([rotation[:, 0], rotation[:, 1], place - rotation @ centre])
    rays = np.column_stack([_normalised(), np.ones(WIDTH * HEIGHT)])
    board = rays @ np.linalg.inv(to_image).T
    # The first inner corner lies two squares from the texture's edge, between two texels.
    texels = (board[:, :2] / board[:, 2:] / SQUARE + 2) * TEXELS - 0.5
    maps = texels.astype(np.float32).reshape(HEIGHT, WIDTH, 2)
    image = cv2.remap(
        _texture(), maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=90
    )
    noise = np.random.default_rng(seed).normal(0, 2, image.shape)
    return np.clip(cv2.GaussianBlur(image, (0, 0), blur) + noise, 0, 255).astype(np.uint8)


@cache
def _frames() -> tuple[Frame, ...]:
    return tuple(_picture(_render(pose, seed=i), i) for i, pose in enumerate(POSES))


def _picture(image: NDArray[np.uint8], index: int) -> Frame:
    return replace(Frame.from_bgr(image, index=index), name=f"{index:03}.png")


@cache
def _calibration() -> Calibration:
    return calibrate_lens(_frames(), columns=COLUMNS, rows=ROWS, square_mm=SQUARE, name="bench")


def test_the_intrinsics_are_found() -> None:
    model = _calibration().profile.model
    assert (model.width, model.height) == (WIDTH, HEIGHT)
    assert model.fx == pytest.approx(TRUTH.fx, rel=0.01)
    assert model.fy == pytest.approx(TRUTH.fy, rel=0.01)
    assert model.cx == pytest.approx(TRUTH.cx, abs=4)
    assert model.cy == pytest.approx(TRUTH.cy, abs=4)


def test_the_focal_length_lies_within_four_reported_sigmas() -> None:
    found = _calibration()
    assert abs(found.profile.model.fx - TRUTH.fx) < 4 * found.focal_sd_px[0] + 0.3


def test_the_distortion_curve_holds_across_the_image() -> None:
    """At every radius up to the corner the found lens displaces a point as the true one does."""
    model = _calibration().profile.model
    assert isinstance(model.distortion, BrownConrady)
    matrix = np.array([[TRUTH.fx, 0, TRUTH.cx], [0, TRUTH.fy, TRUTH.cy], [0, 0, 1]])
    corner = np.hypot(*_normalised()[0])
    points = np.outer(np.linspace(0, corner, 50), [0.8, -0.6])
    rays = np.column_stack([points, np.ones(50)])
    none = np.zeros(3)
    true = cv2.projectPoints(rays, none, none, matrix, coefficients(TRUTH))[0][:, 0]
    found = cv2.projectPoints(rays, none, none, matrix, coefficients(model))[0][:, 0]
    assert np.abs(true - found).max() < 1.0


def test_the_report_is_plausible() -> None:
    found = _calibration()
    assert 0 < found.rms_px < 0.3
    assert found.looks == len(POSES)
    assert found.found >= len(POSES) - 1
    assert 6 <= len(found.views) <= found.found
    assert 0.45 < found.coverage < 0.8
    assert found.profile.name == "bench"
    assert not found.profile.assumed
    mean_square = np.mean([view.rms_px**2 for view in found.views])
    assert found.rms_px == pytest.approx(np.sqrt(mean_square), rel=1e-3)


def test_distances_follow_the_size_of_a_square() -> None:
    for view in _calibration().views:
        _, (u, v), depth = POSES[view.index]
        ray = (u - TRUTH.cx) / TRUTH.fx, (v - TRUTH.cy) / TRUTH.fy, 1.0
        assert view.distance_mm == pytest.approx(depth * np.linalg.norm(ray), rel=0.01)
        assert view.name == f"{view.index:03}.png"


def test_ten_bit_frames_are_read() -> None:
    def deep(frame: Frame) -> Frame:
        return replace(frame, planes=(frame.luma.astype(np.uint16) << 2,), sampling=Sampling(bit_depth=10))

    found = calibrate_lens([deep(frame) for frame in _frames()[:8]], columns=COLUMNS, rows=ROWS)
    eight = calibrate_lens(_frames()[:8], columns=COLUMNS, rows=ROWS)
    assert found.profile.model.fx == pytest.approx(eight.profile.model.fx, rel=1e-9)


def test_blurred_and_repeated_views_are_left_out() -> None:
    blurred = [_picture(_render(POSES[3], blur=3.5), 100), _picture(_render(POSES[6], blur=3.5), 101)]
    found = calibrate_lens([*_frames(), *_frames()[:3], *blurred], columns=COLUMNS, rows=ROWS)
    used = [view.index for view in found.views]
    assert not {100, 101} & set(used)
    assert len(used) == len(set(used))


def test_a_view_that_the_lens_does_not_explain_is_left_out_and_named() -> None:
    stretched = cv2.resize(_render(POSES[4]), None, fx=1, fy=1.08)[:HEIGHT]
    found = calibrate_lens([*_frames(), _picture(stretched, 100)], columns=COLUMNS, rows=ROWS)
    assert 100 not in [view.index for view in found.views]
    [line] = [line for line in found.advice if "left out" in line]
    assert line.endswith(_picture(stretched, 100).name or "")


def test_a_video_is_sampled_in_time_and_progress_is_reported() -> None:
    seen: list[tuple[int, int]] = []
    frames = [replace(frame, name=None, time_s=0.3 * frame.index) for frame in _frames()[:8]]
    video = [replace(frame, time_s=frame.time_s + dt) for frame in frames for dt in (0.0, 0.01, 0.02)]
    found = calibrate_lens(
        iter(video), columns=COLUMNS, rows=ROWS, on_look=lambda *counts: seen.append(counts)
    )
    assert found.looks == 8
    assert seen[-1] == (8, found.found)


def test_the_number_of_views_is_bounded() -> None:
    assert len(calibrate_lens(_frames(), columns=COLUMNS, rows=ROWS, max_frames=8).views) <= 8


@pytest.mark.parametrize(
    ("frames", "line"),
    [
        (list, "no pictures"),
        (lambda: _frames()[:4], "found in 4 of 4 pictures"),
        (lambda: [_picture(np.full((480, 640), 90, np.uint8), i) for i in range(7)], "found in 0 of 7"),
        (lambda: [_frames()[0]] * 8, "only 1 different places"),
        (lambda: [_frames()[0], _picture(np.zeros((240, 320), np.uint8), 1)], "one size"),
    ],
)
def test_unusable_pictures_are_refused_with_advice(frames, line: str) -> None:
    with pytest.raises(CalibrationError, match=line) as caught:
        calibrate_lens(frames(), columns=COLUMNS, rows=ROWS)
    assert "\n" not in str(caught.value)


def test_the_wrong_number_of_corners_is_refused() -> None:
    with pytest.raises(CalibrationError, match="12x11 inner corners was found in 0 of 6"):
        calibrate_lens(_frames()[:6], columns=12, rows=11)


def test_a_board_that_is_never_tilted_is_refused() -> None:
    places = [(260, 200), (380, 200), (260, 280), (380, 280), (320, 240), (230, 240), (410, 240)]
    flat = [_picture(_render(((0, 0, 0), place, 400)), i) for i, place in enumerate(places)]
    with pytest.raises(CalibrationError, match="tilt the board"):
        calibrate_lens(flat, columns=COLUMNS, rows=ROWS)


def test_views_of_different_lenses_are_refused() -> None:
    """Zooming between pictures: no single lens explains them."""

    def zoomed(frame: Frame, factor: float) -> Frame:
        turn = cv2.getRotationMatrix2D((320, 240), 0, factor)
        turn[0, 1] = 0.25 * (factor - 1)
        image = cv2.warpAffine(frame.luma, turn, (WIDTH, HEIGHT), borderValue=(90,))
        return replace(frame, planes=(np.asarray(image, np.uint8),))

    frames = [zoomed(frame, 1 - 0.12 * (i % 4)) for i, frame in enumerate(_frames())]
    with pytest.raises(CalibrationError):
        calibrate_lens(frames, columns=COLUMNS, rows=ROWS)


def test_a_lens_that_folds_inside_the_image_is_refused() -> None:
    folding = changed(TRUTH, k1=-1.2, k2=0.0)
    fit = LensFit(0.2, np.eye(3), np.zeros(5), np.zeros((9, 9)))
    with pytest.raises(CalibrationError, match="corners"):
        check_fit(fit, folding)
    check_fit(fit, TRUTH)


@pytest.mark.parametrize(
    "bad", [{"columns": 2}, {"rows": 99}, {"square_mm": 0.0}, {"square_mm": float("nan")}]
)
def test_impossible_boards_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(CalibrationError):
        calibrate_lens(_frames(), **bad)


def test_too_low_a_limit_is_refused() -> None:
    with pytest.raises(CalibrationError, match="at least 6"):
        calibrate_lens(_frames(), max_frames=5)


def test_the_printed_board_has_true_size_and_all_black_squares() -> None:
    root = ElementTree.fromstring(ChessBoard().drawing().svg())
    assert root.attrib["width"] == "274mm"
    assert root.attrib["height"] == "199mm"
    path = root.find("{http://www.w3.org/2000/svg}path")
    assert path is not None
    assert path.attrib["d"].count("M") == 10 * 7 // 2


def test_the_committed_board_is_what_the_program_prints() -> None:
    assert (profiles_folder() / "board-9x6-25mm.svg").read_text() == ChessBoard().drawing().svg()


def test_the_finder_is_accurate() -> None:
    """Corners in a frontal view against their projection by OpenCV."""
    (_, (u, v), depth) = POSES[0]
    matrix = np.array([[TRUTH.fx, 0, TRUTH.cx], [0, TRUTH.fy, TRUTH.cy], [0, 0, 1]])
    board = ChessBoard(columns=COLUMNS, rows=ROWS, square_mm=SQUARE)
    points = board.object_points().astype(float)
    place = depth * np.array([(u - TRUTH.cx) / TRUTH.fx, (v - TRUTH.cy) / TRUTH.fy, 1.0]) - points.mean(
        axis=0
    )
    expected = cv2.projectPoints(points, np.zeros(3), place, matrix, coefficients(TRUTH))[0][:, 0]
    found = board.find(_frames()[0].luma)
    assert found is not None
    assert np.abs(found - expected).max() < 0.25


def _app() -> typer.Typer:
    app = typer.Typer()
    app.command()(calibrate)
    return app


def test_the_command_writes_a_profile_from_a_folder_of_pictures(tmp_path: Path) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "lens.toml"
    pictures.mkdir()
    for frame in _frames()[:9]:
        cv2.imwrite(str(pictures / str(frame.name)), frame.luma)
    result = CliRunner().invoke(_app(), [str(pictures), "--out", str(out), "--name", "bench [1080p]"])
    assert result.exit_code == 0, result.output
    profile = load_profile(out)
    assert profile.name == "bench [1080p]"
    assert profile.model.fx == pytest.approx(TRUTH.fx, rel=0.01)
    assert "RMS" in result.output
    assert "name\tbench [1080p]" in result.output.splitlines()
    assert f"horizontal field of view\t{profile.model.hfov_deg:.1f}°" in result.output.splitlines()


def test_the_command_prints_the_board(tmp_path: Path) -> None:
    out = tmp_path / "board.svg"
    args = ["--print-board", str(out), "--columns", "7", "--rows", "4", "--square-mm", "30"]
    assert CliRunner().invoke(_app(), args).exit_code == 0
    assert out.read_text() == ChessBoard(columns=7, rows=4, square_mm=30).drawing().svg()


def test_the_command_needs_a_source() -> None:
    assert CliRunner().invoke(_app(), []).exit_code == 2


@pytest.mark.parametrize("out", ["lens.txt", "missing/lens.toml"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, out: str) -> None:
    result = CliRunner().invoke(_app(), [str(tmp_path / "no-such.mp4"), "--out", str(tmp_path / out)])
    assert isinstance(result.exception, CameraModelError)
