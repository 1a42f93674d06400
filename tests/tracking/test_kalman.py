"""The filter on the sphere against a linear Kalman filter, great circles, and its own claimed consistency."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horizon_rt.geometry import UpVector
from horizon_rt.tracking.kalman import SphereKalman

LEVEL = UpVector(0.0, -1.0, 0.0)


def _rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rodrigues' formula."""
    x, y, z = axis / np.linalg.norm(axis)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + math.sin(angle) * k + (1 - math.cos(angle)) * (k @ k)


def _noise(up: UpVector, sd: float) -> np.ndarray:
    u = up.as_array()
    return sd**2 * (np.eye(3) - np.outer(u, u))


class _Linear:
    """Textbook constant-velocity Kalman filter of (x, z, vx, vz), dense matrices, Joseph form."""

    def __init__(self, position: np.ndarray, sd: float, density: float, rate_sd: float) -> None:
        self.x = np.array([*position, 0.0, 0.0])
        self.p = np.diag([sd**2, sd**2, rate_sd**2, rate_sd**2])
        self.density = density

    def step(self, dt: float, z: np.ndarray, sd: float) -> None:
        f = np.eye(4) + dt * np.eye(4, k=2)
        eye = np.eye(2)
        q = self.density * np.block([[dt**3 / 3 * eye, dt**2 / 2 * eye], [dt**2 / 2 * eye, dt * eye]])
        self.x, self.p = f @ self.x, f @ self.p @ f.T + q
        h, r = np.eye(2, 4), sd**2 * eye
        gain = self.p @ h.T @ np.linalg.inv(h @ self.p @ h.T + r)
        self.x = self.x + gain @ (z - h @ self.x)
        rest = np.eye(4) - gain @ h
        self.p = rest @ self.p @ rest.T + gain @ r @ gain.T


def test_near_level_it_is_the_linear_filter() -> None:
    rng, sd = np.random.default_rng(0), 1e-4
    kalman = SphereKalman(acceleration=1e-3, rate_sd=1e-3)
    kalman.start(LEVEL, _noise(LEVEL, sd))
    linear = _Linear(np.zeros(2), sd, 1e-6, 1e-3)
    for _ in range(200):
        dt, z = float(rng.uniform(0.005, 0.08)), rng.normal(0, sd, 2)
        up = UpVector.from_vector(np.array([z[0], -1.0, z[1]]))
        kalman.predict(dt)
        kalman.update(up, _noise(up, sd))
        linear.step(dt, z, sd)
        assert kalman.state().up.as_array()[[0, 2]] == pytest.approx(linear.x[:2], abs=1e-9)
        assert kalman.state().rate[[0, 2]] == pytest.approx(linear.x[2:], abs=1e-7)
        assert kalman.state().up_covariance[np.ix_([0, 2], [0, 2])] == pytest.approx(
            linear.p[:2, :2], abs=1e-13
        )


@pytest.mark.parametrize("axis", [(0, 0, 1), (1, 0, 0), (1, 2, -1), (0.1, 0, 3)], ids=str)
def test_it_follows_great_circles_through_inverted_flight_and_straight_up(axis: tuple[float, ...]) -> None:
    """About z that is a roll through ±180°, about x a loop through ±90° of pitch."""
    about = np.array(axis, float)
    start = np.cross(about, [0.3, -1.0, 0.2])
    start /= np.linalg.norm(start)
    speed, sd = 1.3, 1e-3
    kalman = SphereKalman(acceleration=0.01, rate_sd=3.0)
    kalman.start(UpVector.from_vector(start), _noise(UpVector.from_vector(start), sd))
    rng, time = np.random.default_rng(1), 0.0
    for _ in range(400):
        dt = float(rng.choice([1 / 60, 1 / 25, 0.1]))
        time += dt
        truth = UpVector.from_vector(_rotation(about, speed * time) @ start)
        kalman.predict(dt)
        kalman.update(truth, _noise(truth, sd))
        assert truth.angle_to(kalman.state().up) < math.degrees(3 * sd)
    moving = speed * np.cross(about / np.linalg.norm(about), kalman.state().up.as_array())
    assert kalman.state().rate == pytest.approx(moving, abs=0.01)
    kalman.predict(1.0)
    ahead = UpVector.from_vector(_rotation(about, speed * (time + 1)) @ start)
    assert ahead.angle_to(kalman.state().up) < 0.5


