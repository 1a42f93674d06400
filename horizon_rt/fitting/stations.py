"""Kernel: stations along the horizon of a lens without distortion, where it is a straight line."""

from __future__ import annotations

import math
from typing import Any

from horizon_rt.system.kernels import kernel

__all__ = ["pinhole_stations"]


@kernel()
def pinhole_stations(
    u: Any, lens: tuple[float, float, float, float], size: tuple[int, int], points: Any, normals: Any,
    scales: Any, shares: Any, ends: Any, azimuths: Any,
) -> float:  # fmt: skip
    """Fill the fields of a strip (see `refine._Strip`) for the up vector `u` (3,).

    `lens` is fx, fy, cx, cy in px, `size` width and height. Returns px between stations, 0 where the horizon
    is not in view.
    """
    fx, fy, cx, cy = lens
    first, last = _ends_in_view(u, lens, size)
    if first <= last:
        return 0.0
    level = math.sqrt(1.0 - u[2] * u[2])
    f0, f1, f2 = -u[2] * u[0] / level, -u[2] * u[1] / level, level
    r0, r1, r2 = f1 * u[2] - f2 * u[1], f2 * u[0] - f0 * u[2], f0 * u[1] - f1 * u[0]
    n = points.shape[0]
    step = (last - first) / n
    span = math.sin(step * (n - 1))
    for k in range(n):
        t = first + (k + 0.5) * step
        c, s = math.cos(t), math.sin(t)
        x, y, z = c * f0 + s * r0, c * f1 + s * r1, c * f2 + s * r2
        if k in (0, n - 1):
            end = 0 if k == 0 else 1
            ends[end, 0], ends[end, 1], ends[end, 2] = x, y, z
        x, y = x / z, y / z
        points[k, 0], points[k, 1] = fx * x + cx, fy * y + cy
        nx, ny = fx * (u[0] - x * u[2]) / z, fy * (u[1] - y * u[2]) / z
        scales[k] = math.sqrt(nx * nx + ny * ny)
        normals[k, 0], normals[k, 1] = nx / scales[k], ny / scales[k]
        shares[k, 0], shares[k, 1] = math.sin(step * (n - 1 - k)) / span, math.sin(step * k) / span
        azimuths[k] = t
    dx, dy = points[n - 1, 0] - points[0, 0], points[n - 1, 1] - points[0, 1]
    return math.sqrt(dx * dx + dy * dy) / (n - 1)


@kernel()
def _ends_in_view(
    u: Any, lens: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float]:
    """The larger and the smaller azimuth of the horizon at the picture's border; alike where out of view.

    Liang and Barsky's clipping of a·x + b·y + d = 0, x and y from the principal point.
    """
    fx, fy, cx, cy = lens
    a, b, d = u[0] / fx, u[1] / fy, u[2]
    square = a * a + b * b
    if square < 1e-18:
        return 0.0, 0.0
    x0, y0 = -a * d / square, -b * d / square
    low, high = -1e18, 1e18
    for start, along, least, most in (
        (x0, -b, -0.5 - cx, size[0] - 0.5 - cx), (y0, a, -0.5 - cy, size[1] - 0.5 - cy),
    ):  # fmt: skip
        if along == 0.0:
            if start < least or start > most:
                return 0.0, 0.0
            continue
        one, other = (least - start) / along, (most - start) / along
        low, high = max(low, min(one, other)), min(high, max(one, other))
    if high <= low:
        return 0.0, 0.0
    p = _azimuth(u, (x0 - low * b) / fx, (y0 + low * a) / fy)
    q = _azimuth(u, (x0 - high * b) / fx, (y0 + high * a) / fy)
    return max(p, q), min(p, q)


@kernel(inline="always")
def _azimuth(u: Any, x: float, y: float) -> float:
    """Of the ray (x, y, 1) on the horizon."""
    level = math.sqrt(1.0 - u[2] * u[2])
    right = (y * u[0] - x * u[1]) / level
    forward = (1.0 - u[2] * (x * u[0] + y * u[1] + u[2])) / level
    return math.atan2(right, forward)
