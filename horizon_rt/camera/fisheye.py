"""The equidistant fisheye of Kannala and Brandt (2006), as OpenCV's fisheye module and Kalibr have it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import CameraModelError

__all__ = ["KannalaBrandt", "fold_angle"]

Array = NDArray[np.float64]
_LARGEST_COEFFICIENT = 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class KannalaBrandt:
    """r = θ (1 + k1 θ² + k2 θ⁴ + k3 θ⁶ + k4 θ⁸) with θ the angle to the optical axis, which may exceed 90°.

    `limit_deg` is the largest θ that the lens lets through, where the picture shows the edge of its circle.
    Raises CameraModelError for coefficients that are no finite numbers, and for no such angle.
    """

    name: ClassVar[str] = "kannala-brandt"

    k1: float = 0.0
    k2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    limit_deg: float = field(default=180.0, metadata={"rare": True})

    def __post_init__(self) -> None:
        if not all(abs(v) <= _LARGEST_COEFFICIENT for v in self.coefficients):
            raise CameraModelError(f"distortion coefficients must be finite numbers, got {self.coefficients}")
        if not 0 < self.limit_deg <= 180:
            raise CameraModelError(f"a lens sees up to an angle of 0 to 180°, got {self.limit_deg:g}")

    @property
    def coefficients(self) -> tuple[float, float, float, float]:
        """(k1, k2, k3, k4)."""
        return self.k1, self.k2, self.k3, self.k4

    @property
    def is_none(self) -> bool:
        """False: without coefficients it is an equidistant lens."""
        return False

    @property
    def fold_angle(self) -> float:
        """Angle to the optical axis in rad at which the curve folds over, or the lens ends; π at most."""
        return min(fold_angle(*self.coefficients), math.radians(self.limit_deg))

    def turned(self, *, clockwise: bool) -> Self:
        """The same; it is round."""
        del clockwise
        return self

    def rays(self, points: Array) -> Array:
        """Unit rays (N, 3) of normalised points (N, 2); NaN beyond the fold, or straight behind."""
        from horizon_rt.camera.fisheye_kernels import unproject_fisheye

        points = np.ascontiguousarray(points, np.float64)
        rays = np.empty((len(points), 3))
        unproject_fisheye(points, np.array(self.coefficients), self.fold_angle, rays)
        return rays

    def project(self, rays: Array) -> Array:
        """Normalised points (N, 2) of rays (N, 3); NaN beyond the fold, or straight behind."""
        from horizon_rt.camera.fisheye_kernels import project_fisheye

        rays = np.ascontiguousarray(rays, np.float64)
        points = np.empty((len(rays), 2))
        project_fisheye(rays, np.array(self.coefficients), self.fold_angle, points)
        return points


@lru_cache(maxsize=64)
def fold_angle(k1: float, k2: float, k3: float, k4: float) -> float:
    """Angle in rad where the slope 1 + 3 k1 θ² + 5 k2 θ⁴ + 7 k3 θ⁶ + 9 k4 θ⁸ first vanishes; π at most.

    Solved for 1/θ², whose polynomial is monic.
    """
    roots = np.roots([1.0, 3 * k1, 5 * k2, 7 * k3, 9 * k4])
    real = roots.real[np.abs(roots.imag) <= 1e-9 * np.abs(roots)]
    largest = float(max(real, default=0.0))
    return min(math.pi, math.sqrt(1 / largest)) if largest > 0 else math.pi
