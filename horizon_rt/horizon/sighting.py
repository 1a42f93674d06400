"""Where the points of a picture lie above or below the horizon, and how far off they are on the sea."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from horizon_rt.geometry import Range, UpVector
from horizon_rt.geometry.earth import sea_range
from horizon_rt.horizon.attitude import Attitude

__all__ = ["Lens", "Side", "Sighting", "range_of", "side_of", "sighted"]

Array = NDArray[np.float64]
Side = Literal["sky", "sea", "horizon"]
"""Of a region: all of it above the horizon, all below, or neither for certain."""
_SURE_SD = 2.0


class Lens(Protocol):
    """What is needed of a camera: unit rays (N, 3) of image points (N, 2); the relative standard deviation of
    the focal length, the derivative of rays by its logarithm, and how far it turns an up vector.
    """

    @property
    def focal_sd(self) -> float:
        """See `camera.Camera`."""

    def rays(self, points: Array) -> Array:
        """See `camera.Camera`."""

    def focal_derivative(self, points: Array) -> Array:
        """See `camera.Camera`."""

    def focal_error(self, up: UpVector, dip: float = 0.0) -> Array | None:
        """See `camera.Camera`."""


class Sighting(NamedTuple):
    """Elevations (N,) in rad above level, and their standard deviations; NaN where the lens sees nothing."""

    elevation: Array
    sd: Array


def sighted(lens: Lens, attitude: Attitude, points: ArrayLike) -> Sighting:
    """Image points (N, 2) in px.

    asin(r·u), with the variance rᵀ Σ r of r·u. An error of the focal length moves rays and up vector
    together: near the horizon it hardly counts.
    """
    points = np.asarray(points, np.float64).reshape(-1, 2)
    rays = lens.rays(points)
    sine = rays @ attitude.up.as_array()
    variance = np.einsum("ij,jk,ik->i", rays, attitude.covariance, rays)
    if attitude.focal_error is not None and lens.focal_sd:
        turned = lens.focal_sd * (lens.focal_derivative(points) @ attitude.up.as_array())
        variance = variance + (turned + rays @ attitude.focal_error) ** 2
    with np.errstate(invalid="ignore"):
        level = np.sqrt(np.maximum(1 - sine**2, 1e-12))
        return Sighting(np.arctan2(sine, level), np.sqrt(np.maximum(variance, 0.0)) / level)


def side_of(sighting: Sighting, dip: float) -> Side | None:
    """Of the region with these corners; None where a corner is out of the lens's sight."""
    if not np.isfinite(sighting.elevation).all():
        return None
    above, margin = sighting.elevation + dip, _SURE_SD * sighting.sd
    if (above > margin).all():
        return "sky"
    return "sea" if (above < -margin).all() else "horizon"


def range_of(sighting: Sighting, height_m: float) -> Range | None:
    """Of a single point; see `sea_range`."""
    depression, sd = -float(sighting.elevation[0]), float(sighting.sd[0])
    return sea_range(height_m, depression, sd) if math.isfinite(depression + sd) else None
