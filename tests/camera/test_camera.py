"""Lens models against OpenCV's projectPoints and undistortPoints."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.camera import brown, changed, coefficients

from horizon_rt.camera import BrownConrady, Camera
from horizon_rt.camera.brown import fold_radius
from horizon_rt.errors import CameraModelError
from horizon_rt.geometry import UpVector

QUICK = settings(max_examples=80, deadline=None)

lenses = st.builds(
    brown,
    width=st.just(1280),
    height=st.just(720),
    fx=st.floats(500, 3000),
    fy=st.floats(500, 3000),
    cx=st.floats(600, 680),
    cy=st.floats(320, 400),
    k1=st.floats(-0.5, 0.5),
    k2=st.floats(-0.3, 0.3),
    p1=st.floats(-0.003, 0.003),
    p2=st.floats(-0.003, 0.003),
    k3=st.floats(-0.1, 0.1),
)
seeds = st.integers(0, 2**32 - 1)
WIDE = brown(width=1280, height=720, fx=600, fy=600, cx=639.5, cy=359.5, k1=-0.35, k2=0.12, p1=1e-3)


def _matrix(lens: Camera) -> np.ndarray:
    return np.array([[lens.fx, 0, lens.cx], [0, lens.fy, lens.cy], [0, 0, 1]])


def _rays(lens: Camera, seed: int, share: float = 0.9) -> np.ndarray:
    """Unit rays at all radii up to a share of the fold, or 63° where there is none."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, 100)
    radius = rng.uniform(0, 1, 100) * min(share * lens.distortion.fold_radius, 2.0)
    rays = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.ones(100)], axis=1)
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


@QUICK
@given(lens=lenses, seed=seeds)
def test_projection_is_opencvs(lens: Camera, seed: int) -> None:
    rays = _rays(lens, seed)
    none = np.zeros(3)
    expected = cv2.projectPoints(rays, none, none, _matrix(lens), coefficients(lens))[0][:, 0]
    found = lens.project(rays)
    seen = ~np.isnan(found[:, 0])
    np.testing.assert_allclose(found[seen], expected[seen], atol=1e-6, rtol=1e-9)
    assert seen.mean() > 0.8


@QUICK
@given(lens=lenses, seed=seeds)
def test_rays_invert_the_projection_up_to_the_fold(lens: Camera, seed: int) -> None:
    rays = _rays(lens, seed)
    points = lens.project(rays)
    seen = ~np.isnan(points[:, 0])
    np.testing.assert_allclose(lens.rays(points[seen]), rays[seen], atol=1e-7)


@QUICK
@given(lens=lenses, seed=seeds)
def test_rays_are_opencvs_where_opencv_converges(lens: Camera, seed: int) -> None:
    k1, k2, *_ = coefficients(lens)
    lens = changed(lens, k1=k1 / 2, k2=k2 / 2, k3=0.0)
    rays = _rays(lens, seed, share=0.4)
    points = lens.project(rays)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    flat = cv2.undistortPoints(points[:, None], _matrix(lens), coefficients(lens), criteria=criteria)[:, 0]
    again = cv2.projectPoints(
        np.column_stack([flat, np.ones(100)]),
        np.zeros(3),
        np.zeros(3),
        _matrix(lens),
        coefficients(lens),
    )[0][:, 0]
    good = np.abs(again - points).max(axis=1) < 1e-6
    expected = np.column_stack([flat, np.ones(100)])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(lens.rays(points)[good], expected[good], atol=1e-7)


