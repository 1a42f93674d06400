"""Kernels: the boundary of the mask as rays, and how far the mask is a half plane."""

from __future__ import annotations

import math

from horizon_rt.system.kernels import Array, kernel

__all__ = ["agreement", "crossings"]


@kernel()
def crossings(logits: Array, rays: Array, points: Array, skyward: Array) -> int:
    """Collect the zero crossings of `logits` (h, w) as unit rays.

    A crossing lies between neighbouring cells, along a row or a column, interpolated linearly. `rays`
    (h, w, 3) holds the ray of each cell's centre, NaN outside the picture. Fills `points` (n, 3) and
    `skyward` (n, 3), the step from the ground cell's ray to the sky cell's ray, and returns how many; n of
    2·h·w is always enough.
    """
    h, w = logits.shape
    count = 0
    for i in range(h):
        for j in range(w):
            if j + 1 < w and (logits[i, j] > 0) != (logits[i, j + 1] > 0):
                count += _cross(
                    logits[i, j], logits[i, j + 1], rays[i, j], rays[i, j + 1], points[count], skyward[count]
                )
            if i + 1 < h and (logits[i, j] > 0) != (logits[i + 1, j] > 0):
                count += _cross(
                    logits[i, j], logits[i + 1, j], rays[i, j], rays[i + 1, j], points[count], skyward[count]
                )
    return count


@kernel(inline="always")
def _cross(a: float, b: float, from_ray: Array, to_ray: Array, point: Array, skyward: Array) -> int:
    """Write the crossing between two cells of opposite sign; returns 1, or 0 where there is none.

    That is where a ray lies outside the picture, or a logit is no number.
    """
    t = a / (a - b)
    sign = 1.0 if b > a else -1.0
    squares = 0.0
    for c in range(3):
        step = to_ray[c] - from_ray[c]
        point[c] = from_ray[c] + t * step
        skyward[c] = sign * step
        squares += point[c] ** 2
    if not squares > 0.0:
        return 0
    norm = math.sqrt(squares)
    for c in range(3):
        point[c] /= norm
    return 1


@kernel()
def agreement(
    logits: Array, rays: Array, up: Array, cell: float, sine: float = 0.0
) -> tuple[float, float, float]:
    """How far the mask is the half plane of `up`, lowered by a dip of this sine, the share of the picture
    above the horizon by the mask, and the width of the band in which the mask is ambiguous, in cells.

    The first is the mean of ±tanh|logit/2|, positive where the cell is on the right side; −1..1. The last is
    the sum of 1 − tanh|logit/2| by the length of the horizon; `cell` is the angle between cells in rad. Cells
    outside the picture do not count.
    """
    total, right, sky, cells, width, length = 1e-9, 0.0, 0.0, 0, 0.0, 0.0
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            signed = math.tanh(0.5 * logits[i, j])
            above = rays[i, j, 0] * up[0] + rays[i, j, 1] * up[1] + rays[i, j, 2] * up[2] + sine
            if math.isnan(above) or math.isnan(signed):
                continue
            right += signed if above > 0 else -signed
            total += abs(signed)
            width += 1.0 - abs(signed)
            length += max(0.0, 1.0 - abs(above) / cell)
            sky += 0.5 + 0.5 * signed
            cells += 1
    return right / total, sky / cells if cells > 0 else 0.5, width / max(length, 1.0)
