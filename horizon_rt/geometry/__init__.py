"""Attitude on the sphere, lines on the image, and how a camera is mounted."""

from horizon_rt.geometry.mount import Mount
from horizon_rt.geometry.up_vector import (
    HorizonLine,
    UpVector,
    roll_pitch_quaternion,
    wrap_degrees,
    wrap_radians,
)

__all__ = ["HorizonLine", "Mount", "UpVector", "roll_pitch_quaternion", "wrap_degrees", "wrap_radians"]
