"""Lens models and camera profiles."""

from horizon_rt.camera.model import BrownConrady, CameraModel, Pinhole

__all__ = ["BrownConrady", "CameraModel", "Pinhole"]