@QUICK
@given(lens=lenses, seed=seeds)
def test_every_pixel_has_a_ray_that_projects_back_or_none(lens: Camera, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-200, 1500, (100, 2))
    rays = lens.rays(points)
    seen = ~np.isnan(rays).any(axis=1)
    np.testing.assert_allclose(np.linalg.norm(rays[seen], axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(lens.project(rays[seen]), points[seen], atol=1e-4)


@QUICK
@given(k1=st.floats(-1, 1), k2=st.floats(-1, 1), k3=st.floats(-1, 1))
def test_the_fold_is_where_the_radial_curve_first_turns_back(k1: float, k2: float, k3: float) -> None:
    fold = fold_radius(k1, k2, k3)
    radius = np.linspace(0, min(fold, 10.0), 2000)
    curve = radius * (1 + k1 * radius**2 + k2 * radius**4 + k3 * radius**6)
    assert (np.diff(curve) > -1e-12).all()
    if fold < 1e3:
        r2 = fold * fold
        terms = np.array([1, 3 * k1 * r2, 5 * k2 * r2**2, 7 * k3 * r2**3])
        assert abs(terms.sum()) < 1e-6 * np.abs(terms).max()


def test_the_fold_of_a_barrel_in_closed_form() -> None:
    assert fold_radius(-0.3, 0.0, 0.0) == pytest.approx(math.sqrt(1 / 0.9))
    assert fold_radius(0.0, 0.0, 0.0) == math.inf
    assert fold_radius(0.3, 0.1, 0.0) == math.inf


def test_beyond_the_fold_nothing_is_seen_even_where_the_slope_recovers() -> None:
    """With k1 < 0 < k2 the curve turns back between two radii; a point past both must not alias."""
    lens = changed(WIDE, k1=-0.9, k2=0.25, p1=0.0)
    assert 1 + 3 * -0.9 * 4 + 5 * 0.25 * 16 > 0
    assert np.isnan(lens.project(np.array([[2.0, 0.0, 1.0]]))).all()
    assert np.isnan(lens.rays(np.array([[lens.cx + lens.fx * 0.9, lens.cy]]))).all()


def test_rays_behind_the_camera_are_not_seen() -> None:
    for lens in (WIDE, Camera.from_hfov(1280, 720, 70)):
        points = lens.project(np.array([[0, 0, -1.0], [1, 0, 0], [0.1, 0.2, -0.5], [0, 0, 1]]))
        assert np.isnan(points[:3]).all()
        np.testing.assert_allclose(points[3], (lens.cx, lens.cy))


@pytest.mark.parametrize("lens", [WIDE, changed(WIDE, k1=0.2), Camera.from_hfov(1280, 720, 70)])
def test_points_that_are_no_numbers_give_nan_and_leave_the_rest(lens: Camera) -> None:
    points = np.array([[100.0, 200], [np.nan, 1], [1, np.inf], [1e308, -1e308], [900, 300]])
    rays = lens.rays(points)
    assert np.isnan(rays[1:3]).any(axis=1).all()
    np.testing.assert_allclose(rays[[0, 4]], lens.rays(points[[0, 4]]), atol=1e-12)
    assert np.isnan(lens.project(np.array([[np.nan, 0, 1.0]]))).any()


@pytest.mark.parametrize("lens", [WIDE, Camera.from_hfov(1280, 720, 70)])
def test_no_points_are_no_rays(lens: Camera) -> None:
    assert lens.rays(np.empty((0, 2))).shape == (0, 3)
    assert lens.project(np.empty((0, 3))).shape == (0, 2)


@pytest.mark.parametrize("lens", [WIDE, Camera.from_hfov(1280, 720, 70)])
def test_resizing_keeps_directions(lens: Camera) -> None:
    """A pixel's corner at -0.5 stays a corner, so a point x becomes (x + 0.5) s - 0.5."""
    points = np.random.default_rng(0).uniform(0, 700, (50, 2))
    scale = np.array([640 / 1280, 1080 / 720])
    resized = lens.resized(640, 1080)
    assert type(resized) is type(lens)
    np.testing.assert_allclose(resized.rays((points + 0.5) * scale - 0.5), lens.rays(points), atol=1e-9)


@QUICK
@given(width=st.integers(1, 8000), height=st.integers(1, 8000), hfov=st.floats(0.5, 179))
def test_the_field_of_view_is_that_between_the_outer_edges(width: int, height: int, hfov: float) -> None:
    lens = Camera.from_hfov(width, height, hfov)
    left, right = lens.rays(np.array([[-0.5, lens.cy], [width - 0.5, lens.cy]]))
    angle = math.degrees(math.atan2(np.linalg.norm(np.cross(left, right)), left @ right))
    assert angle == pytest.approx(hfov, rel=1e-9)
    assert lens.hfov_deg == pytest.approx(hfov, rel=1e-9)


@pytest.mark.parametrize(
    "bad",
    [
        {"width": 0},
        {"height": -1},
        {"fx": 0.0},
        {"fy": -5.0},
        {"fx": math.nan},
        {"cx": math.inf},
        {"k1": math.nan},
        {"p2": math.inf},
        {"k3": 1e300},
    ],
)
def test_impossible_lenses_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(CameraModelError) as caught:
        changed(WIDE, **bad)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hfov", [0, 180, -10, math.nan, math.inf])
def test_impossible_fields_of_view_are_refused(hfov: float) -> None:
    with pytest.raises(CameraModelError):
        Camera.from_hfov(640, 480, hfov)


def test_a_resize_to_nothing_is_refused() -> None:
    with pytest.raises(CameraModelError):
        WIDE.resized(0, 480)


def test_the_field_of_view_includes_the_distortion() -> None:
    edges = np.array([[[-0.5, WIDE.cy]], [[WIDE.width - 0.5, WIDE.cy]]])
    left, right = cv2.undistortPoints(edges, _matrix(WIDE), coefficients(WIDE))[:, 0, 0]
    assert WIDE.hfov_deg == pytest.approx(math.degrees(math.atan(right) - math.atan(left)), abs=1)
    assert WIDE.hfov_deg > changed(WIDE, k1=0.0, k2=0.0).hfov_deg + 5
    folded = changed(WIDE, k1=-2.0)
    assert folded.hfov_deg == Camera(width=1280, height=720, fx=600, fy=600, cx=639.5, cy=359.5).hfov_deg


@pytest.mark.parametrize(("roll", "pitch"), [(0, 0), (12, 5), (-40, -8), (170, 3), (90, 10)])
def test_the_line_of_an_off_centre_lens_is_where_opencv_projects_the_horizon(
    roll: float, pitch: float
) -> None:
    lens = Camera(width=640, height=480, fx=500, fy=530, cx=280, cy=300)
    up = UpVector.from_roll_pitch(roll, pitch)
    line = lens.line(up)
    assert line is not None
    u = up.as_array()
    ahead = np.array([0, 0, 1.0]) - u * u[2]
    side = np.cross(u, ahead)
    far = np.stack([ahead + t * side for t in (-0.5, 0.0, 0.4)])
    matrix = np.array([[500, 0, 280], [0, 530, 300], [0, 0, 1.0]])
    points, _ = cv2.projectPoints(far, np.zeros(3), np.zeros(3), matrix, None)
    for x, y in points.reshape(-1, 2):
        assert line.signed_distance(x, y, 640, 480) == pytest.approx(0, abs=1e-6)
    above, _ = cv2.projectPoints((far[1] + 0.01 * u)[None], np.zeros(3), np.zeros(3), matrix, None)
    assert line.signed_distance(*above.reshape(2), 640, 480) > 0


def test_a_guessed_lens_keeps_its_field_of_view_over_the_longer_side() -> None:
    lens = Camera.from_hfov(640, 360, 70).for_size(360, 640)
    assert (lens.fx, lens.cx, lens.cy) == pytest.approx((lens.fy, 179.5, 319.5))
    assert lens.hfov_deg == pytest.approx(2 * math.degrees(math.atan(9 / 16 * math.tan(math.radians(35)))))
    assert lens == Camera.from_fov(360, 640, 70) == replace(Camera.assumed(360, 640), focal_sd=0.0)
    assert lens.for_size(640, 640).hfov_deg == pytest.approx(70)


def test_a_lens_whose_sensor_is_tilted_both_ways_is_resized() -> None:
    lens = replace(Camera.from_hfov(640, 480, 70), distortion=BrownConrady(tau_x=0.02, tau_y=0.01))
    assert lens.for_size(320, 240) == lens.resized(320, 240)


def test_a_measured_lens_is_resized() -> None:
    lens = Camera(width=640, height=480, fx=500, fy=530, cx=280, cy=300)
    assert lens.for_size(320, 240) == lens.resized(320, 240)
