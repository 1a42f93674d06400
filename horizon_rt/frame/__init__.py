"""One decoded picture, as planes."""

from horizon_rt.frame.frame import Frame
from horizon_rt.frame.planes import ColourMatrix, DevicePlane, Plane, Sampling

__all__ = ["ColourMatrix", "DevicePlane", "Frame", "Plane", "Sampling"]
