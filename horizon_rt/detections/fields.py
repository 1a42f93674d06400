"""A box from named fields, under the names that detectors give them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from horizon_rt.detections.boxes import Box, corners
from horizon_rt.errors import DetectionsError

__all__ = ["box_of", "frame_of", "number", "numbers"]

_FRAME = ("frame", "frame_index", "frame_id", "frame_number", "image_id")
_FILE = ("file", "file_name", "filename", "image", "image_name", "path")
_EDGES = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
_SIZES = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))
_LARGEST_FRAME = 10**9
_LONGEST_NAME = 4096


def box_of(values: Mapping[str, Any]) -> Box:
    """The box of a record; names of fields may have capitals. Raises DetectionsError."""
    known = {str(name).strip().lower(): value for name, value in values.items()}
    return Box(_edges(known), frame=frame_of(known, _FRAME), file=_file(known), values=dict(values))


def number(value: Any, what: str) -> float:
    """A finite number, also when written as text; raises DetectionsError."""
    try:
        if isinstance(value, bool):
            raise TypeError
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise DetectionsError(f"{what} is a number, got {ascii(value)[:60]}")
    return found


def numbers(values: Any, what: str) -> tuple[float, float, float, float]:
    """Four numbers of a list, or of a text that holds one; raises DetectionsError."""
    if isinstance(values, str):
        values = values.strip(" []()").replace(",", " ").split()
    if not isinstance(values, (list, tuple)) or len(values) != 4:
        raise DetectionsError(f"{what} has four numbers, got {ascii(values)[:60]}")
    a, b, c, d = (number(value, what) for value in values)
    return a, b, c, d


def _edges(known: Mapping[str, Any]) -> tuple[float, float, float, float]:
    if "bbox" in known:  # as COCO has it
        return corners(*numbers(known["bbox"], "bbox"))
    if "box" in known:
        return numbers(known["box"], "box")
    for names in _EDGES:
        if all(name in known for name in names):
            return numbers([known[name] for name in names], ", ".join(names))
    for names in _SIZES:
        if all(name in known for name in names):
            return corners(*numbers([known[name] for name in names], ", ".join(names)))
    raise DetectionsError("a box needs x1, y1, x2, y2, or x, y, width, height, or bbox")


def frame_of(known: Mapping[str, Any], names: Iterable[str]) -> int | None:
    """The number of a frame under the first of these names that there is; raises DetectionsError."""
    for name in names:
        value = known.get(name)
        if value is None or (name == "image_id" and isinstance(value, str) and not value.isdecimal()):
            continue
        found = number(value, name)
        if found != int(found) or not 0 <= found <= _LARGEST_FRAME:
            raise DetectionsError(f"{name} is a whole number from 0 on, got {found:g}")
        return int(found)
    return None


def _file(known: Mapping[str, Any]) -> str | None:
    for name in (*_FILE, "image_id"):
        value = known.get(name)
        if isinstance(value, str) and value and not value.isdecimal():
            if len(value) > _LONGEST_NAME:
                raise DetectionsError(f"{name} is longer than any file name")
            return value
    return None
