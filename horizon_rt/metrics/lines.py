"""Metrics of lines in single frames, named as the field names them.

`dY` and `dphi` follow the protocol of the Singapore Maritime Dataset and Buoy sets; `e` and AUC that of
Horizon Lines in the Wild (Workman et al. 2016) with the rule for steep lines of docs/conventions.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from horizon_rt.geometry import HorizonLine, wrap_degrees

__all__ = ["AUC_LIMIT", "LineError", "line_error", "percentiles", "summarise"]

AUC_LIMIT = 0.25
"""The horizon error at which the area under the cumulative curve ends."""


@dataclass(frozen=True, slots=True)
class LineError:
    """Error of one frame; `dy_px` and `dphi_deg` are None without an estimate, and `e` is then 1.

    `dy_px` is also None where one of the lines is vertical and so has no height in the middle. `signed_e` is
    `e` with the sign of the larger of the two differences, positive where the estimate lies lower (further
    right for steep lines), None without an estimate.
    """

    e: float
    dy_px: float | None = None
    dphi_deg: float | None = None
    signed_e: float | None = None


def line_error(estimate: HorizonLine | None, truth: HorizonLine, width: int, height: int) -> LineError:
    """Compare two lines in a picture of this size."""
    if estimate is None:
        return LineError(1.0)
    dphi = abs(wrap_degrees(estimate.angle_deg - truth.angle_deg))
    middle = (width - 1) / 2
    dy = abs(estimate.y_at(middle, width, height) - truth.y_at(middle, width, height))
    tilt = abs(wrap_degrees(truth.angle_deg))
    if 45 < tilt < 135:
        ends = [estimate.x_at(y, width, height) - truth.x_at(y, width, height) for y in (0, height - 1)]
        signed = max(ends, key=abs) / width
    else:
        ends = [estimate.y_at(x, width, height) - truth.y_at(x, width, height) for x in (0, width - 1)]
        signed = max(ends, key=abs) / height
    e = 1.0 if dphi > 90 else min(abs(signed), 1.0)  # the sky on the wrong side is no estimate
    return LineError(e, dy if math.isfinite(dy) else None, dphi, math.copysign(e, signed))


def summarise(errors: Sequence[LineError]) -> dict[str, float | int | list[float] | None]:
    """AUC in percent; percentiles 25, 50, 95, mean and standard deviation of dY and dphi.

    The last three are over the frames with an estimate, AUC over all.
    """
    e = np.array([error.e for error in errors])
    dy = [error.dy_px for error in errors if error.dy_px is not None]
    dphi = [error.dphi_deg for error in errors if error.dphi_deg is not None]
    return {
        "frames": len(errors),
        "found": len(dphi),
        "auc": float(100 * np.maximum(0, AUC_LIMIT - e).mean() / AUC_LIMIT) if len(e) else None,
        "dy_px": percentiles(dy, (25, 50, 95)),
        "dy_mean_px": float(np.mean(dy)) if dy else None,
        "dy_sd_px": float(np.std(dy)) if dy else None,
        "dphi_deg": percentiles(dphi, (25, 50, 95)),
        "dphi_mean_deg": float(np.mean(dphi)) if dphi else None,
        "dphi_sd_deg": float(np.std(dphi)) if dphi else None,
    }


def percentiles(values: Sequence[float], which: Sequence[float]) -> list[float] | None:
    """These percentiles with linear interpolation; None of nothing."""
    return [float(v) for v in np.percentile(values, which)] if len(values) else None
