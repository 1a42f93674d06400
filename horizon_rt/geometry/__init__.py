"""Attitude on the sphere, lines on the image, and how a camera is mounted."""

from horizon_rt.geometry.mount import Mount
from horizon_rt.geometry.up_vector import HorizonLine, UpVector, wrap_degrees

__all__ = ["HorizonLine", "Mount", "UpVector", "wrap_degrees"]
