"""Kernels: Brown–Conrady distortion of points, and its inverse, for one point after the other.

`terms` (12,) are k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 as in OpenCV, `tilt` (3, 3) is the homography
of a tilted sensor, or its inverse. `fold` is the undistorted radius at which the radial curve folds over.
"""

from __future__ import annotations

import math

from horizon_rt.system.kernels import Array, kernel

__all__ = ["distort_rays", "undistort_points"]

_NEWTON_STEPS, _RADIAL_STEPS = 20, 60
_LARGEST_TANGENT = 1e4  # the radius of a ray 0.006° from the image plane
_CONVERGED, _TOLERANCE = 1e-13, 1e-11  # normalised units
# Newton's method never steps past this share of the fold's radius, where the slope vanishes.
_INSIDE_FOLD = 0.9999
_LEAST_Z = 1e-9


@kernel(error_model="numpy")
def distort_rays(rays: Array, terms: Array, fold: float, tilt: Array, points: Array) -> None:
    """Fill `points` (n, 2) with where `rays` (n, 3) fall; NaN behind the camera and beyond the fold."""
    for n in range(rays.shape[0]):
        points[n, 0] = points[n, 1] = math.nan
        z = rays[n, 2]
        if not z > _LEAST_Z:
            continue
        x, y = rays[n, 0] / z, rays[n, 1] / z
        if not x * x + y * y < fold * fold:
            continue
        dx, dy, xx, xy, yx, yy = _distorted(x, y, terms)
        w = tilt[2, 0] * dx + tilt[2, 1] * dy + tilt[2, 2]
        if xx * yy - xy * yx > 0.0 and w > 0.0:
            points[n, 0] = (tilt[0, 0] * dx + tilt[0, 1] * dy + tilt[0, 2]) / w
            points[n, 1] = (tilt[1, 0] * dx + tilt[1, 1] * dy + tilt[1, 2]) / w


@kernel(error_model="numpy")
def undistort_points(points: Array, terms: Array, fold: float, untilt: Array, rays: Array) -> None:
    """Fill `rays` (n, 3) with the unit rays of `points` (n, 2); NaN where the model reaches no such point."""
    for n in range(points.shape[0]):
        rays[n, 0] = rays[n, 1] = rays[n, 2] = math.nan
        u, v = points[n, 0], points[n, 1]
        w = untilt[2, 0] * u + untilt[2, 1] * v + untilt[2, 2]
        if not w > 0.0:
            continue
        u, v = (
            (untilt[0, 0] * u + untilt[0, 1] * v + untilt[0, 2]) / w,
            (untilt[1, 0] * u + untilt[1, 1] * v + untilt[1, 2]) / w,
        )
        good, x, y = _undistorted(u, v, terms, fold)
        if good:
            norm = math.sqrt(x * x + y * y + 1.0)
            rays[n, 0], rays[n, 1], rays[n, 2] = x / norm, y / norm, 1.0 / norm


@kernel(error_model="numpy")
def _undistorted(u: float, v: float, terms: Array, fold: float) -> tuple[bool, float, float]:
    """Newton's method with the full Jacobian from the inverse of the radial part, then a check."""
    radius = math.sqrt(u * u + v * v)
    if not radius < 1e150:
        return False, u, v
    limit = _INSIDE_FOLD * fold
    share = _radial_inverse(radius, terms, limit) / max(radius, 1e-300)
    x, y = (u * share, v * share) if radius > 0.0 else (0.0, 0.0)
    for _ in range(_NEWTON_STEPS):
        dx, dy, xx, xy, yx, yy = _distorted(x, y, terms)
        determinant = xx * yy - xy * yx
        sx = (yy * (u - dx) - xy * (v - dy)) / determinant
        sy = (xx * (v - dy) - yx * (u - dx)) / determinant
        x, y = x + sx, y + sy
        length = math.sqrt(x * x + y * y)
        if length > limit:
            x, y = x * limit / length, y * limit / length
        if not abs(sx) + abs(sy) > _CONVERGED * (1.0 + length):
            break
    dx, dy, xx, xy, yx, yy = _distorted(x, y, terms)
    near = max(abs(dx - u), abs(dy - v)) < _TOLERANCE * (1.0 + max(abs(u), abs(v)))
    inside = x * x + y * y < fold * fold and xx * yy - xy * yx > 0.0
    return near and inside, x, y


