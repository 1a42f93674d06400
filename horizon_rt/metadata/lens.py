"""The lens by a file's own metadata, else by the model of its camera."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from horizon_rt.camera import Camera, KannalaBrandt
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.metadata.gpmf import items
from horizon_rt.metadata.nominal import nominal_of
from horizon_rt.metadata.picture import picture_data
from horizon_rt.metadata.quicktime import user_data

__all__ = ["METADATA", "FoundLens", "lens_of_file", "lens_of_pictures"]

METADATA = "metadata"
"""The name of a profile that was found."""
_FILM_WIDTH_MM, _FILM_DIAGONAL_MM = 36.0, math.hypot(36.0, 24.0)
_PHOTO_SD, _VIDEO_SD, _LINEAR_SD, _BENT_SD, _WIDE_SD = 0.06, 0.12, 0.06, 0.08, 0.15  # docs/uncertainty.md
_FOCAL_KEYS = (
    "com.apple.quicktime.camera.focal_length.35mm_equivalent",
    "com.apple.quicktime.focal_length.35mm_equivalent",
)
_MODEL_KEYS = ("com.apple.quicktime.model", "com.android.model", "model")
_MODEL_BOXES = (b"\xa9mdl", b"\xa9mod", b"modl")
_STRAIGHT, _BENT = ("L", "N"), ("W", "M")
"""GoPro's fields of view in which straight lines stay straight, or nearly so, and those whose picture is what
the lens draws, or the middle of that; the others are stretched.
"""
_GOPRO = KannalaBrandt(k1=0.03140, k2=0.05974, k3=-0.04337, k4=0.00992)
"""HERO11, Wide, in its tallest format, as published with Gyroflow (gyroflow/lens_profiles,
GoPro_HERO11 Black_Wide_8by7); the other formats are its middle.
"""
_LARGEST_BENT_DEG = 160.0
"""The diagonal up to which that lens is known, and a little more."""
_MOST_PICTURES = 16
_FOCAL_MM = (4.0, 3000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLens:
    """A focal length by the longer side of the picture, its standard deviation as a share of it, who says
    so, in a line, and how the lens bends lines, where that is known.
    """

    focal_share: float
    sd: float
    source: str
    distortion: KannalaBrandt | None = None

    def profile(self, width: int, height: int) -> CameraProfile:
        """The assumed lens for pictures of this size."""
        hfov_deg = math.degrees(2 * math.atan(0.5 / self.focal_share))
        model = replace(Camera.from_fov(width, height, hfov_deg), focal_sd=self.sd)
        if self.distortion is not None:
            model = replace(model, distortion=self.distortion)
        return CameraProfile(name=METADATA, model=model, source=self.source[:900], assumed=True)


def lens_of_pictures(pictures: Sequence[Path], width: int, height: int) -> FoundLens | None:
    """The lens that pictures agree on, by some of them; None where they do not, or say nothing."""
    step = max(1, len(pictures) // _MOST_PICTURES)
    found = {_of_picture(path, width, height) for path in pictures[::step][:_MOST_PICTURES]}
    return found.pop() if len(found) == 1 else None


def lens_of_file(path: Path, width: int, height: int) -> FoundLens | None:
    """The lens of a video; None where its metadata say nothing of it."""
    if not path.is_file():  # a pipe gives its data once
        return None
    try:
        data = user_data(path)
    except OSError:
        return None
    gopro = _of_gopro(data.boxes.get(b"GPMF", b""), width, height)
    if gopro is not None:
        return gopro
    for key in _FOCAL_KEYS:
        if (focal := _focal(data.keys.get(key))) is not None:
            share = focal / _FILM_WIDTH_MM
            return FoundLens(
                focal_share=share, sd=_VIDEO_SD, source=f"{focal:g} mm on 35 mm film, by its metadata"
            )
    names = [str(data.keys[key]) for key in _MODEL_KEYS if key in data.keys]
    names += [_text(data.boxes[box]) for box in _MODEL_BOXES if box in data.boxes]
    return next((lens for name in names if (lens := _of_model(name)) is not None), None)


def _of_picture(path: Path, width: int, height: int) -> FoundLens | None:
    try:
        data = picture_data(path)
    except OSError:
        return None
    focal = _focal(data.focal_35mm)
    if (gopro := _of_gopro(data.gpmf, width, height)) is not None or focal is None:
        return gopro or _of_model(data.model)
    share = focal / _FILM_DIAGONAL_MM * math.hypot(width, height) / max(width, height)
    return FoundLens(focal_share=share, sd=_PHOTO_SD, source=f"{focal:g} mm on 35 mm film, by its EXIF data")


def _of_gopro(data: bytes, width: int, height: int) -> FoundLens | None:
    """By the diagonal field of view (ZFOV). A lens that is not linear bends as `_GOPRO` does; where the
    picture is stretched, its focal length near the axis is taken, as if it were equidistant.
    """
    values = {item.key: item for item in items(data)}
    fov_deg = values[b"ZFOV"].number if b"ZFOV" in values else None
    if fov_deg is None or not 10 <= fov_deg <= 175:
        return None
    kind = values[b"VFOV"].text if b"VFOV" in values else ""
    half, diagonal = math.radians(fov_deg) / 2, math.hypot(width, height) / max(width, height)
    lens, radius, sd = None, half, _WIDE_SD
    if kind in _STRAIGHT:
        radius, sd = math.tan(half), _LINEAR_SD
    elif kind in _BENT and fov_deg <= _LARGEST_BENT_DEG:
        edge = np.array([[math.sin(half), 0.0, math.cos(half)]])
        lens, radius, sd = _GOPRO, float(_GOPRO.project(edge)[0, 0]), _BENT_SD
    model = values[b"MINF"].text if b"MINF" in values else ""
    name = f"GoPro {model}".strip() if model.isprintable() else "GoPro"
    source = f"{name}, diagonal field of view of {fov_deg:.4g}° by its metadata"
    return FoundLens(focal_share=diagonal / 2 / radius, sd=sd, source=source, distortion=lens)


def _of_model(model: str) -> FoundLens | None:
    nominal = nominal_of(model)
    if nominal is None:
        return None
    source = f"{nominal.name}, nominally {nominal.focal_35mm:g} mm on 35 mm film ({nominal.source})"
    return FoundLens(focal_share=nominal.focal_35mm / _FILM_WIDTH_MM, sd=_VIDEO_SD, source=source)


def _focal(value: object) -> float | None:
    try:
        focal = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return focal if _FOCAL_MM[0] <= focal <= _FOCAL_MM[1] else None


def _text(box: bytes) -> str:
    """Of a user data text: QuickTime's with its length and language before it, or plain."""
    length = int.from_bytes(box[:2], "big")
    body = box[4 : 4 + length] if 4 + length <= len(box) and length else box
    return body.decode("utf-8", "replace").strip("\0 ")
