"""Whether sigma is honest: how often the truth lies within it, and how large errors are against it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from horizon_rt.metrics.sequences import AttitudeError

__all__ = ["normalised_errors", "summarise_uncertainty"]


def normalised_errors(errors: Sequence[AttitudeError]) -> NDArray[np.float64]:
    """Errors of roll and pitch over their standard deviations, shape (n, 2)."""
    rows = [(e.roll_deg / e.roll_sd_deg, e.pitch_deg / e.pitch_sd_deg) for e in errors]
    return np.array(rows, np.float64).reshape(-1, 2)


def summarise_uncertainty(errors: Sequence[AttitudeError]) -> dict[str, list[float]]:
    """Coverage of ±1 and ±2 sigma, median |error|/sigma and mean (error/sigma)², each for roll and pitch.

    A normal error of honest sigma gives 0.683, 0.954, 0.674 and 1. `surest_80_percent` is the 95th percentile
    of |error| over the frames of the 80 % smallest sigmas, by that of all. Empty without errors.
    """
    z = np.abs(normalised_errors(errors))
    if len(z) == 0:
        return {}
    return {
        "within_1_sigma": [float(v) for v in (z <= 1).mean(axis=0)],
        "within_2_sigma": [float(v) for v in (z <= 2).mean(axis=0)],
        "median_error_over_sigma": [float(v) for v in np.median(z, axis=0)],
        "mean_normalised_squared_error": [float(v) for v in (z**2).mean(axis=0)],
        "surest_80_percent": [
            _of_the_surest([abs(e.roll_deg) for e in errors], [e.roll_sd_deg for e in errors]),
            _of_the_surest([abs(e.pitch_deg) for e in errors], [e.pitch_sd_deg for e in errors]),
        ],
    }


def _of_the_surest(errors: Sequence[float], sigmas: Sequence[float]) -> float:
    sizes, order = np.array(errors), np.argsort(sigmas, kind="stable")
    every = float(np.percentile(sizes, 95))
    surest = float(np.percentile(sizes[order[: max(1, round(0.8 * len(order)))]], 95))
    return surest / every if every > 0 else 1.0
