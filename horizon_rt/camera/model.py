"""Lens models: image points to unit rays and back.

A model is a frozen value for one image size. `rays` and `project` are inverse to each other inside the
image. Everything downstream works on rays, so a new lens needs only these two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.brown import Coefficients, distort, fold_radius, undistort
from horizon_rt.errors import CameraModelError
from horizon_rt.geometry import HorizonLine, UpVector

__all__ = ["BrownConrady", "CameraModel", "Pinhole"]

Array = NDArray[np.float64]
_LARGEST_COEFFICIENT = 1e12
# Beyond any lens; products and quotients of these are numbers still.
_LEAST_FOCAL_PX, _LARGEST_LENGTH_PX = 1e-9, 1e15
_LEAST_HFOV_DEG = 1e-6


class CameraModel(Protocol):
    """What every lens model offers."""

    @property
    def width(self) -> int:
        """Columns of the image."""
        ...

    @property
    def height(self) -> int:
        """Rows of the image."""
        ...

    @property
    def focal_px(self) -> float:
        """One focal length in px that stands for both axes."""
        ...

    def rays(self, points: Array) -> Array:
        """Unit rays (N, 3) in camera axes of image points (N, 2) in px; NaN rows where there is none."""
        ...

    def project(self, rays: Array) -> Array:
        """Image points (N, 2) in px of rays (N, 3); NaN rows for rays that the lens does not see."""
        ...

    def for_size(self, width: int, height: int) -> Self:
        """The lens to use for pictures of another size from the same camera."""
        ...

    def line(self, up: UpVector) -> HorizonLine | None:
        """The horizon of this up vector on the image without distortion; None straight up or down."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinhole:
    """A lens without distortion. Lengths in px; pixel centres at integers."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise CameraModelError(f"image size must be positive, got {self.width}x{self.height}")
        values = (self.fx, self.fy, self.cx, self.cy)
        if not all(abs(v) <= _LARGEST_LENGTH_PX for v in values) or min(self.fx, self.fy) < _LEAST_FOCAL_PX:
            raise CameraModelError(f"fx, fy must be positive and all finite, got fx, fy, cx, cy = {values}")

    @classmethod
    def from_hfov(cls, width: int, height: int, hfov_deg: float) -> Self:
        """A centred lens with square pixels and this horizontal field of view in degrees."""
        if not _LEAST_HFOV_DEG <= hfov_deg < 180:
            raise CameraModelError(f"a horizontal field of view lies between 0 and 180°, got {hfov_deg:g}")
        focal = width / 2 / math.tan(math.radians(hfov_deg) / 2)
        return cls(width=width, height=height, fx=focal, fy=focal, cx=(width - 1) / 2, cy=(height - 1) / 2)

    @property
    def focal_px(self) -> float:
        """Geometric mean of fx and fy."""
        return math.sqrt(self.fx * self.fy)

    @property
    def distortion(self) -> Coefficients:
        """(k1, k2, p1, p2, k3), all zero for a lens without distortion."""
        return 0.0, 0.0, 0.0, 0.0, 0.0

    @property
    def hfov_deg(self) -> float:
        """Horizontal field of view in degrees, without distortion."""
        return math.degrees(
            math.atan((self.cx + 0.5) / self.fx) + math.atan((self.width - 0.5 - self.cx) / self.fx)
        )

    def resized(self, width: int, height: int) -> Self:
        """The same lens for an image resized to this size."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
        )

    def for_size(self, width: int, height: int) -> Self:
        """The lens to use for pictures of another size from the same camera.

        An ideal lens (centred, square pixels, no distortion) is a guess of the field of view, which it keeps
        for pictures of another shape; any other is resized.
        """
        if (width, height) == (self.width, self.height):
            return self
        ideal = Pinhole.from_hfov(self.width, self.height, self.hfov_deg)
        if type(self) is Pinhole and np.allclose(self._intrinsics, ideal._intrinsics, rtol=1e-9):
            return self.from_hfov(width, height, self.hfov_deg)
        return self.resized(width, height)

    def line(self, up: UpVector) -> HorizonLine | None:
        """The horizon of this up vector on the image without distortion; None straight up or down.

        From r·u = 0 with r = ((x − cx)/fx, (y − cy)/fy, 1).
        """
        nx, ny = up.x / self.fx, up.y / self.fy
        norm = math.hypot(nx, ny)
        if math.hypot(up.x, up.y) < 1e-9:
            return None
        centre = nx * ((self.width - 1) / 2 - self.cx) + ny * ((self.height - 1) / 2 - self.cy)
        angle_deg = math.degrees(math.atan2(nx, -ny))
        return HorizonLine(angle_deg=angle_deg, offset_px=(centre + up.z) / norm)

    @property
    def _intrinsics(self) -> tuple[float, float, float, float]:
        return self.fx, self.fy, self.cx, self.cy

    def rays(self, points: Array) -> Array:
        """Unit rays (N, 3) of image points (N, 2)."""
        return _unit_rays(self._normalised(points))

    def project(self, rays: Array) -> Array:
        """Image points (N, 2) of rays (N, 3); NaN behind the camera."""
        return self._pixels(_perspective(rays))

    def _normalised(self, points: Array) -> Array:
        return (np.asarray(points, np.float64) - (self.cx, self.cy)) / (self.fx, self.fy)

    def _pixels(self, normalised: Array) -> Array:
        return normalised * (self.fx, self.fy) + (self.cx, self.cy)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrownConrady(Pinhole):
    """Radial and tangential distortion as in OpenCV: k1, k2, p1, p2, k3 (Brown 1966, Conrady 1919).

    x' = x (1 + k1 r² + k2 r⁴ + k3 r⁶) + 2 p1 x y + p2 (r² + 2 x²), y' alike with p1 and p2 exchanged.
    """

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0

    def __post_init__(self) -> None:
        super(BrownConrady, self).__post_init__()
        if not all(abs(v) <= _LARGEST_COEFFICIENT for v in self.coefficients):
            raise CameraModelError(f"distortion coefficients must be finite numbers, got {self.coefficients}")

    @property
    def coefficients(self) -> Coefficients:
        """(k1, k2, p1, p2, k3), OpenCV's order."""
        return self.k1, self.k2, self.p1, self.p2, self.k3

    @property
    def distortion(self) -> Coefficients:
        """(k1, k2, p1, p2, k3)."""
        return self.coefficients

    @property
    def fold_radius(self) -> float:
        """Undistorted radius, as a tangent, at which the radial distortion folds over; inf if it never does.

        Beyond it two directions share one pixel, so the model says nothing there.
        """
        return fold_radius(self.k1, self.k2, self.k3)

    @property
    def hfov_deg(self) -> float:
        """Horizontal field of view in degrees on the row of the principal point, distortion included.

        That of the lens without distortion where the model does not reach the image's edges.
        """
        left, right = self.rays(np.array([[-0.5, self.cy], [self.width - 0.5, self.cy]]))
        angle = math.degrees(math.atan2(float(np.linalg.norm(np.cross(left, right))), float(left @ right)))
        return angle if math.isfinite(angle) else super(BrownConrady, self).hfov_deg

    def rays(self, points: Array) -> Array:
        """Unit rays (N, 3) of image points (N, 2); NaN where the model cannot be inverted."""
        return _unit_rays(self._undistort(self._normalised(points)))

    def project(self, rays: Array) -> Array:
        """Image points (N, 2) of rays (N, 3); NaN behind the camera or where the model folds over."""
        return self._pixels(distort(_perspective(rays), self.coefficients))

    def _undistort(self, points: Array) -> Array:
        return undistort(points, self.coefficients) if any(self.coefficients) else points


def _unit_rays(normalised: Array) -> Array:
    rays = np.empty((len(normalised), 3))
    rays[:, :2] = normalised
    rays[:, 2] = 1.0
    with np.errstate(all="ignore"):
        rays /= np.sqrt(np.einsum("ij,ij->i", rays, rays))[:, None]
    return rays


def _perspective(rays: Array) -> Array:
    rays = np.asarray(rays, np.float64)
    with np.errstate(all="ignore"):
        return np.where(rays[:, 2:] > 1e-9, rays[:, :2] / rays[:, 2:], np.nan)
