"""Kernels: features of luma profiles across a horizon, and the most probable plane by them.

A profile has an odd number of rows, the horizon's in the middle and the sky's last. Planes near the horizon
are given by their elevation in rad at both ends; `shares` (n, 2) holds what of both a station has, `scales`
(n,) the rows per rad there.
"""

from __future__ import annotations

import math

import numpy as np

from horizon_rt.fitting.order_statistics import order_statistic
from horizon_rt.system.kernels import Array, kernel

__all__ = [
    "FEATURES",
    "SIGNED_FEATURES",
    "collect_features",
    "log_prior",
    "most_probable_plane",
    "read_features",
]

# Features of a plane at each station. The first three are signed, and the magnitude of their sum counts: a
# gradient clipped where it stands out of the noise; one clipped where it is the largest; the step of the mean
# luma between the bands on both sides. The others are the edge density above and below.
FEATURES, SIGNED_FEATURES = 5, 3
_SCALE = 2  # rows on each side that a gradient compares
_CLEAR = 4  # rows off the plane from which its edge density is taken
_BAND = 12  # rows of edge density; mean luma is of one less, right beside the plane
_CUT = 6.0  # times the lower quartile of the gradients: noise
_LEAST = 0.5  # grey levels that a gradient must have to stand out
_FREEDOM = 3.0  # degrees of freedom of the prior
_NEAR = 3  # rows within which planes count as the same
_STRIDE = 2  # of rows and stations in the first search


