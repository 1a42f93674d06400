"""OpenCV's calibration files, as written by cv2.FileStorage and by OpenCV's calibration sample.

YAML begins with `%YAML:1.0`, and matrices are tagged `!!opencv-matrix`; JSON has the same keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

from horizon_rt.camera import documents, fields
from horizon_rt.camera.camera import Camera
from horizon_rt.camera.distortion import Distortion
from horizon_rt.camera.fisheye import KannalaBrandt
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.camera.terms import brown_conrady, brown_terms, fisheye_lens, fisheye_terms
from horizon_rt.errors import CameraModelError
from horizon_rt.geometry import Mount

__all__ = ["parse", "render", "render_json"]

_BROWN = ("plumb_bob", "rational_polynomial", "brown_conrady", "radtan", "radial-tangential", "pinhole")
_NONE, _FISHEYE = ("none", ""), ("equidistant", "fisheye", "kannala_brandt")


def parse(values: Mapping[str, Any], *, name: str, source: str = "OpenCV calibration file") -> CameraProfile:
    """Profile of a parsed file. Raises CameraModelError."""
    # OpenCV 3 wrote image_Width and Camera_Matrix.
    values = {key.lower(): value for key, value in values.items() if isinstance(key, str)}
    width, height = fields.image_size(values, "image_width", "image_height")
    lens = documents.intrinsics(values, "camera_matrix")
    model = Camera(width=width, height=height, **lens, distortion=_distortion(values))
    rms = values.get("avg_reprojection_error", values.get("rms_px"))
    readout = values.get("readout_s")
    return CameraProfile(
        name=documents.line(values.get("name", values.get("camera_name")), name),
        model=model,
        rms_px=None if rms is None else fields.number({"rms": rms}, "rms"),
        source=documents.line(values.get("source"), source),
        assumed=documents.is_set(values, "assumed"),
        mount=_mount(values),
        readout_s=None if readout is None else fields.number(values, "readout_s"),
    )


def _distortion(values: Mapping[str, Any]) -> Distortion:
    kind, terms = (
        documents.scalar(values, "distortion_model"),
        documents.numbers(values, "distortion_coefficients"),
    )
    if documents.is_set(values, "fisheye_model") or kind in _FISHEYE:
        return fisheye_lens(terms)
    if kind not in (*_BROWN, *_NONE):
        raise CameraModelError(
            f"distortion model {fields.shown(kind)} is not supported; plumb_bob, rational_polynomial and "
            "equidistant are"
        )
    return brown_conrady(terms)


def _mount(values: Mapping[str, Any]) -> Mount | None:
    """Roll, pitch and yaw, which this program alone writes."""
    if "mount_deg" not in values:
        return None
    angles = documents.numbers(values, "mount_deg")
    if len(angles) != len(fields.MOUNT_ANGLES):
        raise CameraModelError(f"'mount_deg' must have {len(fields.MOUNT_ANGLES)} numbers, got {len(angles)}")
    return fields.mount(dict(zip(fields.MOUNT_ANGLES, angles, strict=True)))


def render(profile: CameraProfile) -> str:
    """YAML that cv2.FileStorage and `parse` read; the lens is kept bit for bit."""
    lines = ["%YAML:1.0", "---"]
    for key, value in _values(profile).items():
        lines += _yaml_matrix(key, *value) if isinstance(value, tuple) else [f"{key}: {_yaml(value)}"]
    return "\n".join([*lines, ""])


def render_json(profile: CameraProfile) -> str:
    """JSON that cv2.FileStorage and `parse` read; the lens is kept bit for bit."""
    values = {
        key: _json_matrix(*value) if isinstance(value, tuple) else value
        for key, value in _values(profile).items()
    }
    return json.dumps(values, indent=4, ensure_ascii=False) + "\n"


def _values(profile: CameraProfile) -> dict[str, Any]:
    """What is written; a matrix as its rows and its numbers."""
    model = profile.model
    is_fisheye = isinstance(model.distortion, KannalaBrandt)
    if isinstance(model.distortion, KannalaBrandt):
        terms: Sequence[float] = fisheye_terms(model.distortion, where="OpenCV's format")
    else:
        terms = brown_terms(model.distortion, most=14, where="OpenCV's format")
    values: dict[str, Any] = {"name": profile.name, "source": profile.source}
    values |= {"image_width": model.width, "image_height": model.height, "assumed": int(profile.assumed)}
    values["camera_matrix"] = 3, (model.fx, 0.0, model.cx, 0.0, model.fy, model.cy, 0.0, 0.0, 1.0)
    values["distortion_coefficients"] = 1, terms
    values |= {"fisheye_model": 1} if is_fisheye else {}
    values |= {} if profile.mount is None else {"mount_deg": (1, astuple(profile.mount))}
    values |= {} if profile.rms_px is None else {"avg_reprojection_error": float(profile.rms_px)}
    return values | ({} if profile.readout_s is None else {"readout_s": float(profile.readout_s)})


def _yaml(value: str | float) -> str:
    if not isinstance(value, str):
        return repr(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _yaml_matrix(key: str, rows: int, values: Sequence[float]) -> list[str]:
    data = ", ".join(repr(float(value)) for value in values)
    head = f"{key}: !!opencv-matrix"
    return [head, f"   rows: {rows}", f"   cols: {len(values) // rows}", "   dt: d", f"   data: [ {data} ]"]


def _json_matrix(rows: int, values: Sequence[float]) -> dict[str, Any]:
    data = [float(value) for value in values]
    return {"type_id": "opencv-matrix", "rows": rows, "cols": len(data) // rows, "dt": "d", "data": data}
