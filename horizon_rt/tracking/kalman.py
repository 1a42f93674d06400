"""A Kalman filter on the sphere of up vectors, with rates.

The state is a rotation whose third column is the up vector and whose first two span its tangent plane, and
a velocity in that plane; the error state has four components (two of position, two of velocity), as in an
error-state filter (Solà 2017, arXiv:1711.02508, section 6). Motion is a great circle at constant speed with
white acceleration. There is no angle to wrap: inverted flight and ±180° are points like any other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import UpVector
from horizon_rt.geometry.sphere import offset, tangent_basis, turn
from horizon_rt.system.kernels import kernel

__all__ = ["KalmanState", "SphereKalman"]

Array = NDArray[np.float64]
_LEAST_VARIANCE = 1e-16  # rad²; keeps two exact measurements at one time apart from a division by zero


class KalmanState(NamedTuple):
    """The state at a time: `frame` (3, 3) with columns tangent, tangent, up; `velocity` (2,) in the tangent
    plane, rad/s; `covariance` (4, 4) of both.
    """

    frame: Array
    velocity: Array
    covariance: Array

    @property
    def up(self) -> UpVector:
        """The estimate."""
        return UpVector.from_vector(self.frame[:, 2])

    @property
    def up_covariance(self) -> Array:
        """Covariance of the up vector, (3, 3), rad²."""
        basis = self.frame[:, :2]
        return basis @ self.covariance[:2, :2] @ basis.T

    @property
    def rate(self) -> Array:
        """Time derivative of the up vector, (3,), rad/s."""
        return self.frame[:, 0] * self.velocity[0] + self.frame[:, 1] * self.velocity[1]


class SphereKalman:
    """Up vector and its rate; angles in rad, time in s.

    `acceleration` is the square root of the spectral density of the white angular acceleration, in
    rad/s² per √Hz; `rate_sd` the standard deviation of the unknown rate at the start, in rad/s.
    """

    def __init__(self, *, acceleration: float, rate_sd: float) -> None:
        self._density = acceleration * acceleration
        self._rate_variance = rate_sd * rate_sd
        self._frame = np.eye(3)  # columns: tangent, tangent, up
        self._velocity = np.zeros(2)
        self._covariance = np.zeros((4, 4))

    def start(self, up: UpVector, covariance: Array) -> None:
        """Begin at a measurement, with an unknown rate; `covariance` (3, 3) in rad²."""
        u = up.as_array()
        a, b = tangent_basis(u)
        self._frame = np.ascontiguousarray(np.stack([a, b, u], axis=1))
        self._velocity[:] = 0.0
        self._covariance[:] = 0.0
        n00, n01, n11 = _tangent(self._frame, covariance)
        self._covariance[:2, :2] = ((n00, n01), (n01, n11))
        self._covariance[2, 2] = self._covariance[3, 3] = self._rate_variance

    def predict(self, seconds: float, noise_scale: float = 1.0) -> Array:
        """Move the state in time, back where `seconds` is negative; `noise_scale` scales the acceleration.

        Gives the rotation (3, 3) by which the up vector went.
        """
        density, before = self._density * noise_scale * noise_scale, self._frame.copy()
        _predict(self._frame, self._velocity, self._covariance, seconds, density)
        return np.asarray(self._frame @ before.T)

    def damp(self, factor: float) -> None:
        """Slow the rate down to so much of it; what is not known of it stays as it is."""
        self._velocity *= factor

    def innovation(self, up: UpVector, covariance: Array) -> float:
        """Squared Mahalanobis distance of a measurement from the state (χ², two degrees of freedom)."""
        return float(_innovation(self._frame, self._covariance, up.as_array(), covariance))

    def update(self, up: UpVector, covariance: Array) -> None:
        """Take in a measurement."""
        _update(self._frame, self._velocity, self._covariance, up.as_array(), covariance)

    def straighten(self) -> None:
        """Turn the tangent axes to where the up vector alone puts them.

        They travel with it, and so keep a turn of all the ways that it went, by which two runs would differ
        in their rounding for ever.
        """
        _straighten(self._frame, self._velocity, self._covariance)

    def state(self) -> KalmanState:
        """A copy of the state."""
        return KalmanState(self._frame.copy(), self._velocity.copy(), self._covariance.copy())


@kernel()
def _straighten(frame: Array, velocity: Array, p: Array) -> None:
    a, b = tangent_basis(frame[:, 2].copy())
    c = s = 0.0
    for k in range(3):
        c += a[k] * frame[k, 0]
        s += a[k] * frame[k, 1]
    for k in range(3):
        frame[k, 0], frame[k, 1] = a[k], b[k]
    velocity[0], velocity[1] = c * velocity[0] + s * velocity[1], c * velocity[1] - s * velocity[0]
    for j in range(4):
        for i in (0, 2):  # P ← R P Rᵀ, rows and then columns
            p[i, j], p[i + 1, j] = c * p[i, j] + s * p[i + 1, j], c * p[i + 1, j] - s * p[i, j]
    for i in range(4):
        for j in (0, 2):
            p[i, j], p[i, j + 1] = c * p[i, j] + s * p[i, j + 1], c * p[i, j + 1] - s * p[i, j]


@kernel()
def _predict(frame: Array, velocity: Array, p: Array, dt: float, density: float) -> None:
    turn(frame, velocity[0] * dt, velocity[1] * dt)
    for i in range(2):  # P ← F P Fᵀ with F = [[I, dt I], [0, I]]
        for j in range(4):
            p[i, j] += dt * p[i + 2, j]
    for i in range(4):
        for j in range(2):
            p[i, j] += dt * p[i, j + 2]
    span = abs(dt)
    for i in range(2):
        p[i, i] += density * span**3 / 3
        p[i, i + 2] += density * dt * span / 2
        p[i + 2, i] += density * dt * span / 2
        p[i + 2, i + 2] += density * span


@kernel()
def _tangent(frame: Array, covariance: Array) -> tuple[float, float, float]:
    """The entries 00, 01, 11 in the tangent plane of a covariance (3, 3)."""
    a00, a01, a11 = _LEAST_VARIANCE, 0.0, _LEAST_VARIANCE
    for i in range(3):
        for j in range(3):
            c = covariance[i, j]
            a00 += frame[i, 0] * c * frame[j, 0]
            a01 += frame[i, 0] * c * frame[j, 1]
            a11 += frame[i, 1] * c * frame[j, 1]
    return a00, a01, a11


@kernel()
def _innovation(frame: Array, p: Array, u: Array, covariance: Array) -> float:
    x, y = offset(frame, u)
    n00, n01, n11 = _tangent(frame, covariance)
    s00, s01, s11 = p[0, 0] + n00, p[0, 1] + n01, p[1, 1] + n11
    return (x * x * s11 - 2 * x * y * s01 + y * y * s00) / (s00 * s11 - s01 * s01)


@kernel()
def _update(frame: Array, velocity: Array, p: Array, u: Array, covariance: Array) -> None:
    x, y = offset(frame, u)
    n00, n01, n11 = _tangent(frame, covariance)
    s00, s01, s11 = p[0, 0] + n00, p[0, 1] + n01, p[1, 1] + n11
    determinant = s00 * s11 - s01 * s01
    gain = np.empty((4, 2))
    step = np.empty(4)
    for i in range(4):
        gain[i, 0] = (p[i, 0] * s11 - p[i, 1] * s01) / determinant
        gain[i, 1] = (p[i, 1] * s00 - p[i, 0] * s01) / determinant
        step[i] = gain[i, 0] * x + gain[i, 1] * y
    old = np.empty((2, 4))
    for j in range(4):
        old[0, j], old[1, j] = p[0, j], p[1, j]
    for i in range(4):
        for j in range(4):
            p[i, j] -= gain[i, 0] * old[0, j] + gain[i, 1] * old[1, j]
    for i in range(4):
        for j in range(i):
            p[i, j] = p[j, i] = 0.5 * (p[i, j] + p[j, i])
    turn(frame, step[0], step[1])
    velocity[0] += step[2]
    velocity[1] += step[3]
