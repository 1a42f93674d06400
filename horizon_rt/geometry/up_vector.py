"""Attitude and image-line values, and the conversions between them.

Camera axes follow OpenCV: x right, y down, z forward. The state is the *up vector* u, a unit vector
opposite to gravity in camera axes. With roll φ (right wing down positive) and pitch θ (nose up positive)

    u = (−cos θ sin φ, −cos θ cos φ, sin θ)

so that φ = atan2(−u.x, −u.y) and θ = asin(u.z).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "HorizonLine",
    "UpVector",
    "roll_pitch_deg",
    "roll_pitch_quaternion",
    "up_vectors",
    "wrap_degrees",
    "wrap_radians",
]

# Below this distance from straight up or down, roll has no meaning (1e-9 rad).
_MIN_HORIZONTAL = 1e-9
_STEEPEST_PX = 1e6
Angle = TypeVar("Angle", float, NDArray[np.float64])


def wrap_degrees(angle: Angle) -> Angle:
    """The same angle, or angles, in [-180, 180)."""
    return (angle + 180.0) % 360.0 - 180.0


def wrap_radians(angle: Angle) -> Angle:
    """The same angle, or angles, in [-π, π)."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


@dataclass(frozen=True, slots=True)
class UpVector:
    """Unit vector opposite to gravity, in camera axes (x right, y down, z forward)."""

    x: float
    y: float
    z: float

    def __post_init__(self) -> None:
        norm = math.sqrt(self.x * self.x + self.y * self.y + self.z * self.z)
        if not abs(norm - 1.0) < 1e-6:
            raise ValueError(f"an up vector has length 1, got {norm:g}")

    @classmethod
    def from_vector(cls, vector: NDArray[np.float64]) -> UpVector:
        """Normalise a 3-vector; raises ValueError for a zero or non-finite one."""
        x, y, z = (float(v) for v in vector)
        norm = math.sqrt(x * x + y * y + z * z)
        if not (math.isfinite(norm) and norm > 0):
            raise ValueError(f"cannot normalise {(x, y, z)}")
        return cls(x / norm, y / norm, z / norm)

    @classmethod
    def from_roll_pitch(cls, roll_deg: float, pitch_deg: float) -> UpVector:
        """Up vector of a camera with this roll and pitch in degrees."""
        roll, pitch = math.radians(roll_deg), math.radians(pitch_deg)
        return cls(-math.cos(pitch) * math.sin(roll), -math.cos(pitch) * math.cos(roll), math.sin(pitch))

    @property
    def roll_deg(self) -> float:
        """Roll in degrees, [-180, 180], positive with the right wing down."""
        return math.degrees(math.atan2(-self.x, -self.y))

    @property
    def pitch_deg(self) -> float:
        """Pitch in degrees, [-90, 90], positive nose up."""
        return math.degrees(math.atan2(self.z, math.hypot(self.x, self.y)))

    def pitched(self, angle: float) -> UpVector:
        """The up vector after the nose rises by this angle in rad, without a roll; past straight up, too."""
        horizontal = math.hypot(self.x, self.y)
        if horizontal < _MIN_HORIZONTAL:
            return self
        c, s = math.cos(angle), math.sin(angle)
        level, rise = (c * horizontal - s * self.z) / horizontal, s * horizontal + c * self.z
        return UpVector.from_vector(np.array([level * self.x, level * self.y, rise]))

    def as_array(self) -> NDArray[np.float64]:
        """Shape (3,), float64."""
        return np.array([self.x, self.y, self.z])

    def isotropic_covariance(self, sd_deg: float) -> NDArray[np.float64]:
        """Covariance (3, 3) in rad² of an error of this size in every direction of the tangent plane."""
        u = self.as_array()
        return math.radians(sd_deg) ** 2 * (np.eye(3) - np.outer(u, u))

    def angle_to(self, other: UpVector) -> float:
        """Angle between the two up vectors in degrees, [0, 180]."""
        a, b = self.as_array(), other.as_array()
        cross = math.hypot(*(a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)))
        dot = sum(a[i] * b[i] for i in range(3))
        return math.degrees(math.atan2(cross, dot))

    def roll_pitch_jacobian(self) -> NDArray[np.float64]:
        """Derivative of (roll, pitch) in radians by (x, y, z); shape (2, 3).

        Rows are the gradients of atan2(−x, −y) and atan2(z, hypot(x, y)). Near straight up or down the
        roll row grows without bound, as roll itself loses its meaning.
        """
        horizontal = math.hypot(self.x, self.y)
        # At the pole itself any heading serves; zeros would pass for a perfectly known roll.
        a, b = (self.x / horizontal, self.y / horizontal) if horizontal > 0 else (0.0, -1.0)
        reach = max(horizontal, _MIN_HORIZONTAL)
        return np.array([[b / reach, -a / reach, 0.0], [-a * self.z, -b * self.z, horizontal]])

    def line(self, focal_px: float) -> HorizonLine | None:
        """Project onto a centred pinhole image with square pixels and focal length `focal_px`.

        Returns None when the camera looks straight up or down, where no line exists.
        """
        horizontal = math.hypot(self.x, self.y)
        if horizontal < _MIN_HORIZONTAL:
            return None
        angle_deg = math.degrees(math.atan2(self.x, -self.y))
        return HorizonLine(angle_deg=angle_deg, offset_px=focal_px * self.z / horizontal)


