"""Metrics of single frames, named as the field names them.

`dY` and `dphi` follow the protocol of the Singapore Maritime Dataset and Buoy sets; `e` and AUC that of
Horizon Lines in the Wild (Workman et al. 2016) with the rule for steep lines of docs/conventions.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from horizon_rt.geometry import HorizonLine, wrap_degrees

__all__ = ["LineError", "line_error", "summarise"]

_AUC_LIMIT = 0.25


@dataclass(frozen=True, slots=True)
class LineError:
    """Error of one frame; `dy_px` and `dphi_deg` are None without an estimate, and `e` is then 1.

    `dy_px` is also None where one of the lines is vertical and so has no height in the middle.
    """

    e: float
    dy_px: float | None = None
    dphi_deg: float | None = None


def line_error(estimate: HorizonLine | None, truth: HorizonLine, width: int, height: int) -> LineError:
    """Compare two lines in a picture of this size."""
    if estimate is None:
        return LineError(1.0)
    dphi = abs(wrap_degrees(estimate.angle_deg - truth.angle_deg))
    middle = (width - 1) / 2
    dy = abs(estimate.y_at(middle, width, height) - truth.y_at(middle, width, height))
    tilt = abs(wrap_degrees(truth.angle_deg))
    if 45 < tilt < 135:
        ends = [abs(estimate.x_at(y, width, height) - truth.x_at(y, width, height)) for y in (0, height - 1)]
        e = max(ends) / width
    else:
        ends = [abs(estimate.y_at(x, width, height) - truth.y_at(x, width, height)) for x in (0, width - 1)]
        e = max(ends) / height
    if dphi > 90:  # the right line with the sky on the wrong side is no estimate
        e = 1.0
    return LineError(min(e, 1.0), dy if math.isfinite(dy) else None, dphi)


def summarise(errors: Sequence[LineError]) -> dict[str, float | int | list[float] | None]:
    """AUC in percent and the percentiles 25, 50, 95 of dY and dphi over the frames with an estimate."""
    e = np.array([error.e for error in errors])
    dy = [error.dy_px for error in errors if error.dy_px is not None]
    dphi = [error.dphi_deg for error in errors if error.dphi_deg is not None]
    return {
        "frames": len(errors),
        "found": len(dphi),
        "auc": float(100 * np.maximum(0, _AUC_LIMIT - e).mean() / _AUC_LIMIT) if len(e) else None,
        "dy_px": _percentiles(dy),
        "dphi_deg": _percentiles(dphi),
    }


def _percentiles(values: Sequence[float]) -> list[float] | None:
    return [float(v) for v in np.percentile(values, [25, 50, 95])] if values else None
