"""Fits and refinements through fisheye lenses, whose horizon may span more than half a circle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.camera import painted
from support.fitting import cell_angle, degrees_between, ideal, letterbox, up_vector

from horizon_rt.camera import Camera, KannalaBrandt
from horizon_rt.fitting import HorizonFitter, HorizonRefiner
from horizon_rt.fitting.stations import Stations
from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Measurement
from horizon_rt.models.weights import SigmaCalibration

FORMAL = SigmaCalibration(1.0, 1e-9)


def fisheye(fov_deg: float, width: int = 640, height: int = 360) -> Camera:
    """Equidistant, with this field of view across."""
    focal = width / math.radians(fov_deg)
    centre = {"cx": (width - 1) / 2, "cy": (height - 1) / 2}
    return Camera(width=width, height=height, fx=focal, fy=focal, **centre, distortion=KannalaBrandt())


LENSES = {fov: fisheye(fov) for fov in (150, 190, 230)}
ROUND = fisheye(190, 480, 480)  # sees all of the horizon when it looks up


@settings(max_examples=60, deadline=None)
@given(fov=st.sampled_from([150, 190, 230]), roll=st.floats(-180, 180), pitch=st.floats(-30, 30))
def test_an_ideal_mask_gives_back_its_plane(fov: int, roll: float, pitch: float) -> None:
    camera, up = LENSES[fov], up_vector(roll, pitch)
    measurement = HorizonFitter(camera, FORMAL).fit(ideal(camera, up)).measurement
    assert measurement is not None
    cell_deg = math.degrees(cell_angle(camera, letterbox(640, 360, 320, 192)))
    assert degrees_between(measurement.up.as_array(), up) < 0.1 * cell_deg


@settings(max_examples=100, deadline=None)
@given(fov=st.sampled_from([150, 190, 230]), roll=st.floats(-180, 180), pitch=st.floats(-40, 40))
def test_stations_lie_on_the_horizon_and_their_ends_tell_the_plane(
    fov: int, roll: float, pitch: float
) -> None:
    camera, up = LENSES[fov], UpVector.from_roll_pitch(roll, pitch)
    strip = Stations(camera).strip(up)
    assert strip is not None
    rays = camera.rays(strip.points)
    assert np.abs(rays @ up.as_array()).max() < 1e-9
    assert abs(strip.ends[0] @ strip.ends[1]) < 0.6  # about 53° to 127° apart: far from alike or opposite
    near = UpVector.from_vector(up.as_array() + 1e-4 * np.array([0.3, -0.2, 0.9]))
    lifts = strip.elevations(up, near)
    assert strip.moved(up, *lifts).angle_to(near) < 1e-9
    assert strip.shares @ lifts == pytest.approx(-rays @ near.as_array(), abs=1e-7)


def test_a_lens_that_looks_up_sees_the_horizon_all_around() -> None:
    strip = Stations(ROUND).strip(UpVector.from_roll_pitch(0, 88))
    assert strip is not None
    assert np.ptp(strip.azimuths) > 1.9 * math.pi
    assert strip.spacing_px * len(strip.points) == pytest.approx(math.pi**2 * ROUND.focal_px, rel=0.03)


@pytest.mark.parametrize(
    ("fov", "roll", "pitch"), [(150, 8, 20), (190, -33, -24), (190, 172, 12), (230, 3, 0)]
)
def test_an_edge_is_found_to_a_fraction_of_a_pixel(fov: int, roll: float, pitch: float) -> None:
    camera, true = LENSES[fov], UpVector.from_roll_pitch(roll, pitch)
    start = UpVector.from_roll_pitch(roll + 0.6, pitch - 0.8)
    measured = Measurement(up=start, covariance=start.isotropic_covariance(0.8), inliers=40)
    found = HorizonRefiner(camera).refine(painted(camera, true), measured)
    assert found.up.angle_to(true) < 0.25 * math.degrees(1 / camera.focal_px)
    assert max(found.sd_deg) < max(measured.sd_deg)


def test_an_edge_all_around_is_found() -> None:
    true, start = UpVector.from_roll_pitch(20, 80), UpVector.from_roll_pitch(21, 79.6)
    measured = Measurement(up=start, covariance=start.isotropic_covariance(0.8), inliers=40)
    found = HorizonRefiner(ROUND).refine(painted(ROUND, true), measured)
    assert found.up.angle_to(true) < 0.25 * math.degrees(1 / ROUND.focal_px)


@pytest.mark.parametrize(("fov", "roll", "pitch"), [(150, 10, 12), (190, -20, -15), (230, 0, 8)])
@pytest.mark.parametrize("lift_deg", [0.5, -0.4])
def test_a_seen_edge_above_the_horizon_all_along_does_not_turn_the_plane(
    fov: int, roll: float, pitch: float, lift_deg: float
) -> None:
    """As haze and hills make it: a wide lens sees that no plane lies on such a cone."""
    camera, true = LENSES[fov], UpVector.from_roll_pitch(roll, pitch)
    start = UpVector.from_roll_pitch(roll + 0.3, pitch - 0.3)
    measured = Measurement(up=start, covariance=start.isotropic_covariance(0.8), inliers=40)
    luma = painted(camera, true, lift_rad=math.radians(lift_deg))
    assert HorizonRefiner(camera).refine(luma, measured).up.angle_to(true) < 0.3 * abs(lift_deg)


def test_a_narrow_lens_cannot_tell_a_lift_from_pitch() -> None:
    assert Stations(Camera.from_hfov(640, 360, 70)).strip(UpVector.from_roll_pitch(5, 3)).lift_sd == 0
    wide = Stations(LENSES[190]).strip(UpVector.from_roll_pitch(5, 3))
    assert wide.lift_sd == pytest.approx(math.radians(0.5))
