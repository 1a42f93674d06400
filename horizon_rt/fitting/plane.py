"""Kernels: from crossings to the horizon plane through the camera.

The horizon is the plane r·u = 0 through unit rays r, or, seen from a height, the cone r·u = −sin(dip): all
functions take `sine`, the sine of the dip. A consensus over seeded random pairs (Fischler &
Bolles 1981, scored as MSAC by Torr & Zisserman 2000) starts Gauss–Newton steps in the tangent plane of the
sphere with Tukey's biweight (Beaton & Tukey 1974).

`points` (n, 3) are unit rays on the boundary, `skyward` (n, 3) steps across it towards the sky.
"""

from __future__ import annotations

import math

import numpy as np

from horizon_rt.geometry.sphere import cross, tangent_basis
from horizon_rt.system.kernels import Array, kernel

__all__ = ["TUKEY", "fit_plane"]

_HYPOTHESES = 96
_STEPS = 8
TUKEY = 4.685  # in standard deviations: 95 % efficiency for Gaussian noise
_MIN_POINTS = 4
# In cells: what counts as support of a hypothesis, and the widest and the narrowest cut of the biweight.
_SUPPORT, _WIDEST, _NARROWEST = 1.2, 2.4, 0.35


@kernel(inline="always")
def _dot(p: Array, q: Array) -> float:
    return p[0] * q[0] + p[1] * q[1] + p[2] * q[2]


@kernel()
def fit_plane(
    points: Array, skyward: Array, count: int, cell: float, seed: int, up: Array, covariance: Array,
    sine: float = 0.0,
) -> tuple[int, float, float]:  # fmt: skip
    """Robust plane of the first `count` crossings.

    `cell` is the angle between neighbouring cells in rad. Fills `up` (3,) and `covariance` (3, 3), the
    formal covariance of u in rad² for independent crossings. Returns the number of inliers (0 if there is
    no plane), their root mean square residual and the angle that they span, both in rad.
    """
    if count < _MIN_POINTS or not _consensus(points, skyward, count, _SUPPORT * cell, seed, sine, up):
        return 0, 0.0, 0.0
    cut, spread, inliers = _WIDEST * cell, 0.0, 0
    for _ in range(_STEPS):
        a, b = tangent_basis(up)
        inliers, m, squares, weights, v = _normal_equations(points, skyward, count, up, a, b, cut, sine)
        determinant = m[0] * m[2] - m[1] * m[1]
        if inliers < _MIN_POINTS or determinant <= 1e-12 * (m[0] + m[2]) ** 2:
            return 0, 0.0, 0.0
        _move(up, a, b, (m[1] * v[1] - m[2] * v[0]) / determinant, (m[1] * v[0] - m[0] * v[1]) / determinant)
        spread = math.sqrt(squares / weights)
        _invert(m, a, b, squares / (max(weights - 2.0, 1.0) * determinant), covariance)
        cut = min(max(TUKEY * spread, _NARROWEST * cell), _WIDEST * cell)
    return inliers, spread, _span(points, skyward, count, up, cut, sine)


@kernel()
def _consensus(
    points: Array, skyward: Array, count: int, width: float, seed: int, sine: float, best: Array
) -> bool:
    """Put the best supported plane of random pairs into `best`; false if none has any support."""
    state = np.uint64(seed * 2 + 1)
    top = 0.0
    u = np.empty(3)
    for _ in range(_HYPOTHESES):
        state = _next(state)
        i = int((state >> np.uint64(33)) % np.uint64(count))
        state = _next(state)
        j = int((state >> np.uint64(33)) % np.uint64(count))
        if not _pair_plane(points[i], points[j], skyward[i], 4 * width, sine, u):
            continue
        score = _support(points, skyward, count, u, width, sine)
        if score > top:
            top = score
            for c in range(3):
                best[c] = u[c]
    return top > 0.0


