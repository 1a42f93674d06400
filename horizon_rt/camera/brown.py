"""Brown-Conrady distortion as OpenCV has it, with 4, 5, 8, 12 or 14 coefficients (Brown 1966, Conrady 1919).

The model holds inside its fold only: beyond it two directions share one pixel, and both ways give NaN there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from functools import lru_cache
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.perspective import unit_rays
from horizon_rt.errors import CameraModelError

__all__ = ["BrownConrady", "fold_radius"]

Array = NDArray[np.float64]
_LARGEST_COEFFICIENT = 1e12
_STEEPEST_TILT = 1.5  # rad
_COUNTS = (5, 8, 12, 14)
_RARE = {"rare": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrownConrady:
    """Radial, tangential, thin prism and tilt terms, in OpenCV's order; all 0 by default.

    With r² = x² + y² and D = (1 + k1 r² + k2 r⁴ + k3 r⁶) / (1 + k4 r² + k5 r⁴ + k6 r⁶):
    x' = x D + 2 p1 x y + p2 (r² + 2 x²) + s1 r² + s2 r⁴,
    y' = y D + p1 (r² + 2 y²) + 2 p2 x y + s3 r² + s4 r⁴;
    `tau_x` and `tau_y` (rad) then tilt the sensor about its axes (Scheimpflug). Raises CameraModelError for
    coefficients that are no finite numbers.
    """

    name: ClassVar[str] = "brown-conrady"

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0
    k4: float = field(default=0.0, metadata=_RARE)
    k5: float = field(default=0.0, metadata=_RARE)
    k6: float = field(default=0.0, metadata=_RARE)
    s1: float = field(default=0.0, metadata=_RARE)
    s2: float = field(default=0.0, metadata=_RARE)
    s3: float = field(default=0.0, metadata=_RARE)
    s4: float = field(default=0.0, metadata=_RARE)
    tau_x: float = field(default=0.0, metadata=_RARE)
    tau_y: float = field(default=0.0, metadata=_RARE)

    def __post_init__(self) -> None:
        if not all(abs(v) <= _LARGEST_COEFFICIENT for v in astuple(self)):
            raise CameraModelError(f"distortion coefficients must be finite numbers, got {astuple(self)}")
        if max(abs(self.tau_x), abs(self.tau_y)) > _STEEPEST_TILT:
            raise CameraModelError(
                f"a sensor is tilted by less than {_STEEPEST_TILT} rad, got {self.tau_x:g} and {self.tau_y:g}"
            )

    @classmethod
    def from_coefficients(cls, values: Sequence[float]) -> Self:
        """Of OpenCV's vector of 4, 5, 8, 12 or 14 numbers; raises CameraModelError for another length."""
        if len(values) not in (4, *_COUNTS):
            raise CameraModelError(
                f"4, 5, 8, 12 or 14 distortion coefficients are supported, got {len(values)}"
            )
        return cls(**{term.name: value for term, value in zip(fields(cls), values, strict=False)})

    @property
    def coefficients(self) -> tuple[float, ...]:
        """The shortest of OpenCV's vectors with 5 numbers or more that holds all that are not zero."""
        values = astuple(self)
        return next(values[:n] for n in _COUNTS if not any(values[n:]))

    @property
    def is_none(self) -> bool:
        """Whether all coefficients are zero."""
        return not any(astuple(self))

    @property
    def fold_radius(self) -> float:
        """Undistorted radius, as a tangent, at which the radial distortion folds over; inf if it never does.

        Beyond it two directions share one pixel, so the model says nothing there.
        """
        return fold_radius(self.k1, self.k2, self.k3, self.k4, self.k5, self.k6)

    def turned(self, *, clockwise: bool) -> Self:
        """The same for pictures that are turned by a quarter: (p2, p1), (s1, s3), (s2, s4) turn as vectors.

        Raises CameraModelError for a sensor tilted about both axes, whose turns do not commute.
        """
        if self.tau_x and self.tau_y:
            raise CameraModelError("a lens with a sensor tilted both ways cannot be turned; calibrate it so")
        sign = 1.0 if clockwise else -1.0
        return replace(
            self,
            p1=sign * self.p2,
            p2=-sign * self.p1,
            s1=-sign * self.s3,
            s3=sign * self.s1,
            s2=-sign * self.s4,
            s4=sign * self.s2,
            tau_x=-sign * self.tau_y,
            tau_y=sign * self.tau_x,
        )

    def rays(self, points: Array) -> Array:
        """Unit rays (N, 3) of normalised image points (N, 2); NaN where the model cannot be inverted."""
        if self.is_none:
            return unit_rays(points)
        from horizon_rt.camera.brown_kernels import undistort_points

        points = np.ascontiguousarray(points, np.float64)
        rays = np.empty((len(points), 3))
        untilt = np.linalg.inv(_tilt_matrix(self.tau_x, self.tau_y))
        undistort_points(points, np.array(astuple(self)[:12]), self.fold_radius, untilt, rays)
        return rays

    def project(self, rays: Array) -> Array:
        """Normalised image points (N, 2) of rays (N, 3); NaN behind the camera or where the model folds."""
        from horizon_rt.camera.brown_kernels import distort_rays

        rays = np.ascontiguousarray(rays, np.float64)
        points = np.empty((len(rays), 2))
        tilt = _tilt_matrix(self.tau_x, self.tau_y)
        distort_rays(rays, np.array(astuple(self)[:12]), self.fold_radius, tilt, points)
        return points


@lru_cache(maxsize=64)
def fold_radius(k1: float, k2: float, k3: float, k4: float = 0.0, k5: float = 0.0, k6: float = 0.0) -> float:
    """Undistorted radius at which the model folds over or has a pole, inf if it never does.

    With N and D the polynomials in s = r² of the radial factor N/D, the slope of the radial curve vanishes
    with N D + 2 s (N' D − N D'). Solved for 1/s: the polynomials are monic then, so no leading one vanishes.
    """
    over, under = np.polynomial.Polynomial([1, k1, k2, k3]), np.polynomial.Polynomial([1, k4, k5, k6])
    slope = over * under + np.polynomial.Polynomial([0, 2]) * (over.deriv() * under - over * under.deriv())
    largest = max(
        _largest_root(np.asarray(slope.coef, np.float64)), _largest_root(np.asarray(under.coef, np.float64))
    )
    return math.sqrt(1 / largest) if largest > 0 else math.inf


def _largest_root(coefficients: Array) -> float:
    """The largest real root of the polynomial with these coefficients, the leading one first; 0 if none."""
    roots = np.roots(coefficients)
    real = roots.real[np.abs(roots.imag) <= 1e-9 * np.abs(roots)]
    return float(max(real, default=0.0))


@lru_cache(maxsize=64)
def _tilt_matrix(tau_x: float, tau_y: float) -> Array:
    """Homography (3, 3) of a sensor tilted by these angles in rad, OpenCV's computeTiltProjectionMatrix."""
    if tau_x == tau_y == 0.0:
        return np.eye(3)
    cx, sx, cy, sy = math.cos(tau_x), math.sin(tau_x), math.cos(tau_y), math.sin(tau_y)
    about_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]) @ about_x
    onto = np.array([[turn[2, 2], 0, -turn[0, 2]], [0, turn[2, 2], -turn[1, 2]], [0, 0, 1]])
    return np.asarray(onto @ turn)
