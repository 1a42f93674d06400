"""Kernels: from mask logits to the horizon plane through the camera.

The horizon is the plane r·u = 0 through unit rays r. Points of it are the zero crossings of the logit
between neighbouring cells, along rows and columns, interpolated linearly. A consensus over seeded random
pairs (Fischler & Bolles 1981, scored as MSAC by Torr & Zisserman 2000) starts Gauss–Newton steps in the
tangent plane of the sphere with Tukey's biweight.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

__all__ = ["agreement", "crossings", "fit_plane", "tangent_basis"]

_HYPOTHESES = 96
_STEPS = 8
_TUKEY = 4.685


@njit(cache=True, nogil=True)
def crossings(logits: Any, rays: Any, points: Any, skyward: Any) -> int:
    """Collect the zero crossings of `logits` (h, w) as unit rays.

    `rays` (h, w, 3) holds the ray of each cell's centre, NaN outside the picture. Fills `points` (n, 3) and
    `skyward` (n, 3), the step from the ground cell's ray to the sky cell's ray, and returns how many.
    """
    h, w = logits.shape
    count = 0
    for i in range(h):
        for j in range(w):
            if math.isnan(rays[i, j, 0]):
                continue
            for axis in range(2):
                k, m = i + 1 - axis, j + axis
                if k >= h or m >= w or math.isnan(rays[k, m, 0]) or count >= len(points):
                    continue
                a, b = logits[i, j], logits[k, m]
                if (a > 0) == (b > 0):
                    continue
                t = a / (a - b)
                sign = 1.0 if b > a else -1.0
                norm = 0.0
                for c in range(3):
                    points[count, c] = rays[i, j, c] + t * (rays[k, m, c] - rays[i, j, c])
                    skyward[count, c] = sign * (rays[k, m, c] - rays[i, j, c])
                    norm += points[count, c] ** 2
                norm = math.sqrt(norm)
                for c in range(3):
                    points[count, c] /= norm
                count += 1
    return count


@njit(cache=True, nogil=True)
def tangent_basis(u: Any) -> tuple[Any, Any]:
    """Two unit vectors that complete the unit vector u to a right-handed orthonormal basis (a, b, u)."""
    a = np.zeros(3)
    k = 0 if abs(u[0]) < 0.6 else 1
    a[k] = 1.0
    d = u[k]
    norm = 0.0
    for c in range(3):
        a[c] -= d * u[c]
        norm += a[c] * a[c]
    norm = math.sqrt(norm)
    for c in range(3):
        a[c] /= norm
    b = np.empty(3)
    b[0] = u[1] * a[2] - u[2] * a[1]
    b[1] = u[2] * a[0] - u[0] * a[2]
    b[2] = u[0] * a[1] - u[1] * a[0]
    return a, b


@njit(cache=True, nogil=True)
def _consensus(points: Any, skyward: Any, count: int, width: float, seed: int, best: Any) -> float:
    """Put the best of the random pair planes into `best`; returns the mean of 1 − min(1, (r/width)²)."""
    state = np.uint64(seed * 2 + 1)
    top = 0.0
    u = np.empty(3)
    for _ in range(_HYPOTHESES):
        state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        i = int((state >> np.uint64(33)) % np.uint64(count))
        state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        j = int((state >> np.uint64(33)) % np.uint64(count))
        p, q = points[i], points[j]
        u[0] = p[1] * q[2] - p[2] * q[1]
        u[1] = p[2] * q[0] - p[0] * q[2]
        u[2] = p[0] * q[1] - p[1] * q[0]
        norm = math.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2)
        if norm < 4 * width:
            continue
        side = u[0] * skyward[i, 0] + u[1] * skyward[i, 1] + u[2] * skyward[i, 2]
        norm = math.copysign(norm, side)
        for c in range(3):
            u[c] /= norm
        score = 0.0
        for k in range(count):
            score += _support(points[k], skyward[k], u, width)
        if score > top:
            top = score
            best[:] = u
    return top / count


@njit(cache=True, nogil=True, inline="always")
def _support(p: Any, s: Any, u: Any, width: float) -> float:
    r = (p[0] * u[0] + p[1] * u[1] + p[2] * u[2]) / width
    if r * r >= 1.0 or s[0] * u[0] + s[1] * u[1] + s[2] * u[2] <= 0.0:
        return 0.0
    return 1.0 - r * r


@njit(cache=True, nogil=True)
def fit_plane(
    points: Any, skyward: Any, count: int, cell: float, seed: int, up: Any, covariance: Any
) -> tuple[int, float, float]:
    """Robust plane of the first `count` crossings.

    `cell` is the angle between neighbouring cells in rad. Fills `up` (3,) and `covariance` (3, 3), the
    formal covariance of u in rad² for independent crossings. Returns the number of inliers (0 if there is
    no plane), their root mean square residual and the angle that they span, both in rad.
    """
    if count < 4 or _consensus(points, skyward, count, 1.2 * cell, seed, up) <= 0.0:
        return 0, 0.0, 0.0
    cut = 2.4 * cell
    for _ in range(_STEPS):
        a, b = tangent_basis(up)
        m00 = m01 = m11 = v0 = v1 = squares = weights = 0.0
        low, high, inliers = math.inf, -math.inf, 0
        for k in range(count):
            p = points[k]
            r = p[0] * up[0] + p[1] * up[1] + p[2] * up[2]
            side = skyward[k, 0] * up[0] + skyward[k, 1] * up[1] + skyward[k, 2] * up[2]
            if abs(r) >= cut or side <= 0.0:
                continue
            w = (1.0 - (r / cut) ** 2) ** 2
            ja = p[0] * a[0] + p[1] * a[1] + p[2] * a[2]
            jb = p[0] * b[0] + p[1] * b[1] + p[2] * b[2]
            m00 += w * ja * ja
            m01 += w * ja * jb
            m11 += w * jb * jb
            v0 += w * ja * r
            v1 += w * jb * r
            squares += w * r * r
            weights += w
            inliers += 1
        determinant = m00 * m11 - m01 * m01
        if inliers < 4 or determinant <= 1e-12 * (m00 + m11) ** 2:
            return 0, 0.0, 0.0
        da = (m01 * v1 - m11 * v0) / determinant
        db = (m01 * v0 - m00 * v1) / determinant
        norm = math.sqrt(1.0 + da * da + db * db)
        for c in range(3):
            up[c] = (up[c] + da * a[c] + db * b[c]) / norm
        spread = math.sqrt(squares / weights)
        cut = min(max(_TUKEY * spread, 0.35 * cell), 2.4 * cell)
    for c in range(3):
        for d in range(3):
            inverse = m11 * a[c] * a[d] - m01 * (a[c] * b[d] + b[c] * a[d]) + m00 * b[c] * b[d]
            covariance[c, d] = inverse / determinant * squares / max(weights - 2.0, 1.0)
    first = -1
    for k in range(count):
        p = points[k]
        if abs(p[0] * up[0] + p[1] * up[1] + p[2] * up[2]) >= cut:
            continue
        if first < 0:
            first = k
        q = points[first]
        x = (q[1] * p[2] - q[2] * p[1]) * up[0] + (q[2] * p[0] - q[0] * p[2]) * up[1]
        x += (q[0] * p[1] - q[1] * p[0]) * up[2]
        turn = math.atan2(x, q[0] * p[0] + q[1] * p[1] + q[2] * p[2])
        low, high = min(low, turn), max(high, turn)
    return inliers, spread, max(high - low, 0.0)


@njit(cache=True, nogil=True)
def agreement(logits: Any, rays: Any, up: Any) -> tuple[float, float]:
    """How far the mask is the half plane of `up`, and the share of the picture above the horizon by the mask.

    The first is the mean of ±tanh|logit/2|, positive where the cell is on the right side; −1..1.
    """
    total, right, sky, cells = 1e-9, 0.0, 0.0, 0
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            if math.isnan(rays[i, j, 0]):
                continue
            signed = math.tanh(0.5 * logits[i, j])
            above = rays[i, j, 0] * up[0] + rays[i, j, 1] * up[1] + rays[i, j, 2] * up[2]
            right += signed if above > 0 else -signed
            total += abs(signed)
            sky += 0.5 + 0.5 * signed
            cells += 1
    return right / total, sky / max(cells, 1)
