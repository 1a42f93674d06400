"""All terms of Brown–Conrady against cv2.projectPoints, the fisheye against cv2.fisheye and its formula."""

from __future__ import annotations

import math
from dataclasses import astuple, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horizon_rt.camera import BrownConrady, Camera, KannalaBrandt, coefficients_of
from horizon_rt.camera.brown import fold_radius
from horizon_rt.errors import CameraModelError

QUICK = settings(max_examples=60, deadline=None)
NONE = np.zeros(3)
seeds = st.integers(0, 2**32 - 1)
radial, small = st.floats(-0.3, 0.3), st.floats(-0.003, 0.003)
terms = st.builds(
    BrownConrady,
    **dict.fromkeys(("k1", "k2", "k3", "k4", "k5", "k6"), radial),
    **dict.fromkeys(("p1", "p2", "s1", "s2", "s3", "s4"), small),
    **dict.fromkeys(("tau_x", "tau_y"), st.floats(-0.2, 0.2)),
)
fisheyes = st.builds(
    KannalaBrandt,
    k1=st.floats(-0.08, 0.08),
    k2=st.floats(-0.02, 0.02),
    k3=st.floats(-0.01, 0.01),
    k4=st.floats(-0.003, 0.003),
)
lens = st.builds(
    Camera,
    width=st.just(1920),
    height=st.just(1080),
    fx=st.floats(400, 3000),
    fy=st.floats(400, 3000),
    cx=st.floats(900, 1020),
    cy=st.floats(480, 600),
    distortion=terms | fisheyes,
)


def camera(distortion: BrownConrady | KannalaBrandt, focal: float = 500.0) -> Camera:
    return Camera(width=1280, height=720, fx=focal, fy=1.1 * focal, cx=633.0, cy=366.0, distortion=distortion)


def matrix(lens: Camera) -> np.ndarray:
    return np.array([[lens.fx, 0, lens.cx], [0, lens.fy, lens.cy], [0, 0, 1]])


def rays(seed: int, widest_deg: float, count: int = 100) -> np.ndarray:
    """Unit rays up to an angle from the optical axis."""
    rng = np.random.default_rng(seed)
    theta = np.radians(rng.uniform(0, widest_deg, count))
    around = rng.uniform(0, 2 * np.pi, count)
    return np.stack([np.sin(theta) * np.cos(around), np.sin(theta) * np.sin(around), np.cos(theta)], axis=1)


@QUICK
@given(distortion=terms, seed=seeds)
def test_all_terms_project_as_opencvs(distortion: BrownConrady, seed: int) -> None:
    one, directions = camera(distortion), rays(seed, 50)
    expected = cv2.projectPoints(directions, NONE, NONE, matrix(one), np.array(astuple(distortion)))[0][:, 0]
    found = one.project(directions)
    seen = ~np.isnan(found[:, 0])
    np.testing.assert_allclose(found[seen], expected[seen], atol=1e-7, rtol=1e-10)
    assert seen.mean() > 0.3


@pytest.mark.parametrize("count", [4, 5, 8, 12, 14])
def test_vectors_of_all_lengths_are_opencvs(count: int) -> None:
    full = [-0.2, 0.05, 1e-3, -2e-3, 0.01, 0.03, -0.02, 0.004, 1e-3, -5e-4, 2e-3, 3e-4, 0.03, -0.05]
    one = camera(BrownConrady.from_coefficients(full[:count]))
    assert one.distortion.coefficients[:count] == tuple(full[:count])
    directions = rays(7, 45)
    expected = cv2.projectPoints(directions, NONE, NONE, matrix(one), np.array(full[:count]))[0][:, 0]
    np.testing.assert_allclose(one.project(directions), expected, atol=1e-9)
    np.testing.assert_allclose(one.rays(one.project(directions)), directions, atol=1e-11)


@QUICK
@given(distortion=fisheyes, seed=seeds)
def test_the_fisheye_projects_as_opencvs_in_front_and_by_its_formula_behind(
    distortion: KannalaBrandt, seed: int
) -> None:
    one, directions = camera(distortion), rays(seed, 0.99 * math.degrees(distortion.fold_angle))
    ahead = directions[directions[:, 2] > 0.05]
    expected, _ = cv2.fisheye.projectPoints(
        ahead[:, None], NONE, NONE, matrix(one), np.array(distortion.coefficients)
    )
    np.testing.assert_allclose(one.project(ahead), expected[:, 0], atol=1e-7)
    theta = np.arccos(directions[:, 2])
    k = distortion.coefficients
    radius = theta + sum(k[n] * theta ** (2 * n + 3) for n in range(4))
    around = np.arctan2(directions[:, 1], directions[:, 0])
    formula = np.stack([np.cos(around), np.sin(around)], 1) * radius[:, None]
    formula = formula * (one.fx, one.fy) + np.array([one.cx, one.cy])
    np.testing.assert_allclose(one.project(directions), formula, atol=1e-5)


