"""This project's profile format, TOML; its keys are documented in calibration/README.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from horizon_rt.camera import fields
from horizon_rt.camera.camera import Camera
from horizon_rt.camera.distortion import DISTORTIONS, coefficients_of
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.errors import CameraModelError
from horizon_rt.system.toml import parse_toml

__all__ = ["FORMAT", "parse", "render"]

FORMAT = "horizon-rt-camera/1"
_LARGEST_TEXT, _LONGEST_LINE = 32768, 2048
_MATRIX = ("fx", "fy", "cx", "cy")
_KEYS = {
    "": {"format", "name", "source", "assumed", "rms_px", "readout_s", "image", "lens", "mount"},
    "image": {"width", "height"},
}


def parse(text: str, *, name: str) -> CameraProfile:
    """Profile of a TOML text; `name` stands in for a missing one. Raises CameraModelError."""
    values = _tables(text)
    return CameraProfile(
        name=_text(values, "name", name),
        model=_model(fields.table(values, "image"), fields.table(values, "lens")),
        rms_px=fields.number(values, "rms_px") if "rms_px" in values else None,
        readout_s=fields.number(values, "readout_s") if "readout_s" in values else None,
        source=_text(values, "source", ""),
        assumed=_flag(values, "assumed"),
        mount=fields.mount(fields.table(values, "mount")) if "mount" in values else None,
    )


def render(profile: CameraProfile) -> str:
    """TOML text that `parse` reads back to the same profile, bit for bit."""
    model = profile.model
    lines = [f'format = "{FORMAT}"', f"name = {_quoted(profile.name)}", f"source = {_quoted(profile.source)}"]
    lines += [f"assumed = {str(profile.assumed).lower()}"]
    lines += [] if profile.rms_px is None else [f"rms_px = {float(profile.rms_px)!r}"]
    lines += [] if profile.readout_s is None else [f"readout_s = {float(profile.readout_s)!r}"]
    lines += ["", "[image]", f"width = {model.width}", f"height = {model.height}", "", "[lens]"]
    lines += [f'model = "{model.distortion.name}"']
    numbers = dict(zip(_MATRIX, model.intrinsics, strict=True)) | coefficients_of(model.distortion)
    numbers |= {"focal_sd": model.focal_sd} if model.focal_sd else {}
    lines += _numbers(numbers)
    lines += [] if profile.mount is None else ["", "[mount]", *_numbers(asdict(profile.mount))]
    return "\n".join([*lines, ""])


def _numbers(values: Mapping[str, float]) -> list[str]:
    return [f"{key} = {float(value)!r}" for key, value in values.items()]


def _tables(text: str) -> dict[str, Any]:
    try:
        values = parse_toml(text, largest=_LARGEST_TEXT, longest_line=_LONGEST_LINE)
    except ValueError as error:
        raise CameraModelError(
            f"neither a TOML profile nor one of OpenCV, ROS, Kalibr or Gyroflow: {fields.shown(str(error))}"
        ) from error
    if values.get("format") != FORMAT:
        raise CameraModelError(
            f'a profile starts with format = "{FORMAT}", got {fields.shown(values.get("format"))}'
        )
    _refuse_unknown(values, _KEYS[""])
    return values


def _refuse_unknown(values: Mapping[str, Any], known: set[str]) -> None:
    """A misspelt k1 must not become a lens without distortion."""
    if unknown := sorted(set(values) - known):
        raise CameraModelError(
            f"unknown key {fields.shown(unknown[0])}; known are {', '.join(sorted(known))}"
        )


def _model(image: Mapping[str, Any], lens: Mapping[str, Any]) -> Camera:
    _refuse_unknown(image, _KEYS["image"])
    size = fields.image_size(image, "width", "height")
    kind = lens.get("model")
    if not isinstance(kind, str) or kind not in DISTORTIONS:
        raise CameraModelError(f"lens.model is {' or '.join(DISTORTIONS)}, got {fields.shown(kind)}")
    focal_sd = fields.number(lens, "focal_sd", 0.0)
    if kind == "pinhole" and "hfov_deg" in lens:
        _refuse_unknown(lens, {"model", "hfov_deg", "focal_sd"})
        return replace(Camera.from_hfov(*size, fields.number(lens, "hfov_deg")), focal_sd=focal_sd)
    defaults = coefficients_of(DISTORTIONS[kind])
    _refuse_unknown(lens, {"model", "focal_sd", *_MATRIX, *defaults})
    fx, fy, cx, cy = (fields.number(lens, key) for key in _MATRIX)
    given = {key: fields.number(lens, key, default) for key, default in defaults.items()}
    distortion = DISTORTIONS[kind](**given)
    return Camera(
        width=size[0],
        height=size[1],
        fx=fx,
        fy=fy,
        cx=cx,
        cy=cy,
        distortion=distortion,
        focal_sd=focal_sd,
    )


def _text(values: Mapping[str, Any], key: str, default: str) -> str:
    value = values.get(key, default)
    if not isinstance(value, str):
        raise CameraModelError(f"'{key}' must be text, got {fields.shown(value)}")
    return value


def _flag(values: Mapping[str, Any], key: str) -> bool:
    value = values.get(key, False)
    if not isinstance(value, bool):
        raise CameraModelError(f"'{key}' must be true or false, got {fields.shown(value)}")
    return value


def _quoted(text: str) -> str:
    # A JSON string without escapes beyond ASCII's is a TOML basic string too.
    return json.dumps(text, ensure_ascii=False)