@dataclass(frozen=True, slots=True)
class HorizonLine:
    """The horizon as a line in an undistorted image.

    `angle_deg` is the tilt, positive when the right end is lower on screen for an upright view, ±180 when
    inverted. `offset_px` is the signed distance from the line to the image centre ((W−1)/2, (H−1)/2),
    positive when the centre is in the sky. The unit normal towards the sky is (sin angle, −cos angle).
    """

    angle_deg: float
    offset_px: float

    @property
    def normal(self) -> tuple[float, float]:
        """Unit normal towards the sky, image axes (x right, y down)."""
        angle = math.radians(self.angle_deg)
        return math.sin(angle), -math.cos(angle)

    def up_vector(self, focal_px: float) -> UpVector:
        """The up vector that projects to this line; inverse of `UpVector.line`."""
        nx, ny = self.normal
        norm = math.hypot(focal_px, self.offset_px)
        return UpVector(nx * focal_px / norm, ny * focal_px / norm, self.offset_px / norm)

    def up_vector_jacobian(self, focal_px: float) -> NDArray[np.float64]:
        """Derivative of (x, y, z) by (angle in radians, offset in px); shape (3, 2)."""
        nx, ny = self.normal
        norm = math.hypot(focal_px, self.offset_px)
        d_offset = -self.offset_px * focal_px / norm**3
        return np.array(
            [
                [-ny * focal_px / norm, nx * d_offset],
                [nx * focal_px / norm, ny * d_offset],
                [0.0, focal_px * focal_px / norm**3],
            ]
        )

    def signed_distance(self, x: float, y: float, width: int, height: int) -> float:
        """Distance in px from the line to an image point, positive in the sky."""
        nx, ny = self.normal
        return nx * (x - (width - 1) / 2) + ny * (y - (height - 1) / 2) + self.offset_px

    def y_at(self, x: float, width: int, height: int) -> float:
        """Row of the line at column `x`; ±inf for a vertical line."""
        nx, ny = self.normal
        if abs(ny) < 1e-12:
            return math.copysign(math.inf, self.offset_px)
        return (height - 1) / 2 - (nx * (x - (width - 1) / 2) + self.offset_px) / ny

    def x_at(self, y: float, width: int, height: int) -> float:
        """Column of the line at row `y`; ±inf for a level line."""
        nx, ny = self.normal
        if abs(nx) < 1e-12:
            return math.copysign(math.inf, self.offset_px)
        return (width - 1) / 2 - (ny * (y - (height - 1) / 2) + self.offset_px) / nx

    def ends(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Two of its points as x1, y1, x2, y2: at x = 0 and x = width − 1.

        Those of a line that is over 10⁶ px away there, as it is so steep, lie at y = 0 and y = height − 1.
        """
        y1, y2 = (self.y_at(x, width, height) for x in (0.0, width - 1.0))
        if max(abs(y1), abs(y2)) <= _STEEPEST_PX:
            return 0.0, y1, width - 1.0, y2
        x1, x2 = (self.x_at(y, width, height) for y in (0.0, height - 1.0))
        return x1, 0.0, x2, height - 1.0

    @classmethod
    def from_points(
        cls, x1: float, y1: float, x2: float, y2: float, width: int, height: int, *, sky_above: bool = True
    ) -> HorizonLine:
        """Line through two distinct image points; `sky_above` tells on which side the sky is.

        For a vertical line, 'above' is the side to the right of the direction from point 1 to point 2
        turned left, that is the side of the normal (dy, −dx).
        """
        dx, dy = x2 - x1, y2 - y1
        if not math.hypot(dx, dy) > 0:
            raise ValueError(f"two distinct points are needed, got ({x1}, {y1}) twice")
        if dx < 0:
            dx, dy = -dx, -dy
        if not sky_above:
            dx, dy = -dx, -dy
        angle = math.atan2(dy, dx)
        nx, ny = math.sin(angle), -math.cos(angle)
        offset = nx * ((width - 1) / 2 - x1) + ny * ((height - 1) / 2 - y1)
        return cls(math.degrees(angle), offset)


def roll_pitch_quaternion(roll: float, pitch: float) -> tuple[float, float, float, float]:
    """(w, x, y, z) of a turn by pitch about y, then by roll about the new x, in rad; without a heading."""
    cr, sr, cp, sp = math.cos(roll / 2), math.sin(roll / 2), math.cos(pitch / 2), math.sin(pitch / 2)
    return cr * cp, sr * cp, cr * sp, -sr * sp


def up_vectors(roll_deg: NDArray[np.float64], pitch_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Up vectors (n, 3) of n rolls and pitches in degrees; as `UpVector.from_roll_pitch`."""
    roll, pitch = np.radians(roll_deg), np.radians(pitch_deg)
    cos = np.cos(pitch)
    return np.column_stack([-cos * np.sin(roll), -cos * np.cos(roll), np.sin(pitch)])


def roll_pitch_deg(up: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Roll and pitch (n,) in degrees of vectors (n, 3) of any length that point up; as of `UpVector`."""
    right, down, forward = up.T
    roll = np.degrees(np.arctan2(-right, -down))
    return roll, np.degrees(np.arctan2(forward, np.hypot(right, down)))