@kernel(error_model="numpy")
def _radial_inverse(target: float, terms: Array, limit: float) -> float:
    """The undistorted radius, up to `limit`, of a distorted one without tangential terms.

    The curve rises up to the fold: Newton's method, held between two bounds.
    """
    low, high = 0.0, min(max(2.0 * target, 1.0), limit)
    while _radius(high, terms) < target and high < limit and high < _LARGEST_TANGENT:
        low, high = high, min(2.0 * high, limit)
    if not _radius(high, terms) > target:
        return high
    r = min(max(target, low), high)
    for _ in range(_RADIAL_STEPS):
        value = _radius(r, terms) - target
        low, high = (r, high) if value < 0.0 else (low, r)
        step = value / _radial_slope(r, terms)
        following = r - step
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - r) <= 1e-12 * r:  # what is left the next method mends
            return following
        r = following
    return r


@kernel(inline="always")
def _radius(r: float, terms: Array) -> float:
    s = r * r
    over = 1.0 + s * (terms[0] + s * (terms[1] + s * terms[4]))
    return r * over / (1.0 + s * (terms[5] + s * (terms[6] + s * terms[7])))


@kernel(inline="always")
def _radial_slope(r: float, terms: Array) -> float:
    s = r * r
    over, under, over_slope, under_slope = _quotient(s, terms)
    radial = over / under
    return radial + 2.0 * s * (over_slope - radial * under_slope) / under


@kernel(inline="always")
def _quotient(s: float, terms: Array) -> tuple[float, float, float, float]:
    """Numerator and denominator of the radial factor at r² = s, and their derivatives by s."""
    over = 1.0 + s * (terms[0] + s * (terms[1] + s * terms[4]))
    under = 1.0 + s * (terms[5] + s * (terms[6] + s * terms[7]))
    over_slope = terms[0] + s * (2.0 * terms[1] + s * 3.0 * terms[4])
    under_slope = terms[5] + s * (2.0 * terms[6] + s * 3.0 * terms[7])
    return over, under, over_slope, under_slope


@kernel(error_model="numpy")
def _distorted(x: float, y: float, terms: Array) -> tuple[float, float, float, float, float, float]:
    """The distorted point before the tilt, and the Jacobian as xx, xy, yx, yy."""
    p1, p2 = terms[2], terms[3]
    s = x * x + y * y
    over, under, over_slope, under_slope = _quotient(s, terms)
    radial = over / under
    slope = 2.0 * (over_slope - radial * under_slope) / under  # of the factor by x, over x
    prism_x, prism_y = s * (terms[8] + s * terms[9]), s * (terms[10] + s * terms[11])
    prism_x_slope = 2.0 * (terms[8] + 2.0 * s * terms[9])
    prism_y_slope = 2.0 * (terms[10] + 2.0 * s * terms[11])
    dx = x * radial + 2.0 * p1 * x * y + p2 * (s + 2.0 * x * x) + prism_x
    dy = y * radial + 2.0 * p2 * x * y + p1 * (s + 2.0 * y * y) + prism_y
    common = slope * x * y + 2.0 * p1 * x + 2.0 * p2 * y
    xx = radial + slope * x * x + 2.0 * p1 * y + 6.0 * p2 * x + prism_x_slope * x
    yy = radial + slope * y * y + 6.0 * p1 * y + 2.0 * p2 * x + prism_y_slope * y
    return dx, dy, xx, common + prism_x_slope * y, common + prism_y_slope * x, yy
