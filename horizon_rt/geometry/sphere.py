"""Kernels on the unit sphere: its tangent planes, and the exponential and logarithm between the two."""

from __future__ import annotations

import math

import numpy as np

from horizon_rt.system.kernels import Array, kernel

__all__ = ["cross", "offset", "tangent_basis", "turn"]


@kernel(inline="always")
def cross(p: Array, q: Array, out: Array) -> None:
    """Fill `out` with the vector product p × q."""
    out[0] = p[1] * q[2] - p[2] * q[1]
    out[1] = p[2] * q[0] - p[0] * q[2]
    out[2] = p[0] * q[1] - p[1] * q[0]


@kernel()
def tangent_basis(u: Array) -> tuple[Array, Array]:
    """Two unit vectors that complete the unit vector u to a right-handed orthonormal basis (a, b, u)."""
    a, b = np.zeros(3), np.empty(3)
    k = 0 if abs(u[0]) < 0.6 else 1
    norm = math.sqrt(1.0 - u[k] * u[k])
    for c in range(3):
        a[c] = ((1.0 if c == k else 0.0) - u[k] * u[c]) / norm
    cross(u, a, b)
    return a, b


@kernel()
def turn(frame: Array, a: float, b: float) -> None:
    """Rotate the whole frame along the great circle that starts in tangent direction (a, b), in rad."""
    angle = math.sqrt(a * a + b * b)
    if angle < 1e-15:
        return
    a, b, cos, sin = a / angle, b / angle, math.cos(angle), math.sin(angle)
    for k in range(3):
        along = a * frame[k, 0] + b * frame[k, 1]
        across = -b * frame[k, 0] + a * frame[k, 1]
        u = frame[k, 2]
        moved = cos * along - sin * u
        frame[k, 2] = cos * u + sin * along
        frame[k, 0] = a * moved - b * across
        frame[k, 1] = b * moved + a * across
    for j in (2, 0):  # the rounding of many turns, taken out
        norm = math.sqrt(frame[0, j] ** 2 + frame[1, j] ** 2 + frame[2, j] ** 2)
        for k in range(3):
            frame[k, j] /= norm


@kernel()
def offset(frame: Array, u: Array) -> tuple[float, float]:
    """Where u lies from the state: the logarithm of the sphere, in tangent coordinates."""
    x = y = z = 0.0
    for k in range(3):
        x += frame[k, 0] * u[k]
        y += frame[k, 1] * u[k]
        z += frame[k, 2] * u[k]
    sin = math.sqrt(x * x + y * y)
    if sin < 1e-12:  # here, or at the antipode, to which every direction leads
        return (x, y) if z > 0.0 else (math.pi, 0.0)
    scale = math.atan2(sin, z) / sin
    return x * scale, y * scale
