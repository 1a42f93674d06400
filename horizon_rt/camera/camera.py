"""The camera: image points to unit rays and back.

A camera is a frozen value for one image size: size × intrinsics × distortion. `rays` and `project` are
inverse to each other inside the image. Everything downstream works on rays: a new lens is a new distortion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.distortion import DISTORTIONS, NO_DISTORTION, Distortion, coefficients_of
from horizon_rt.camera.fields import image_size, number
from horizon_rt.errors import CameraModelError
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.options import DEFAULT_FOCAL_SD, DEFAULT_HFOV_DEG

__all__ = ["Camera"]

Array = NDArray[np.float64]
# Beyond any lens; products and quotients of these are numbers still.
_LEAST_FOCAL_PX, _LARGEST_LENGTH_PX = 1e-9, 1e15
_LEAST_HFOV_DEG = 1e-6
_LARGEST_FOCAL_SD = 1.0
_DIFFERENCE_STEP = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """Size, intrinsics and distortion. Lengths in px; pixel centres at integers. `focal_sd` is the standard
    deviation of a focal length that was not measured, as a share of it.

    Raises CameraModelError for a size or intrinsics that no camera has.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: Distortion = NO_DISTORTION
    focal_sd: float = 0.0

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise CameraModelError(f"image size must be positive, got {self.width}x{self.height}")
        values = (self.fx, self.fy, self.cx, self.cy)
        if not all(abs(v) <= _LARGEST_LENGTH_PX for v in values) or min(self.fx, self.fy) < _LEAST_FOCAL_PX:
            raise CameraModelError(f"fx, fy must be positive and all finite, got fx, fy, cx, cy = {values}")
        if not 0 <= self.focal_sd <= _LARGEST_FOCAL_SD:
            raise CameraModelError(
                f"focal_sd is a share from 0 to {_LARGEST_FOCAL_SD:g}, got {self.focal_sd}"
            )

    @classmethod
    def from_hfov(cls, width: int, height: int, hfov_deg: float) -> Self:
        """A centred lens with square pixels and this horizontal field of view in degrees."""
        if not _LEAST_HFOV_DEG <= hfov_deg < 180:
            raise CameraModelError(
                f"a horizontal field of view lies between 0 and 180°, got {hfov_deg:g}; a fisheye needs a "
                "camera profile, such as fisheye180"
            )
        focal = width / 2 / math.tan(math.radians(hfov_deg) / 2)
        return cls(width=width, height=height, fx=focal, fy=focal, cx=(width - 1) / 2, cy=(height - 1) / 2)

    @classmethod
    def from_fov(cls, width: int, height: int, fov_deg: float) -> Self:
        """As `from_hfov`, with a field of view over the longer side: that of a camera which is turned by a
        quarter for upright pictures.
        """
        level = cls.from_hfov(max(width, height), min(width, height), fov_deg)
        return level if width >= height else level.turned()

    @classmethod
    def assumed(cls, width: int, height: int) -> Self:
        """The camera where nothing is known: as `from_fov` with `options.DEFAULT_HFOV_DEG`, uncertain."""
        return replace(cls.from_fov(width, height, DEFAULT_HFOV_DEG), focal_sd=DEFAULT_FOCAL_SD)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`, which may hold more; raises KeyError, TypeError or CameraModelError."""
        kinds = {_model_name(kind): kind for kind in DISTORTIONS.values()}
        kind = kinds[values["model"]]
        given = coefficients_of(kind)
        distortion = kind(**{name: number(values, name, default) for name, default in given.items()})
        width, height = image_size(values, "width", "height")
        fx, fy, cx, cy = (number(values, name) for name in ("fx", "fy", "cx", "cy"))
        focal_sd = number(values, "focal_sd", 0.0)
        return cls(
            width=width, height=height, fx=fx, fy=fy, cx=cx, cy=cy, distortion=distortion, focal_sd=focal_sd
        )

    def to_dict(self) -> dict[str, Any]:
        """The camera as a telemetry header holds it."""
        fx, fy, cx, cy = self.intrinsics
        own = {"width": self.width, "height": self.height, "focal_px": self.focal_px}
        own |= {"fx": fx, "fy": fy, "cx": cx, "cy": cy}
        own |= {"focal_sd": self.focal_sd} if self.focal_sd else {}
        return {"model": _model_name(type(self.distortion)), **own, **coefficients_of(self.distortion)}

    @property
    def is_linear(self) -> bool:
        """Whether straight lines in the world are straight in the image."""
        return self.distortion.is_none

    @property
    def intrinsics(self) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy in px."""
        return self.fx, self.fy, self.cx, self.cy

    @property
    def focal_px(self) -> float:
        """Geometric mean of fx and fy."""
        return math.sqrt(self.fx * self.fy)

    @property
    def hfov_deg(self) -> float:
        """Horizontal field of view in degrees on the row of the principal point, distortion included.

        It may exceed 180. That of the lens without distortion where the model does not reach the edges.
        """
        if not self.is_linear:
            rays = self.rays(np.array([[-0.5, self.cy], [self.width - 0.5, self.cy]]))
            left, right = np.arctan2(rays[:, 0], rays[:, 2]).tolist()
            if math.isfinite(right - left):
                return math.degrees(right - left)
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

    def cropped(self, left: float, top: float, width: int, height: int) -> Self:
        """The same lens for the part of the image that begins `left`, `top` px from its corner.

        With `resized` before or after it this is a digital zoom, or the crop of a stabilisation.
        """
        return replace(self, width=width, height=height, cx=self.cx - left, cy=self.cy - top)

    def turned(self, *, clockwise: bool = True) -> Self:
        """The same lens for pictures that are turned by a quarter."""
        return replace(
            self,
            width=self.height,
            height=self.width,
            fx=self.fy,
            fy=self.fx,
            cx=self.height - 1 - self.cy if clockwise else self.cy,
            cy=self.cx if clockwise else self.width - 1 - self.cx,
            distortion=self.distortion.turned(clockwise=clockwise),
        )

    def for_size(self, width: int, height: int) -> Self:
        """The lens to use for pictures of another size from the same camera.

        A lens that `is_ideal` is a guess of the field of view over the longer side, which it keeps for
        pictures of another shape; any other is resized.
        """
        if (width, height) == (self.width, self.height):
            return self
        if self.is_ideal:
            focal = self.fx * max(width, height) / max(self.width, self.height)
            cx, cy = (width - 1) / 2, (height - 1) / 2
            return replace(self, width=width, height=height, fx=focal, fy=focal, cx=cx, cy=cy)
        return self.resized(width, height)

    @property
    def is_ideal(self) -> bool:
        """Whether the lens is centred and round and the pixels square, as those of a guess are."""
        centred = self.fx, self.fx, (self.width - 1) / 2, (self.height - 1) / 2
        return bool(np.allclose(self.intrinsics, centred, rtol=1e-9)) and self._is_round

    @property
    def _is_round(self) -> bool:
        """Whether the distortion is the same all around the axis."""
        try:
            return self.is_linear or self.distortion.turned(clockwise=True) == self.distortion
        except CameraModelError:  # a sensor tilted both ways
            return False

    def line(self, up: UpVector, dip: float = 0.0) -> HorizonLine | None:
        """The horizon of this up vector on the image without distortion; None straight up or down.

        With distortion it is the line that a pinhole of the same intrinsics would see, not the curve in
        the picture. From r·u = 0 with r = ((x − cx)/fx, (y − cy)/fy, 1). With a dip in rad, the tangent to
        the visible horizon, a conic, where it is nearest to the optical axis.
        """
        up = up.pitched(dip) if dip else up
        nx, ny = up.x / self.fx, up.y / self.fy
        norm = math.hypot(nx, ny)
        if math.hypot(up.x, up.y) < 1e-9:
            return None
        centre = nx * ((self.width - 1) / 2 - self.cx) + ny * ((self.height - 1) / 2 - self.cy)
        angle_deg = math.degrees(math.atan2(nx, -ny))
        return HorizonLine(angle_deg=angle_deg, offset_px=(centre + up.z) / norm)

    def focal_derivative(self, points: Array) -> Array:
        """Derivative (N, 3) of the rays of image points (N, 2) by the logarithm of the focal length."""
        longer = replace(
            self, fx=self.fx * math.exp(_DIFFERENCE_STEP), fy=self.fy * math.exp(_DIFFERENCE_STEP)
        )
        return (longer.rays(points) - self.rays(points)) / _DIFFERENCE_STEP

    def focal_error(self, up: UpVector, dip: float = 0.0) -> Array | None:
        """How far one standard deviation of the focal length turns an up vector that was found by the
        horizon, which has this dip in rad: (3,) in rad, None where the focal length is known.

        The horizon stays where it is in the picture. Its point nearest to the optical axis lies `pitch` + dip
        below that; roll stays as it is.
        """
        if not self.focal_sd:
            return None
        level = math.hypot(up.x, up.y)
        if level < 1e-9:
            return None
        u = up.as_array()
        forward = (np.array([0.0, 0.0, 1.0]) - up.z * u) / level
        turned = -0.5 * math.sin(2 * (math.atan2(up.z, level) + dip))
        if not self.is_linear:
            nearest = math.cos(dip) * forward - math.sin(dip) * u
            upward = math.cos(dip) * u + math.sin(dip) * forward
            lift = float(self.focal_derivative(self.project(nearest[None]))[0] @ upward)
            turned = -lift if math.isfinite(lift) else turned
        return self.focal_sd * turned * forward

    def rays(self, points: Array) -> Array:
        """Unit rays (N, 3) in camera axes of image points (N, 2) in px; NaN rows where there is none."""
        return self.distortion.rays(
            (np.asarray(points, np.float64) - (self.cx, self.cy)) / (self.fx, self.fy)
        )

    def project(self, rays: Array) -> Array:
        """Image points (N, 2) in px of rays (N, 3); NaN rows for rays that the lens does not see."""
        return self.distortion.project(rays) * (self.fx, self.fy) + (self.cx, self.cy)


def _model_name(kind: type[Distortion]) -> str:
    """As telemetry names a lens: Pinhole, BrownConrady."""
    return "".join(part.capitalize() for part in kind.name.split("-"))
