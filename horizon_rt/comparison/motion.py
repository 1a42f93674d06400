"""Attitude over time as up vectors on a uniform grid, with their rates: what two clocks are aligned by."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import SourceError
from horizon_rt.geometry.up_vector import up_vectors

__all__ = ["STEP_S", "Attitudes", "Motion", "motion_of"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
STEP_S = 0.02
"""Step of the grid in seconds."""
_SMOOTH_S = 0.15  # standard deviation of the Gaussian that both sides are smoothed by
_SHORTEST_GAP_S, _GAP_STEPS = 0.5, 3.0  # beyond both, and so many usual steps, nothing is interpolated
_LONGEST_S = 86400.0
_TOLD_SHARE = 0.01  # of the samples, left out for their times
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attitudes:
    """Up vectors (n, 3) at increasing times (n,) in seconds, all known, without `left_out` others."""

    time_s: Array
    up: Array
    left_out: int = 0

    @classmethod
    def of(cls, time_s: Array, roll_deg: Array, pitch_deg: Array) -> Attitudes:
        """Those of the times that have both angles; a time that comes again, or runs back, is left out."""
        known = np.isfinite(time_s) & np.isfinite(roll_deg) & np.isfinite(pitch_deg)
        times, up = time_s[known], up_vectors(roll_deg[known], pitch_deg[known])
        if len(times):
            newer = np.concatenate([[True], times[1:] > np.maximum.accumulate(times)[:-1]])
            older = np.concatenate([times[:-1] < np.minimum.accumulate(times[:0:-1])[::-1], [True]])
            kept = newer if newer.sum() >= older.sum() else older  # a time far ahead leaves all that follow
            times, up = times[kept], up[kept]
        return cls(times, up, int(known.sum()) - len(times))

    @property
    def longest_gap_s(self) -> float:
        """The longest step in seconds that is interpolated over."""
        usual = float(np.median(np.diff(self.time_s))) if len(self.time_s) > 1 else 0.0
        return max(_SHORTEST_GAP_S, _GAP_STEPS * usual)

    def at(self, time_s: Array) -> tuple[Array, Flags]:
        """Up vectors (m, 3) at times (m,), linear between neighbours, and where those are near enough."""
        up = np.column_stack([np.interp(time_s, self.time_s, self.up[:, axis]) for axis in range(3)])
        up /= np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-12)
        after = np.clip(np.searchsorted(self.time_s, time_s), 1, len(self.time_s) - 1)
        near = self.time_s[after] - self.time_s[after - 1] <= self.longest_gap_s
        return up, near & (time_s >= self.time_s[0]) & (time_s <= self.time_s[-1])


@dataclass(frozen=True, slots=True)
class Motion:
    """Smoothed up vectors and their rates in 1/s, (n, 3), every `STEP_S` from `start_s`; `known` (n,)."""

    start_s: float
    up: Array
    rate: Array
    known: Flags

    @property
    def time_s(self) -> Array:
        """Times of the grid in seconds, (n,)."""
        return np.asarray(self.start_s + STEP_S * np.arange(len(self.up)), np.float64)

    def at(self, time_s: Array, values: Array) -> Array:
        """`values` (n, 3) of the grid at times (m,), linear between its points, (m, 3)."""
        place = np.clip((time_s - self.start_s) / STEP_S, 0.0, len(values) - 1.000001)
        index = place.astype(np.intp)
        share = (place - index)[:, None]
        return np.asarray((1.0 - share) * values[index] + share * values[index + 1])

    def is_known(self, time_s: Array) -> Flags:
        """Whether it is known at times (m,)."""
        place = (time_s - self.start_s) / STEP_S
        inside = (place >= 0) & (place <= len(self.known) - 1)
        return inside & self.known[np.clip(np.rint(place), 0, len(self.known) - 1).astype(np.intp)]


def motion_of(attitudes: Attitudes, *, what: str) -> Motion:
    """Smooth attitudes and take their rates; raises SourceError, about `what`, for too few or too many."""
    times, every = attitudes.time_s, len(attitudes.time_s) + attitudes.left_out
    if attitudes.left_out > _TOLD_SHARE * every:
        left_out = f"{attitudes.left_out} of {every} samples are left out"
        _log.warning("%s: %s, as their times come again or run back", what, left_out)
    span = float(times[-1] - times[0]) if len(times) > 1 else 0.0
    if span < 1.0:
        raise SourceError(f"{what} holds {span:.1f} s with roll and pitch, which is too little to compare")
    if span > _LONGEST_S:
        raise SourceError(
            f"{what} spans {span / 3600:.0f} h; cut it to the {_LONGEST_S / 3600:.0f} h to compare"
        )
    grid = times[0] + STEP_S * np.arange(int(span / STEP_S) + 1)
    raw, known = attitudes.at(grid)
    kernel = _gaussian()
    up = np.column_stack([_convolved(raw[:, axis], kernel) for axis in range(3)])
    rate = np.gradient(up, STEP_S, axis=0)
    return Motion(float(times[0]), up, rate, _eroded(known, len(kernel) // 2))


def _gaussian() -> Array:
    reach = int(np.ceil(3.5 * _SMOOTH_S / STEP_S))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * STEP_S / _SMOOTH_S) ** 2)
    return np.asarray(kernel / kernel.sum())


def _convolved(values: Array, kernel: Array) -> Array:
    reach = len(kernel) // 2
    padded = np.pad(values, reach, mode="edge")
    return np.asarray(np.convolve(padded, kernel, "valid"), np.float64)


def _eroded(known: Flags, reach: int) -> Flags:
    """Known, and so are all within `reach` steps."""
    padded = np.pad((~known).astype(np.int64), reach, constant_values=1)
    sums = np.concatenate([[0], np.cumsum(padded)])
    return np.asarray(sums[2 * reach + 1 :] - sums[: -2 * reach - 1] == 0)
