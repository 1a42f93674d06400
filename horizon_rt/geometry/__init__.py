"""Attitude on the sphere, lines on the image, how a camera is mounted, and the earth below it."""

from horizon_rt.geometry.earth import Range
from horizon_rt.geometry.mount import Mount
from horizon_rt.geometry.up_vector import (
    HorizonLine,
    UpVector,
    roll_pitch_quaternion,
    wrap_degrees,
    wrap_radians,
)

__all__ = [
    "HorizonLine",
    "Mount",
    "Range",
    "UpVector",
    "roll_pitch_quaternion",
    "wrap_degrees",
    "wrap_radians",
]
