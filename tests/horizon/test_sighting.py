"""Points of a picture against the horizon, by rays that are cast to a sphere and by many attitudes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.camera import brown

from horizon_rt.camera import Camera
from horizon_rt.geometry import UpVector
from horizon_rt.geometry.earth import EARTH_RADIUS_M, REFRACTION, dip, horizon_distance
from horizon_rt.horizon import Attitude, Horizon, Observation

RADIUS_M = EARTH_RADIUS_M / (1 - REFRACTION)
SIZE = 1920, 1080
PINHOLE = Camera.from_hfov(*SIZE, 70)
WIDE = brown(width=1920, height=1080, fx=1140, fy=1125, cx=978, cy=511, k1=-0.28, k2=0.09, p1=8e-4)
LEVEL = UpVector.from_roll_pitch(0, 0)


def horizon(
    up: UpVector, *, camera: Camera = PINHOLE, height_m: float | None = 20.0, sd_deg: float = 0.01
) -> Horizon:
    attitude = Attitude(
        up=up,
        covariance=up.isotropic_covariance(sd_deg),
        focal_error=camera.focal_error(up, 0.0 if height_m is None else dip(height_m)),
    )
    seen = Observation(view="horizon", confidence=1.0, sky_fraction=0.5)
    return Horizon(
        frame=0, time_s=0.0, state="tracking", observation=seen, attitude=attitude,
        width=camera.width, height=camera.height, camera=camera, height_m=height_m,
    )  # fmt: skip


def pixel_of(
    camera: Camera, up: UpVector, height_m: float, distance_m: float, azimuth: float
) -> tuple[float, float]:
    """Where a point of the sphere falls in the picture: its place in space, seen from the camera's."""
    angle = distance_m / RADIUS_M
    across, below = RADIUS_M * math.sin(angle), height_m + 2 * RADIUS_M * math.sin(angle / 2) ** 2
    u = up.as_array()
    forward = np.array([0.0, 0.0, 1.0]) - u[2] * u
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, u)
    ray = across * (math.cos(azimuth) * forward + math.sin(azimuth) * right) - below * u
    x, y = camera.project(ray[None] / np.linalg.norm(ray))[0]
    return float(x), float(y)


@settings(max_examples=150, deadline=None)
@given(
    camera=st.sampled_from([PINHOLE, WIDE]),
    roll=st.floats(-180, 180),
    pitch=st.floats(-12, 2),
    height=st.floats(2, 500),
    share=st.floats(0.05, 0.9),
    azimuth=st.floats(-0.2, 0.2),
)
def test_ranges_are_those_of_the_sphere(
    camera: Camera, roll: float, pitch: float, height: float, share: float, azimuth: float
) -> None:
    distance = max(50.0, share * horizon_distance(height))
    up = UpVector.from_roll_pitch(roll, pitch)
    x, y = pixel_of(camera, up, height, distance, azimuth)
    if not math.isfinite(x + y):
        return
    found = horizon(up, camera=camera, height_m=height, sd_deg=1e-7).range_to(x, y)
    assert found is not None
    assert found.distance_m == pytest.approx(distance, rel=1e-3)


@pytest.mark.parametrize("roll", [0.0, 70.0])
@pytest.mark.parametrize(("height", "distance"), [(2.0, 50.0), (15.0, 2000.0), (15.0, 4000.0), (500.0, 30e3)])
def test_sigma_covers_errors_of_the_attitude(roll: float, height: float, distance: float) -> None:
    true, rng = UpVector.from_roll_pitch(roll, -1.0), np.random.default_rng(2)
    x, y = pixel_of(PINHOLE, true, height, distance, 0.15)
    covariance = true.isotropic_covariance(0.02)
    inside = 0
    for error in rng.multivariate_normal(np.zeros(3), covariance, 600):
        seen = horizon(UpVector.from_vector(true.as_array() + error), height_m=height, sd_deg=0.02)
        found = seen.range_to(x, y)
        assert found is not None
        inside += abs(found.distance_m - distance) < 2 * found.sd_m
    assert 0.93 < inside / 600 <= 0.995


def test_sigma_covers_errors_of_an_assumed_focal_length() -> None:
    """The horizon stays where it is in the picture; what lies below it is as far below as the lens says."""
    height, distance, sd = 15.0, 400.0, 0.1
    true, rng = UpVector.from_roll_pitch(3, -4), np.random.default_rng(5)
    x, y = pixel_of(PINHOLE, true, height, distance, 0.1)
    line = PINHOLE.line(true, dip(height))
    assert line is not None
    inside = 0
    for error in sd * rng.standard_normal(600):
        focal = PINHOLE.fx * math.exp(error)
        camera = replace(PINHOLE, fx=focal, fy=focal, focal_sd=sd)
        up = line.up_vector(focal).pitched(-dip(height))
        found = horizon(up, camera=camera, height_m=height, sd_deg=1e-6).range_to(x, y)
        assert found is not None
        inside += abs(found.distance_m - distance) < 2 * found.sd_m
    assert 0.92 < inside / 600 <= 0.99


