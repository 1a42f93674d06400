"""How an estimate moves against exact attitude: lag, jitter at rest, and the way back after a loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from horizon_rt.metrics.lines import percentiles
from horizon_rt.metrics.sequences import AttitudeError

__all__ = ["AttitudeSample", "summarise_motion"]

Array = NDArray[np.float64]
_MOVING_DPS, _RESTING_DPS = 5.0, 0.5  # rates of roll and pitch above and below which a camera does so


@dataclass(frozen=True, slots=True)
class AttitudeSample:
    """A frame of a recording: true roll and pitch in degrees, and the error, None without an estimate.

    `in_view` says whether the frame shows a horizon.
    """

    time_s: float
    roll_deg: float
    pitch_deg: float
    error: AttitudeError | None
    in_view: bool


def summarise_motion(
    recordings: Iterable[Sequence[AttitudeSample]],
) -> dict[str, float | int | list[float] | None]:
    """Lag in s and in frames, jitter of roll and pitch in degrees, and frames until a horizon is found again.

    The lag is the least-squares slope of the error against the true rate, over frames that move. Jitter is
    the root mean square change of the error between neighbouring frames at rest, over √2: the standard
    deviation of independent noise. A horizon is found again with the first estimate after it came into view.
    """
    every = [list(recording) for recording in recordings]
    error, rate, step = (np.concatenate(part) for part in zip(*map(_motion, every), strict=True))
    moving = (np.abs(rate) > _MOVING_DPS) & np.isfinite(error)
    waits = [wait for recording in every for wait in _waits(recording)]
    lag = _slope(-error[moving], rate[moving])
    changes = [np.diff(e, axis=0)[_rests(r)] for e, r, _ in map(_motion, every)]
    jitter = np.concatenate(changes)
    jitter = jitter[np.isfinite(jitter).all(axis=1)]
    return {
        "lag_s": lag,
        "lag_frames": None if lag is None else lag / float(np.median(step)),
        "jitter_deg": [float(v) for v in np.sqrt(np.mean(jitter**2, axis=0) / 2)] if len(jitter) else None,
        "returns": len(waits),
        "return_frames": percentiles(waits, (50, 100)),
    }


def _motion(recording: Sequence[AttitudeSample]) -> tuple[Array, Array, Array]:
    """Errors, NaN without an estimate, and true rates of roll and pitch (n, 2); times between frames."""
    errors = [(m.error.roll_deg, m.error.pitch_deg) if m.error else (np.nan, np.nan) for m in recording]
    times = np.array([m.time_s for m in recording])
    truth = np.array([(m.roll_deg, m.pitch_deg) for m in recording])
    step = np.diff(times)
    if len(step) == 0 or (step <= 0).any():
        return np.empty((0, 2)), np.empty((0, 2)), np.empty(0)
    rates = np.gradient(np.unwrap(truth, axis=0, period=360), times, axis=0)
    return np.array(errors), rates, step


def _rests(rates: Array) -> NDArray[np.bool_]:
    """Which pairs of neighbouring frames are at rest."""
    still = np.asarray((np.abs(rates) < _RESTING_DPS).all(axis=1))
    return still[1:] & still[:-1]


def _slope(y: Array, x: Array) -> float | None:
    power = float(x @ x)
    return float(y @ x) / power if power > 0 else None


def _waits(recording: Sequence[AttitudeSample]) -> list[int]:
    """Frames without an estimate after each return of the horizon into view."""
    waits: list[int] = []
    waiting: int | None = None
    for before, now in pairwise(recording):
        if now.in_view and not before.in_view:
            waiting = 0
        if waiting is not None and now.in_view and now.error is None:
            waiting += 1
        elif waiting is not None:
            if now.in_view:
                waits.append(waiting)
            waiting = None
    return waits if waiting is None else [*waits, waiting]