@settings(max_examples=60, deadline=None)
@given(
    roll=st.floats(-180, 180), pitch=st.floats(-90, 90), turn=st.floats(-180, 180), seed=st.integers(0, 99)
)
def test_the_filter_does_not_know_where_it_is(roll: float, pitch: float, turn: float, seed: int) -> None:
    """Everything rotated gives everything rotated: no special attitude, no wrap."""
    rng = np.random.default_rng(seed)
    axis = UpVector.from_roll_pitch(roll, pitch).as_array()
    rotation = _rotation(axis, math.radians(turn)) @ _rotation(np.array([0, 0, 1.0]), math.radians(roll))
    here, there = (SphereKalman(acceleration=1.0, rate_sd=1.0) for _ in range(2))
    u = LEVEL.as_array()
    for k in range(12):
        u = u + rng.normal(0, 0.03, 3)
        u /= np.linalg.norm(u)
        up, turned = UpVector.from_vector(u), UpVector.from_vector(rotation @ u)
        if k == 0:
            here.start(up, _noise(up, 0.01))
            there.start(turned, _noise(turned, 0.01))
        for kalman, seen in ((here, up), (there, turned)):
            kalman.predict(0.04)
            kalman.update(seen, _noise(seen, 0.01))
    assert rotation @ here.state().up.as_array() == pytest.approx(there.state().up.as_array(), abs=1e-9)
    assert rotation @ here.state().rate == pytest.approx(there.state().rate, abs=1e-7)
    assert rotation @ here.state().up_covariance @ rotation.T == pytest.approx(
        there.state().up_covariance, abs=1e-10
    )


def test_prediction_does_not_depend_on_the_number_of_steps() -> None:
    one, many = (SphereKalman(acceleration=0.5, rate_sd=0.3) for _ in range(2))
    for kalman in (one, many):
        kalman.start(LEVEL, _noise(LEVEL, 0.01))
        kalman.predict(0.04)
        kalman.update(UpVector.from_roll_pitch(1, 1), _noise(LEVEL, 0.01))
    one.predict(1.0)
    for _ in range(50):
        many.predict(0.02)
    assert one.state().up.as_array() == pytest.approx(many.state().up.as_array(), abs=1e-12)
    assert one.state().up_covariance == pytest.approx(many.state().up_covariance, abs=1e-12)


def test_back_and_forth_in_time_only_adds_doubt() -> None:
    """The covariance back in time is that of the same white acceleration, run the other way."""
    kalman = SphereKalman(acceleration=0.3, rate_sd=0.5)
    up = UpVector.from_roll_pitch(10, 5)
    kalman.start(up, _noise(up, 0.01))
    kalman.predict(-0.2)
    span, expected = 0.2, 0.01**2 + 0.2**2 * 0.5**2 + 0.3**2 * 0.2**3 / 3
    assert np.trace(kalman.state().up_covariance) / 2 == pytest.approx(expected, rel=1e-6)
    kalman.predict(span)
    assert kalman.state().up.angle_to(up) == pytest.approx(0, abs=1e-6)
    assert np.linalg.eigvalsh(kalman.state().covariance).min() > 0


