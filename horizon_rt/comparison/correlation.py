"""The rough offset of two clocks: cross-correlation of the rates of two up vectors, whatever the mount.

A camera that is fixed to a vehicle sees the vehicle's up vector v turned by a constant rotation R, u = R v,
and so it does the rates. At every lag the 3×3 correlation matrix of the rates, together with the mean up
vectors, gives the best R (Wahba's problem, by Kabsch 1976), and with it a correlation between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from horizon_rt.comparison.motion import STEP_S, Motion
from horizon_rt.geometry.rotation import rotation_of

__all__ = ["Lag", "find_lag"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
_EVERY = 5  # points of the grid
_COARSE_S = _EVERY * STEP_S
_LEAST_OVERLAP_S, _OVERLAP_SHARE = 8.0, 0.5
_MOST_LAGS = 20000  # for which a rotation is sought


@dataclass(frozen=True, slots=True)
class Lag:
    """Log time minus telemetry time in seconds, the correlation of rates, and the rotation (3, 3) there.

    `evidence` is the logarithm of the likelihood ratio against two motions that have nothing to do with each
    other; `ahead` is how much of it no other lag has.
    """

    offset_s: float
    correlation: float
    rotation: Array
    evidence: float
    ahead: float


def find_lag(camera: Motion, log: Motion, within_s: tuple[float, float] | None = None) -> Lag | None:
    """The lag at which the rates correlate best, if they overlap for long enough at any.

    `within_s` bounds the offset, log time minus telemetry time, in seconds.
    """
    one, other = _thinned(camera), _thinned(log)
    table = _Correlations.of(one, other)
    start_s = log.start_s - camera.start_s
    usable = table.overlap >= _least_overlap(one[2], other[2])
    if within_s is not None:
        offsets = start_s + _COARSE_S * table.lags
        usable &= (offsets >= within_s[0]) & (offsets <= within_s[1])
    if not usable.any() or not (one[1].any() and other[1].any()):
        return None
    return _best(table, usable, _correlation_time(one, other), start_s)


def _thinned(motion: Motion) -> tuple[Array, Array, Array]:
    """Up vectors, rates and a mask of every fifth point, zero where they are not known."""
    known = motion.known[::_EVERY].astype(np.float64)
    return motion.up[::_EVERY] * known[:, None], motion.rate[::_EVERY] * known[:, None], known


def _least_overlap(one: Array, other: Array) -> float:
    return max(_LEAST_OVERLAP_S / _COARSE_S, _OVERLAP_SHARE * min(one.sum(), other.sum()))


@dataclass(frozen=True, slots=True)
class _Correlations:
    """Sums over the common time, for each lag: of products of rates (n, 3, 3), of the log's up vector (n, 3),
    the rates' lengths (n,), and how many points there are."""

    lags: Array
    rates: Array
    ups: Array
    norm: Array
    overlap: Array

    @classmethod
    def of(cls, one: tuple[Array, Array, Array], other: tuple[Array, Array, Array]) -> _Correlations:
        """Of up vectors, rates and masks of the two, by Fourier transforms."""
        (up, rate, mask), (log_up, log_rate, log_mask) = one, other
        n, m = len(mask), len(log_mask)
        size = 1 << (n + m - 1).bit_length()
        first = np.conj(np.fft.rfft(np.column_stack([rate, mask, (rate**2).sum(axis=1)]), size, axis=0))
        second = np.fft.rfft(
            np.column_stack([log_rate, log_up, log_mask, (log_rate**2).sum(axis=1)]), size, axis=0
        )

        def sums(i: int, j: int) -> Array:
            full = np.fft.irfft(first[:, i] * second[:, j], size)
            return np.concatenate([full[size - n + 1 :], full[:m]])

        rates = np.stack([sums(i, j) for i in range(3) for j in range(3)], axis=-1).reshape(-1, 3, 3)
        ups = np.stack([sums(3, j) for j in (3, 4, 5)], axis=-1)[:, None, :] * _mean_up(up, mask)[:, None]
        norm = np.sqrt(np.maximum(sums(4, 6), 0.0) * np.maximum(sums(3, 7), 0.0))
        return cls(np.arange(1 - n, m).astype(np.float64), rates, ups, norm, sums(3, 6))


def _mean_up(up: Array, mask: Array) -> Array:
    return np.asarray(up.sum(axis=0) / max(mask.sum(), 1.0))


def _correlation_time(one: tuple[Array, Array, Array], other: tuple[Array, Array, Array]) -> float:
    """Points of the grid for one independent sample of the product of the two (Bartlett 1946)."""
    size = 1 << (len(one[1]) + len(other[1]) - 1).bit_length()
    own = []
    for _, rate, _ in (one, other):
        power = (np.abs(np.fft.rfft(rate, size, axis=0)) ** 2).sum(axis=1)
        auto = np.fft.irfft(power, size)
        own.append(auto / max(auto[0], 1e-300))
    return float(max((own[0] * own[1]).sum(), 1.0))


def _best(table: _Correlations, usable: Flags, time: float, start_s: float) -> Lag | None:
    largest = table.norm[usable].max()
    if not largest > 0:
        return None
    norm = np.maximum(table.norm, 1e-6 * largest)
    bound = np.where(usable, np.sqrt((table.rates**2).sum(axis=(1, 2))) / norm, 0.0)
    few = np.sort(np.argsort(bound)[-_MOST_LAGS:])
    few = few[usable[few]]
    matrices = table.rates[few] / norm[few, None, None] + table.ups[few] / table.overlap[few, None, None]
    rotations = rotation_of(matrices)
    correlation = np.zeros(len(norm))
    correlation[few] = (rotations * table.rates[few]).sum(axis=(1, 2)) / norm[few]
    inside = np.clip(correlation, 0.0, 1 - 1e-6)
    evidence = -0.5 * np.maximum(table.overlap, 0.0) / time * np.log1p(-(inside**2))
    best = int(np.argmax(evidence))
    return Lag(
        offset_s=start_s + _COARSE_S * float(table.lags[best]),
        correlation=float(correlation[best]),
        rotation=rotations[np.searchsorted(few, best)],
        evidence=float(evidence[best]),
        ahead=float(evidence[best] - _elsewhere(evidence, best)),
    )


def _elsewhere(evidence: Array, best: int) -> float:
    """The largest evidence beyond the peak: where it has fallen to a half and begins to rise again."""
    sides = []
    for side in (evidence[best:], evidence[best::-1]):
        low = np.flatnonzero(side < 0.5 * side[0])
        after = side[low[0] :] if len(low) else side[:0]
        rises = np.flatnonzero(np.diff(after) > 0)
        sides.append(float(after[rises[0] :].max()) if len(rises) else 0.0)
    return max(sides)