# Divisions that are checked keep the loops from being vectorised: 0.014 instead of 0.041 ms.
@kernel(fastmath=True, error_model="numpy")
def collect_features(rows: Array, features: Array) -> None:
    """Fill `features` (r, n, FEATURES) from profiles (r, n); see FEATURES."""
    count, n = rows.shape
    gradients = np.zeros((count, n))
    sums = np.zeros((count + 1, n))
    tops = np.zeros(n)
    for i in range(_SCALE, count - _SCALE):
        for k in range(n):
            value = 0.0
            for j in range(1, _SCALE + 1):
                value += rows[i + j, k] - rows[i - j, k]
            gradients[i, k] = value / _SCALE
            tops[k] = max(tops[k], abs(gradients[i, k]))
    spread, mean = 0.0, 0.0
    for i in range(count):
        for k in range(n):
            sums[i + 1, k] = sums[i, k] + rows[i, k]
            mean += rows[i, k]
            spread += rows[i, k] * rows[i, k]
    mean /= count * n
    contrast = math.sqrt(max(spread / (count * n) - mean * mean, _LEAST * _LEAST))
    largest = max(order_statistic(tops, n, n // 2), _LEAST)
    sizes, seen = np.empty(count * n), 0
    for i in range(_SCALE, count - _SCALE, 2):
        for k in range(0, n, 2):
            sizes[seen] = abs(gradients[i, k])
            seen += 1
    noise = min(max(_CUT * order_statistic(sizes, seen, seen // 4), _LEAST), largest)
    density = np.zeros((count + 1, n))
    for i in range(count):
        for k in range(n):
            g = gradients[i, k]
            features[i, k, 0] = min(max(g / noise, -1.0), 1.0)
            features[i, k, 1] = min(max(g / largest, -1.0), 1.0)
            density[i + 1, k] = density[i, k] + abs(features[i, k, 0])
    for i in range(count):
        for k in range(n):
            above = _band(density, i + _CLEAR, i + _CLEAR + _BAND, count, k)
            below = _band(density, i - _CLEAR - _BAND + 1, i - _CLEAR + 1, count, k)
            over = _band(sums, i + 1, i + _BAND, count, k)
            under = _band(sums, i - _BAND + 1, i, count, k)
            features[i, k, 2] = min(max((over - under) / contrast, -2.0), 2.0)
            features[i, k, 3], features[i, k, 4] = above, below


@kernel(inline="always")
def _band(sums: Array, low: int, high: int, count: int, k: int) -> float:
    """Mean over rows low..high−1 from running sums; at the end of the profile the last row goes on."""
    low, high = max(min(low, count - 1), 0), max(min(high, count), 1)
    if high <= low:
        high = low + 1
    return (sums[high, k] - sums[low, k]) / (high - low)


@kernel(fastmath=True)
def read_features(
    features: Array, scales: Array, shares: Array, a: float, b: float, stride: int, out: Array
) -> None:
    """Fill `out` (FEATURES,) with the means over every `stride`-th station of a plane."""
    count, n = features.shape[:2]
    half = count // 2
    for c in range(FEATURES):
        out[c] = 0.0
    seen = 0
    for k in range(0, n, stride):
        place = int(half + scales[k] * (a * shares[k, 0] + b * shares[k, 1]) + 0.5)
        place = min(max(place, 0), count - 1)
        seen += 1
        for c in range(FEATURES):
            out[c] += features[place, k, c]
    for c in range(FEATURES):
        out[c] /= seen


@kernel(fastmath=True)
def most_probable_plane(
    features: Array,
    scales: Array,
    shares: Array,
    middle: Array,
    precision: Array,
    weights: Array,
    log_posteriors: Array,
) -> tuple[float, float, float, float, tuple[float, float, float]]:
    """The maximum a posteriori plane: elevations at both ends, sign of its gradient, posterior probability.

    The log posterior of a plane, but for a constant, is the sum of its features by `weights[:FEATURES]` and
    of `log_prior` of its squared distance from the elevations `middle` (2,), by `precision` (2, 2), times
    `weights[FEATURES]` (a conditional logit, McFadden 1974). The probability is that of the plane and its
    neighbours; then follow the second moments (aa, ab, bb) about it that all others add. `log_posteriors`
    (r, r) is filled, for the planes by their rows at both ends.
    """
    count, n = features.shape[:2]
    half, scale = count // 2, 0.0
    for k in range(n):
        scale += scales[k] / n
    found = np.empty(FEATURES)
    best, bi, bj = -1e30, half, half
    for i in range(0, count, _STRIDE):
        for j in range(0, count, _STRIDE):
            value = _log_posterior(
                features, scales, shares, middle, precision, weights, i, j, scale, _STRIDE, found
            )
            log_posteriors[i, j] = value
            if value > best:
                best, bi, bj = value, i, j
    total, near, aa, ab, bb = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(0, count, _STRIDE):
        for j in range(0, count, _STRIDE):
            p = math.exp(log_posteriors[i, j] - best)
            total += p
            if abs(i - bi) <= _NEAR and abs(j - bj) <= _NEAR:
                near += p
            else:
                da, db = (i - bi) / scale, (j - bj) / scale
                aa, ab, bb = aa + p * da * da, ab + p * da * db, bb + p * db * db
    ci, cj, best, sign = bi, bj, -1e30, 1.0
    for i in range(max(ci - 2, 0), min(ci + 3, count)):
        for j in range(max(cj - 2, 0), min(cj + 3, count)):
            value = _log_posterior(
                features, scales, shares, middle, precision, weights, i, j, scale, 1, found
            )
            if value > best:
                best, bi, bj, sign = value, i, j, 1.0 if found[1] > 0 else -1.0
    return (bi - half) / scale, (bj - half) / scale, sign, near / total, (aa / total, ab / total, bb / total)


@kernel(inline="always")
def log_prior(far: float) -> float:
    """Student's t in two dimensions, by the squared distance: masks may be far off, and rarely are."""
    return -0.5 * (_FREEDOM + 2.0) * math.log(1.0 + far / _FREEDOM)


@kernel(fastmath=True)
def _log_posterior(
    features: Array, scales: Array, shares: Array, middle: Array, precision: Array, weights: Array, i: int,
    j: int, scale: float, stride: int, found: Array,
) -> float:  # fmt: skip
    half = features.shape[0] // 2
    a, b = (i - half) / scale, (j - half) / scale
    read_features(features, scales, shares, a, b, stride, found)
    a, b = a - middle[0], b - middle[1]
    far = precision[0, 0] * a * a + 2.0 * precision[0, 1] * a * b + precision[1, 1] * b * b
    value = weights[FEATURES] * log_prior(far)
    for c in range(FEATURES):
        value += weights[c] * (abs(found[c]) if c < SIGNED_FEATURES else found[c])
    return value
