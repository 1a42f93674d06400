"""Levelling through a fisheye, and its horizon in overlay and labels."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from support.camera import painted

import horizon_rt as hz
from horizon_rt.camera.projection import SkyFrame, view_radius
from horizon_rt.horizon import Attitude, Horizon, Observation
from horizon_rt.label.proposal import Proposal
from horizon_rt.levelling.geometry import Turn, needed_zoom, source_points
from horizon_rt.levelling.plan import LevelSettings, plan_level
from horizon_rt.levelling.trajectory import AttitudeTrack

CAMERA = hz.Camera(
    width=320, height=180, fx=100, fy=100, cx=159.5, cy=89.5, distortion=hz.KannalaBrandt(k1=-0.02)
)


def horizon_of(up: hz.UpVector, sd_deg: float = 0.2) -> Horizon:
    attitude = Attitude(up=up, covariance=up.isotropic_covariance(sd_deg))
    seen = Observation(view="horizon", confidence=0.9, sky_fraction=0.5)
    return Horizon(frame=0, time_s=0.0, state="tracking", observation=seen, attitude=attitude)


@pytest.mark.parametrize(("roll", "pitch"), [(25, 0), (-14, 9), (8, -20)])
def test_a_levelled_fisheye_picture_shows_a_level_horizon(roll: float, pitch: float) -> None:
    turn = Turn(roll=np.radians([float(roll)]), pitch=np.zeros(1))
    level = hz.UpVector.from_roll_pitch(0, pitch)
    sky = SkyFrame.of(level)
    points = CAMERA.project(sky.rays(np.radians(np.linspace(-60, 60, 41)), 0.0))
    found = source_points(CAMERA, points, np.ones(1), turn)[0]
    up = hz.UpVector.from_roll_pitch(roll, pitch)
    assert np.abs(CAMERA.rays(found) @ up.as_array()).max() < 1e-9
    zoom = needed_zoom(CAMERA, turn, most=3.0)
    assert 1 < zoom[0] < 3


def test_the_row_that_a_shutter_is_exact_on_is_that_of_the_horizon() -> None:
    one = np.zeros(1)
    track = AttitudeTrack(
        time_s=one,
        roll=np.radians([10.0]),
        pitch=np.radians([20.0]),
        sd=one,
        roll_rate=one + 1,
        pitch_rate=one,
        starts=np.array([True]),
    )
    plan = plan_level(track, CAMERA, LevelSettings(readout_s=0.02, shows_black=True))
    assert plan.turn.shutter is not None
    across = math.radians(20.0)
    radius = CAMERA.fy * across * (1 - 0.02 * across**2)
    assert plan.turn.shutter.row == pytest.approx(CAMERA.cy + radius * math.cos(math.radians(10)))


@pytest.mark.parametrize(("roll", "pitch"), [(0, 25), (20, -20), (-35, 10), (170, 15), (0, 60)])
def test_the_overlay_draws_the_horizon_where_the_lens_sees_it(roll: float, pitch: float) -> None:
    up = hz.UpVector.from_roll_pitch(roll, pitch)
    plain = np.full((180, 320, 3), 90, np.uint8)
    drawn = hz.draw(hz.Frame.from_bgr(plain), horizon_of(up), CAMERA, draw="line")
    rows, columns = np.nonzero(np.abs(drawn.astype(int) - plain).max(axis=2) > 60)
    heights = CAMERA.rays(np.stack([columns, rows], axis=1).astype(float)) @ up.as_array()
    assert len(rows) > 150
    assert np.degrees(np.abs(np.arcsin(heights))).max() * CAMERA.focal_px / 57.3 < 4
    assert np.ptp(columns) > 250 or np.ptp(rows) > 140


def test_all_azimuths_are_drawn_where_a_lens_sees_behind_itself() -> None:
    """Beyond 90° from the axis the azimuth is larger than the angle."""
    assert view_radius(CAMERA) > math.radians(100)
    assert SkyFrame.azimuths(view_radius(CAMERA))[-1] == math.pi
    assert SkyFrame.azimuths(0.5)[-1] < 1


def test_a_labels_doubt_is_in_pixels_of_the_fisheye() -> None:
    up = hz.UpVector.from_roll_pitch(3, 40)
    seen = hz.Measurement(up=up, covariance=up.isotropic_covariance(1.0), inliers=40)
    proposal = Proposal.of(
        Observation(view="horizon", confidence=0.9, sky_fraction=0.5, measurement=seen), CAMERA
    )
    theta = math.radians(40)
    assert proposal.offset_sd_px == pytest.approx(math.radians(1) * 100 * (1 - 0.06 * theta**2), rel=1e-3)


def test_a_painted_fisheye_picture_is_levelled_like_its_rays() -> None:
    """By OpenCV's remap of the picture through `source_points`: the sky's edge comes out level."""
    up = hz.UpVector.from_roll_pitch(20, 0)
    picture = painted(CAMERA, up)
    y, x = np.mgrid[:180, :320].astype(float)
    at = source_points(
        CAMERA,
        np.stack([x.ravel(), y.ravel()], axis=1),
        np.array([1.6]),
        Turn(roll=np.radians([20.0]), pitch=np.zeros(1)),
    )[0].astype(np.float32)
    level = cv2.remap(picture, at[:, 0].reshape(180, 320), at[:, 1].reshape(180, 320), cv2.INTER_LINEAR)
    edges = np.argmax(level[:, 20:300] < 125, axis=0)
    assert np.abs(edges - CAMERA.cy).max() < 4


@pytest.mark.parametrize("sd_deg", [4.0, 7.0, 9.0])
def test_a_wide_band_does_not_cover_what_lies_behind_the_lens(sd_deg: float) -> None:
    """Below the pitch an elevation's circle passes straight behind the lens on the other side."""
    up = hz.UpVector.from_roll_pitch(0, 12)
    plain = np.full((180, 320, 3), 90, np.uint8)
    drawn = hz.draw(hz.Frame.from_bgr(plain), horizon_of(up, sd_deg), CAMERA, draw="band", band="filled")
    rows, columns = np.nonzero(np.abs(drawn.astype(int) - plain).max(axis=2) > 10)
    heights = CAMERA.rays(np.stack([columns, rows], axis=1).astype(float)) @ up.as_array()
    assert np.degrees(np.arcsin(np.abs(heights))).max() < 2 * sd_deg + 2
    assert len(rows) > 3000
