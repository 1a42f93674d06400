"""Attitude on the sphere and lines on the image."""

from horizon_rt.geometry.up_vector import HorizonLine, UpVector, roll_pitch_quaternion, wrap_degrees

__all__ = ["HorizonLine", "UpVector", "roll_pitch_quaternion", "wrap_degrees"]
