"""Rendered pictures: the horizon lies where closed form and OpenCV put it; motions are smooth."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.camera import brown, coefficients
from support.fitting import up_vector
from support.synth import flat_scene, sky_areas

from horizon_rt.camera import Camera
from horizon_rt.errors import SourceError
from horizon_rt.geometry import UpVector
from horizon_rt.synth.occluders import random_occluders
from horizon_rt.synth.random_scene import random_scene
from horizon_rt.synth.render import camera_rays, render, world_axes
from horizon_rt.synth.scene import KINDS
from horizon_rt.synth.sensor import random_sensor, to_uint8
from horizon_rt.synth.trajectory import MOTIONS, make_trajectory

CAMERA = Camera.from_hfov(320, 180, 70)
LENS = brown(
    width=320, height=180, fx=228, fy=226, cx=163, cy=86, k1=-0.25, k2=0.07, p1=6e-4, p2=-4e-4, k3=-0.008
)
ATTITUDES = [
    (0, 0), (0, 7.3), (3.7, -4.1), (-21, 9), (38, -12), (-44, 3), (180, 0), (-176, 6), (151, -10), (-139, 8),
]  # fmt: skip
# The edge is a ramp one pixel wide at the centre of the picture. Sampled once a pixel where it is not one
# pixel wide (off axis, or tilted), its sum errs by up to 1/12 px, with both signs along the line.
LARGEST = 0.09
STEEP = [(90, 0), (-90, 4), (62, -7), (118, 11), (-71, 2), (-100, -13)]


def _tall(camera: Camera) -> Camera:
    """The camera with its axes exchanged: rows become columns."""
    return Camera(
        width=camera.height, height=camera.width, fx=camera.fy, fy=camera.fx, cx=camera.cy, cy=camera.cx
    )


def _picture(camera: Camera, up: np.ndarray) -> np.ndarray:
    return render(flat_scene(), camera_rays(camera), UpVector.from_vector(up), heading_deg=33.0)


@pytest.mark.parametrize(("roll", "pitch"), ATTITUDES)
def test_the_sky_of_each_column_has_its_exact_area(roll: float, pitch: float) -> None:
    up = up_vector(roll, pitch)
    expected, inside = sky_areas(CAMERA, up)
    assert inside.sum() > 100
    error = _picture(CAMERA, up)[:, :, 1].sum(axis=0, dtype=float) - expected
    assert np.abs(error[inside]).max() < LARGEST
    assert abs(error[inside].mean()) < 0.02


@pytest.mark.parametrize(("roll", "pitch"), STEEP)
def test_the_sky_of_each_row_has_its_exact_area_where_the_line_is_steep(roll: float, pitch: float) -> None:
    up = up_vector(roll, pitch)
    expected, inside = sky_areas(_tall(CAMERA), up[[1, 0, 2]])
    assert inside.sum() > 60
    error = _picture(CAMERA, up)[:, :, 1].sum(axis=1, dtype=float) - expected
    assert np.abs(error[inside]).max() < LARGEST
    assert abs(error[inside].mean()) < 0.02


@pytest.mark.parametrize(("roll", "pitch"), ATTITUDES)
def test_with_distortion_the_horizon_lies_where_opencv_projects_it(roll: float, pitch: float) -> None:
    up = up_vector(roll, pitch)
    across = np.cross(up, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    ahead = np.cross(across, up)
    ahead *= np.sign(ahead[2])
    turn = np.radians(np.arange(-42, 42, 0.05))[:, None]
    matrix = np.array([[LENS.fx, 0, LENS.cx], [0, LENS.fy, LENS.cy], [0, 0, 1.0]])
    rays = np.cos(turn) * ahead + np.sin(turn) * across
    points, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), matrix, coefficients(LENS))
    x, y = points.reshape(-1, 2)[np.argsort(points[:, 0, 0])].T
    columns = np.arange(max(0, math.ceil(x[0])), min(LENS.width, math.floor(x[-1])))
    line = np.interp(columns, x, y)
    inside = (line > 3) & (line < LENS.height - 4)
    sky = _picture(LENS, up)[:, :, 1].sum(axis=0, dtype=float)[columns]
    expected = line + 0.5 if up[1] < 0 else LENS.height - (line + 0.5)
    assert inside.sum() > 80
    assert np.abs((sky - expected)[inside]).max() < LARGEST
    assert abs((sky - expected)[inside].mean()) < 0.02


@settings(max_examples=150, deadline=None)
@given(roll=st.floats(-180, 180), pitch=st.floats(-90, 90), heading=st.floats(-360, 360))
def test_world_axes_are_orthonormal_around_the_up_vector(roll: float, pitch: float, heading: float) -> None:
    up = UpVector.from_roll_pitch(roll, pitch)
    axes = world_axes(up, heading).astype(float)
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-5)
    assert axes[1] == pytest.approx(up.as_array(), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(roll=st.floats(-180, 180), pitch=st.floats(-70, 70), heading=st.floats(-180, 180))
def test_the_heading_is_the_azimuth_of_the_view_axis(roll: float, pitch: float, heading: float) -> None:
    east, _, north = world_axes(UpVector.from_roll_pitch(roll, pitch), heading)[:, 2]
    assert math.cos(math.atan2(east, north) - math.radians(heading)) == pytest.approx(1, abs=1e-5)


def test_east_is_to_the_right_of_a_level_camera_that_looks_north() -> None:
    assert world_axes(UpVector.from_roll_pitch(0, 0), 0)[0] == pytest.approx([1, 0, 0], abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_scene_is_finite_and_repeats_with_its_seed(kind: str) -> None:
    camera = Camera.from_hfov(64, 48, 60)
    rays = camera_rays(camera)
    for seed in range(3):
        pictures = []
        for _ in range(2):
            scene = random_scene(np.random.default_rng(seed), kind)  # type: ignore[arg-type]
            pictures.append(render(scene, rays, UpVector.from_roll_pitch(20, 5), time_s=3.0))
        assert np.isfinite(pictures[0]).all()
        assert (pictures[0] == pictures[1]).all()
        assert pictures[0].min() >= -0.5


def test_effects_keep_the_shape_and_repeat_with_their_seed() -> None:
    image = np.random.default_rng(0).random((48, 64, 3), np.float32)
    for seed in range(40):
        done = [
            random_sensor(random_occluders(image.copy(), rng), rng)
            for rng in (np.random.default_rng(seed), np.random.default_rng(seed))
        ]
        assert done[0].shape == image.shape
        assert done[0].dtype == np.uint8
        assert (done[0] == done[1]).all()


def test_quantising_rounds_and_clips() -> None:
    values = np.array([-1, 0, 0.5, 1, 7, 100.4 / 255, 100.6 / 255], np.float32)
    assert to_uint8(values).tolist() == [0, 0, 128, 255, 255, 100, 101]


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_motions_are_smooth(motion: str, seed: int) -> None:
    """Rates and accelerations by differences: bounded everywhere, so there is no jump and no kink."""
    path, step = make_trajectory(motion, 20.0, seed), 2e-3  # type: ignore[arg-type]
    poses = [path.at(t) for t in np.arange(0, 20, step)]
    angles = np.array([(p.roll_deg, p.pitch_deg, p.heading_deg) for p in poses])
    assert np.abs(np.diff(angles, axis=0) / step).max() < 360
    assert np.abs(np.diff(angles, 2, axis=0)[:, 0] / step**2).max() < 1500
    places = np.array([(p.east, p.north) for p in poses])
    assert np.linalg.norm(np.diff(places, axis=0) / step, axis=1).max() < 25
    ups = np.array([p.up.as_array() for p in poses])
    assert np.linalg.norm(np.diff(ups, axis=0), axis=1).max() < math.radians(360 * step)


def test_motions_repeat_with_their_seed_and_differ_without() -> None:
    assert make_trajectory("boat", 9, 4).at(3.3) == make_trajectory("boat", 9, 4).at(3.3)
    assert make_trajectory("boat", 9, 4).at(3.3) != make_trajectory("boat", 9, 5).at(3.3)


def test_a_camera_at_rest_stays_level() -> None:
    path = make_trajectory("rest", 10)
    assert all(abs(path.at(t).roll_deg) + abs(path.at(t).pitch_deg) < 1e-6 for t in range(10))


def test_aerobatics_fly_inverted_and_a_flight_does_not() -> None:
    rolls = {m: [make_trajectory(m, 12).at(t).up.roll_deg for t in np.arange(0, 12, 0.02)] for m in MOTIONS}
    assert max(np.abs(rolls["aerobatics"])) > 175
    assert 35 < max(np.abs(rolls["flight"])) < 50


def test_an_unknown_motion_names_those_that_there_are() -> None:
    with pytest.raises(SourceError, match="unknown motion 'hover'; there are: flight"):
        make_trajectory("hover", 3)  # type: ignore[arg-type]
