"""Kernel: the robust plane through the gradient maxima of profiles; see `evidence` for their layout."""

from __future__ import annotations

import math

import numpy as np

from horizon_rt.fitting.order_statistics import order_statistic
from horizon_rt.fitting.plane import TUKEY
from horizon_rt.system.kernels import Array, kernel

__all__ = ["fit_subpixel"]

_STEPS = 6
_MIN_SHARE = 0.4  # of the stations that are trusted, which have their maximum on the line
_MIN_TRUSTED = 0.15  # of all stations, that this is a share of at least
_LEAST_TRUST = 0.1
_SIGNIFICANT = 4.0  # standard errors of the mean gradient on the plane
_FALL = 0.6  # of its peak, to which the mean gradient falls at the sides of an edge


@kernel(fastmath=True)
def fit_subpixel(
    rows: Array, scales: Array, shares: Array, sign: float, window: float, trust: Array, lift_sd: float = 0.0
) -> tuple[int, float, float, Array]:
    """Robust plane through the largest gradients of the stations, no more than `window` rows away.

    Stations count by their `trust` (n,), 0 to 1. What is seen of the horizon may lie above or below it all
    along, by haze or hills: an elevation of the standard deviation `lift_sd` in rad, which is fitted
    with the plane. Returns how many lie on it (0: none that is consistent), its elevations at both ends, and
    their covariance (2, 2), rad², for stations that err independently.
    """
    covariance = np.zeros((2, 2))
    n = rows.shape[1]
    half = rows.shape[0] // 2
    width = _edge_width(rows, sign, window, trust)
    smooth = _smoothed(rows, max(1.4, 0.25 * width))
    window = max(3.0, min(window, width))
    a, b, lift, spread, on = 0.0, 0.0, 0.0, window, 0
    peaks, sizes, order = np.empty(n), np.empty(n), np.empty(n)
    trusted = max(trust.sum(), _MIN_TRUSTED * n)
    for _ in range(_STEPS):
        seen, shown = 0, 0.0
        for k in range(n):
            middle = half + scales[k] * (a * shares[k, 0] + b * shares[k, 1] + lift)
            peaks[k], sizes[k] = _maximum(smooth, k, sign, middle, window)
            if sizes[k] > 0.0 and trust[k] > _LEAST_TRUST:
                order[seen] = sizes[k]
                seen, shown = seen + 1, shown + trust[k]
        if shown < _MIN_SHARE * trusted:
            return 0, 0.0, 0.0, covariance
        cut = max(TUKEY * spread, 1.0)
        typical = order_statistic(order, seen, seen // 2)
        m00, m01, m11, v0, v1, squares, weights = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        m02, m12, m22, v2 = 0.0, 0.0, 0.0, 0.0
        on, shown = 0, 0.0
        for k in range(n):
            r = peaks[k] - half - scales[k] * (a * shares[k, 0] + b * shares[k, 1] + lift)
            if sizes[k] <= 0.0 or abs(r) >= cut or trust[k] <= _LEAST_TRUST:
                continue
            w = (1.0 - (r / cut) ** 2) ** 2 * min(1.0, sizes[k] / typical) * trust[k]
            p, q = scales[k] * shares[k, 0], scales[k] * shares[k, 1]
            m00, m01, m11 = m00 + w * p * p, m01 + w * p * q, m11 + w * q * q
            v0, v1, v2 = v0 + w * p * r, v1 + w * q * r, v2 + w * scales[k] * r
            m02, m12, m22 = m02 + w * p * scales[k], m12 + w * q * scales[k], m22 + w * scales[k] ** 2
            squares, weights, on, shown = squares + w * r * r, weights + w, on + 1, shown + trust[k]
        if lift_sd > 0.0:  # the lift is eliminated
            held = (spread / lift_sd) ** 2
            m22, v2 = m22 + held, v2 - held * lift
            m00, m01, m11 = m00 - m02 * m02 / m22, m01 - m02 * m12 / m22, m11 - m12 * m12 / m22
            v0, v1 = v0 - m02 * v2 / m22, v1 - m12 * v2 / m22
        determinant = m00 * m11 - m01 * m01
        if shown < _MIN_SHARE * trusted or determinant <= 1e-9 * m00 * m11:
            return 0, 0.0, 0.0, covariance
        da, db = (m11 * v0 - m01 * v1) / determinant, (m00 * v1 - m01 * v0) / determinant
        a, b = a + da, b + db
        if lift_sd > 0.0:
            lift += (v2 - m02 * da - m12 * db) / m22
        variance = squares / max(weights - 2.0, 1.0)
        spread = max(math.sqrt(variance), 0.1)
        covariance[0, 0], covariance[1, 1] = variance * m11 / determinant, variance * m00 / determinant
        covariance[0, 1] = covariance[1, 0] = -variance * m01 / determinant
    total = power = 0.0
    for k in range(n):
        place = int(half + scales[k] * (a * shares[k, 0] + b * shares[k, 1] + lift) + 0.5)
        size = trust[k] * sign * smooth[min(max(place, 0), rows.shape[0] - 1), k]
        total, power = total + size, power + size * size
    if not total > _SIGNIFICANT * math.sqrt(max(power - total * total / n, 0.0)):
        return 0, 0.0, 0.0, covariance
    return on, a, b, covariance


@kernel(fastmath=True)
def _edge_width(rows: Array, sign: float, window: float, trust: Array) -> float:
    """Rows over which the mean profile has its gradient above `_FALL` of the largest near the middle."""
    count, n = rows.shape
    half, reach = count // 2, int(window + 0.5)
    mean = np.zeros(count)
    for i in range(1, count - 1):
        for k in range(n):
            mean[i] += trust[k] * sign * (rows[i + 1, k] - rows[i - 1, k])
    top = half
    for i in range(max(half - reach, 1), min(half + reach + 1, count - 1)):
        if mean[i] > mean[top]:
            top = i
    low = high = top
    while low > 0 and mean[low] > _FALL * mean[top]:
        low -= 1
    while high < count - 1 and mean[high] > _FALL * mean[top]:
        high += 1
    return float(high - low)


@kernel(fastmath=True)
def _smoothed(rows: Array, sigma: float) -> Array:
    """Derivative by rows, smoothed with a Gaussian of `sigma` rows."""
    count, n = rows.shape
    reach = math.ceil(3 * sigma)
    taps, norm = np.empty(2 * reach + 1), 0.0
    for j in range(-reach, reach + 1):
        taps[j + reach] = j * math.exp(-0.5 * (j / sigma) ** 2)
        norm += j * taps[j + reach]
    out = np.zeros((count, n))
    for i in range(count):
        for j in range(-reach, reach + 1):
            source, tap = min(max(i + j, 0), count - 1), taps[j + reach] / norm
            for k in range(n):
                out[i, k] += tap * rows[source, k]
    return out


@kernel(inline="always")
def _maximum(smooth: Array, k: int, sign: float, middle: float, window: float) -> tuple[float, float]:
    """Place and size of the largest gradient of a station within `window` rows of `middle`; size 0 if none.

    The place is the top of the parabola through the largest value and its neighbours.
    """
    count = smooth.shape[0]
    low, high = max(1, int(middle - window + 0.5)), min(count - 2, int(middle + window + 0.5))
    top = low
    for i in range(low, high + 1):
        if sign * smooth[i, k] > sign * smooth[top, k]:
            top = i
    if low > high:
        return 0.0, 0.0
    before, peak, after = sign * smooth[top - 1, k], sign * smooth[top, k], sign * smooth[top + 1, k]
    bend = before - 2.0 * peak + after
    if peak <= 0.0 or bend >= 0.0 or before > peak or after > peak:
        return 0.0, 0.0
    return top + 0.5 * (before - after) / bend, peak
