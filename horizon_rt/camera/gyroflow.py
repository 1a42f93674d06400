"""Gyroflow's lens profiles (JSON), and the one inside a .gyroflow project.

Read are the models `opencv_fisheye` (k1 to k4) and `opencv_standard` (up to 12 of OpenCV's coefficients). The
principal point of a profile that is not marked `asymmetrical` is the picture's centre, as Gyroflow has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from horizon_rt._version import __version__
from horizon_rt.camera import documents, fields
from horizon_rt.camera.camera import Camera
from horizon_rt.camera.distortion import Distortion
from horizon_rt.camera.fisheye import KannalaBrandt
from horizon_rt.camera.profile import LONGEST_READOUT_S, CameraProfile
from horizon_rt.camera.terms import brown_conrady, brown_terms, fisheye_lens, fisheye_terms
from horizon_rt.errors import CameraModelError

__all__ = ["is_mine", "parse", "render"]

_NAME_PARTS = ("camera_brand", "camera_model", "lens_model", "camera_setting")


def is_mine(values: Mapping[str, Any]) -> bool:
    """Whether a parsed file has the keys of a lens profile, or of a project."""
    return "fisheye_params" in values or "calibration_data" in values


def parse(values: Mapping[str, Any], *, name: str) -> CameraProfile:
    """Profile of a parsed file. Raises CameraModelError."""
    if "calibration_data" in values:
        values = fields.table(values, "calibration_data")
    _refuse_warps(values)
    width, height = fields.image_size(fields.table(values, "calib_dimension"), "w", "h")
    kind, parameters = _parameters(values)
    lens = documents.intrinsics(parameters, "camera_matrix")
    if not documents.is_set(values, "asymmetrical"):
        lens |= {"cx": width / 2, "cy": height / 2}
    rms = fields.number(parameters, "RMS_error", 0.0)
    readout_s, note = _readout(values)
    return CameraProfile(
        name=documents.line(values.get("name"), _joined(values) or name),
        model=Camera(width=width, height=height, **lens, distortion=_distortion(kind, parameters)),
        rms_px=rms if rms > 0 else None,
        source=documents.line(values.get("note"), "Gyroflow lens profile") + note,
        readout_s=readout_s,
    )


def _refuse_warps(values: Mapping[str, Any]) -> None:
    """A stretched or digitally bent picture is none of the lens alone."""
    for key in ("input_horizontal_stretch", "input_vertical_stretch"):
        if values.get(key) is not None and fields.number(values, key) not in (0.0, 1.0):
            raise CameraModelError(f"'{key}' of {fields.shown(values[key])} is not supported; 1 is")
    if lens := documents.scalar(values, "digital_lens"):
        raise CameraModelError(f"the digital lens {fields.shown(lens)} is not supported; film without it")


def _parameters(values: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The distortion model, and the table of the lens."""
    kind = documents.scalar(values, "distortion_model")
    old = not kind and documents.is_set(values, "use_opencv_standard")
    if old and not documents.is_set(values, "use_opencv_fisheye"):
        return "opencv_standard", fields.table(values, "calib_params")
    return kind or "opencv_fisheye", fields.table(values, "fisheye_params")


def _distortion(kind: str, parameters: Mapping[str, Any]) -> Distortion:
    terms = documents.numbers(parameters, "distortion_coeffs")
    if kind == "opencv_fisheye":
        return fisheye_lens(terms)
    if kind == "opencv_standard":
        return brown_conrady(terms)
    raise CameraModelError(
        f"Gyroflow's distortion_model {fields.shown(kind)} is not supported; opencv_fisheye and "
        "opencv_standard are"
    )


def _readout(values: Mapping[str, Any]) -> tuple[float | None, str]:
    """The readout time in s, and what to say of one that a profile does not hold."""
    if values.get("frame_readout_time") is None:
        return None, ""
    readout_ms = fields.number(values, "frame_readout_time")
    if readout_ms == 0 or 0 < readout_ms <= 1e3 * LONGEST_READOUT_S:
        return readout_ms / 1e3, ""
    return None, f" (readout of {readout_ms:g} ms left out)"


def _joined(values: Mapping[str, Any]) -> str:
    parts = [documents.line(values.get(key), "") for key in _NAME_PARTS]
    return " ".join(part for part in parts if part)


def render(profile: CameraProfile) -> str:
    """JSON that Gyroflow and `parse` read; raises CameraModelError for a lens that it does not have."""
    model = profile.model
    if isinstance(model.distortion, KannalaBrandt):
        kind, terms = "opencv_fisheye", fisheye_terms(model.distortion, where="Gyroflow's format")
    else:
        kind, terms = "opencv_standard", brown_terms(model.distortion, most=12, where="Gyroflow's format")
    size = {"w": model.width, "h": model.height}
    matrix = [[model.fx, 0.0, model.cx], [0.0, model.fy, model.cy], [0.0, 0.0, 1.0]]
    values: dict[str, Any] = {
        "name": profile.name,
        "note": profile.source,
        "calibrated_by": "horizon-rt",
        "camera_brand": "",
        "camera_model": profile.name,
        "lens_model": "",
        "camera_setting": "",
        "calib_dimension": size,
        "orig_dimension": size,
        "output_dimension": size,
        "frame_readout_time": None if profile.readout_s is None else 1e3 * profile.readout_s,
        "input_horizontal_stretch": 1.0,
        "input_vertical_stretch": 1.0,
        "num_images": 0,
        "fps": 0.0,
        "official": False,
        "asymmetrical": True,
        "fisheye_params": {
            "RMS_error": profile.rms_px or 0.0,
            "camera_matrix": matrix,
            "distortion_coeffs": list(terms),
        },
        "distortion_model": kind,
        "identifier": "",
        "calibrator_version": f"horizon-rt {__version__}",
        "compatible_settings": [],
    }
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
