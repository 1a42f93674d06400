"""ChArUco boards and grids of circles: drawn, found, and lenses calibrated with them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from support.boards import pictures, poses, project, texture
from support.camera import brown
from support.cli import RunCli

from horizon_rt.camera import coefficients_of
from horizon_rt.camera.board import Board, ChessBoard, Detection
from horizon_rt.camera.board_drawing import MARGIN_MM
from horizon_rt.camera.boards import make_board
from horizon_rt.camera.calibration import Calibration, calibrate_lens
from horizon_rt.camera.circle_board import CircleBoard
from horizon_rt.camera.lens_fit import (
    FEWEST_VIEWS,
    PARAMETERS,
    fit_without_outliers,
    fitted_model,
    solve_brown,
)
from horizon_rt.camera.marker_board import MarkerBoard
from horizon_rt.camera.missing import missing_views
from horizon_rt.camera.views import BoardView, Survey
from horizon_rt.errors import CalibrationError
from horizon_rt.reports.calibration import calibration_page

LENS = brown(width=480, height=360, fx=330, fy=330.6, cx=235, cy=182, k1=-0.2, k2=0.06, p1=4e-4, p2=-3e-4)
BOARDS: dict[str, Any] = {
    "charuco": MarkerBoard(columns=6, rows=4, square_mm=30),
    "circles": CircleBoard(columns=4, rows=9, square_mm=20),
}
VIEWS = 14


@cache
def calibration(kind: str) -> Calibration:
    frames = pictures(LENS, BOARDS[kind], count=VIEWS, seed=7, blur=0.7, noise=2.0)
    return calibrate_lens(frames, board=BOARDS[kind], name=kind)


def values(camera: Any) -> dict[str, float]:
    own = {name: getattr(camera, name) for name in PARAMETERS[:4]}
    return own | dict(coefficients_of(camera.distortion))


@pytest.mark.parametrize("kind", BOARDS)
def test_the_lens_is_found_within_its_sigmas(kind: str) -> None:
    found = calibration(kind)
    true, model = values(LENS), values(found.profile.model)
    z = {name: abs(model[name] - true[name]) / sd for name, sd in found.sd.items()}
    assert max(z.values()) < 4, z
    assert model["fx"] == pytest.approx(true["fx"], rel=6e-3)  # of small pictures
    assert found.rms_px < 0.15
    assert found.found >= VIEWS - 4
    assert found.points.shape == found.residuals.shape
    assert np.sqrt((found.residuals**2).sum(axis=1).mean()) == pytest.approx(found.rms_px, rel=1e-3)


def test_of_a_charuco_board_a_part_is_enough() -> None:
    shown = [len(view.ids) for view in survey_of("charuco")]
    assert min(shown) < 24 <= max(shown)


def survey_of(kind: str) -> list[Detection]:
    frames = pictures(LENS, BOARDS[kind], count=8, seed=7, blur=0.7, noise=2.0)
    seen = [BOARDS[kind].detect(frame.arrays()[0]) for frame in frames]
    return [one for one in seen if one is not None]


def test_centres_of_circles_are_told_from_centroids() -> None:
    """Against pictures of very many points of a disc through OpenCV's lens."""
    board = BOARDS["circles"]
    pose = poses(LENS, board.drawing(), 1, seed=2)[0]
    disc = np.random.default_rng(0).uniform(-1, 1, (60000, 2))
    disc = np.column_stack([0.4 * 20 * disc[np.hypot(*disc.T) < 1], np.zeros((np.hypot(*disc.T) < 1).sum())])

    def to_px(points: np.ndarray) -> np.ndarray:
        return project(LENS, points @ pose.rotation.T + pose.place)

    bias = board.bias_px(to_px)
    for k in (0, 17, 35):
        centre = board.object_points()[k].astype(float)
        points = (centre + disc) @ pose.rotation.T + pose.place
        # Of equal areas of the board to those of the picture: by the size of the local map.
        px, step = project(LENS, points), 1e-3
        across, down = (
            project(LENS, points + step * axis) - px for axis in (pose.rotation[:, 0], pose.rotation[:, 1])
        )
        area = np.abs(across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0])
        true = (px * area[:, None]).sum(axis=0) / area.sum() - to_px(centre[None])[0]
        assert bias[k] == pytest.approx(true, abs=0.03)
    assert np.abs(bias).max() > 0.02


def made_views(board: Board, seed: int, noise_px: float, **limits: Any) -> tuple[Survey, list[BoardView]]:
    """Points where OpenCV's lens has them, with normal errors."""
    rng, views = np.random.default_rng(seed), []
    points = board.object_points().astype(float)
    for k, pose in enumerate(poses(LENS, board.drawing(), 12, seed)):
        if limits.get("flat"):
            pose = type(pose)(np.eye(3), pose.place)
        px = project(LENS, points @ pose.rotation.T + pose.place)
        keep = px[:, 0] < limits.get("right", np.inf)
        if keep.sum() < 12:
            continue
        px = (px + rng.normal(0, noise_px, px.shape))[keep].astype(np.float32)
        views.append(
            BoardView(index=k, time_s=k, name=None, corners=px, ids=np.flatnonzero(keep), edge_px=2.0)
        )
    survey = Survey(board=board, views=tuple(views), looks=12, width=LENS.width, height=LENS.height)
    return survey, views


