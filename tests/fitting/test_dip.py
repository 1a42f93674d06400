"""A horizon seen from a height: the exact cone, of the mask and on the edge, against painted truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.camera import brown
from support.fitting import cell_angle, cell_rays, letterbox

from horizon_rt.camera import Camera
from horizon_rt.fitting import HorizonFitter, HorizonRefiner
from horizon_rt.fitting.stations import Stations
from horizon_rt.geometry import UpVector
from horizon_rt.geometry.earth import dip
from horizon_rt.horizon import Measurement
from horizon_rt.models.weights import SigmaCalibration
from horizon_rt.segmentation import Segmentation
from horizon_rt.sources import open_source
from horizon_rt.tracker import HorizonTracker

PINHOLE = Camera.from_hfov(1280, 720, 70)
WIDE = brown(
    width=1280, height=720, fx=760, fy=750, cx=652, cy=341, k1=-0.28, k2=0.09, p1=8e-4, p2=-6e-4, k3=-0.012
)
FORMAL = SigmaCalibration(1.0, 1e-9)
cameras = st.sampled_from([PINHOLE, WIDE])
heights = st.floats(1, 40_000)


def mask(camera: Camera, up: UpVector, down: float) -> Segmentation:
    """Above the cone at this angle below level, by the arc sine of each ray: the logit grows by 4 a cell."""
    box = letterbox(camera.width, camera.height, 320, 192)
    elevation = np.arcsin(np.nan_to_num(cell_rays(camera, box, 320, 192)) @ up.as_array())
    return Segmentation(((elevation + down) / cell_angle(camera, box) * 4).astype(np.float32), 0.99, box)


def picture(camera: Camera, up: UpVector, down: float) -> np.ndarray:
    y, x = np.mgrid[: camera.height, : camera.width].astype(float)
    rays = camera.rays(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(camera.height, camera.width, 3)
    sky = 0.5 + 0.5 * np.tanh(2 * (np.arcsin(rays @ up.as_array()) + down) * camera.focal_px)
    rng = np.random.default_rng(1)
    rough = (1 - sky) * rng.normal(0, 6, sky.shape) + rng.normal(0, 1.5, sky.shape)
    return np.clip(90 + 70 * sky + rough, 0, 255).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(camera=cameras, roll=st.floats(-180, 180), pitch=st.floats(-9, 9), height=heights)
def test_a_mask_gives_back_its_cone(camera: Camera, roll: float, pitch: float, height: float) -> None:
    true, down = UpVector.from_roll_pitch(roll, pitch), dip(height)
    found = HorizonFitter(camera, FORMAL, dip=down).fit(mask(camera, true, down)).measurement
    assert found is not None
    assert found.up.angle_to(true) < 0.05  # a cell has 0.9°; see test_fitter for its curvature


def test_without_the_height_pitch_is_off_by_the_dip() -> None:
    true, down = UpVector.from_roll_pitch(5, 1), dip(3000.0)
    found = HorizonFitter(PINHOLE, FORMAL).fit(mask(PINHOLE, true, down)).measurement
    assert found is not None
    off = found.up.pitch_deg - true.pitch_deg
    assert math.degrees(down) < off < 1.1 * math.degrees(down)  # a plane meets the cone halfway to the side


@settings(max_examples=12, deadline=None)
@given(camera=cameras, roll=st.floats(-180, 180), pitch=st.floats(-6, 6), height=heights)
def test_the_edge_is_found_to_a_fraction_of_a_pixel(
    camera: Camera, roll: float, pitch: float, height: float
) -> None:
    true, down = UpVector.from_roll_pitch(roll, pitch), dip(height)
    start = true.pitched(0.005)
    found = HorizonRefiner(camera, dip=down).refine(
        picture(camera, true, down),
        Measurement(up=start, covariance=start.isotropic_covariance(0.4), inliers=40),
    )
    assert found.up.angle_to(true) < 0.15 * math.degrees(1 / camera.focal_px)


@settings(max_examples=60, deadline=None)
@given(camera=cameras, roll=st.floats(-180, 180), pitch=st.floats(-9, 9), height=heights)
def test_stations_lie_on_the_cone(camera: Camera, roll: float, pitch: float, height: float) -> None:
    up, down = UpVector.from_roll_pitch(roll, pitch), dip(height)
    strip = Stations(camera, dip=down).strip(up)
    assert strip is not None
    elevation = np.arcsin(camera.rays(strip.points) @ up.as_array())
    np.testing.assert_allclose(elevation, -down, atol=1e-9)
    above = camera.rays(strip.points + 0.1 * strip.normals)  # a pixel's tenth across
    lifted = np.arcsin(above @ up.as_array()) + down
    np.testing.assert_allclose(lifted * strip.scales, 0.1, rtol=2e-3)


@settings(max_examples=100, deadline=None)
@given(roll=st.floats(-180, 180), pitch=st.floats(-30, 30), height=heights)
def test_both_ways_to_place_stations_agree(roll: float, pitch: float, height: float) -> None:
    """The kernel for a lens without distortion ends where the curve crosses the border, the other one where
    the chord of two points of the border does.
    """
    up, down = UpVector.from_roll_pitch(roll, pitch), dip(height)
    exact, other = (Stations(PINHOLE, dip=down, straight=straight).strip(up) for straight in (True, False))
    if exact is None or other is None or exact.spacing_px * 96 < 300:
        return
    for name in ("points", "azimuths", "scales", "ends"):
        one, two = getattr(exact, name), getattr(other, name)
        np.testing.assert_allclose(one, two, atol=20 if name == "points" else 0.03, rtol=0.03)
    elevation = np.arcsin(PINHOLE.rays(exact.points) @ up.as_array())
    np.testing.assert_allclose(elevation, -down, atol=1e-9)
    assert (exact.points > -1).all()
    assert (exact.points < (PINHOLE.width, PINHOLE.height)).all()


@settings(max_examples=60, deadline=None)
@given(camera=cameras, roll=st.floats(-180, 180), pitch=st.floats(-9, 9), height=heights)
def test_shares_and_ends_say_how_a_tilt_moves_the_cone(
    camera: Camera, roll: float, pitch: float, height: float
) -> None:
    up, down, lifts = UpVector.from_roll_pitch(roll, pitch), dip(height), np.array([2e-4, -1e-4])
    strip = Stations(camera, dip=down).strip(up)
    assert strip is not None
    other = strip.moved(up, *lifts)
    moved = -np.arcsin(camera.rays(strip.points) @ other.as_array()) - down
    np.testing.assert_allclose(moved, strip.shares @ lifts, atol=2e-7)


@pytest.mark.parametrize("height", [-1.0, 2e5, math.nan])
def test_an_impossible_height_is_refused(height: float) -> None:
    with pytest.raises(ValueError, match="height_m lies between 0 and 100000 m"):
        HorizonTracker(height_m=height)


def test_a_rendered_sea_is_tracked_from_high_up() -> None:
    source = open_source("synth:sea?height=9000&seconds=0.6&size=640x360&seed=4")
    tracker = HorizonTracker(hfov=70, height_m=9000.0, model="nano")
    for frame in source:
        found = tracker.update(frame)
    truth = source.clip.truth(frame.index).up
    assert found.up is not None
    assert found.line is not None
    assert found.up.angle_to(truth) < 0.1
    assert found.dip_deg == pytest.approx(math.degrees(dip(9000.0)))
    camera = source.clip.camera
    forward = np.array([0, 0, 1.0]) - truth.z * truth.as_array()  # the visible horizon, below the axis
    forward = forward / np.linalg.norm(forward) - math.tan(dip(9000.0)) * truth.as_array()
    x, y = camera.project(forward[None])[0]
    assert abs(found.line.signed_distance(x, y, camera.width, camera.height)) < 1.0