def test_the_horizon_itself_is_neither_side() -> None:
    up = UpVector.from_roll_pitch(12, 3)
    seen = horizon(up, sd_deg=0.05)
    x, y = pixel_of(PINHOLE, up, 20.0, horizon_distance(20.0), 0.1)
    assert seen.above(x, y) == pytest.approx(0.5, abs=1e-3)
    assert seen.range_to(x, y) is None


@pytest.mark.parametrize(("sigmas", "chance"), [(1.0, 0.8413), (2.0, 0.9772), (-3.0, 0.00135)])
def test_above_is_the_normal_distribution(sigmas: float, chance: float) -> None:
    seen = horizon(LEVEL, sd_deg=0.1, height_m=None)
    y = PINHOLE.cy - PINHOLE.fy * math.tan(math.radians(0.1 * sigmas))
    assert seen.above(PINHOLE.cx, y) == pytest.approx(chance, abs=2e-4)


def test_boxes_in_the_sky_are_dropped() -> None:
    seen = horizon(LEVEL, sd_deg=0.05)
    boxes = [(100, 100, 140, 130), (100, 500, 140, 560), (100, 700, 140, 730), (800, 100, 900, 800)]
    assert [seen.side_of(box) for box in boxes] == ["sky", "horizon", "sea", "horizon"]
    assert seen.sky_filter(boxes).tolist() == [False, True, True, True]
    assert seen.sky_filter([]).shape == (0,)


def test_upside_down_the_sky_is_below() -> None:
    seen = horizon(UpVector.from_roll_pitch(180, 0), sd_deg=0.05)
    assert seen.side_of((100, 100, 140, 130)) == "sea"
    assert seen.side_of((100, 900, 140, 930)) == "sky"


def test_nothing_is_said_without_an_estimate_or_a_lens() -> None:
    seen = horizon(LEVEL)
    for lacking in (replace(seen, attitude=None), replace(seen, camera=None)):
        assert lacking.range_to(5, 900) is None
        assert lacking.above(5, 900) is None
        assert lacking.side_of((1, 2, 3, 4)) is None
        assert lacking.sky_filter([(1, 2, 3, 4)]).all()


def test_a_range_needs_a_height() -> None:
    with pytest.raises(ValueError, match="height"):
        horizon(LEVEL, height_m=None).range_to(5, 900)


def test_sigmas_hold_an_assumed_focal_length() -> None:
    """−2.5° at 70° are −6.4° at 122°: the same line, so that the sigma has to reach from one to the other."""
    narrow, wide = (Camera.from_hfov(*SIZE, hfov) for hfov in (70, 122))
    up = UpVector.from_roll_pitch(10, -2.5)
    line = narrow.line(up)
    assert line is not None
    other = line.up_vector(wide.focal_px)
    assert other.pitch_deg == pytest.approx(-6.4, abs=0.05)
    known, assumed = horizon(up, sd_deg=1.2), horizon(up, sd_deg=1.2, camera=Camera.assumed(*SIZE))
    assert known.pitch_sd_deg == pytest.approx(1.2)
    assert assumed.pitch_sd_deg is not None
    assert assumed.roll_sd_deg == pytest.approx(known.roll_sd_deg)
    assert abs(other.pitch_deg - up.pitch_deg) < 3 * assumed.pitch_sd_deg
    assert assumed.to_dict()["pitch_sd_deg"] == pytest.approx(assumed.pitch_sd_deg, rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(roll=st.floats(-180, 180), pitch=st.floats(-20, 20), height=st.floats(0, 20_000))
def test_the_focal_error_is_that_of_a_refit(roll: float, pitch: float, height: float) -> None:
    """The horizon's point nearest to the axis keeps its pixel, whatever the lens."""
    for lens in (PINHOLE, WIDE):
        camera, up, down = replace(lens, focal_sd=0.01), UpVector.from_roll_pitch(roll, pitch), dip(height)
        error = camera.focal_error(up, down)
        nearest = np.array([[0.0, 0.0, 1.0]]) - up.z * up.as_array()
        nearest = math.cos(down) * nearest / np.linalg.norm(nearest) - math.sin(down) * up.as_array()
        pixel = camera.project(nearest)
        if not np.isfinite(pixel).all():
            continue
        longer = replace(camera, fx=camera.fx * 1.0001, fy=camera.fy * 1.0001).rays(pixel)[0]
        assert error is not None
        again = UpVector.from_vector(up.as_array() + error * 1e-4 / 0.01)
        assert math.asin(longer @ again.as_array()) == pytest.approx(-down, abs=2e-8)
        assert again.roll_deg == pytest.approx(up.roll_deg, abs=1e-6)