def test_sigmas_are_honest() -> None:
    """Of sets with normal errors of 0.05 px; of a true k3 of 0 about one in 370 is taken for another."""
    truth, errors, focal = values(LENS), [], []
    for seed in range(12):
        fit = solve_brown(*made_views(ChessBoard(), seed, 0.05))
        found = np.array([fit.matrix[0, 0], fit.matrix[1, 1], *fit.matrix[:2, 2], *fit.distortion[:5]])
        true = np.array([truth[name] for name in PARAMETERS])
        free = fit.sd > 0
        errors.append(((found - true)[free] / fit.sd[free])[:8])
        focal.append(abs(found[0] / truth["fx"] - 1))
    z = np.array(errors)
    assert (np.abs(z) <= 3).mean() >= 0.98
    assert np.sqrt((z**2).mean()) == pytest.approx(1.0, abs=0.3)
    assert max(focal) < 3e-3


def test_a_fit_is_that_of_opencv() -> None:
    survey, views = made_views(ChessBoard(), 3, 0.15)
    fit = solve_brown(survey, views)
    points = [ChessBoard().object_points()[view.ids] for view in views]
    corners = [view.corners[:, None] for view in views]
    held = 0 if fit.sd[8] > 0 else cv2.CALIB_FIX_K3
    rms, matrix, distortion, *_, sd, _, _ = cv2.calibrateCameraExtended(
        points, corners, (LENS.width, LENS.height), np.eye(3), np.zeros(5), flags=held
    )
    assert fit.rms == pytest.approx(rms, rel=1e-9)
    assert np.allclose(fit.matrix, matrix, rtol=1e-9)
    assert np.allclose(fit.distortion, np.ravel(distortion), atol=1e-9)
    assert np.allclose(fit.sd[:4], np.ravel(sd)[:4], rtol=0.1)


def test_missing_views_are_named() -> None:
    survey, views = made_views(ChessBoard(), 3, 0.1)
    views, fit = fit_without_outliers(survey, views)
    whole = missing_views(survey, views, fit)
    assert not any("tilted" in one or "right" in one for one in whole)
    survey, views = made_views(ChessBoard(), 3, 0.1, right=300)
    fit = solve_brown(survey, views)
    missing = missing_views(survey, views, fit)
    right = {f"anything in the {row}right of the picture" for row in ("upper ", "", "lower ")}
    assert right == set(missing) - set(whole)
    survey, views = made_views(ChessBoard(), 3, 0.0, flat=True)
    fit = solve_brown(survey, views)
    assert "a view tilted about the vertical axis" in missing_views(survey, views, fit)


def test_a_set_that_does_not_tell_the_focal_length_says_what_is_missing() -> None:
    from horizon_rt.camera.lens_fit import check_fit

    survey, views = made_views(ChessBoard(), 3, 0.3, flat=True)
    fit = solve_brown(survey, views)
    missing = missing_views(survey, views, fit)
    assert len(views) >= FEWEST_VIEWS
    with pytest.raises(CalibrationError, match="missing: a view tilted about the vertical axis"):
        check_fit(fit, fitted_model(survey, fit), missing)


@pytest.mark.parametrize("kind", ["chessboard", *BOARDS])
def test_a_drawing_is_found_where_it_says(kind: str) -> None:
    """Drawn in true size and searched for: points lie where the board has them."""
    board = make_board(kind)
    drawing, scale = board.drawing(), 4.0
    seen = board.detect(texture(drawing, scale))
    assert seen is not None
    first = {"chessboard": 25.0, "charuco": 0.0, "circles": 20.0}[kind]
    expected = (board.object_points()[seen.ids, :2] + MARGIN_MM + first) * scale - 0.5
    assert len(seen.ids) == len(board.object_points())
    assert np.allclose(seen.corners, expected, atol=0.15)


@pytest.mark.parametrize("kind", ["chessboard", *BOARDS])
def test_boards_are_printed_in_true_size(kind: str, tmp_path: Path, cli: RunCli) -> None:
    for name in ("a.svg", "a.pdf"):
        assert cli("calibrate", "--board", kind, "--print-board", tmp_path / name).code == 0
    width, height = make_board(kind).drawing().page_mm
    root = ElementTree.fromstring((tmp_path / "a.svg").read_text())
    assert (root.get("width"), root.get("height")) == (f"{width:g}mm", f"{height:g}mm")
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", (tmp_path / "a.pdf").read_bytes())
    assert box is not None
    assert [float(side) for side in box.groups()] == pytest.approx([width / 25.4 * 72, height / 25.4 * 72])


def test_markers_are_those_of_opencv() -> None:
    board = MarkerBoard(columns=9, rows=6, square_mm=8)
    cells = np.full((56, 80), 255, np.uint8)
    for x, y, side in board.drawing().squares:
        cells[round(y) : round(y + side), round(x) : round(x + side)] = 0
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    assert np.array_equal(cells, cv2.aruco.CharucoBoard((10, 7), 8, 6, dictionary).generateImage((80, 56)))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"kind": "charuco", "dictionary": "4x5_50"}, "no dictionary 4x5_50"),
        ({"kind": "charuco", "columns": 20, "rows": 20, "dictionary": "4x4_50"}, "the board needs 220"),
        ({"kind": "charuco", "marker_mm": 30.0}, "markers lie within squares"),
        ({"kind": "circles", "rows": 2}, "3..50 circles each way"),
        ({"kind": "chessboard", "marker_mm": 3.0}, "a chessboard has no marker_mm"),
    ],
)
def test_boards_that_nobody_can_have_are_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(CalibrationError, match=reason):
        make_board(**values)


def test_an_unknown_lens_is_refused() -> None:
    with pytest.raises(CalibrationError, match="there are brown-conrady"):
        calibrate_lens([], lens="fish")


def test_the_page_shows_what_was_found() -> None:
    page = calibration_page(calibration("circles"))
    assert page.count("<svg") == page.count("</svg>") == 3
    assert "asymmetric grid of 4x9 circles" in page
    assert "nan" not in page
