"""Kernel: the most probable plane of a strip, by the evidence of `strip_net`.

Planes near the horizon are given by their elevation in rad at both ends; `shares` (n, 2) holds what of both a
station has, `scales` (n,) the rows per rad there. The horizon's row is in the middle, the sky's last.
"""

from __future__ import annotations

import math

import numpy as np

from horizon_rt.fitting.order_statistics import order_statistic
from horizon_rt.system.kernels import Array, kernel

__all__ = ["Moments", "log_prior", "most_probable_plane"]

Moments = tuple[float, float, float]

_FREEDOM = 3.0  # degrees of freedom of the prior
_NEAR = 3  # rows within which planes count as the same
_STRIDE = 2  # of rows in the first search
_FEW = 0.5  # of the largest support, which has full trust at least
_TRAINED_STRIDE = 3  # that of the planes among which the logit of none was trained


@kernel(fastmath=True, error_model="numpy")
def most_probable_plane(
    rows: Array,
    evidence: Array,
    floors: Array,
    none: float,
    scales: Array,
    shares: Array,
    precision: Array,
    log_posteriors: Array,
    trust: Array,
) -> tuple[float, float, float, float, float, float, Moments, Moments]:
    """The maximum a posteriori plane: elevations at both ends, sign of its gradient, posterior probability;
    the probability of none; and what the stations say for the plane, in nats.

    Each station has the likelihood of `evidence` (r, n/2) where a plane passes it, and that of its floor, as
    it may be hidden; `log_prior` is that of the squared distance from the middle by `precision` (2, 2). The
    probability is that of the plane and its neighbours, among all planes and none; then follow the second
    moments (aa, ab, bb) about it: of these neighbours, and what all others add. `log_posteriors` (r, r) is
    room for those of the planes by their rows at both ends, and `trust` (n,), 0 to 1, is filled with how far
    stations show the plane. `rows` (r, n) are the profiles.
    """
    count, pairs = evidence.shape
    half, scale, floor = count // 2, 0.0, 0.0
    gains = np.empty((count, pairs), np.float32)
    first, last = np.empty(pairs), np.empty(pairs)  # rows per row at both ends
    for k in range(pairs):
        scale += (scales[2 * k] + scales[2 * k + 1]) / (2 * pairs)
        floor += floors[k]
        for i in range(count):
            gains[i, k] = math.log1p(math.exp(min(evidence[i, k] - floors[k], 60.0)))
    for k in range(pairs):
        one, two = scales[2 * k] / (2 * scale), scales[2 * k + 1] / (2 * scale)
        first[k] = one * shares[2 * k, 0] + two * shares[2 * k + 1, 0]
        last[k] = one * shares[2 * k, 1] + two * shares[2 * k + 1, 1]
    best, bi, bj = -1e30, half, half
    for i in range(0, count, _STRIDE):
        for j in range(0, count, _STRIDE):
            value = _log_posterior(gains, first, last, precision, i, j, scale)
            log_posteriors[i, j] = value
            if value > best:
                best, bi, bj = value, i, j
    total, near, aa, ab, bb = 0.0, 0.0, 0.0, 0.0, 0.0
    naa, nab, nbb = 0.0, 0.0, 0.0
    for i in range(0, count, _STRIDE):
        for j in range(0, count, _STRIDE):
            p = math.exp(log_posteriors[i, j] - best)
            total += p
            da, db = (i - bi) / scale, (j - bj) / scale
            if abs(i - bi) <= _NEAR and abs(j - bj) <= _NEAR:
                near += p
                naa, nab, nbb = naa + p * da * da, nab + p * da * db, nbb + p * db * db
            else:
                aa, ab, bb = aa + p * da * da, ab + p * da * db, bb + p * db * db
    seen = total + (_TRAINED_STRIDE / _STRIDE) ** 2 * math.exp(min(none - floor - best, 60.0))
    ci, cj, best = bi, bj, -1e30
    for i in range(max(ci - 2, 0), min(ci + 3, count)):
        for j in range(max(cj - 2, 0), min(cj + 3, count)):
            value = _log_posterior(gains, first, last, precision, i, j, scale)
            if value > best:
                best, bi, bj = value, i, j
    sign, support = _trust(rows, gains, first, last, bi - half, bj - half, trust)
    beside = naa / near, nab / near, nbb / near
    others = aa / seen, ab / seen, bb / seen
    a, b = (bi - half) / scale, (bj - half) / scale
    return a, b, sign, near / seen, 1 - total / seen, support, beside, others


@kernel(inline="always")
def log_prior(far: float) -> float:
    """Student's t in two dimensions, by the squared distance: masks may be far off, and rarely are."""
    return -0.5 * (_FREEDOM + 2.0) * math.log(1.0 + far / _FREEDOM)


@kernel(fastmath=True)
def _log_posterior(
    gains: Array, first: Array, last: Array, precision: Array, i: int, j: int, scale: float
) -> float:
    """Of the plane at rows i and j of the ends, over that of all stations' floors."""
    count, pairs = gains.shape
    half = count // 2
    a, b = float(i - half), float(j - half)
    value = 0.0
    for k in range(pairs):
        place = half + 0.5 + a * first[k] + b * last[k]
        if 0.0 <= place < count:
            value += gains[int(place), k]
    a, b = a / scale, b / scale
    return value + log_prior(
        precision[0, 0] * a * a + 2.0 * precision[0, 1] * a * b + precision[1, 1] * b * b
    )


@kernel(fastmath=True)
def _trust(
    rows: Array, gains: Array, first: Array, last: Array, a: float, b: float, trust: Array
) -> tuple[float, float]:
    """Fill `trust` for a plane by its rows at both ends; returns the sign of its gradient, and its support.

    A station's support is the log likelihood of the plane's row over that of any row, and the plane's is
    their sum. Trust goes from 0, without support, to 1, at that of the upper quartile of the stations, or at
    half the largest where few show the plane.
    """
    count, pairs = gains.shape
    support, order, largest = np.zeros(pairs), np.empty(pairs), 0.0
    for k in range(pairs):
        place = count // 2 + 0.5 + a * first[k] + b * last[k]
        if 1.0 <= place < count - 1:
            anywhere = 0.0
            for i in range(count):
                anywhere += math.exp(gains[i, k] - gains[int(place), k]) / count
            support[k] = -math.log(anywhere)
        order[k], largest = support[k], max(largest, support[k])
    top = max(order_statistic(order, pairs, (3 * pairs) // 4), _FEW * largest, 1e-6)
    gradient = 0.0
    for k in range(pairs):
        trust[2 * k] = trust[2 * k + 1] = min(max(support[k] / top, 0.0), 1.0)
        place = min(max(int(count // 2 + 0.5 + a * first[k] + b * last[k]), 1), count - 2)
        for n in (2 * k, 2 * k + 1):
            gradient += trust[n] * (rows[place + 1, n] - rows[place - 1, n])
    return 1.0 if gradient > 0.0 else -1.0, support.sum()