@kernel(inline="always")
def _next(state: np.uint64) -> np.uint64:
    """Knuth's MMIX linear congruential generator, modulo 2⁶⁴; its high bits are the random ones."""
    return state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)


@kernel(inline="always")
def _pair_plane(p: Array, q: Array, skyward: Array, apart: float, sine: float, u: Array) -> bool:
    """The plane or cone through two rays, up on the sky's side; false if they lie less than `apart` rad
    apart, or farther than the cone is wide.

    u = α (p + q) + β n with n normal to both: α from p·u = q·u = −sine, β from |u| = 1.
    """
    cross(p, q, u)
    norm = math.sqrt(_dot(u, u))
    if norm < apart:
        return False
    near = 1.0 + _dot(p, q)
    square = 1.0 - 2.0 * sine * sine / max(near, 1e-12)
    if square <= 0.0:
        return False
    norm = math.copysign(norm, _dot(u, skyward))
    for c in range(3):
        u[c] = math.sqrt(square) * u[c] / norm - sine / near * (p[c] + q[c])
    return True


@kernel()
def _support(points: Array, skyward: Array, count: int, u: Array, width: float, sine: float) -> float:
    """Sum of 1 − min(1, (residual/width)²) over the points whose sky lies on the side of u."""
    score = 0.0
    for k in range(count):
        r = (_dot(points[k], u) + sine) / width
        if r * r < 1.0 and _dot(skyward[k], u) > 0.0:
            score += 1.0 - r * r
    return score


@kernel()
def _normal_equations(
    points: Array, skyward: Array, count: int, up: Array, a: Array, b: Array, cut: float, sine: float
) -> tuple[int, tuple[float, float, float], float, float, tuple[float, float]]:
    """Weighted sums of one Gauss–Newton step for u + α a + β b.

    Returns the inliers, the matrix as (aa, ab, bb), Σ w r², Σ w, and the gradient (a, b).
    """
    aa = ab = bb = va = vb = squares = weights = 0.0
    inliers = 0
    for k in range(count):
        r = _dot(points[k], up) + sine
        if abs(r) >= cut or _dot(skyward[k], up) <= 0.0:
            continue
        w = (1.0 - (r / cut) ** 2) ** 2
        ja, jb = _dot(points[k], a), _dot(points[k], b)
        aa, ab, bb = aa + w * ja * ja, ab + w * ja * jb, bb + w * jb * jb
        va, vb = va + w * ja * r, vb + w * jb * r
        squares, weights, inliers = squares + w * r * r, weights + w, inliers + 1
    return inliers, (aa, ab, bb), squares, weights, (va, vb)


@kernel(inline="always")
def _move(up: Array, a: Array, b: Array, alpha: float, beta: float) -> None:
    """Step from u to the direction of u + α a + β b."""
    norm = math.sqrt(1.0 + alpha * alpha + beta * beta)
    for c in range(3):
        up[c] = (up[c] + alpha * a[c] + beta * b[c]) / norm


@kernel(inline="always")
def _invert(m: tuple[float, float, float], a: Array, b: Array, factor: float, out: Array) -> None:
    """Factor times the adjugate of the tangent matrix (aa, ab, bb), in camera axes."""
    for c in range(3):
        for d in range(3):
            cross = a[c] * b[d] + b[c] * a[d]
            out[c, d] = factor * (m[2] * a[c] * a[d] - m[1] * cross + m[0] * b[c] * b[d])


@kernel()
def _span(points: Array, skyward: Array, count: int, up: Array, cut: float, sine: float) -> float:
    """Angle in rad that the inliers span along the horizon."""
    low = high = 0.0
    first = -1
    turned = np.empty(3)
    for k in range(count):
        if abs(_dot(points[k], up) + sine) >= cut or _dot(skyward[k], up) <= 0.0:
            continue
        first = k if first < 0 else first
        cross(points[first], points[k], turned)
        turn = math.atan2(_dot(turned, up), _dot(points[first], points[k]))
        low, high = min(low, turn), max(high, turn)
    return high - low
