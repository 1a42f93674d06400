"""The mount of a camera: SciPy's rotations in the axes of aircraft, and samples of its covariance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from horizon_rt.geometry import Mount, UpVector, wrap_degrees
from horizon_rt.horizon import Attitude, roll_pitch_sd_deg

QUICK = settings(max_examples=200, deadline=None)
TO_CAMERA_AXES = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
"""From x ahead, y right, z down, as aircraft have them, to x right, y down, z ahead."""

rolls = st.floats(-180, 180) | st.sampled_from([-180.0, -90.0, 0.0, 90.0])
pitches = st.floats(-89, 89) | st.sampled_from([-45.0, 0.0])
yaws = rolls
mounts = st.builds(Mount, roll_deg=rolls, pitch_deg=st.floats(-90, 90), yaw_deg=yaws)


def of_euler(roll: float, pitch: float, yaw: float) -> Rotation:
    """From the axes of a body with this attitude to those that it is told in (aircraft axes)."""
    return Rotation.from_euler("ZYX", [yaw, pitch, roll], degrees=True)


def up_in(body: Rotation) -> np.ndarray:
    """The direction opposite to gravity in the axes of a body, told as a camera's axes."""
    return TO_CAMERA_AXES @ body.inv().apply([0.0, 0.0, -1.0])


def random_covariance(generator: np.random.Generator, up: UpVector, size: float) -> np.ndarray:
    """A covariance that is tangent to the sphere at an up vector, with unlike axes."""
    u = up.as_array()
    tangent = np.eye(3) - np.outer(u, u)
    root = tangent @ generator.normal(size=(3, 2)) * size
    return root @ root.T


@QUICK
@given(roll=rolls, pitch=pitches, heading=yaws, mount=mounts)
def test_the_vehicle_has_the_attitude_that_the_mounted_camera_tells(
    roll: float, pitch: float, heading: float, mount: Mount
) -> None:
    vehicle = of_euler(roll, pitch, heading)
    camera = vehicle * of_euler(mount.roll_deg, mount.pitch_deg, mount.yaw_deg)
    seen = UpVector.from_vector(up_in(camera))
    told = mount.vehicle_up(seen)
    assert told.as_array() == pytest.approx(up_in(vehicle), abs=1e-9)
    assert abs(wrap_degrees(told.roll_deg - roll)) * math.cos(math.radians(pitch)) < 1e-6
    assert told.pitch_deg == pytest.approx(pitch, abs=1e-6)
    assert mount.camera_up(told).as_array() == pytest.approx(seen.as_array(), abs=1e-9)


@QUICK
@given(mount=mounts)
def test_a_level_vehicle_leaves_the_camera_roll_and_pitch_of_its_mount(mount: Mount) -> None:
    up = mount.camera_up(UpVector(0.0, -1.0, 0.0))
    assert up.pitch_deg == pytest.approx(mount.pitch_deg, abs=1e-5)
    if abs(mount.pitch_deg) < 89.9:
        assert abs(wrap_degrees(up.roll_deg - mount.roll_deg)) < 1e-6


@QUICK
@given(mount=mounts)
def test_the_rotation_is_that_of_scipy(mount: Mount) -> None:
    body = of_euler(mount.roll_deg, mount.pitch_deg, mount.yaw_deg).as_matrix()
    assert mount.rotation == pytest.approx(TO_CAMERA_AXES @ body.T @ TO_CAMERA_AXES.T, abs=1e-12)


def test_a_camera_that_looks_to_the_right_swaps_roll_and_pitch() -> None:
    right = Mount(roll_deg=0.0, pitch_deg=0.0, yaw_deg=90.0)
    attitude = Attitude(
        up=UpVector.from_roll_pitch(10.0, 0.0),
        covariance=np.diag([math.radians(0.5) ** 2, 0.0, math.radians(0.1) ** 2]),
    )
    vehicle = attitude.of_vehicle(right)
    assert (vehicle.up.roll_deg, vehicle.up.pitch_deg) == pytest.approx(
        (0.0, 10.0), abs=1e-9
    )  # its right is the rear
    assert vehicle.sd_deg == pytest.approx(
        (0.1 / math.cos(math.radians(10)), 0.5 * math.cos(math.radians(10))), rel=0.05
    )


