"""The attitude to level by: that of each frame where it is sure, held and eased where it is not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from horizon_rt.levelling.bounds import SURE, SWING

__all__ = ["AttitudeTrack", "held", "segments", "slow_mean"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
_EASE_S = 1.0
_SETTLE_S, _FASTEST = 0.25, math.radians(20.0)  # in which a rate of at most so many rad/s runs out


@dataclass(frozen=True, slots=True, kw_only=True)
class AttitudeTrack:
    """The attitude of the N frames of a recording; all are (N,), angles in rad, rates in rad/s.

    Angles are NaN where there is no estimate. `sd` is the standard deviation of what is levelled.
    `starts` is true for frames that do not go on from the one before: the first one, and those after a cut.
    """

    time_s: Array
    roll: Array
    pitch: Array
    sd: Array
    roll_rate: Array
    pitch_rate: Array
    starts: Flags

    @property
    def is_sure(self) -> Flags:
        """Whether a frame's attitude is known well enough to level by it; (N,)."""
        return np.isfinite(self.roll) & np.isfinite(self.pitch) & (self.sd <= SURE)


def segments(starts: Flags) -> Iterator[slice]:
    """From each start to the next."""
    first = np.flatnonzero(starts).tolist()
    for a, b in zip(first, [*first[1:], len(starts)], strict=True):
        yield slice(a, b)


def held(time_s: Array, angle: Array, sure: Flags) -> Array:
    """An angle (N,) in rad, unwrapped, that is known where `sure`: between, that of the last sure frame is
    held, and eased into that of the next one over about a second before it.

    Before the first sure frame and after the last it is theirs; without one it is 0.
    """
    known = np.flatnonzero(sure)
    if not len(known):
        return np.zeros(len(angle))
    values = np.unwrap(angle[known])
    full = np.interp(np.arange(len(angle)), known, values)
    for k in np.flatnonzero(np.diff(known) > 1).tolist():
        a, b = int(known[k]), int(known[k + 1])
        inside = slice(a + 1, b)
        rates = _rate(time_s, known, values, k - 1), _rate(time_s, known, values, k + 1)
        full[inside] = _bridge(time_s[inside], (time_s[a], time_s[b]), (values[k], values[k + 1]), rates)
    return full


def _rate(time_s: Array, known: NDArray[np.intp], values: Array, k: int) -> float:
    """The bounded rate from the sure frame `k` to the next one, 0 where they are not neighbours."""
    if not 0 <= k < len(known) - 1 or known[k + 1] - known[k] > 1:
        return 0.0
    step_s = time_s[known[k + 1]] - time_s[known[k]]
    rate = (values[k + 1] - values[k]) / step_s if step_s > 0 else 0.0
    return float(np.clip(rate, -_FASTEST, _FASTEST))


def _bridge(
    time_s: Array, ends_s: tuple[float, float], ends: tuple[float, float], rates: tuple[float, float]
) -> Array:
    """From one sure angle to the next: the first one's rate runs out, and the last one's runs in."""
    since, until = time_s - ends_s[0], ends_s[1] - time_s
    left = ends[0] + rates[0] * _SETTLE_S * (1 - np.exp(-since / _SETTLE_S))
    right = ends[1] - rates[1] * _SETTLE_S * (1 - np.exp(-until / _SETTLE_S))
    gap_s = ends_s[1] - ends_s[0]
    ease_s = min(gap_s, max(_EASE_S, abs(ends[1] - ends[0]) / SWING))  # SWING on average
    share = np.clip(1 - until / max(ease_s, 1e-9), 0.0, 1.0)
    smooth = share * share * (3 - 2 * share)
    return np.asarray(left + (right - left) * smooth)


def slow_mean(time_s: Array, values: Array, weights: Array, *, spread_s: float) -> Array:
    """Gaussian mean (N,) of values over time, with a standard deviation of `spread_s` seconds.

    Values are gathered in steps of a quarter of that, so that it costs the same for any rate of frames.
    """
    step_s = spread_s / 4
    place = (time_s - time_s[0]) / step_s
    cells = np.rint(place).astype(np.intp)
    count = int(cells[-1]) + 1
    kernel = np.exp(-0.5 * (np.arange(-16, 17) / 4) ** 2)
    sums = [np.convolve(np.bincount(cells, w, count), kernel)[16:-16] for w in (weights * values, weights)]
    mean = sums[0] / np.maximum(sums[1], 1e-12)
    known = np.flatnonzero(sums[1] > 1e-9)
    return np.interp(place, known, mean[known]) if len(known) else np.zeros(len(values))
