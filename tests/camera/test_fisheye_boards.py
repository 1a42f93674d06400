"""Fisheyes from boards: against OpenCV's fisheye calibration, and lenses that are known."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.boards import pictures, poses, project

from horizon_rt.camera import Camera, KannalaBrandt
from horizon_rt.camera.board import ChessBoard
from horizon_rt.camera.calibration import calibrate_lens
from horizon_rt.camera.lens_fit import check_fit, fitted_model, solve_brown, solve_fisheye
from horizon_rt.camera.views import BoardView, Survey
from horizon_rt.errors import CalibrationError

BOARD = ChessBoard(columns=7, rows=5, square_mm=30)
PLACE = ("fx", "fy", "cx", "cy")
TERMS = ("k1", "k2", "k3", "k4")


def lens(fov_deg: float, **terms: float) -> Camera:
    focal = 480 / np.radians(fov_deg)
    distortion = KannalaBrandt(**terms)
    return Camera(width=480, height=360, fx=focal, fy=1.002 * focal, cx=243, cy=176, distortion=distortion)


WIDE, WIDEST = lens(140, k1=-0.02, k2=0.004), lens(195, k1=0.01, k2=-0.006)


def made_views(camera: Camera, seed: int, noise_px: float, count: int = 14) -> tuple[Survey, list[BoardView]]:
    """Points where OpenCV has them, but beyond 90° from the axis, with normal errors."""
    rng, views = np.random.default_rng(seed), []
    points = BOARD.object_points().astype(float)
    for k, pose in enumerate(poses(camera, BOARD.drawing(), count, seed)):
        px = project(camera, points @ pose.rotation.T + pose.place)
        px = (px + rng.normal(0, noise_px, px.shape)).astype(np.float32)
        ids = np.arange(len(px))
        views.append(BoardView(index=k, time_s=k, name=None, corners=px, ids=ids, edge_px=2.0))
    survey = Survey(board=BOARD, views=tuple(views), looks=count, width=camera.width, height=camera.height)
    return survey, views


def values(camera: Camera) -> np.ndarray:
    return np.array(
        [getattr(camera, name) for name in PLACE] + [getattr(camera.distortion, k) for k in TERMS]
    )


def test_a_fit_is_that_of_opencv() -> None:
    survey, views = made_views(WIDE, 3, 0.15)
    fit = solve_fisheye(survey, views)
    points = [BOARD.object_points().astype(float)[None]] * len(views)
    corners = [view.corners.astype(float)[None] for view in views]
    held = [cv2.CALIB_FIX_K2, cv2.CALIB_FIX_K3, cv2.CALIB_FIX_K4]
    flags = cv2.CALIB_RECOMPUTE_EXTRINSIC | cv2.CALIB_FIX_SKEW | cv2.CALIB_USE_INTRINSIC_GUESS
    for flag, sd in zip(held, fit.sd[5:], strict=True):
        flags |= 0 if sd > 0 else flag
    start = np.array([[200.0, 0, 240], [0, 200, 180], [0, 0, 1]])
    until = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    rms, matrix, terms, *_ = cv2.fisheye.calibrate(
        points, corners, (480, 360), start, np.zeros(4), flags=flags, criteria=until
    )
    assert fit.rms == pytest.approx(rms, rel=1e-6)
    assert fit.matrix == pytest.approx(matrix, abs=1e-3)
    assert fit.distortion == pytest.approx(np.ravel(terms), abs=1e-5)


@pytest.mark.parametrize("camera", [WIDE, WIDEST], ids=["140", "195"])
def test_sigmas_are_honest(camera: Camera) -> None:
    errors = []
    for seed in range(6):
        fit = solve_fisheye(*made_views(camera, seed, 0.05))
        found = np.array([fit.matrix[0, 0], fit.matrix[1, 1], *fit.matrix[:2, 2], *fit.distortion])
        free = fit.sd > 0
        errors.append(((found - values(camera))[free] / fit.sd[free])[:6])
        assert found[0] == pytest.approx(camera.fx, rel=3e-3)
    z = np.array(errors)
    assert (np.abs(z) <= 3).mean() >= 0.95
    assert np.sqrt((z**2).mean()) == pytest.approx(1.0, abs=0.35)


def test_poses_beyond_the_plane_of_the_lens_are_found() -> None:
    survey, views = made_views(WIDEST, 1, 0.0)
    fit = solve_fisheye(survey, views)
    seen = poses(WIDEST, BOARD.drawing(), len(views), 1)
    assert any(pose.place[2] < 0 for pose in seen)
    for pose, turn, place in zip(seen, fit.turns, fit.places, strict=True):
        assert cv2.Rodrigues(turn)[0] == pytest.approx(pose.rotation, abs=1e-3)
        assert place == pytest.approx(pose.place, abs=0.1)


def test_terms_that_do_not_show_are_left_out() -> None:
    fit = solve_fisheye(*made_views(lens(120), 2, 0.3))
    assert (fit.sd[[0, 1, 2, 3, 4]] > 0).all()
    assert fit.distortion[3] == 0.0 == fit.sd[7]
    assert fit.parameters == (*PLACE, *TERMS)


def test_a_fisheye_is_found_in_rendered_pictures_without_being_named() -> None:
    found = calibrate_lens(pictures(WIDE, BOARD, count=12, seed=5, blur=0.7, noise=2.0), board=BOARD)
    model = found.profile.model
    assert isinstance(model.distortion, KannalaBrandt)
    z = (values(model) - values(WIDE))[:4] / [found.sd[name] for name in PLACE]
    assert np.abs(z).max() < 4
    assert model.fx == pytest.approx(WIDE.fx, rel=3e-3)
    assert found.rms_px < 0.15


def test_a_fisheye_that_sees_behind_itself_is_no_other_lens() -> None:
    survey, views = made_views(WIDEST, 3, 0.1)
    with pytest.raises(CalibrationError):
        check_fit(fit := solve_brown(survey, views), fitted_model(survey, fit))


def test_a_fit_that_is_no_lens_is_refused_in_a_line() -> None:
    survey, views = made_views(WIDE, 3, 0.1)
    fit = solve_fisheye(survey, views)
    broken = replace(fit, matrix=np.full((3, 3), np.nan))
    with pytest.raises(CalibrationError, match="no lens explains these views"):
        fitted_model(survey, broken)
