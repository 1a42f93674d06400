"""Checked reading of values from a parsed profile, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from horizon_rt.errors import CameraModelError
from horizon_rt.geometry import Mount

__all__ = ["MOUNT_ANGLES", "image_size", "mount", "number", "shown", "table"]

MOUNT_ANGLES = ("roll_deg", "pitch_deg", "yaw_deg")
"""The keys of a mount."""
_LARGEST_SIDE = 65536


def shown(value: object) -> str:
    """A foreign value in at most one short line."""
    text = ascii(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."


def table(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The table `key`; raises CameraModelError if it is missing or not a table."""
    found = values.get(key)
    if not isinstance(found, Mapping):
        raise CameraModelError(f"'{key}' is missing or not a table")
    return found


def number(values: Mapping[str, Any], key: str, default: float | None = None) -> float:
    """The number `key`, also when written as text; raises CameraModelError without one or a default."""
    value = values.get(key, default)
    if value is None:
        raise CameraModelError(f"'{key}' is missing")
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise CameraModelError(f"'{key}' must be a number, got {shown(value)}") from error


def image_size(values: Mapping[str, Any], width: str, height: str) -> tuple[int, int]:
    """Two whole numbers of pixels, 1..65536; raises CameraModelError."""
    size = number(values, width), number(values, height)
    if not all(1 <= side <= _LARGEST_SIDE and side == int(side) for side in size):
        raise CameraModelError(f"the image size must be whole pixels, 1..{_LARGEST_SIDE}, got {size}")
    return int(size[0]), int(size[1])


def mount(values: Mapping[str, Any]) -> Mount:
    """The mount of roll_deg, pitch_deg and yaw_deg (0 if missing); raises CameraModelError."""
    if unknown := sorted(set(values) - set(MOUNT_ANGLES)):
        raise CameraModelError(
            f"unknown key {shown(unknown[0])} of a mount; known are {', '.join(MOUNT_ANGLES)}"
        )
    roll, pitch = number(values, "roll_deg"), number(values, "pitch_deg")
    try:
        return Mount(roll_deg=roll, pitch_deg=pitch, yaw_deg=number(values, "yaw_deg", 0.0))
    except ValueError as error:
        raise CameraModelError(str(error)) from error
