"""A comparison as rows of text."""

from __future__ import annotations

import math

from horizon_rt.comparison.alignment import Alignment
from horizon_rt.comparison.compare import Comparison
from horizon_rt.comparison.statistics import AxisErrors, StateErrors
from horizon_rt.geometry import Mount
from horizon_rt.reports.table import Table
from horizon_rt.system.messages import printable
from horizon_rt.system.units import clock_time

__all__ = ["error_table", "fact_rows"]

_HEAD = ("frames", "angle", "compared", "bias", "rms", "median", "95 %", "within ±2σ")
_NOTE = (
    "Telemetry minus log in degrees, over the frames with an estimate while the log is known; median and "
    "95 % are of the size of the error. An honest sigma has 95 % of errors within ±2σ; the errors of the log "
    "itself take from that where sigma is as small as they are."
)


def fact_rows(found: Comparison) -> list[tuple[str, str]]:
    """How the two were aligned, each with its name."""
    one = found.alignment
    drift = "too short a time to tell" if one.drift is None else _drift(one.drift, one.drift_sd or 0.0)
    rows = [
        ("log", printable(f"{found.log.name} ({found.log.format}, {len(found.log)} samples)")),
        ("offset, log time − time", _offset(one)),
        ("drift of the clocks", drift),
        ("correlation of the rates", f"{one.correlation:.3f} over {clock_time(one.overlap_s)}"),
        ("mounting offset, log → telemetry", _mount(found)),
    ]
    return [*rows, ("mount of the camera in the log's axes", f"--mount={_option(found.camera_mount)}")]


def _offset(one: Alignment) -> str:
    return f"{one.offset_s:+.4f} s ± {one.offset_sd_s:.4f} s at {one.middle_s:.1f} s"


def _drift(drift: float, sd: float) -> str:
    return f"{1e6 * drift:+.1f} ppm ± {1e6 * sd:.1f} ppm"


def _mount(found: Comparison) -> str:
    angles = (found.mount.roll_deg, found.mount.pitch_deg, found.mount.yaw_deg)
    texts = [
        f"{name} {angle:+.2f}° ± {sd:.2f}°" if math.isfinite(sd) else f"{name} not told, taken as 0"
        for name, angle, sd in zip(("roll", "pitch", "yaw"), angles, found.mount_sd_deg, strict=True)
    ]
    how = "taken out of the errors" if found.mount_applied else "left in the errors"
    return f"{', '.join(texts)}; {how}"


def _option(mount: Mount) -> str:
    """A mount as the option `--mount` takes it, to the hundredth of a degree."""
    angles = (round(angle, 2) + 0.0 for angle in (mount.roll_deg, mount.pitch_deg, mount.yaw_deg))
    return ",".join(f"{angle:g}" for angle in angles)


def error_table(found: Comparison) -> Table:
    """Two rows, of roll and of pitch, for all frames and for each state."""
    rows = [
        _row(state if angle == "roll" else "", angle, group, errors)
        for state, group in found.errors.items()
        for angle, errors in (("roll", group.roll), ("pitch", group.pitch))
    ]
    return Table("Frames", _NOTE, _HEAD, tuple(rows))


def _row(state: str, angle: str, group: StateErrors, errors: AxisErrors) -> tuple[str, ...]:
    counted = f"{group.compared}/{group.frames}"
    if not group.compared:
        return state, angle, counted, *["–"] * 5
    within = "–" if math.isnan(errors.within_2_sigma) else f"{errors.within_2_sigma:.1%}"
    sizes = (f"{value:.2f}°" for value in (errors.rms_deg, errors.median_deg, errors.p95_deg))
    return state, angle, counted, f"{errors.bias_deg:+.2f}°", *sizes, within
