"""What telemetry says of one frame (schema horizon-rt/1, docs/telemetry.schema.json)."""

from __future__ import annotations

import math
from datetime import UTC
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from horizon_rt.geometry import HorizonLine
    from horizon_rt.horizon import Horizon

__all__ = ["COLUMNS", "PICTURE_COLUMNS", "number", "record"]

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
_PICTURE = ("width", "height", "x1", "y1", "x2", "y2")
_SHARED = (*_COLUMNS, *(f"measured_{name}" for name in _MEASURED))
COLUMNS = (*_SHARED, "latency_ms", "time_utc")
"""The columns of a table; `time_utc` is empty for recordings."""
PICTURE_COLUMNS = (*_SHARED, *_PICTURE, "latency_ms", "file")
"""Those of a table of pictures that stand alone."""


def number(value: float | None) -> float | None:
    """At most 6 significant digits; None for what JSON cannot say."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}") + 0.0  # −0.0 becomes 0.0


def _time(value: float) -> float | None:
    """As `number`, but never coarser than 0.1 ms, so that frames of a source never share a time."""
    return round(value, 4) if 100 <= abs(value) < math.inf else number(value)


def _line(line: HorizonLine | None) -> dict[str, Any]:
    return {
        "angle_deg": None if line is None else number(line.angle_deg),
        "offset_px": None if line is None else number(line.offset_px),
    }


def _measured(horizon: Horizon) -> dict[str, Any] | None:
    measurement = horizon.observation.measurement
    if measurement is None:
        return None
    roll_sd, pitch_sd = measurement.sd_deg
    return {
        "roll_deg": number(measurement.up.roll_deg),
        "pitch_deg": number(measurement.up.pitch_deg),
        "roll_sd_deg": number(roll_sd),
        "pitch_sd_deg": number(pitch_sd),
        **_line(horizon.measured_line),
        "inliers": int(measurement.inliers),
        "sky_fraction": number(horizon.observation.sky_fraction),
    }


def record(horizon: Horizon, file: str | None = None) -> dict[str, Any]:
    """One telemetry object; pictures from a folder have `file` (or `horizon.file`), size and line, too."""
    values = {
        "frame": int(horizon.frame),
        "time_s": _time(horizon.time_s),
        "state": horizon.state,
        "view": horizon.view,
        "confidence": number(horizon.confidence),
        "roll_deg": number(horizon.roll_deg),
        "pitch_deg": number(horizon.pitch_deg),
        "roll_sd_deg": number(horizon.roll_sd_deg),
        "pitch_sd_deg": number(horizon.pitch_sd_deg),
        "roll_rate_dps": number(horizon.roll_rate_dps),
        "pitch_rate_dps": number(horizon.pitch_rate_dps),
        **_line(horizon.line),
        "measured": _measured(horizon),
        "latency_ms": number(horizon.latency_ms),
    }
    if horizon.time_utc is not None:
        moment = horizon.time_utc.astimezone(UTC).replace(tzinfo=None)
        values["time_utc"] = f"{moment.isoformat(timespec='milliseconds')}Z"
    name = horizon.file if horizon.file is not None else file
    return values if name is None else {**values, **_picture(horizon), "file": name}


def _picture(horizon: Horizon) -> dict[str, Any]:
    """Size and line of a picture whose size no header tells."""
    if horizon.width is None or horizon.height is None:
        return {}
    line = horizon.line
    ends = (None,) * 4 if line is None else map(number, line.ends(horizon.width, horizon.height))
    return dict(zip(_PICTURE, (horizon.width, horizon.height, *ends), strict=True))