@pytest.mark.parametrize("seed", range(8))
def test_sigmas_of_the_vehicle_are_those_of_samples(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mount = Mount(
        roll_deg=generator.uniform(-180, 180),
        pitch_deg=generator.uniform(-60, 60),
        yaw_deg=generator.uniform(-180, 180),
    )
    vehicle = UpVector.from_roll_pitch(generator.uniform(-180, 180), generator.uniform(-60, 60))
    up = mount.camera_up(vehicle)
    covariance = random_covariance(generator, up, 0.004)
    noisy = generator.multivariate_normal(up.as_array(), covariance, 4000, method="svd")
    told = [mount.vehicle_up(UpVector.from_vector(one)) for one in noisy]
    roll_sd, pitch_sd = Attitude(up=up, covariance=covariance).of_vehicle(mount).sd_deg
    assert np.std([wrap_degrees(t.roll_deg - vehicle.roll_deg) for t in told]) == pytest.approx(
        roll_sd, rel=0.06
    )
    assert np.std([t.pitch_deg for t in told]) == pytest.approx(pitch_sd, rel=0.06)


@pytest.mark.parametrize("seed", range(8))
def test_rates_of_the_vehicle_are_differences_of_its_angles(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mount = Mount(roll_deg=20.0 * seed - 80, pitch_deg=30.0 - 9 * seed, yaw_deg=25.0 * seed)
    step_s = 1e-5
    first = UpVector.from_vector(generator.normal(size=3))
    rate = np.cross(generator.normal(size=3), first.as_array())
    later = UpVector.from_vector(first.as_array() + step_s * rate)
    attitude = Attitude(up=first, covariance=np.zeros((3, 3)), rate=rate)
    before, after = mount.vehicle_up(first), mount.vehicle_up(later)
    expected = (
        wrap_degrees(after.roll_deg - before.roll_deg) / step_s,
        (after.pitch_deg - before.pitch_deg) / step_s,
    )
    assert attitude.of_vehicle(mount).rates_dps == pytest.approx(expected, rel=1e-2, abs=1e-2)


def test_the_parts_of_a_covariance_turn_together() -> None:
    generator = np.random.default_rng(5)
    up, mount = UpVector.from_roll_pitch(12.0, -7.0), Mount(roll_deg=3.0, pitch_deg=-20.0, yaw_deg=40.0)
    correlated = random_covariance(generator, up, 0.01)
    whole = correlated + random_covariance(generator, up, 0.01)
    told = Attitude(up=up, covariance=whole, correlated=correlated).of_vehicle(mount)
    assert told.correlated is not None
    for covariance in (told.covariance, told.correlated, told.covariance - told.correlated):
        assert covariance == pytest.approx(covariance.T)
        assert np.linalg.eigvalsh(covariance).min() > -1e-12
        assert covariance @ told.up.as_array() == pytest.approx(np.zeros(3), abs=1e-12)
    assert np.trace(told.covariance) == pytest.approx(np.trace(whole))
    assert max(roll_pitch_sd_deg(told.up, told.covariance)) > 0


def test_without_a_mount_the_attitude_is_the_cameras() -> None:
    attitude = Attitude(up=UpVector.from_roll_pitch(1.0, 2.0), covariance=np.eye(3))
    assert attitude.of_vehicle(None) is attitude
    with pytest.raises(ValueError, match="pitch of a mount"):
        Mount(roll_deg=0.0, pitch_deg=91.0)
    with pytest.raises(ValueError, match="roll of a mount"):
        Mount(roll_deg=math.nan, pitch_deg=0.0)


@given(mounts)
def test_a_mount_is_that_of_its_rotation(mount: Mount) -> None:
    again = Mount.from_rotation(mount.rotation)
    assert np.allclose(again.rotation, mount.rotation, atol=1e-9)
    assert again.pitch_deg == pytest.approx(mount.pitch_deg, abs=1e-5)
    if abs(mount.pitch_deg) < 89:
        assert abs(wrap_degrees(again.yaw_deg - mount.yaw_deg)) < 1e-6
