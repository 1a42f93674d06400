"""The sea as a sphere seen from above: the dip of its horizon, and the distance of a point on it.

Light bends downwards with about k times the curvature of the earth, so that over a sphere of the effective
radius R/(1 − k) rays are straight; heights and distances along the surface stay as they are (C. Hirt et al.,
"Monitoring of the refraction coefficient in the lower atmosphere", JGR 115, 2010; Bomford, Geodesy, 1980). k
= 0.13 is the value of C. F. Gauss that surveyors still take. The Nautical Almanac's dip of 1.76′·√h is k =
0.165.
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["EARTH_RADIUS_M", "REFRACTION", "Range", "dip", "horizon_distance", "sea_range"]

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius R1 of the ellipsoid (IUGG)."""
REFRACTION = 0.13
_RADIUS_M = EARTH_RADIUS_M / (1 - REFRACTION)


class Range(NamedTuple):
    """The distance of a point on the sea, along its surface from below the camera, and one standard
    deviation, in m.
    """

    distance_m: float
    sd_m: float


def dip(height_m: float) -> float:
    """Angle in rad of the sea's horizon below level, seen from a height: cos dip = R/(R + h)."""
    return math.atan2(math.sqrt(height_m * (2 * _RADIUS_M + height_m)), _RADIUS_M)


def horizon_distance(height_m: float) -> float:
    """Distance in m of the sea's horizon along the surface."""
    return _RADIUS_M * dip(height_m)


def sea_range(height_m: float, depression: float, sd: float) -> Range | None:
    """The point of the sea that is seen this angle in rad below level, which has this standard deviation.

    None above the horizon and within one standard deviation below it. Distance does not follow the angle in a
    straight line: two standard deviations of it reach as far as two of the angle, to the side where that is
    more, and never beyond the horizon.
    """
    down = dip(height_m)
    if not (height_m > 0 and depression - down > sd):
        return None
    distance = _distance(height_m, depression)
    far = _distance(height_m, max(depression - 2 * sd, down))
    near = _distance(height_m, min(depression + 2 * sd, math.pi / 2))
    return Range(distance, 0.5 * max(far - distance, distance - near))


def _distance(height_m: float, depression: float) -> float:
    """Along the surface; the smaller root of the ray's distance t to the sphere, in a form that does not
    cancel.
    """
    top = _RADIUS_M + height_m
    down = top * math.sin(depression)
    square = height_m * (2 * _RADIUS_M + height_m)
    t = square / (down + math.sqrt(max(down * down - square, 0.0)))
    return _RADIUS_M * math.atan2(t * math.cos(depression), top - t * math.sin(depression))
