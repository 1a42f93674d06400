"""Metrics over time: jitter of the line (KITTI Horizon protocol) and errors of the attitude."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from horizon_rt.metrics.lines import LineError, percentiles

__all__ = ["AttitudeError", "summarise_attitude", "summarise_sequences"]


@dataclass(frozen=True, slots=True)
class AttitudeError:
    """Estimate minus truth in degrees, and the standard deviations that were reported with it."""

    roll_deg: float
    pitch_deg: float
    roll_sd_deg: float
    pitch_sd_deg: float


def summarise_sequences(sequences: Iterable[Sequence[LineError]]) -> dict[str, float | int | None]:
    """Mean square of the horizon error and its total variation, over any number of sequences.

    Kluger et al. 2020, 'Temporally Consistent Horizon Lines': `a_tv` = mean |e_t − e_(t−1)| with signed e,
    over neighbouring frames of one sequence that both have an estimate. A frame without one counts e = 1 in
    `mse_e`.
    """
    every = [list(sequence) for sequence in sequences]
    squares = [error.e**2 for sequence in every for error in sequence]
    steps = [step for sequence in every for step in _steps(sequence)]
    return {
        "pairs": len(steps),
        "mse_e": float(np.mean(squares)) if squares else None,
        "a_tv": float(np.mean(steps)) if steps else None,
    }


def _steps(sequence: Sequence[LineError]) -> list[float]:
    signed = [error.signed_e for error in sequence]
    return [abs(b - a) for a, b in pairwise(signed) if a is not None and b is not None]


def summarise_attitude(errors: Sequence[AttitudeError], frames: int) -> dict[str, float | list[float] | None]:
    """Percentiles 25, 50, 95 of |roll| and |pitch| errors; the share of `frames` that have an estimate."""
    return {
        "availability": len(errors) / frames if frames else None,
        "roll_deg": percentiles([abs(error.roll_deg) for error in errors], (25, 50, 95)),
        "pitch_deg": percentiles([abs(error.pitch_deg) for error in errors], (25, 50, 95)),
    }
