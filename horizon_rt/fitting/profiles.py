"""Kernels: luma profiles across a horizon, and the plane with the best evidence in them.

A profile has an odd number of rows, the horizon's in the middle and the sky's last. Planes near the horizon
are given by their elevation in rad at both ends; `shares` (n, 2) holds what of both a station has, `scales`
(n,) the rows per rad there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from horizon_rt.fitting.ranked import ranked
from horizon_rt.system.kernels import kernel

__all__ = ["CUES", "SIGNED", "collect_cues", "log_prior", "read_cues", "sample_profiles", "search"]

# What is read of a plane at each station. The first three are signed, and their sums count without sign:
# a gradient, cut where it stands out of the noise; one cut where it is the largest; the step in tone between
# the bands on both sides. The others are the unrest above and below.
CUES, SIGNED = 5, 3
_SCALE = 2  # rows on each side that a gradient compares
_CLEAR = 4  # rows off the plane where its unrest is read from
_BAND = 12  # rows of unrest; tones are of one less, right beside the plane
_CUT = 6.0  # times the lower quartile of the gradients: noise
_LEAST = 0.5  # grey levels that a gradient must have to stand out
_FREEDOM = 3.0  # degrees of freedom of the prior
_NEAR = 3  # rows within which planes count as the same
_STRIDE = 2  # of rows and stations in the first search


@kernel(fastmath=True)
def sample_profiles(
    luma: Any, points: Any, normals: Any, step: float, along: float, count: int, gain: float, rows: Any
) -> None:
    """Fill `rows` (r, n): luma `step` px apart along the normals, each the mean of `count` samples along the
    horizon, `along` px apart, times `gain`. Bilinear; beyond the picture, of 2×2 px or more, its border goes
    on. Points and step are finite.
    """
    height, width = luma.shape
    half = rows.shape[0] // 2
    for k in range(points.shape[0]):
        nx, ny = normals[k, 0], normals[k, 1]
        for i in range(rows.shape[0]):
            total = 0.0
            for j in range(count):
                s = (j - 0.5 * (count - 1)) * along
                x = points[k, 0] + (i - half) * step * nx - s * ny
                y = points[k, 1] + (i - half) * step * ny + s * nx
                x, y = min(max(x, 0.0), width - 1.001), min(max(y, 0.0), height - 1.001)
                c, r = int(x), int(y)
                u, v = x - c, y - r
                top = luma[r, c] + u * (float(luma[r, c + 1]) - luma[r, c])
                bottom = luma[r + 1, c] + u * (float(luma[r + 1, c + 1]) - luma[r + 1, c])
                total += top + v * (bottom - top)
            rows[i, k] = gain * total / count


# Divisions that are checked keep the loops from being vectorised: 0.014 instead of 0.041 ms.
@kernel(fastmath=True, error_model="numpy")
def collect_cues(rows: Any, cues: Any) -> None:
    """Fill `cues` (r, n, CUES) from profiles (r, n); see CUES."""
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
    tone = math.sqrt(max(spread / (count * n) - mean * mean, _LEAST * _LEAST))
    largest = max(ranked(tops, n, n // 2), _LEAST)
    sizes, seen = np.empty(count * n), 0
    for i in range(_SCALE, count - _SCALE, 2):
        for k in range(0, n, 2):
            sizes[seen] = abs(gradients[i, k])
            seen += 1
    noise = min(max(_CUT * ranked(sizes, seen, seen // 4), _LEAST), largest)
    unrest = np.zeros((count + 1, n))
    for i in range(count):
        for k in range(n):
            g = gradients[i, k]
            cues[i, k, 0] = min(max(g / noise, -1.0), 1.0)
            cues[i, k, 1] = min(max(g / largest, -1.0), 1.0)
            unrest[i + 1, k] = unrest[i, k] + abs(cues[i, k, 0])
    for i in range(count):
        for k in range(n):
            above = _band(unrest, i + _CLEAR, i + _CLEAR + _BAND, count, k)
            below = _band(unrest, i - _CLEAR - _BAND + 1, i - _CLEAR + 1, count, k)
            over = _band(sums, i + 1, i + _BAND, count, k)
            under = _band(sums, i - _BAND + 1, i, count, k)
            cues[i, k, 2] = min(max((over - under) / tone, -2.0), 2.0)
            cues[i, k, 3], cues[i, k, 4] = above, below


@kernel(inline="always")
def _band(sums: Any, low: int, high: int, count: int, k: int) -> float:
    """Mean over rows low..high−1 from running sums; at the end of the profile the last row goes on."""
    low, high = max(min(low, count - 1), 0), max(min(high, count), 1)
    if high <= low:
        high = low + 1
    return (sums[high, k] - sums[low, k]) / (high - low)


@kernel(fastmath=True)
def read_cues(cues: Any, scales: Any, shares: Any, a: float, b: float, stride: int, out: Any) -> None:
    """Fill `out` (CUES,) with the means over every `stride`-th station of the plane at elevations a and b."""
    count, n = cues.shape[:2]
    half = count // 2
    for c in range(CUES):
        out[c] = 0.0
    seen = 0
    for k in range(0, n, stride):
        place = int(half + scales[k] * (a * shares[k, 0] + b * shares[k, 1]) + 0.5)
        place = min(max(place, 0), count - 1)
        seen += 1
        for c in range(CUES):
            out[c] += cues[place, k, c]
    for c in range(CUES):
        out[c] /= seen


@kernel(fastmath=True)
def search(
    cues: Any, scales: Any, shares: Any, middle: Any, precision: Any, weights: Any, beliefs: Any
) -> tuple[float, float, float, float, tuple[float, float, float]]:
    """The most believed plane: elevations at both ends, sign of its gradient, and its share of the belief.

    The log belief of a plane is the sum of its cues by `weights[:CUES]` and of `log_prior` of its squared
    distance from the elevations `middle` (2,), by `precision` (2, 2), times `weights[CUES]`. The share is
    what it and its neighbours hold of the belief in all planes; then follow the second moments (aa, ab, bb)
    about it that the others add. `beliefs` (r, r) is for the planes by their rows at both ends.
    """
    count, n = cues.shape[:2]
    half, scale = count // 2, 0.0
    for k in range(n):
        scale += scales[k] / n
    found = np.empty(CUES)
    best, bi, bj = -1e30, half, half
    for i in range(0, count, _STRIDE):
        for j in range(0, count, _STRIDE):
            value = _belief(cues, scales, shares, middle, precision, weights, i, j, scale, _STRIDE, found)
            beliefs[i, j] = value
            if value > best:
                best, bi, bj = value, i, j
    total, near, aa, ab, bb = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(0, count, _STRIDE):
        for j in range(0, count, _STRIDE):
            p = math.exp(beliefs[i, j] - best)
            total += p
            if abs(i - bi) <= _NEAR and abs(j - bj) <= _NEAR:
                near += p
            else:
                da, db = (i - bi) / scale, (j - bj) / scale
                aa, ab, bb = aa + p * da * da, ab + p * da * db, bb + p * db * db
    ci, cj, best, sign = bi, bj, -1e30, 1.0
    for i in range(max(ci - 2, 0), min(ci + 3, count)):
        for j in range(max(cj - 2, 0), min(cj + 3, count)):
            value = _belief(cues, scales, shares, middle, precision, weights, i, j, scale, 1, found)
            if value > best:
                best, bi, bj, sign = value, i, j, 1.0 if found[1] > 0 else -1.0
    return (bi - half) / scale, (bj - half) / scale, sign, near / total, (aa / total, ab / total, bb / total)


@kernel(inline="always")
def log_prior(far: float) -> float:
    """Student's t in two dimensions, by the squared distance: masks may be far off, and rarely are."""
    return -0.5 * (_FREEDOM + 2.0) * math.log(1.0 + far / _FREEDOM)


@kernel(fastmath=True)
def _belief(
    cues: Any, scales: Any, shares: Any, middle: Any, precision: Any, weights: Any, i: int, j: int,
    scale: float, stride: int, found: Any,
) -> float:  # fmt: skip
    half = cues.shape[0] // 2
    a, b = (i - half) / scale, (j - half) / scale
    read_cues(cues, scales, shares, a, b, stride, found)
    a, b = a - middle[0], b - middle[1]
    far = precision[0, 0] * a * a + 2.0 * precision[0, 1] * a * b + precision[1, 1] * b * b
    value = weights[CUES] * log_prior(far)
    for c in range(CUES):
        value += weights[c] * (abs(found[c]) if c < SIGNED else found[c])
    return value