def test_fisheye_rays_are_opencvs() -> None:
    one = camera(KannalaBrandt(k1=0.02, k2=-0.01, k3=0.003, k4=-0.0005))
    points = np.random.default_rng(0).uniform((100, 50), (1180, 670), (200, 2))
    flat = cv2.fisheye.undistortPoints(points[:, None], matrix(one), np.array(one.distortion.coefficients))
    expected = np.column_stack([flat[:, 0], np.ones(200)])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(one.rays(points), expected, atol=1e-6)


@settings(max_examples=150, deadline=None)
@given(one=lens, seed=seeds)
def test_pixels_come_back_to_a_millionth(one: Camera, seed: int) -> None:
    points = np.random.default_rng(seed).uniform((-0.5, -0.5), (1919.5, 1079.5), (200, 2))
    found = one.rays(points)
    seen = ~np.isnan(found).any(axis=1)
    np.testing.assert_allclose(np.linalg.norm(found[seen], axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(one.project(found[seen]), points[seen], atol=1e-6)


@QUICK
@given(distortion=fisheyes, seed=seeds)
def test_every_direction_inside_the_fold_comes_back(distortion: KannalaBrandt, seed: int) -> None:
    limit = math.degrees(distortion.fold_angle)
    one, directions = camera(distortion), rays(seed, 0.98 * limit)
    np.testing.assert_allclose(one.rays(one.project(directions)), directions, atol=1e-8)
    beyond = rays(seed, min(180.0, 1.2 * limit), 400)
    beyond = beyond[np.degrees(np.arccos(beyond[:, 2])) > limit]
    assert np.isnan(one.project(beyond)).all()


def test_a_fisheye_sees_behind_itself_and_nothing_past_its_fold() -> None:
    one = camera(KannalaBrandt(), focal=200.0)
    point = one.project(np.array([[math.sin(math.radians(100)), 0, math.cos(math.radians(100))]]))
    assert point[0] == pytest.approx((one.cx + one.fx * math.radians(100), one.cy))
    assert one.rays(point)[0, 2] == pytest.approx(math.cos(math.radians(100)))
    assert np.isnan(one.project(np.array([[0.0, 0, -1], [math.nan, 0, 1]]))).all()
    folded = camera(KannalaBrandt(k1=-0.2), focal=200.0)
    fold = folded.distortion.fold_angle
    assert fold == pytest.approx(math.sqrt(1 / 0.6))
    assert np.isnan(folded.rays(np.array([[folded.cx + folded.fx * fold, folded.cy]]))).all()


def test_the_field_of_view_may_exceed_180() -> None:
    focal = 640 / math.radians(95)
    one = Camera(width=1280, height=720, fx=focal, fy=focal, cx=639.5, cy=359.5, distortion=KannalaBrandt())
    assert one.hfov_deg == pytest.approx(190)
    assert one.for_size(640, 640).hfov_deg == pytest.approx(190)
    assert one.for_size(720, 1280) == one.turned()


@QUICK
@given(k=st.tuples(*[st.floats(-1, 1)] * 6))
def test_the_fold_of_a_rational_model_is_where_its_curve_first_turns_or_breaks(k: tuple[float, ...]) -> None:
    k1, k2, k3, k4, k5, k6 = k
    fold = fold_radius(*k)
    r = np.linspace(0, min(0.999 * fold, 10.0), 3000)
    under = 1 + k4 * r**2 + k5 * r**4 + k6 * r**6
    curve = r * (1 + k1 * r**2 + k2 * r**4 + k3 * r**6) / under
    assert (under > 0).all()
    assert (np.diff(curve) > -1e-9 * np.abs(curve[1:])).all()


@pytest.mark.parametrize(
    "distortion",
    [
        BrownConrady(k1=-0.2, p1=0.01, p2=-0.02, k4=0.1, s1=0.01, s2=-0.02, s3=0.03, s4=0.004, tau_x=0.1),
        BrownConrady(k2=0.1, s4=0.02, tau_y=-0.2),
        KannalaBrandt(k1=0.05),
    ],
)
@pytest.mark.parametrize("clockwise", [True, False])
def test_a_turned_lens_sees_at_turned_pixels(distortion: BrownConrady, clockwise: bool) -> None:
    one = camera(distortion)
    turned = one.turned(clockwise=clockwise)
    x, y = np.random.default_rng(1).uniform((200, 100), (1000, 600), (50, 2)).T
    across, down = (one.height - 1 - y, x) if clockwise else (y, one.width - 1 - x)
    a, b, c = one.rays(np.stack([x, y], 1)).T
    expected = np.stack([-b, a, c] if clockwise else [b, -a, c], axis=1)
    np.testing.assert_allclose(turned.rays(np.stack([across, down], 1)), expected, atol=1e-9)
    back = turned.turned(clockwise=not clockwise)
    assert replace(back, distortion=one.distortion) == one
    assert astuple(back.distortion) == pytest.approx(astuple(one.distortion))


def test_a_sensor_tilted_both_ways_is_not_turned() -> None:
    with pytest.raises(CameraModelError, match="turned"):
        camera(BrownConrady(tau_x=0.1, tau_y=0.1)).turned()


@pytest.mark.parametrize("distortion", [BrownConrady(k1=-0.2, tau_x=0.05), KannalaBrandt(k1=0.01)])
def test_crops_and_anamorphic_pictures_keep_directions(distortion: BrownConrady) -> None:
    one = camera(distortion)
    points = np.random.default_rng(2).uniform((300, 200), (900, 500), (50, 2))
    crop = one.cropped(100, 40.5, 1024, 576)
    np.testing.assert_allclose(crop.rays(points - (100, 40.5)), one.rays(points), atol=1e-12)
    zoomed = crop.resized(1280, 720)
    scaled = (points - (100, 40.5) + 0.5) * 1.25 - 0.5
    np.testing.assert_allclose(zoomed.rays(scaled), one.rays(points), atol=1e-12)
    squeezed = one.resized(960, 720)
    again = (points + 0.5) * (0.75, 1) - 0.5
    np.testing.assert_allclose(squeezed.rays(again), one.rays(points), atol=1e-12)


def test_headers_hold_every_lens_and_only_terms_that_are_there() -> None:
    for distortion in (
        BrownConrady(k1=0.1),
        BrownConrady(k6=0.1, tau_y=0.01),
        KannalaBrandt(k1=0.1, k4=-1e-3),
    ):
        one = camera(distortion)
        assert Camera.from_dict(one.to_dict()) == one
    assert list(coefficients_of(BrownConrady(k1=0.1, s2=0.1))) == ["k1", "k2", "p1", "p2", "k3", "s2"]
    assert "k4" not in camera(BrownConrady(k1=0.1)).to_dict()


@pytest.mark.parametrize("kind", [BrownConrady, KannalaBrandt])
@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e300])
def test_coefficients_are_finite(kind: type, bad: float) -> None:
    with pytest.raises(CameraModelError, match="finite"):
        kind(k2=bad)


