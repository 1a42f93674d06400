"""OpenCV's calibration files, as written by cv2.FileStorage and by OpenCV's calibration sample.

ROS camera_info files carry the same keys and are read too. OpenCV writes `%YAML:1.0`, which is no valid
YAML directive, and tags its matrices `!!opencv-matrix`: the first line is dropped and tags are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from itertools import accumulate
from typing import Any

from horizon_rt.camera import fields
from horizon_rt.camera.brown import BrownConrady, Coefficients
from horizon_rt.camera.camera import Camera
from horizon_rt.camera.distortion import NO_DISTORTION, Distortion, NoDistortion
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.errors import CameraModelError
from horizon_rt.geometry import Mount

__all__ = ["looks_like", "parse", "render"]

_KEY = re.compile(r"^\s*[\"']?(camera_matrix|distortion_coefficients|fisheye_model)[\"']?\s*:", re.MULTILINE)
_DEEPEST = 32
_SUPPORTED_MODELS = ("plumb_bob", "brown_conrady", "pinhole", "none", "")


def looks_like(text: str) -> bool:
    """Whether this is an OpenCV or ROS calibration rather than TOML."""
    return text.startswith(("%YAML", "<?xml")) or _KEY.search(text) is not None


def parse(text: str, *, name: str) -> CameraProfile:
    """Profile of an OpenCV YAML or JSON text. Raises CameraModelError."""
    values = _mapping(text)
    _refuse_fisheye(values)
    size = fields.image_size(values, "image_width", "image_height")
    fx, fy, cx, cy = _intrinsics(values)
    distortion = _distortion(values)
    model = Camera(width=size[0], height=size[1], fx=fx, fy=fy, cx=cx, cy=cy, distortion=distortion)
    rms = values.get("avg_reprojection_error", values.get("rms_px"))
    return CameraProfile(
        name=_line(values.get("name", values.get("camera_name")), name),
        model=model,
        rms_px=None if rms is None else fields.number({"rms": rms}, "rms"),
        source=_line(values.get("source"), "OpenCV calibration file"),
        assumed=_is_set(values, "assumed"),
        mount=_mount(values),
    )


def render(profile: CameraProfile) -> str:
    """Text that cv2.FileStorage and `parse` read; the lens is kept bit for bit."""
    model = profile.model
    camera = (model.fx, 0.0, model.cx, 0.0, model.fy, model.cy, 0.0, 0.0, 1.0)
    lines = ["%YAML:1.0", "---", f'name: "{_escaped(profile.name)}"', f'source: "{_escaped(profile.source)}"']
    lines += [f"image_width: {model.width}", f"image_height: {model.height}"]
    lines += [f"assumed: {int(profile.assumed)}"]
    lines += _matrix("camera_matrix", 3, camera)
    lines += _matrix("distortion_coefficients", 1, _coefficients(model.distortion))
    lines += [] if profile.mount is None else _matrix("mount_deg", 1, astuple(profile.mount))
    lines += [] if profile.rms_px is None else [f"avg_reprojection_error: {float(profile.rms_px)!r}"]
    return "\n".join([*lines, ""])


def _mapping(text: str) -> Mapping[str, Any]:
    import yaml

    if text.startswith("<?xml"):
        raise CameraModelError("OpenCV XML files are not read: write the calibration as .yml")
    body = text.partition("\n")[2] if text.startswith("%YAML") else text
    # A base loader makes no objects of tags. That in C is fast, but overflows its stack on deep nesting.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        depths = accumulate(_step(event) for event in yaml.parse(body, Loader=loader))
        if any(depth > _DEEPEST for depth in depths):
            raise ValueError
        values = yaml.load(body, Loader=loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise CameraModelError("not a readable YAML file") from error
    if not isinstance(values, Mapping):
        raise CameraModelError("not an OpenCV calibration: it holds no keys")
    return values


def _step(event: object) -> int:
    """Up or down that an event of YAML goes, starts and ends of the stream and of documents included."""
    name = type(event).__name__
    return name.endswith("StartEvent") - name.endswith("EndEvent")


def _refuse_fisheye(values: Mapping[str, Any]) -> None:
    kind = _scalar(values, "distortion_model")
    if _is_set(values, "fisheye_model") or kind in ("fisheye", "equidistant"):
        raise CameraModelError("fisheye lenses are not supported yet")
    if kind not in _SUPPORTED_MODELS and kind != "rational_polynomial":
        raise CameraModelError(f"distortion model {fields.shown(kind)} is not supported; plumb_bob is")


def _is_set(values: Mapping[str, Any], key: str) -> bool:
    return _scalar(values, key) not in ("0", "0.", "false", "")


def _scalar(values: Mapping[str, Any], key: str) -> str:
    """The text of a value in small letters, empty where there is none.

    A list is refused unseen: a few aliases of aliases make one whose text would fill the memory.
    """
    value = values.get(key, "")
    if not isinstance(value, str):
        raise CameraModelError(f"'{key}' must be text or a number, got {fields.shown(value)}")
    return value.strip().lower()


def _intrinsics(values: Mapping[str, Any]) -> tuple[float, float, float, float]:
    matrix = _numbers(values, "camera_matrix")
    if len(matrix) != 9:
        raise CameraModelError(f"'camera_matrix' must have 3x3 numbers, got {len(matrix)}")
    fx, skew, cx, zero, fy, cy, *last = matrix
    if abs(skew) > 1e-6 * abs(fx) or zero != 0 or last != [0.0, 0.0, 1.0]:
        raise CameraModelError("'camera_matrix' must be [fx 0 cx; 0 fy cy; 0 0 1]; skew is not supported")
    return fx, fy, cx, cy


def _coefficients(distortion: Distortion) -> Coefficients:
    """(k1, k2, p1, p2, k3); raises CameraModelError for a lens that has others."""
    if isinstance(distortion, NoDistortion):
        return 0.0, 0.0, 0.0, 0.0, 0.0
    if isinstance(distortion, BrownConrady):
        return distortion.coefficients
    raise CameraModelError(f"OpenCV's format holds no {distortion.name} lens here; write .toml")


def _distortion(values: Mapping[str, Any]) -> Distortion:
    """k1, k2, p1, p2 and k3, or no distortion where all are zero."""
    terms = _numbers(values, "distortion_coefficients")
    if len(terms) not in (0, 4, 5, 8, 12, 14):
        raise CameraModelError(f"4 or 5 distortion coefficients are supported, got {len(terms)}")
    if any(term != 0 for term in terms[5:]):
        raise CameraModelError(
            "distortion beyond k1 k2 p1 p2 k3 is not supported: calibrate with 5 coefficients"
        )
    if not any(term != 0 for term in terms):
        return NO_DISTORTION
    k1, k2, p1, p2, k3 = (*terms, 0.0)[:5]
    return BrownConrady(k1=k1, k2=k2, p1=p1, p2=p2, k3=k3)


def _mount(values: Mapping[str, Any]) -> Mount | None:
    """Roll, pitch and yaw, which this program alone writes."""
    if "mount_deg" not in values:
        return None
    angles = _numbers(values, "mount_deg")
    if len(angles) != len(fields.MOUNT_ANGLES):
        raise CameraModelError(f"'mount_deg' must have {len(fields.MOUNT_ANGLES)} numbers, got {len(angles)}")
    return fields.mount(dict(zip(fields.MOUNT_ANGLES, angles, strict=True)))


def _numbers(values: Mapping[str, Any], key: str) -> list[float]:
    """The numbers of a matrix written as a table with `data`, or as plain or nested lists."""
    matrix = values.get(key)
    data = matrix.get("data") if isinstance(matrix, Mapping) else matrix
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise CameraModelError(f"'{key}' is missing or not a matrix")
    if len(data) > 64:
        raise CameraModelError(f"'{key}' is too large for a matrix of a lens: {len(data)} numbers")
    nested = [row if isinstance(row, list) else [row] for row in data]
    return [fields.number({key: item}, key) for row in nested for item in row[:64]]


def _line(value: object, default: str) -> str:
    return value if isinstance(value, str) and value and value.isprintable() else default


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _matrix(key: str, rows: int, values: Sequence[float]) -> list[str]:
    data = ", ".join(repr(float(value)) for value in values)
    head = f"{key}: !!opencv-matrix"
    return [head, f"   rows: {rows}", f"   cols: {len(values) // rows}", "   dt: d", f"   data: [ {data} ]"]
