"""Lens models, camera profiles, and calibration from a chessboard."""

from horizon_rt.camera.brown import BrownConrady
from horizon_rt.camera.camera import Camera
from horizon_rt.camera.distortion import DISTORTIONS, NO_DISTORTION, Distortion, coefficients_of
from horizon_rt.camera.fisheye import KannalaBrandt
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.camera.profile_files import load_profile, profile_names, profiles_folder, save_profile

__all__ = [
    "DISTORTIONS",
    "NO_DISTORTION",
    "BrownConrady",
    "Camera",
    "CameraProfile",
    "Distortion",
    "KannalaBrandt",
    "coefficients_of",
    "load_profile",
    "profile_names",
    "profiles_folder",
    "save_profile",
]
