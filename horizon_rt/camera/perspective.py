"""The perspective projection: rays to the plane one focal length ahead, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["perspective", "unit_rays"]

Array = NDArray[np.float64]


def unit_rays(normalised: Array) -> Array:
    """Unit rays (N, 3) of points (N, 2) on the plane, in focal lengths."""
    rays = np.empty((len(normalised), 3))
    rays[:, :2] = normalised
    rays[:, 2] = 1.0
    with np.errstate(all="ignore"):
        rays /= np.sqrt(np.einsum("ij,ij->i", rays, rays))[:, None]
    return rays


def perspective(rays: Array) -> Array:
    """Points (N, 2) on the plane, in focal lengths, of rays (N, 3); NaN behind the camera."""
    rays = np.asarray(rays, np.float64)
    with np.errstate(all="ignore"):
        return np.where(rays[:, 2:] > 1e-9, rays[:, :2] / rays[:, 2:], np.nan)
