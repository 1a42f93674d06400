"""Brown-Conrady distortion of normalised image points, and its inverse (Brown 1966, Conrady 1919).

Points are (N, 2) float64 in units of the focal length; coefficients are (k1, k2, p1, p2, k3). The model
holds inside its fold only: beyond it two directions share one pixel, and both functions give NaN there.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from typing import ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.perspective import perspective, unit_rays
from horizon_rt.errors import CameraModelError

__all__ = ["BrownConrady", "Coefficients", "fold_radius"]

Array = NDArray[np.float64]
Scalars = TypeVar("Scalars", float, NDArray[np.float64])
Coefficients = tuple[float, float, float, float, float]
_NEWTON_STEPS = 12
_TABLE_SIZE = 128
_TABLE_START = 0.25
_LARGEST_TANGENT = 1e4  # the radius of a ray 0.006° from the image plane
_CONVERGED = 1e-9  # normalised units; the error after a step is about its square
_TOLERANCE = 1e-9
_LARGEST_COEFFICIENT = 1e12
# Newton's method never steps past this share of the fold's radius, where the slope vanishes.
_INSIDE_FOLD = 0.9999


@dataclass(frozen=True, slots=True, kw_only=True)
class BrownConrady:
    """Radial and tangential distortion as in OpenCV: k1, k2, p1, p2, k3 (Brown 1966, Conrady 1919).

    x' = x (1 + k1 r² + k2 r⁴ + k3 r⁶) + 2 p1 x y + p2 (r² + 2 x²), y' alike with p1 and p2 exchanged.
    Raises CameraModelError for coefficients that are no finite numbers.
    """

    name: ClassVar[str] = "brown-conrady"

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0

    def __post_init__(self) -> None:
        if not all(abs(v) <= _LARGEST_COEFFICIENT for v in self.coefficients):
            raise CameraModelError(f"distortion coefficients must be finite numbers, got {self.coefficients}")

    @property
    def coefficients(self) -> Coefficients:
        """(k1, k2, p1, p2, k3), OpenCV's order."""
        k1, k2, p1, p2, k3 = astuple(self)
        return k1, k2, p1, p2, k3

    @property
    def is_none(self) -> bool:
        """Whether all coefficients are zero."""
        return not any(self.coefficients)

    @property
    def fold_radius(self) -> float:
        """Undistorted radius, as a tangent, at which the radial distortion folds over; inf if it never does.

        Beyond it two directions share one pixel, so the model says nothing there.
        """
        return fold_radius(self.k1, self.k2, self.k3)

    def turned(self, *, clockwise: bool) -> Self:
        """The same for pictures that are turned by a quarter: (p2, p1) turns as a vector does."""
        p1, p2 = (self.p2, -self.p1) if clockwise else (-self.p2, self.p1)
        return replace(self, p1=p1, p2=p2)

    def rays(self, points: Array) -> Array:
        """Unit rays (N, 3) of normalised image points (N, 2); NaN where the model cannot be inverted."""
        return unit_rays(points if self.is_none else undistort(points, self.coefficients))

    def project(self, rays: Array) -> Array:
        """Normalised image points (N, 2) of rays (N, 3); NaN behind the camera or where the model folds."""
        return distort(perspective(rays), self.coefficients)


@lru_cache(maxsize=64)
def fold_radius(k1: float, k2: float, k3: float) -> float:
    """Undistorted radius at which the model folds over, inf if it never does.

    There the slope 1 + 3 k1 r² + 5 k2 r⁴ + 7 k3 r⁶ of the radial curve vanishes. Solved for 1/r², whose
    polynomial is monic, so that no leading coefficient can vanish.
    """
    roots = np.roots(np.array([1.0, 3 * k1, 5 * k2, 7 * k3]))
    real = roots.real[np.abs(roots.imag) <= 1e-9 * np.abs(roots)]
    largest = float(max(real, default=0.0))
    return math.sqrt(1 / largest) if largest > 0 else math.inf


def distort(points: Array, coefficients: Coefficients) -> Array:
    """Distorted points (N, 2) of undistorted ones; NaN beyond the fold."""
    with np.errstate(all="ignore"):
        distorted, jacobian = _distort(points, coefficients)
        inside = _inside_fold(points, jacobian, coefficients)
    return np.where(inside[:, None], distorted, np.nan)