def test_a_tilt_beyond_any_lens_and_odd_vectors_are_refused() -> None:
    with pytest.raises(CameraModelError, match="tilted"):
        BrownConrady(tau_x=1.6)
    with pytest.raises(CameraModelError, match="got 6"):
        BrownConrady.from_coefficients([0.0] * 6)


@pytest.mark.parametrize("distortion", [BrownConrady(k1=-0.1, k4=0.02), KannalaBrandt()])
def test_points_and_rays_that_are_none(distortion: BrownConrady) -> None:
    one = camera(distortion)
    found = one.rays(np.array([[math.nan, 1], [math.inf, 0], [1e308, -1e308], [one.cx, one.cy]]))
    assert np.isnan(found[:3]).all()
    np.testing.assert_array_equal(found[3], (0, 0, 1))
    assert one.rays(np.empty((0, 2))).shape == (0, 3)
    assert one.project(np.empty((0, 3))).shape == (0, 2)


def test_a_lens_ends_at_the_edge_of_its_circle() -> None:
    one = camera(KannalaBrandt(k1=0.01, limit_deg=95), focal=200.0)
    angles = np.radians([94.9, 95.1])
    found = one.project(np.stack([np.sin(angles), 0 * angles, np.cos(angles)], axis=1))
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
    assert np.isnan(one.rays(found[:1] + np.array([1.0, 0.0]))).all()
    assert Camera.from_dict(one.to_dict()) == one
    with pytest.raises(CameraModelError, match="angle"):
        KannalaBrandt(limit_deg=181)
