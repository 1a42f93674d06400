"""Kernels: the Kannala–Brandt fisheye and its inverse, for one point after the other.

`k` (4,) are the coefficients, `limit` the angle to the optical axis in rad at which the model ends.
"""

from __future__ import annotations

import math

from horizon_rt.system.kernels import Array, kernel

__all__ = ["project_fisheye", "unproject_fisheye"]

_STEPS = 60


@kernel(error_model="numpy")
def project_fisheye(rays: Array, k: Array, limit: float, points: Array) -> None:
    """Fill `points` (n, 2) with where `rays` (n, 3) fall; NaN from `limit` on."""
    for n in range(rays.shape[0]):
        points[n, 0] = points[n, 1] = math.nan
        x, y, z = rays[n, 0], rays[n, 1], rays[n, 2]
        across = math.hypot(x, y)
        theta = math.atan2(across, z)
        if not theta < limit:
            continue
        share = _radius(theta, k) / across if across > 0.0 else 0.0
        points[n, 0], points[n, 1] = x * share, y * share


@kernel(error_model="numpy")
def unproject_fisheye(points: Array, k: Array, limit: float, rays: Array) -> None:
    """Fill `rays` (n, 3) with the unit rays of `points` (n, 2); NaN from the radius of `limit` on."""
    end = _radius(limit, k)
    for n in range(points.shape[0]):
        rays[n, 0] = rays[n, 1] = rays[n, 2] = math.nan
        x, y = points[n, 0], points[n, 1]
        radius = math.hypot(x, y)
        if not radius < end:
            continue
        theta = _angle(radius, k, limit)
        share = math.sin(theta) / radius if radius > 0.0 else 0.0
        rays[n, 0], rays[n, 1], rays[n, 2] = x * share, y * share, math.cos(theta)


@kernel(inline="always")
def _radius(theta: float, k: Array) -> float:
    s = theta * theta
    return theta * (1.0 + s * (k[0] + s * (k[1] + s * (k[2] + s * k[3]))))


@kernel(error_model="numpy")
def _angle(radius: float, k: Array, limit: float) -> float:
    """The angle of a radius: the curve rises up to the limit, so Newton's method is held between bounds."""
    low, high, theta = 0.0, limit, min(radius, 0.5 * limit)
    for _ in range(_STEPS):
        s = theta * theta
        slope = 1.0 + s * (3.0 * k[0] + s * (5.0 * k[1] + s * (7.0 * k[2] + s * 9.0 * k[3])))
        value = _radius(theta, k) - radius
        low, high = (theta, high) if value < 0.0 else (low, theta)
        following = theta - value / slope
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - theta) <= 1e-15 * theta:
            return following
        theta = following
    return theta
