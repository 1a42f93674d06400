"""What a line of telemetry holds (schema horizon-rt/1, docs/telemetry.schema.json)."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from horizon_rt.camera import CameraModel
    from horizon_rt.geometry import HorizonLine
    from horizon_rt.horizon import Horizon
    from horizon_rt.sinks.base import SinkContext

__all__ = [
    "COLUMNS",
    "SCHEMA",
    "camera_fields",
    "flatten",
    "header",
    "read_header",
    "read_records",
    "record",
    "tells_of",
]

SCHEMA = "horizon-rt/1"
_LONGEST_LINE = 1 << 20

_COLUMNS = (
    "frame",
    "time_s",
    "state",
    "view",
    "confidence",
    "roll_deg",
    "pitch_deg",
    "roll_sd_deg",
    "pitch_sd_deg",
    "roll_rate_dps",
    "pitch_rate_dps",
    "angle_deg",
    "offset_px",
)
_MEASURED = (
    "roll_deg",
    "pitch_deg",
    "roll_sd_deg",
    "pitch_sd_deg",
    "angle_deg",
    "offset_px",
    "inliers",
    "sky_fraction",
)
COLUMNS = (*_COLUMNS, *(f"measured_{name}" for name in _MEASURED), "latency_ms")
"""The columns of a table, without `file`, which ends them for pictures from a folder."""


def _number(value: float | None) -> float | None:
    """At most 6 significant digits; None for what JSON cannot say."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}") + 0.0  # −0.0 becomes 0.0


def _time(value: float) -> float | None:
    """As `_number`, but never coarser than a millisecond, so that hours keep their order."""
    return round(value, 3) if 1000 <= abs(value) < math.inf else _number(value)


def _line(line: HorizonLine | None) -> dict[str, Any]:
    return {
        "angle_deg": None if line is None else _number(line.angle_deg),
        "offset_px": None if line is None else _number(line.offset_px),
    }


def _measured(horizon: Horizon) -> dict[str, Any] | None:
    measurement = horizon.observation.measurement
    if measurement is None:
        return None
    roll_sd, pitch_sd = measurement.sd_deg
    return {
        "roll_deg": _number(measurement.up.roll_deg),
        "pitch_deg": _number(measurement.up.pitch_deg),
        "roll_sd_deg": _number(roll_sd),
        "pitch_sd_deg": _number(pitch_sd),
        **_line(horizon.measured_line),
        "inliers": int(measurement.inliers),
        "sky_fraction": _number(horizon.observation.sky_fraction),
    }


def record(horizon: Horizon, file: str | None = None) -> dict[str, Any]:
    """One telemetry object; `file` (or `horizon.file`) is added for pictures from a folder."""
    values = {
        "frame": int(horizon.frame),
        "time_s": _time(horizon.time_s),
        "state": horizon.state,
        "view": horizon.view,
        "confidence": _number(horizon.confidence),
        "roll_deg": _number(horizon.roll_deg),
        "pitch_deg": _number(horizon.pitch_deg),
        "roll_sd_deg": _number(horizon.roll_sd_deg),
        "pitch_sd_deg": _number(horizon.pitch_sd_deg),
        "roll_rate_dps": _number(horizon.roll_rate_dps),
        "pitch_rate_dps": _number(horizon.pitch_rate_dps),
        **_line(horizon.line),
        "measured": _measured(horizon),
        "latency_ms": _number(horizon.latency_ms),
    }
    name = horizon.file if horizon.file is not None else file
    return values if name is None else {**values, "file": name}


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
        values["frame_rate"] = _number(context.frame_rate)
    if context.backend:
        values |= {"backend": context.backend, "options": dict(context.options)}
    return {**values, "assumed": list(context.assumed)} if context.assumed else values


def read_header(telemetry: Path) -> dict[str, Any]:
    """The first line of a JSON lines file; raises OSError, or ValueError for what is none."""
    with telemetry.open("rb") as lines:
        values = _object(lines.readline(_LONGEST_LINE))
    if values.get("schema") != SCHEMA:
        raise ValueError(f"{telemetry} is no telemetry")
    return values


def read_records(telemetry: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSON lines file; raises OSError, or ValueError for a line that is none."""
    last = -1
    with telemetry.open("rb") as lines:
        lines.readline(_LONGEST_LINE)
        while line := lines.readline(_LONGEST_LINE):
            values = _object(line)
            frame = values.get("frame")
            if not (line.endswith(b"\n") and type(frame) is int and frame > last and "state" in values):
                raise ValueError(f"{telemetry} is damaged after frame {last}")
            last = frame
            yield values


def _object(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except RecursionError as error:
        raise ValueError("a value is nested too deep") from error
    if not isinstance(values, dict):
        raise ValueError("a line is no object")
    return values


def tells_of(head: Mapping[str, Any], source: Path | str) -> bool:
    """Whether a header is that of this source."""
    return os.path.abspath(head["source"]) == os.path.abspath(source)


def camera_fields(camera: CameraModel) -> dict[str, Any]:
    """What a header says of a lens."""
    fields: dict[str, Any] = dataclasses.asdict(camera) if dataclasses.is_dataclass(camera) else {}
    shape = {"width": camera.width, "height": camera.height, "focal_px": camera.focal_px}
    plain: dict[str, Any] = _plain({**shape, **fields})
    return {"model": type(camera).__name__, **plain}


def _plain(value: Any) -> Any:
    """The same value of JSON types alone."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return _number(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def flatten(values: dict[str, Any]) -> dict[str, Any]:
    """A record with `measured` spread over columns `measured_roll_deg` and so on."""
    flat = {name: value for name, value in values.items() if name != "measured"}
    return flat | {f"measured_{name}": value for name, value in (values["measured"] or {}).items()}
