"""ROS camera_info: the YAML of camera_calibration_parsers, and a printed sensor_msgs/CameraInfo message.

Distortion models as in sensor_msgs/distortion_models.hpp: plumb_bob (5 coefficients), rational_polynomial
(8), equidistant (4, Kannala–Brandt).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from horizon_rt.camera import opencv_storage
from horizon_rt.camera.fisheye import KannalaBrandt
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.camera.terms import brown_terms, fisheye_terms

__all__ = ["is_mine", "parse", "render"]

_KEYS = {"width": "image_width", "height": "image_height"}
_KEYS |= {"K": "camera_matrix", "k": "camera_matrix"}
_KEYS |= {"D": "distortion_coefficients", "d": "distortion_coefficients"}


def is_mine(values: Mapping[str, Any]) -> bool:
    """Whether a parsed file has the keys that OpenCV's do not have."""
    return "projection_matrix" in values or bool({"K", "k"} & set(values))


def parse(values: Mapping[str, Any], *, name: str) -> CameraProfile:
    """Profile of a parsed file. Raises CameraModelError."""
    named = {_KEYS.get(key, key): value for key, value in values.items()}
    return opencv_storage.parse(named, name=name, source="ROS camera_info")


def render(profile: CameraProfile) -> str:
    """YAML that camera_calibration_parsers and `parse` read; raises CameraModelError for another lens."""
    model = profile.model
    if isinstance(model.distortion, KannalaBrandt):
        kind, terms = "equidistant", fisheye_terms(model.distortion, where="ROS camera_info")
    else:
        terms = brown_terms(model.distortion, most=8, where="ROS camera_info")
        kind = "plumb_bob" if len(terms) == 5 else "rational_polynomial"
    matrix = (model.fx, 0.0, model.cx, 0.0, model.fy, model.cy, 0.0, 0.0, 1.0)
    projection = (model.fx, 0.0, model.cx, 0.0, 0.0, model.fy, model.cy, 0.0, 0.0, 0.0, 1.0, 0.0)
    lines = [f"image_width: {model.width}", f"image_height: {model.height}"]
    lines += [f"camera_name: {json.dumps(profile.name, ensure_ascii=False)}"]
    lines += _matrix("camera_matrix", 3, matrix)
    lines += [f"distortion_model: {kind}", *_matrix("distortion_coefficients", 1, terms)]
    lines += _matrix("rectification_matrix", 3, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    return "\n".join([*lines, *_matrix("projection_matrix", 3, projection), ""])


def _matrix(key: str, rows: int, values: Sequence[float]) -> list[str]:
    data = ", ".join(repr(float(value)) for value in values)
    return [f"{key}:", f"  rows: {rows}", f"  cols: {len(values) // rows}", f"  data: [{data}]"]
