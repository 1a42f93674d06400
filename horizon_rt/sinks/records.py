"""The header of telemetry, and its rows as those of a table (docs/telemetry.schema.json)."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from horizon_rt.geometry.earth import dip
from horizon_rt.horizon.row import number
from horizon_rt.system.json import parse_object

if TYPE_CHECKING:
    from horizon_rt.camera import Camera
    from horizon_rt.geometry import Mount
    from horizon_rt.sinks.base import SinkContext

__all__ = [
    "SCHEMA",
    "camera_fields",
    "flatten",
    "header",
    "header_matches",
    "mount_fields",
    "read_header",
    "read_records",
]

SCHEMA = "horizon-rt/1"
_LONGEST_LINE = 1 << 20
_log = logging.getLogger(__name__)


def header(context: SinkContext) -> dict[str, Any]:
    """The first line of a JSON lines file."""
    values = {
        "schema": SCHEMA,
        "source": context.source,
        "width": context.width,
        "height": context.height,
        "camera": camera_fields(context.camera),
        "model": context.model,
        "version": context.version,
    }
    if context.frame_rate is not None:
        values["frame_rate"] = number(context.frame_rate)
    if context.backend:
        values |= {"backend": context.backend, "options": dict(context.options)}
    if context.mount is not None:
        values["mount"] = mount_fields(context.mount)
    if context.height_m is not None:
        down = number(math.degrees(dip(context.height_m)))
        values |= {"height_m": number(context.height_m), "dip_deg": down}
    return {**values, "assumed": list(context.assumed)} if context.assumed else values


def read_header(telemetry: Path) -> dict[str, Any]:
    """The first line of a JSON lines file; raises OSError, or ValueError for what is none."""
    with telemetry.open("rb") as lines:
        values = parse_object(lines.readline(_LONGEST_LINE))
    if values.get("schema") != SCHEMA:
        raise ValueError(f"line 1 is no header of schema {SCHEMA}")
    return values


def read_records(telemetry: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSON lines file; raises OSError, or ValueError for a line that is none.

    A last line that has no end, as a power cut leaves one, is left out with a warning.
    """
    last = -1
    with telemetry.open("rb") as lines:
        lines.readline(_LONGEST_LINE)
        for number, line in enumerate(iter(lambda: lines.readline(_LONGEST_LINE), b""), start=2):
            if not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
                _log.warning("%s: line %d, the last one, is cut off and left out", telemetry, number)
                return
            values = _record(line, number, last)
            last = values["frame"]
            yield values


def _record(line: bytes, number: int, last: int) -> dict[str, Any]:
    try:
        values = parse_object(line)
    except ValueError as error:
        raise ValueError(f"line {number} is damaged") from error
    frame = values.get("frame")
    if not (line.endswith(b"\n") and type(frame) is int and frame > last and "state" in values):
        raise ValueError(f"line {number} is damaged")
    return values


def header_matches(head: Mapping[str, Any], source: Path | str) -> bool:
    """Whether a header is that of this source."""
    return os.path.abspath(head["source"]) == os.path.abspath(source)


def camera_fields(camera: Camera) -> dict[str, Any]:
    """What a header says of a lens."""
    plain: dict[str, Any] = _plain(camera.to_dict())
    return plain


def mount_fields(mount: Mount | None) -> dict[str, float | None] | None:
    """What a header says of a mount; without one it says nothing."""
    return None if mount is None else {name: number(value) for name, value in asdict(mount).items()}


def _plain(value: Any) -> Any:
    """The same value of JSON types alone."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return number(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def flatten(values: dict[str, Any]) -> dict[str, Any]:
    """A record with `measured` spread over columns `measured_roll_deg` and so on."""
    flat = {name: value for name, value in values.items() if name != "measured"}
    return flat | {f"measured_{name}": value for name, value in (values["measured"] or {}).items()}