def undistort(points: Array, coefficients: Coefficients) -> Array:
    """Undistorted points (N, 2) of distorted ones; NaN where the model reaches no such point.

    Newton's method with the full Jacobian, then a check of the residual.
    """
    limit = _INSIDE_FOLD * _fold(coefficients)
    with np.errstate(all="ignore"):
        guess = _radial_guess(points, coefficients, limit)
        for _ in range(_NEWTON_STEPS):
            step = _newton_step(guess, points, coefficients)
            guess = _shortened(guess + step, limit)
            if np.fmax.reduce(np.abs(step), axis=None, initial=0.0) < _CONVERGED:
                break
        distorted, jacobian = _distort(guess, coefficients)
        error = np.abs(distorted - points).max(axis=1)
        good = error < _TOLERANCE * (1 + np.abs(points).max(axis=1))
        good &= _inside_fold(guess, jacobian, coefficients)
    return np.where(good[:, None], guess, np.nan)


def _fold(coefficients: Coefficients) -> float:
    k1, k2, _, _, k3 = coefficients
    return fold_radius(k1, k2, k3)


def _inside_fold(undistorted: Array, jacobian: Array, coefficients: Coefficients) -> NDArray[np.bool_]:
    r2: Array = np.einsum("ij,ij->i", undistorted, undistorted)
    determinant = jacobian[0] * jacobian[2] - jacobian[1] ** 2
    inside: NDArray[np.bool_] = (r2 < _fold(coefficients) ** 2) & (determinant > 0)
    return inside


def _distort(points: Array, coefficients: Coefficients) -> tuple[Array, Array]:
    """Distorted points (N, 2), and the Jacobian's xx, xy = yx and yy entries (3, N)."""
    k1, k2, p1, p2, k3 = coefficients
    x, y = points[:, 0], points[:, 1]
    xx, yy, xy = x * x, y * y, x * y
    r2 = xx + yy
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = 2 * (k1 + r2 * (2 * k2 + r2 * 3 * k3))
    dx = x * radial + 2 * p1 * xy + p2 * (r2 + 2 * xx)
    dy = y * radial + 2 * p2 * xy + p1 * (r2 + 2 * yy)
    j_xx = radial + slope * xx + 2 * p1 * y + 6 * p2 * x
    j_xy = slope * xy + 2 * p1 * x + 2 * p2 * y
    j_yy = radial + slope * yy + 6 * p1 * y + 2 * p2 * x
    return np.stack([dx, dy], axis=1), np.stack([j_xx, j_xy, j_yy])


def _newton_step(guess: Array, target: Array, coefficients: Coefficients) -> Array:
    distorted, (j_xx, j_xy, j_yy) = _distort(guess, coefficients)
    ex, ey = (target - distorted).T
    determinant = j_xx * j_yy - j_xy * j_xy
    step: Array = np.stack([j_yy * ex - j_xy * ey, j_xx * ey - j_xy * ex], axis=1) / determinant[:, None]
    return step


def _radial(radius: Scalars, coefficients: Coefficients) -> Scalars:
    k1, k2, _, _, k3 = coefficients
    r2 = radius * radius
    return radius * (1 + r2 * (k1 + r2 * (k2 + r2 * k3)))


def _radial_guess(points: Array, coefficients: Coefficients, limit: float) -> Array:
    """Undistorted points but for the tangential terms, from a table of the radial curve up to `limit`."""
    radius: Array = np.sqrt(np.einsum("ij,ij->i", points, points))
    farthest = np.fmax.reduce(np.where(np.isfinite(radius), radius, 0.0), initial=0.0)
    end = min(_TABLE_START, limit)
    while end < min(limit, _LARGEST_TANGENT) and _radial(end, coefficients) < farthest:
        end = min(2 * end, limit)
    table = np.linspace(0.0, end, _TABLE_SIZE)
    undistorted = np.interp(radius, _radial(table, coefficients), table)
    return points * (undistorted / np.maximum(radius, 1e-300))[:, None]


def _shortened(points: Array, limit: float) -> Array:
    """The same directions, no longer than `limit`."""
    if math.isinf(limit):
        return points
    radius: Array = np.sqrt(np.einsum("ij,ij->i", points, points))
    return points * np.minimum(1.0, limit / np.maximum(radius, 1e-300))[:, None]
