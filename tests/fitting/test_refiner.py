"""Refinement against painted and rendered truth: on the edge to a fraction of a pixel, or left as it was."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.camera import brown, painted
from support.training import signed_distance

from horizon_rt.camera import Camera
from horizon_rt.fitting import HorizonRefiner
from horizon_rt.fitting.stations import Stations
from horizon_rt.frame import Frame
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.horizon import Attitude, Measurement
from horizon_rt.tracker import HorizonTracker

W, H = 640, 360
CAMERA = Camera.from_hfov(W, H, 70)
LENS = brown(width=W, height=H, fx=450.0, fy=450.0, cx=320.0, cy=180.0, k1=-0.25, k2=0.06)
PX_DEG = math.degrees(1 / CAMERA.focal_px)


def _measured(up: UpVector, sd_deg: float = 0.4) -> Measurement:
    return Measurement(up=up, covariance=up.isotropic_covariance(sd_deg), inliers=40)


def _assert_left(found: Measurement, start: Measurement) -> None:
    """Where it was, less sure by what frames share, as no edge bears it out."""
    assert found.up is start.up
    assert found.sd_deg == pytest.approx([2 * sd for sd in start.sd_deg])
    assert found.white is not None
    np.testing.assert_array_equal(found.white, start.covariance)


@settings(max_examples=25, deadline=None)
@given(
    roll=st.floats(-180, 180), pitch=st.floats(-12, 12), off=st.floats(-0.5, 0.5), turn=st.floats(-0.5, 0.5)
)
def test_a_clear_edge_is_found_to_a_fraction_of_a_pixel(
    roll: float, pitch: float, off: float, turn: float
) -> None:
    true = UpVector.from_roll_pitch(roll, pitch)
    luma = painted(CAMERA, true)
    start = _measured(UpVector.from_roll_pitch(roll + turn, pitch + off))
    found = HorizonRefiner(CAMERA).refine(luma, start)
    assert found.up is not start.up
    assert found.up.angle_to(true) < 0.4 * PX_DEG
    assert max(found.sd_deg) < max(start.sd_deg)


def test_a_bent_horizon_is_followed() -> None:
    true = UpVector.from_roll_pitch(8, 6)
    luma = painted(LENS, true)
    found = HorizonRefiner(LENS).refine(luma, _measured(UpVector.from_roll_pitch(8.3, 5.7)))
    assert found.up.angle_to(true) < 0.3 * math.degrees(1 / LENS.focal_px)


@pytest.mark.parametrize("bits", [8, 10])
def test_samples_of_any_depth(bits: int) -> None:
    true = UpVector.from_roll_pitch(-5, 2)
    luma = painted(CAMERA, true)
    deep = luma.astype(np.uint16) << 2 if bits == 10 else luma
    found = HorizonRefiner(CAMERA).refine(
        deep, _measured(UpVector.from_roll_pitch(-4.8, 2.2)), bit_depth=bits
    )
    assert found.up.angle_to(true) < 0.25 * PX_DEG


def _followed(
    true: UpVector, then: UpVector, *, luma: np.ndarray | None = None, sd_deg: float = 0.1
) -> tuple[Measurement | None, Measurement]:
    """An edge found at a key frame, then followed in the next frame from a prediction at the old place."""
    refiner = HorizonRefiner(CAMERA)
    key = refiner.refine(painted(CAMERA, true), _measured(true))
    correlated = true.isotropic_covariance(0.3)
    predicted = Attitude(
        up=true, covariance=true.isotropic_covariance(sd_deg) + correlated, correlated=correlated
    )
    return refiner.align(painted(CAMERA, then) if luma is None else luma, predicted, key), key


@pytest.mark.parametrize(("roll", "pitch"), [(0.0, 0.0), (0.2, -0.15), (-0.3, 0.1)])
def test_an_edge_is_followed_from_a_prediction_with_the_doubt_of_the_key_frame(
    roll: float, pitch: float
) -> None:
    true, then = UpVector.from_roll_pitch(5, 2), UpVector.from_roll_pitch(5 + roll, 2 + pitch)
    found, key = _followed(true, then)
    assert found is not None
    assert found.up.angle_to(then) < 0.3 * PX_DEG
    assert np.trace(found.correlated) == pytest.approx(np.trace(key.correlated), rel=0.02)
    assert np.abs(found.covariance @ found.up.as_array()).max() < 1e-6 * np.trace(found.covariance)


def test_no_edge_is_followed_where_the_picture_holds_another() -> None:
    true = UpVector.from_roll_pitch(5, 2)
    noise = np.random.default_rng(1).normal(120, 12, (H, W)).clip(0, 255).astype(np.uint8)
    for luma in (255 - painted(CAMERA, true), np.full((H, W), 90, np.uint8), noise):
        assert _followed(true, true, luma=luma)[0] is None
    assert _followed(true, UpVector.from_roll_pitch(5, 8))[0] is None, "too far away"


def test_nothing_is_followed_before_a_key_frame() -> None:
    true = UpVector.from_roll_pitch(5, 2)
    predicted = Attitude(up=true, covariance=true.isotropic_covariance(0.1))
    assert HorizonRefiner(CAMERA).align(painted(CAMERA, true), predicted, _measured(true)) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_picture_without_an_edge_leaves_the_estimate(seed: int) -> None:
    luma = np.random.default_rng(seed).normal(120, 12, (H, W)).clip(0, 255).astype(np.uint8)
    start = _measured(UpVector.from_roll_pitch(3, 1))
    found = HorizonRefiner(CAMERA).refine(luma, start)
    assert found.up.angle_to(start.up) < 2 * 0.4
    assert found.up is start.up or max(found.sd_deg) > 0.1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_flat_picture_leaves_the_estimate(value: int) -> None:
    start = _measured(UpVector.from_roll_pitch(3, 1))
    _assert_left(HorizonRefiner(CAMERA).refine(np.full((H, W), value, np.uint8), start), start)


def test_an_edge_far_beyond_the_doubt_is_left_alone() -> None:
    """A field border ten sigma below, the only edge there is."""
    luma = painted(CAMERA, UpVector.from_roll_pitch(0, 3))
    start = _measured(UpVector.from_roll_pitch(0, 0), 0.3)
    _assert_left(HorizonRefiner(CAMERA).refine(luma, start), start)


def test_two_edges_as_good_leave_a_sigma_that_holds_both() -> None:
    """Two steps of the same size 8 px apart: one of them, with the other within 6 sigma."""
    line = HorizonLine(0.0, 0.0)
    distance = signed_distance(line, (H, W))
    luma = (60 + 60 * (distance > -4) + 60 * (distance > 4)).astype(np.uint8)
    found = HorizonRefiner(CAMERA).refine(luma, _measured(UpVector.from_roll_pitch(0, 0), 0.6))
    upper, lower = (HorizonLine(0.0, d).up_vector(CAMERA.focal_px).pitch_deg for d in (-4.0, 4.0))
    assert min(abs(found.up.pitch_deg - pitch) for pitch in (upper, lower)) < PX_DEG / 2
    assert found.sd_deg[1] > (lower - upper) / 6


@pytest.mark.parametrize("pitch", [80.0, -80.0, 89.9, -90.0])
def test_a_horizon_out_of_view_is_left_alone(pitch: float) -> None:
    start = _measured(UpVector.from_roll_pitch(0, pitch))
    luma = painted(CAMERA, UpVector.from_roll_pitch(0, 0))
    assert HorizonRefiner(CAMERA).refine(luma, start) is start


@pytest.mark.parametrize("size", [(16, 16), (64, 8), (8, 64), (33, 17), (64, 1), (1, 64), (2, 2)])
def test_small_pictures_do_no_harm(size: tuple[int, int]) -> None:
    camera = Camera.from_hfov(*size, 70)
    luma = np.random.default_rng(0).integers(0, 256, (size[1], size[0])).astype(np.uint8)
    found = HorizonRefiner(camera).refine(luma, _measured(UpVector.from_roll_pitch(10, 3), 2.0))
    assert np.isfinite(found.up.as_array()).all()
    assert np.isfinite(found.covariance).all()


@pytest.mark.parametrize("covariance", [np.full((3, 3), np.nan), np.zeros((3, 3)), np.diag([1e-5, 0.0, 0.0])])
def test_a_covariance_that_is_none_leaves_the_estimate(covariance: np.ndarray) -> None:
    start = Measurement(up=UpVector.from_roll_pitch(3, 1), covariance=covariance, inliers=9)
    assert HorizonRefiner(CAMERA).refine(painted(CAMERA, start.up), start) is start


@pytest.mark.parametrize("corner_px", [20.0, 40.0, 80.0])
def test_a_short_line_through_noise_is_mostly_left_alone(corner_px: float) -> None:
    """A line at 45° across a corner; in noise the strongest gradient beside it says nothing."""
    offset = math.hypot(W, H) / 2 - corner_px
    line = HorizonLine(math.degrees(math.atan2(W, H)), offset)
    start, refiner, taken = _measured(line.up_vector(CAMERA.focal_px)), HorizonRefiner(CAMERA), 0
    for seed in range(20):
        luma = np.random.default_rng(seed).normal(120, 12, (H, W)).clip(0, 255).astype(np.uint8)
        found = refiner.refine(luma, start)
        assert np.trace(found.covariance) <= 4 * np.trace(start.covariance)
        taken += found.up is not start.up
    assert taken <= 4


def test_a_horizon_that_leaves_the_picture_and_comes_back_is_taken_where_it_is_seen() -> None:
    lens = brown(width=W, height=H, fx=300.0, fy=300.0, cx=319.5, cy=179.5, k1=-0.25, k2=0.05)
    for pitch in (36.0, 38.0, -38.0):
        strip = Stations(lens).strip(UpVector.from_roll_pitch(0, pitch))
        if strip is not None:
            x, y = strip.points.T
            assert ((x > -2) & (x < W + 1) & (y > -2) & (y < H + 1)).mean() > 0.9


def test_the_tracker_refines_unless_told_not_to() -> None:
    true = UpVector.from_roll_pitch(4, 3)
    picture = np.repeat(painted(CAMERA, true)[:, :, None], 3, axis=2)
    refined, plain = (
        HorizonTracker(model="small", smooth="none", refine=refine).update(Frame.from_bgr(picture))
        for refine in (True, False)
    )
    assert refined.up is not None
    assert plain.up is not None
    assert refined.up.angle_to(true) < 0.25 * PX_DEG < plain.up.angle_to(true)


@given(st.floats(-180, 180), st.floats(-60, 60))
@settings(max_examples=200, deadline=None)
def test_the_kernel_of_straight_horizons_does_as_the_projection(roll: float, pitch: float) -> None:
    up = UpVector.from_roll_pitch(roll, pitch)
    straight, bent = (Stations(CAMERA, straight=straight).strip(up) for straight in (True, False))
    if straight is None or bent is None:  # in a corner the pieces of the border decide
        shorter = straight or bent
        assert shorter is None or shorter.spacing_px * len(shorter.scales) < 60
        return
    for name, one, other in zip(straight._fields, straight, bent, strict=True):
        assert np.asarray(one) == pytest.approx(np.asarray(other), rel=1e-5, abs=1e-4), name


@pytest.mark.parametrize("seed", range(3))
def test_what_shows_of_a_horizon_outweighs_roofs_before_the_rest(seed: int) -> None:
    """Houses of one height, as a picture shows them, on two thirds of the width."""
    true = UpVector.from_roll_pitch(1.5, -2.0)
    luma, line = painted(CAMERA, true, seed=seed), CAMERA.line(true)
    assert line is not None
    rng = np.random.default_rng(seed)
    left = int(rng.integers(0, W // 3))
    for x in range(left, left + 2 * W // 3, 24):
        top = round(line.y_at(x, W, H) - rng.uniform(9, 13))
        luma[top:, x : x + 24] = rng.integers(40, 90)
    found = HorizonRefiner(CAMERA).refine(luma, _measured(UpVector.from_roll_pitch(1.2, -2.5), 0.8))
    assert found.up.angle_to(true) < 2 * PX_DEG
