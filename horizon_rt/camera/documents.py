"""YAML and JSON of other programs as plain mappings, and the values of a lens in them.

Every number is kept as the text that it was written as, so that nothing of a foreign file is made into an
object. What is read is bounded: depth, and the length of a matrix.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from horizon_rt.camera import fields
from horizon_rt.errors import CameraModelError

__all__ = ["intrinsics", "is_set", "line", "numbers", "parse_mapping", "scalar"]

_DEEPEST = 32
_LONGEST = 64


def parse_mapping(text: str) -> Mapping[str, Any]:
    """The mapping of a JSON or YAML text; raises CameraModelError for any other."""
    values = _json(text) if text.lstrip().startswith("{") else None
    values = _yaml(text) if values is None else values
    if not isinstance(values, Mapping):
        raise CameraModelError("not a camera profile: it holds no keys")
    return values


def _json(text: str) -> Any:
    """None for what is no JSON: YAML may begin with a brace, too."""
    try:
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _yaml(text: str) -> Any:
    """OpenCV writes `%YAML:1.0`, which is no valid directive, so that line is dropped; tags are ignored."""
    import yaml

    body = text.partition("\n")[2] if text.startswith("%YAML") else text
    # A base loader makes no objects of tags. That in C is fast, but overflows its stack on deep nesting.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        depths = accumulate(_step(event) for event in yaml.parse(body, Loader=loader))
        if any(depth > _DEEPEST for depth in depths):
            raise ValueError
        return yaml.load(body, Loader=loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise CameraModelError("not a readable YAML or JSON file") from error


def _step(event: object) -> int:
    """Up or down that an event of YAML goes, starts and ends of the stream and of documents included."""
    name = type(event).__name__
    return name.endswith("StartEvent") - name.endswith("EndEvent")


def scalar(values: Mapping[str, Any], key: str) -> str:
    """The text of a value in small letters, empty where there is none.

    A list is refused unseen: a few aliases of aliases make one whose text would fill the memory.
    """
    value = values.get(key, "")
    if value is None or isinstance(value, bool):
        return "true" if value else ""
    if not isinstance(value, str):
        raise CameraModelError(f"'{key}' must be text or a number, got {fields.shown(value)}")
    return value.strip().lower()


def is_set(values: Mapping[str, Any], key: str) -> bool:
    """Whether a flag is there and not false."""
    return scalar(values, key) not in ("0", "0.", "0.0", "false", "")


def line(value: object, default: str) -> str:
    """A text of one line, or the default."""
    return value if isinstance(value, str) and value and value.isprintable() else default


def numbers(values: Mapping[str, Any], key: str) -> list[float]:
    """The numbers of a matrix written as a table with `data`, or as plain or nested lists."""
    matrix = values.get(key)
    data = matrix.get("data") if isinstance(matrix, Mapping) else matrix
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise CameraModelError(f"'{key}' is missing or not a matrix")
    if len(data) > _LONGEST:
        raise CameraModelError(f"'{key}' is too large for a matrix of a lens: {len(data)} numbers")
    nested = [row if isinstance(row, list) else [row] for row in data]
    return [fields.number({key: item}, key) for row in nested for item in row[:_LONGEST]]


def intrinsics(values: Mapping[str, Any], key: str) -> dict[str, float]:
    """fx, fy, cx, cy of a camera matrix; raises CameraModelError for any other, and for skew."""
    matrix = numbers(values, key)
    if len(matrix) != 9:
        raise CameraModelError(f"'{key}' must have 3x3 numbers, got {len(matrix)}")
    fx, skew, cx, zero, fy, cy, *last = matrix
    if not abs(skew) <= 1e-6 * abs(fx) or zero != 0 or last != [0.0, 0.0, 1.0]:
        raise CameraModelError(f"'{key}' must be [fx 0 cx; 0 fy cy; 0 0 1]; skew is not supported")
    return {"fx": fx, "fy": fy, "cx": cx, "cy": cy}
