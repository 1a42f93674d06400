"""The fit against half planes in closed form, OpenCV's distortion, and Monte Carlo."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.camera import brown, coefficients
from support.fitting import cell_angle, cell_rays, degrees_between, ideal, letterbox, up_vector

from horizon_rt.camera import Camera
from horizon_rt.fitting import DEFAULT_UNCERTAINTY, HorizonFitter
from horizon_rt.fitting.boundary import agreement, crossings
from horizon_rt.fitting.plane import fit_plane
from horizon_rt.geometry import UpVector
from horizon_rt.geometry.sphere import tangent_basis
from horizon_rt.models.weights import SigmaCalibration
from horizon_rt.segmentation import Segmentation

QUICK = settings(max_examples=150, deadline=None)
PINHOLE = Camera.from_hfov(1920, 1080, 70)
WIDE = brown(
    width=1280, height=720, fx=760, fy=750, cx=652, cy=341, k1=-0.28, k2=0.09, p1=8e-4, p2=-6e-4, k3=-0.012
)
FORMAL = SigmaCalibration(1.0, 1e-9)
CELL = math.degrees(cell_angle(PINHOLE, letterbox(1920, 1080, 320, 192)))

rolls = st.floats(-180, 180) | st.sampled_from([-180.0, -90.0, 0.0, 90.0, 180.0])
cameras = st.sampled_from([PINHOLE, WIDE])


def _chord_deg(camera: Camera, up: np.ndarray) -> float:
    """Length of the horizon inside the picture, as an angle, from a fine sampling of its great circle."""
    across = np.cross(up, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    turn = np.radians(np.arange(-80, 80, 0.25))[:, None]
    rays = np.cos(turn) * np.cross(across, up) + np.sin(turn) * across
    with np.errstate(invalid="ignore"):
        points = camera.project(rays * np.sign((np.cross(across, up))[2]))
        inside = (points > 0).all(axis=1) & (points < (camera.width - 1, camera.height - 1)).all(axis=1)
    return float(inside.sum() * 0.25)


@QUICK
@given(camera=cameras, roll=rolls, pitch=st.floats(-25, 25))
def test_an_ideal_mask_gives_back_its_plane(camera: Camera, roll: float, pitch: float) -> None:
    """The logit of a half plane is linear in the image plane, up to 1/|r|.

    Between two cells at distance c (in rad) it curves by at most c²/8 relative to its slope, so a crossing
    errs by below c²/2 rad; the plane cannot err more than that times the lever of its chord.
    """
    up = up_vector(roll, pitch)
    chord = _chord_deg(camera, up)
    assume(chord > 15)
    observation = HorizonFitter(camera, FORMAL).fit(ideal(camera, up))
    assert observation.view == "horizon"
    assert observation.measurement is not None
    cell = math.radians(4 * camera.width / 320 / camera.focal_px * 57.3)
    bound = math.degrees(cell**2 / 2) * max(1.0, 2 * 60 / chord)
    assert degrees_between(observation.measurement.up.as_array(), up) < bound


@settings(QUICK)
@given(
    roll=rolls,
    pitch=st.floats(-15, 15),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
    value=st.sampled_from([-9.0, 9.0]),
)
def test_a_wrong_patch_hardly_moves_the_plane(
    roll: float, pitch: float, x: float, y: float, value: float
) -> None:
    """A patch of a fifth of the picture's smaller side, anywhere, even over the horizon.

    The worst is an edge of the patch that runs beside the horizon, at one end of it: it counts as horizon
    there as long as it lies within the cut, and tilts the plane by less than a cell; of random patches one in
    a thousand does more, so the examples stay the same.
    """
    up, segmentation = up_vector(roll, pitch), ideal(PINHOLE, up_vector(roll, pitch))
    logits = segmentation.logits.copy()
    i, j = int(x * 36), int(y * 66)
    logits[i : i + 9, j : j + 12] = value
    observation = HorizonFitter(PINHOLE, FORMAL).fit(replace(segmentation, logits=logits))
    assert observation.measurement is not None
    assert degrees_between(observation.measurement.up.as_array(), up) < CELL


def test_few_wrong_patches_move_the_plane_at_all() -> None:
    rng, errors = np.random.default_rng(6), []
    fitter = HorizonFitter(PINHOLE, FORMAL)
    for _ in range(300):
        up = up_vector(rng.uniform(-180, 180), rng.uniform(-15, 15))
        segmentation = ideal(PINHOLE, up)
        logits, i, j = segmentation.logits.copy(), rng.integers(0, 36), rng.integers(0, 66)
        logits[i : i + 9, j : j + 12] = rng.choice([-9, 9])
        measurement = fitter.fit(replace(segmentation, logits=logits)).measurement
        assert measurement is not None
        errors.append(degrees_between(measurement.up.as_array(), up))
    assert np.percentile(errors, [50, 90, 98]) == pytest.approx([0, 0, 0], abs=0.05 * CELL)


def test_noise_on_the_logits_averages_out() -> None:
    rng, errors = np.random.default_rng(1), []
    fitter = HorizonFitter(PINHOLE, FORMAL)
    for _ in range(150):
        up = up_vector(rng.uniform(-180, 180), rng.uniform(-12, 12))
        segmentation = ideal(PINHOLE, up)
        noisy = segmentation.logits + rng.normal(0, 1, segmentation.logits.shape).astype(np.float32)
        observation = fitter.fit(replace(segmentation, logits=noisy))
        assert observation.measurement is not None
        errors.append(degrees_between(observation.measurement.up.as_array(), up))
    # Crossings err by 1/4 cell and there are some 100 of them.
    assert np.median(errors) < 0.1 * CELL
    assert max(errors) < 0.4 * CELL


def test_the_covariance_is_that_of_repeated_measurements() -> None:
    """Independent noise on each crossing; the logit noise of one cell moves two crossings, so a factor."""
    rng, up = np.random.default_rng(2), up_vector(12, 5)
    segmentation, fitter = ideal(PINHOLE, up), HorizonFitter(PINHOLE, FORMAL)
    ups, formal = [], []
    for _ in range(400):
        noisy = segmentation.logits + rng.normal(0, 0.8, segmentation.logits.shape).astype(np.float32)
        measurement = fitter.fit(replace(segmentation, logits=noisy)).measurement
        assert measurement is not None
        ups.append(measurement.up.as_array())
        formal.append(measurement.covariance)
    empirical, claimed = np.cov(np.array(ups).T), np.mean(formal, axis=0)
    ratio = np.linalg.eigvalsh(empirical)[1:] / np.linalg.eigvalsh(claimed)[1:]
    assert (ratio > 0.5).all()
    assert (ratio < 3).all()


def test_the_covariance_of_independent_crossings_is_exact() -> None:
    """Straight on the kernel: Gaussian residuals of known size around a known great circle."""
    rng, sigma, count = np.random.default_rng(3), 2e-3, 160
    up, cell = np.array([0.0, -1.0, 0.0]), 0.01
    turn = np.linspace(-0.5, 0.5, count)
    ups, formal = [], []
    for seed in range(500):
        height = rng.normal(0, sigma, count)
        points = np.stack([np.sin(turn) * np.cos(height), np.sin(height), np.cos(turn) * np.cos(height)], 1)
        found, covariance = np.zeros(3), np.zeros((3, 3))
        inliers, spread, span = fit_plane(
            points, np.tile(up * cell, (count, 1)), count, cell, seed, found, covariance
        )
        assert inliers > 0.95 * count
        assert span == pytest.approx(1.0, abs=0.05)
        ups.append(found)
        formal.append(covariance)
    # Least squares in closed form: tilt about z and pitch about x have these variances.
    expected = sigma**2 / np.array([np.sum(np.sin(turn) ** 2), np.sum(np.cos(turn) ** 2)])
    empirical, claimed = np.var(np.array(ups)[:, [0, 2]], axis=0), np.mean(formal, axis=0)[[0, 2], [0, 2]]
    assert empirical == pytest.approx(expected, rel=0.3)
    assert claimed == pytest.approx(empirical, rel=0.35)
    assert spread == pytest.approx(sigma, rel=0.3)


@pytest.mark.parametrize("camera", [PINHOLE, WIDE])
def test_the_covariance_is_tangent_and_scaled_as_told(camera: Camera) -> None:
    segmentation = ideal(camera, up_vector(20, -4))
    plain = HorizonFitter(camera, FORMAL).fit(segmentation).measurement
    scaled = HorizonFitter(camera, SigmaCalibration(2.0, 0.3)).fit(segmentation).measurement
    assert plain is not None
    assert scaled is not None
    up = scaled.up.as_array()
    assert np.abs(scaled.covariance @ up).max() < 1e-12
    tangent = np.eye(3) - np.outer(up, up)
    formal = 4 * plain.covariance
    assert scaled.white is not None
    fresh = scaled.white - formal
    assert fresh == pytest.approx(fresh[0, 0] / tangent[0, 0] * tangent, abs=1e-12)
    assert fresh[0, 0] > 0
    assert scaled.covariance == pytest.approx(formal + fresh / DEFAULT_UNCERTAINTY.white_share**2, abs=1e-12)


@pytest.mark.parametrize(("value", "view", "sky"), [(9.0, "sky", 1.0), (-9.0, "ground", 0.0)])
def test_one_sided_frames_show_no_horizon(value: float, view: str, sky: float) -> None:
    box = letterbox(1920, 1080, 320, 192)
    segmentation = Segmentation(np.full((48, 80), value, np.float32), 0.02, box)
    observation = HorizonFitter(PINHOLE, FORMAL).fit(segmentation)
    assert (observation.view, observation.measurement) == (view, None)
    assert observation.sky_fraction == pytest.approx(sky, abs=1e-3)
    assert observation.confidence == pytest.approx(0.98)


@pytest.mark.parametrize("seed", range(20))
def test_random_logits_show_no_horizon(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (48, 80)).astype(np.float32)
    observation = HorizonFitter(PINHOLE, FORMAL).fit(
        Segmentation(logits, 0.99, letterbox(1920, 1080, 320, 192))
    )
    assert (observation.view, observation.measurement) == ("unknown", None)


def test_a_horizon_that_the_net_does_not_believe_in_is_refused() -> None:
    segmentation = replace(ideal(PINHOLE, up_vector(3, 3)), presence=0.3)
    observation = HorizonFitter(PINHOLE, FORMAL).fit(segmentation)
    assert observation.measurement is None
    assert observation.confidence == pytest.approx(0.7, abs=0.05)


def test_a_horizon_that_only_cuts_a_corner_is_refused() -> None:
    up = PINHOLE.rays(np.array([[60.0, 60.0]]))[0]
    normal = np.array([-1, -1, 0.0]) + 0.0 * up
    up = normal - (normal @ up) * up
    observation = HorizonFitter(PINHOLE, FORMAL).fit(ideal(PINHOLE, up / np.linalg.norm(up)))
    assert observation.measurement is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_logits_that_are_no_numbers_do_not_break_the_fit(value: float) -> None:
    segmentation = ideal(PINHOLE, up_vector(-8, 2))
    logits = segmentation.logits.copy()
    logits[::5, ::7] = value
    observation = HorizonFitter(PINHOLE, FORMAL).fit(replace(segmentation, logits=logits))
    assert observation.measurement is not None
    assert degrees_between(observation.measurement.up.as_array(), up_vector(-8, 2)) < 0.3 * CELL
    everywhere = HorizonFitter(PINHOLE, FORMAL).fit(replace(segmentation, logits=np.full_like(logits, value)))
    assert everywhere.measurement is None


def test_the_same_seed_gives_the_same_answer() -> None:
    rng = np.random.default_rng(5)
    segmentation = ideal(PINHOLE, up_vector(100, 5))
    noisy = replace(segmentation, logits=segmentation.logits + rng.normal(0, 3, (48, 80)).astype(np.float32))
    first, again = (HorizonFitter(PINHOLE, FORMAL, seed=7).fit(noisy).measurement for _ in range(2))
    assert first is not None
    assert again is not None
    assert first.up == again.up
    assert (first.covariance == again.covariance).all()


def test_one_fitter_serves_inputs_of_changing_shape() -> None:
    fitter, up = HorizonFitter(PINHOLE, FORMAL), up_vector(-30, 8)
    for columns, rows in ((320, 192), (256, 256), (320, 192), (64, 32)):
        measurement = fitter.fit(ideal(PINHOLE, up, columns, rows)).measurement
        assert measurement is not None
        assert degrees_between(measurement.up.as_array(), up) < 0.2


def test_a_picture_thinner_than_a_cell_is_unknown() -> None:
    camera = Camera.from_hfov(20000, 10, 70)
    segmentation = ideal(camera, up_vector(0, 0), 2048, 32)
    observation = HorizonFitter(camera, FORMAL).fit(segmentation)
    assert (observation.view, observation.sky_fraction) == ("unknown", 0.5)


def test_the_bars_of_the_letterbox_do_not_count() -> None:
    camera = Camera.from_hfov(600, 600, 60)
    up = up_vector(10, 0)
    segmentation = ideal(camera, up, 320, 192)
    logits = segmentation.logits.copy()
    logits[:, :16] = logits[:, -16:] = 9.0
    observation = HorizonFitter(camera, FORMAL).fit(replace(segmentation, logits=logits))
    assert observation.measurement is not None
    assert degrees_between(observation.measurement.up.as_array(), up) < 0.02
    assert observation.sky_fraction == pytest.approx(0.5, abs=0.02)


@QUICK
@given(roll=rolls, pitch=st.floats(-20, 20))
def test_with_distortion_the_plane_agrees_with_opencv(roll: float, pitch: float) -> None:
    """Points of the horizon projected by OpenCV lie where the fitted mask changes sign."""
    up = up_vector(roll, pitch)
    assume(_chord_deg(WIDE, up) > 15)
    measurement = HorizonFitter(WIDE, FORMAL).fit(ideal(WIDE, up)).measurement
    assert measurement is not None
    across = np.cross(up, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    ahead = np.cross(across, up) * np.sign(np.cross(across, up)[2])
    turn = np.linspace(-0.4, 0.4, 41)[:, None]
    rays = np.cos(turn) * ahead + np.sin(turn) * across
    matrix = np.array([[WIDE.fx, 0, WIDE.cx], [0, WIDE.fy, WIDE.cy], [0, 0, 1.0]])
    points, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), matrix, coefficients(WIDE))
    seen = WIDE.rays(points.reshape(-1, 2))
    assert np.nanmax(np.abs(seen @ measurement.up.as_array())) < 0.15 * cell_angle(
        WIDE, letterbox(1280, 720, 320, 192)
    )


@QUICK
@given(roll=rolls, pitch=st.floats(-90, 90))
def test_the_tangent_basis_is_right_handed_and_orthonormal(roll: float, pitch: float) -> None:
    up = UpVector.from_roll_pitch(roll, pitch).as_array()
    a, b = tangent_basis(up)
    basis = np.stack([a, b, up])
    assert basis @ basis.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(basis) == pytest.approx(1)


def test_crossings_lie_on_the_boundary_and_point_to_the_sky() -> None:
    box, up = letterbox(1920, 1080, 320, 192), up_vector(33, -6)
    rays = cell_rays(PINHOLE, box, 320, 192)
    logits = (rays @ up).astype(np.float32)
    points, skyward = np.empty((2 * logits.size, 3)), np.empty((2 * logits.size, 3))
    count = crossings(logits, rays, points, skyward)
    changes = (np.diff(logits > 0, axis=0)).sum() + (np.diff(logits > 0, axis=1)).sum()
    assert count == changes
    assert np.linalg.norm(points[:count], axis=1) == pytest.approx(1)
    assert np.abs(points[:count] @ up).max() < 1e-3 * cell_angle(PINHOLE, box)
    assert (skyward[:count] @ up > 0).all()


def test_agreement_is_one_for_the_half_plane_and_minus_one_for_its_opposite() -> None:
    box, up = letterbox(1920, 1080, 320, 192), up_vector(-70, 3)
    rays = cell_rays(PINHOLE, box, 320, 192)
    logits = np.where(rays @ up > 0, 20, -20).astype(np.float32)
    right, sky, doubt = agreement(logits, rays, up, cell_angle(PINHOLE, box))
    wrong, _, _ = agreement(logits, rays, -up, cell_angle(PINHOLE, box))
    assert doubt == pytest.approx(0, abs=1e-6)
    assert (right, wrong) == (pytest.approx(1), pytest.approx(-1))
    assert sky == pytest.approx((rays @ up > 0).mean())


@pytest.mark.parametrize("slope", [0.5, 1.0, 3.0])
def test_doubt_is_the_width_of_the_band(slope: float) -> None:
    """∫ 1 − tanh|s·d/2| dd over a ramp of slope s by cell is 4·ln 2/s cells."""
    box, up = letterbox(1920, 1080, 320, 192), up_vector(0, 0)
    rays, cell = cell_rays(PINHOLE, box, 320, 192), cell_angle(PINHOLE, box)
    logits = (slope * np.arcsin(rays @ up) / cell).astype(np.float32)
    _, _, doubt = agreement(logits, rays, up, cell)
    assert doubt == pytest.approx(4 * math.log(2) / slope, rel=0.15)
