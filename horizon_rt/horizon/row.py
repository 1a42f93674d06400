"""The row of telemetry of one frame (schema horizon-rt/1, docs/telemetry.schema.json): columns and values."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from horizon_rt.geometry import HorizonLine
from horizon_rt.horizon.attitude import Attitude

__all__ = [
    "COLUMNS",
    "PICTURE_COLUMNS",
    "line_fields",
    "measured_fields",
    "number",
    "picture_fields",
    "time_field",
    "utc_field",
]

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


def time_field(value: float) -> float | None:
    """As `number`, but never coarser than 0.1 ms, so that frames of a source never share a time."""
    return round(value, 4) if 100 <= abs(value) < math.inf else number(value)


def utc_field(moment: datetime) -> str:
    """A moment to the millisecond, in ISO 8601 with Z."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def line_fields(line: HorizonLine | None) -> dict[str, object]:
    """Tilt and offset of the line on the image without distortion."""
    return {
        "angle_deg": None if line is None else number(line.angle_deg),
        "offset_px": None if line is None else number(line.offset_px),
    }


def measured_fields(
    attitude: Attitude, line: HorizonLine | None, inliers: int, sky_fraction: float
) -> dict[str, object]:
    """What a frame shows by itself; the attitude is that of the vehicle where a mount is given."""
    roll_sd, pitch_sd = attitude.sd_deg
    return {
        "roll_deg": number(attitude.up.roll_deg),
        "pitch_deg": number(attitude.up.pitch_deg),
        "roll_sd_deg": number(roll_sd),
        "pitch_sd_deg": number(pitch_sd),
        **line_fields(line),
        "inliers": int(inliers),
        "sky_fraction": number(sky_fraction),
    }


def picture_fields(line: HorizonLine | None, width: int | None, height: int | None) -> dict[str, object]:
    """Size and line of a picture whose size no header tells."""
    if width is None or height is None:
        return {}
    ends = (None,) * 4 if line is None else map(number, line.ends(width, height))
    return dict(zip(_PICTURE, (width, height, *ends), strict=True))