def test_innovations_and_errors_are_as_large_as_claimed() -> None:
    """A simulated random motion with the filter's own model: both have mean 2 (χ² of two dimensions)."""
    rng, sd, acceleration, dt = np.random.default_rng(2), 0.01, 0.8, 0.04
    innovations, errors = [], []
    for _ in range(30):
        u, velocity = LEVEL.as_array(), rng.normal(0, 0.5, 3)
        velocity -= u * (u @ velocity)
        kalman = SphereKalman(acceleration=acceleration, rate_sd=0.5)
        for k in range(80):
            if k:
                velocity = velocity + rng.normal(0, acceleration * math.sqrt(dt), 3)
                velocity -= u * (u @ velocity)
                rotation = _rotation(np.cross(u, velocity), float(np.linalg.norm(velocity)) * dt)
                u, velocity = rotation @ u, rotation @ velocity
                kalman.predict(dt)
            off = rng.normal(0, sd, 3)
            seen = UpVector.from_vector(u + off - u * (u @ off))
            if k == 0:
                kalman.start(seen, _noise(seen, sd))
                continue
            innovations.append(kalman.innovation(seen, _noise(seen, sd)))
            kalman.update(seen, _noise(seen, sd))
            if k % 8 == 0:
                error = u - kalman.state().up.as_array()
                errors.append(float(error @ np.linalg.pinv(kalman.state().up_covariance, rcond=1e-6) @ error))
    assert np.mean(innovations) == pytest.approx(2, abs=0.2)
    assert np.mean(np.array(innovations) < 5.991) == pytest.approx(0.95, abs=0.02)
    assert np.mean(errors) == pytest.approx(2, abs=0.5)


def test_the_basis_stays_orthonormal_over_a_long_flight() -> None:
    kalman, rng = SphereKalman(acceleration=5.0, rate_sd=1.0), np.random.default_rng(3)
    kalman.start(LEVEL, _noise(LEVEL, 0.01))
    for _ in range(20000):
        kalman.predict(0.04)
        up = UpVector.from_vector(kalman.state().up.as_array() + rng.normal(0, 0.05, 3))
        kalman.update(up, _noise(up, 0.02))
    frame = kalman.state().frame
    assert frame.T @ frame == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.eigvalsh(kalman.state().up_covariance)[0] == pytest.approx(0, abs=1e-12)


def test_a_certain_measurement_twice_at_one_time_is_no_division_by_zero() -> None:
    kalman = SphereKalman(acceleration=1.0, rate_sd=1.0)
    kalman.start(LEVEL, np.zeros((3, 3)))
    kalman.predict(0.0)
    assert math.isfinite(kalman.innovation(LEVEL, np.zeros((3, 3))))
    kalman.update(LEVEL, np.zeros((3, 3)))
    assert kalman.state().up.angle_to(LEVEL) == pytest.approx(0)


def test_the_opposite_attitude_is_half_a_turn_away() -> None:
    kalman = SphereKalman(acceleration=1.0, rate_sd=1.0)
    kalman.start(LEVEL, _noise(LEVEL, 0.01))
    opposite = UpVector(0.0, 1.0, 0.0)
    expected = math.pi**2 / (2 * 0.01**2)
    assert kalman.innovation(opposite, _noise(opposite, 0.01)) == pytest.approx(expected)


@given(seed=st.integers(0, 999))
def test_straight_axes_leave_all_that_is_known_as_it_is(seed: int) -> None:
    generator = np.random.default_rng(seed)
    kalman = SphereKalman(acceleration=0.3, rate_sd=1.0)
    for _ in range(5):
        up = UpVector.from_vector(generator.normal(size=3))
        kalman.start(up, up.isotropic_covariance(2.0))
        for _ in range(6):
            kalman.predict(0.1)
            near = UpVector.from_vector(up.as_array() + 0.05 * generator.normal(size=3))
            kalman.update(near, 1e-3 * np.eye(3))
    before = kalman.state()
    kalman.straighten()
    after = kalman.state()
    assert after.frame.T @ after.frame == pytest.approx(np.eye(3), abs=1e-12)
    assert after.up.as_array() == pytest.approx(before.up.as_array(), abs=1e-15)
    assert after.rate == pytest.approx(before.rate, abs=1e-12)
    assert after.up_covariance == pytest.approx(before.up_covariance, abs=1e-15)
    bases = [np.kron(np.eye(2), state.frame[:, :2]) for state in (before, after)]
    one, two = (b @ s.covariance @ b.T for b, s in zip(bases, (before, after), strict=True))
    assert one == pytest.approx(two, abs=1e-14)
