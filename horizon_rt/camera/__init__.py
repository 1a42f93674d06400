"""Lens models, camera profiles, and calibration from a chessboard."""

from horizon_rt.camera.model import BrownConrady, CameraModel, Pinhole
from horizon_rt.camera.profile import (
    CameraProfile,
    load_profile,
    profile_names,
    profiles_folder,
    save_profile,
)

__all__ = [
    "BrownConrady",
    "CameraModel",
    "CameraProfile",
    "Pinhole",
    "load_profile",
    "profile_names",
    "profiles_folder",
    "save_profile",
]
