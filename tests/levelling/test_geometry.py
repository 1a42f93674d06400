"""Where levelled pixels come from: closed forms, SciPy's rotations, the plane of the horizon for any lens."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from horizon_rt.camera import BrownConrady, Camera
from horizon_rt.geometry import UpVector
from horizon_rt.levelling import Shutter, Turn, needed_zoom, source_points

PINHOLE = Camera.from_hfov(640, 360, 70)
BARREL = Camera(
    width=640, height=360, fx=400, fy=410, cx=322.5, cy=174.0, distortion=BrownConrady(k1=-0.12, p1=0.002)
)
LENSES = pytest.mark.parametrize("camera", [PINHOLE, BARREL], ids=["pinhole", "barrel"])


def turn(roll_deg: float, pitch_deg: float = 0.0, shutter: Shutter | None = None) -> Turn:
    return Turn(roll=np.radians([roll_deg]), pitch=np.radians([pitch_deg]), shutter=shutter)


def grid(camera: Camera, count: int = 9) -> np.ndarray:
    x, y = (np.linspace(0, side - 1, count) for side in (camera.width, camera.height))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def level_horizon(camera: Camera, pitch_deg: float) -> np.ndarray:
    """Pixels (N, 2) where a camera without roll sees the horizon."""
    azimuth, pitch = np.radians(np.linspace(-25, 25, 41)), math.radians(pitch_deg)
    ahead = np.cos(azimuth)
    level = np.column_stack([np.sin(azimuth), np.sin(pitch) * ahead, np.cos(pitch) * ahead])
    return camera.project(level)


@LENSES
def test_without_a_turn_every_pixel_is_itself(camera: Camera) -> None:
    points = grid(camera)
    np.testing.assert_allclose(source_points(camera, points, np.ones(1), turn(0.0))[0], points, atol=1e-5)


@LENSES
@given(roll=st.floats(-180, 180), pitch=st.floats(-15, 15), shift=st.floats(-10, 10))
def test_a_level_horizon_comes_from_the_plane_of_the_horizon(
    camera: Camera, roll: float, pitch: float, shift: float
) -> None:
    found = source_points(camera, level_horizon(camera, pitch + shift), np.ones(1), turn(roll, shift))[0]
    seen = np.isfinite(found).all(axis=1) & (np.abs(found - 300) < 400).all(axis=1)
    rays = camera.rays(found[seen])
    up = UpVector.from_roll_pitch(roll, pitch).as_array()
    np.testing.assert_allclose(rays[np.isfinite(rays).all(axis=1)] @ up, 0.0, atol=1e-6)


@given(roll=st.floats(-180, 180), pitch=st.floats(-20, 20), zoom=st.floats(1, 3))
def test_a_pinhole_is_a_homography(roll: float, pitch: float, zoom: float) -> None:
    matrix = np.array([[PINHOLE.fx, 0, PINHOLE.cx], [0, PINHOLE.fy, PINHOLE.cy], [0, 0, 1]])
    scaled = matrix.copy()
    scaled[[0, 1], [0, 1]] *= zoom
    rotation = Rotation.from_euler("z", -roll, degrees=True) * Rotation.from_euler("x", pitch, degrees=True)
    homography = matrix @ rotation.as_matrix() @ np.linalg.inv(scaled)
    points = grid(PINHOLE)
    expected = np.column_stack([points, np.ones(len(points))]) @ homography.T
    found = source_points(PINHOLE, points, np.array([zoom]), turn(roll, pitch))[0]
    np.testing.assert_allclose(found, expected[:, :2] / expected[:, 2:], atol=1e-6)


@given(roll=st.floats(-180, 180))
def test_the_zoom_of_a_turn_is_that_of_a_rectangle_in_a_rectangle(roll: float) -> None:
    width, height, tilt = PINHOLE.width - 1, PINHOLE.height - 1, abs(math.radians(roll))
    cosine, sine = abs(math.cos(tilt)), math.sin(tilt)
    expected = max(cosine + height / width * sine, cosine + width / height * sine, 1.0)
    assert needed_zoom(PINHOLE, turn(roll), most=4.0)[0] == pytest.approx(expected, rel=2e-4)


@LENSES
@given(roll=st.floats(-180, 180), pitch=st.floats(-4, 4))
def test_nothing_beyond_the_picture_shows(camera: Camera, roll: float, pitch: float) -> None:
    zoom = needed_zoom(camera, turn(roll, pitch), most=4.0)
    found = source_points(camera, grid(camera, 33), zoom, turn(roll, pitch))[0]
    assert (found >= -0.02).all()
    assert (found <= np.array([camera.width, camera.height]) - 0.98).all()


def test_what_no_zoom_can_show_gets_the_largest() -> None:
    assert needed_zoom(PINHOLE, turn(0.0, 30.0), most=2.5)[0] == pytest.approx(2.5)


@LENSES
@given(
    roll=st.floats(-60, 60),
    pitch=st.floats(-8, 8),
    roll_rate=st.floats(-200, 200),
    pitch_rate=st.floats(-60, 60),
)
def test_each_row_of_a_rolling_shutter_is_levelled_by_its_own_attitude(
    camera: Camera, roll: float, pitch: float, roll_rate: float, pitch_rate: float
) -> None:
    readout_s, row = 0.02, 150.0
    shutter = Shutter(
        readout_s=readout_s,
        roll_rate=np.radians([roll_rate]),
        pitch_rate=np.radians([pitch_rate]),
        row=np.array([row]),
    )
    found = source_points(camera, level_horizon(camera, pitch), np.ones(1), turn(roll, 0.0, shutter))[0]
    inside = ((found > 0) & (found < [639, 359])).all(axis=1)
    for point in found[inside]:
        late_s = readout_s * (point[1] - row) / camera.height
        up = UpVector.from_roll_pitch(roll + roll_rate * late_s, pitch + pitch_rate * late_s)
        assert camera.rays(point[None])[0] @ up.as_array() == pytest.approx(0.0, abs=2e-3)
