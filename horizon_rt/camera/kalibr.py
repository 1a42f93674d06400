"""Kalibr's camchain.yaml: cameras cam0, cam1, … of which the first is read.

Pinhole cameras with the distortions radtan (k1, k2, p1, p2), equidistant (k1 to k4) and none
(github.com/ethz-asl/kalibr/wiki/yaml-formats).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from horizon_rt.camera import documents, fields
from horizon_rt.camera.camera import Camera
from horizon_rt.camera.distortion import NO_DISTORTION, Distortion, NoDistortion
from horizon_rt.camera.fisheye import KannalaBrandt
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.camera.terms import brown_conrady, brown_terms, fisheye_lens, fisheye_terms
from horizon_rt.errors import CameraModelError

__all__ = ["is_mine", "parse", "render"]

_CAMERA = re.compile(r"cam\d{1,3}")


def _cameras(values: Mapping[str, Any]) -> list[str]:
    found = [key for key in values if isinstance(key, str) and _CAMERA.fullmatch(key)]
    return sorted(found, key=lambda key: int(key[3:]))


def is_mine(values: Mapping[str, Any]) -> bool:
    """Whether a parsed file has cameras by Kalibr's names."""
    return bool(_cameras(values))


def parse(values: Mapping[str, Any], *, name: str) -> CameraProfile:
    """Profile of the first camera of a parsed file. Raises CameraModelError."""
    cameras = _cameras(values)
    one = fields.table(values, cameras[0])
    kind = documents.scalar(one, "camera_model")
    lens, size = documents.numbers(one, "intrinsics"), documents.numbers(one, "resolution")
    if kind == "omni" and len(lens) == 5 and lens[0] == 0:
        kind, lens = "pinhole", lens[1:]  # without a mirror it is one
    if kind != "pinhole":
        raise CameraModelError(f"Kalibr's camera_model {fields.shown(kind)} is not supported; pinhole is")
    if len(lens) != 4 or len(size) != 2:
        raise CameraModelError(
            f"a pinhole has 4 intrinsics and 2 numbers of resolution, got {len(lens)} and {len(size)}"
        )
    fx, fy, cx, cy = lens
    width, height = fields.image_size({"width": size[0], "height": size[1]}, "width", "height")
    of = f", {cameras[0]} of {len(cameras)}" if len(cameras) > 1 else ""
    return CameraProfile(
        name=name,
        model=Camera(width=width, height=height, fx=fx, fy=fy, cx=cx, cy=cy, distortion=_distortion(one)),
        source=f"Kalibr camchain{of}",
    )


def _distortion(one: Mapping[str, Any]) -> Distortion:
    kind = documents.scalar(one, "distortion_model")
    if kind == "none":
        return NO_DISTORTION
    terms = documents.numbers(one, "distortion_coeffs")
    if kind in ("equidistant", "equi"):
        return fisheye_lens(terms)
    if kind != "radtan":
        raise CameraModelError(
            f"Kalibr's distortion_model {fields.shown(kind)} is not supported; radtan, equidistant and none "
            "are"
        )
    if len(terms) != 4:
        raise CameraModelError(f"radtan has 4 distortion coefficients, got {len(terms)}")
    return brown_conrady(terms)


def render(profile: CameraProfile) -> str:
    """YAML that Kalibr and `parse` read; raises CameraModelError for a lens that it does not have."""
    model = profile.model
    kind, terms = _terms(model.distortion)
    lines = ["cam0:", "  camera_model: pinhole", f"  intrinsics: [{_listed(model.intrinsics)}]"]
    lines += [f"  distortion_model: {kind}", f"  distortion_coeffs: [{_listed(terms)}]"]
    lines += [f"  resolution: [{model.width}, {model.height}]", "  rostopic: /cam0/image_raw", ""]
    return "\n".join(lines)


def _terms(distortion: Distortion) -> tuple[str, tuple[float, ...]]:
    if isinstance(distortion, NoDistortion):
        return "none", ()
    if isinstance(distortion, KannalaBrandt):
        return "equidistant", fisheye_terms(distortion, where="Kalibr's format")
    *terms, k3 = brown_terms(distortion, most=5, where="Kalibr's radtan")
    if k3 != 0:
        raise CameraModelError("Kalibr's radtan holds no k3 and this lens has one; write .toml")
    return "radtan", tuple(terms)


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(repr(float(value)) for value in values)
