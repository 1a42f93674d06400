"""How a camera is fixed to a vehicle: one rotation between the axes of the two.

The vehicle's axes are those of a camera that looks ahead: x to its right, y down, z ahead. The camera is
turned out of them by yaw (to the right), then pitch (nose up), then roll (right side down), each about an
axis that the turns before have moved: the aerospace sequence. While the vehicle is level, the camera
therefore has the roll and pitch of its mount, whatever the yaw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry.up_vector import UpVector

__all__ = ["Mount"]

_STRAIGHT = 1e-9  # sine of the angle to straight up or down, below which there is no yaw
_LARGEST_DEG = {"roll_deg": 180.0, "pitch_deg": 90.0, "yaw_deg": 180.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """Roll, pitch and yaw of a camera relative to its vehicle, in degrees.

    Raises ValueError for a roll or yaw beyond ±180° or a pitch beyond ±90°.
    """

    roll_deg: float
    pitch_deg: float
    yaw_deg: float = 0.0

    def __post_init__(self) -> None:
        for name, largest in _LARGEST_DEG.items():
            if not abs(getattr(self, name)) <= largest:
                what = name.removesuffix("_deg")
                raise ValueError(
                    f"the {what} of a mount lies within ±{largest:g}°, got {getattr(self, name)}"
                )

    @classmethod
    def from_rotation(cls, rotation: NDArray[np.float64]) -> Mount:
        """The mount of a rotation (3, 3) from the vehicle's axes to the camera's; inverse of `rotation`.

        Where the camera looks straight up or down, roll and yaw are one angle, which is taken for the roll.
        """
        r = np.asarray(rotation, np.float64)
        level = math.hypot(r[2, 0], r[2, 2])
        if level < _STRAIGHT:
            roll, yaw = math.atan2(-r[1, 0], r[0, 0]), 0.0
        else:
            roll, yaw = math.atan2(r[0, 1], r[1, 1]), math.atan2(r[2, 0], r[2, 2])
        pitch = math.atan2(-r[2, 1], level)
        return cls(roll_deg=math.degrees(roll), pitch_deg=math.degrees(pitch), yaw_deg=math.degrees(yaw))

    @property
    def rotation(self) -> NDArray[np.float64]:
        """What takes a vector from the vehicle's axes to the camera's, (3, 3), read-only."""
        return _rotation(*(math.radians(getattr(self, name)) for name in _LARGEST_DEG))

    def camera_up(self, up: UpVector) -> UpVector:
        """The up vector in the camera's axes of one in the vehicle's."""
        return UpVector.from_vector(self.rotation @ up.as_array())

    def vehicle_up(self, up: UpVector) -> UpVector:
        """The up vector in the vehicle's axes of one in the camera's."""
        return UpVector.from_vector(self.vehicle_vector(up.as_array()))

    def vehicle_vector(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """A vector (3,) of the camera's axes in the vehicle's."""
        return np.asarray(self.rotation.T @ vector)

    def vehicle_covariance(self, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        """The covariance (3, 3) of a vector of the camera's axes in the vehicle's."""
        rotation = self.rotation
        return np.asarray(rotation.T @ covariance @ rotation)


@lru_cache(maxsize=16)
def _rotation(roll: float, pitch: float, yaw: float) -> NDArray[np.float64]:
    cr, sr, cp, sp, cy, sy = (f(a) for a in (roll, pitch, yaw) for f in (math.cos, math.sin))
    to_right = np.array([[cy, 0.0, -sy], [0.0, 1.0, 0.0], [sy, 0.0, cy]])
    nose_up = np.array([[1.0, 0.0, 0.0], [0.0, cp, sp], [0.0, -sp, cp]])
    right_down = np.array([[cr, sr, 0.0], [-sr, cr, 0.0], [0.0, 0.0, 1.0]])
    rotation = np.asarray(right_down @ nose_up @ to_right)
    rotation.flags.writeable = False
    return rotation
