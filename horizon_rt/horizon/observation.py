"""What one frame shows, before any filtering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import UpVector
from horizon_rt.horizon.attitude import roll_pitch_sd_deg

__all__ = ["Change", "Measurement", "Observation", "View"]

View = Literal["horizon", "sky", "ground", "unknown"]
Change = Literal["none", "repeated", "cut"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The horizon fitted to one frame, before any filtering.

    `covariance` is that of the up vector, shape (3, 3), rank 2 (tangent to the sphere), in rad². `white`, of
    the same shape, is the part of it that is independent from frame to frame (None: all of it); the rest is
    correlated over time, and no filter averages it away. `inliers` counts what lies on the horizon: crossings
    of the mask, or stations of the refinement. `edge_sign` is that of the luma gradient towards the sky of
    the edge that the plane lies on, 0 where it lies on none.
    """

    up: UpVector
    covariance: NDArray[np.float64]
    inliers: int
    white: NDArray[np.float64] | None = None
    edge_sign: float = 0.0

    @property
    def correlated(self) -> NDArray[np.float64]:
        """The time-correlated part of the covariance, (3, 3)."""
        return np.zeros((3, 3)) if self.white is None else self.covariance - self.white

    @property
    def sd_deg(self) -> tuple[float, float]:
        """Standard deviations of roll and pitch in degrees."""
        return roll_pitch_sd_deg(self.up, self.covariance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one frame shows: a horizon, only sky, only ground, or nothing that can be told.

    `measurement` is None unless `view` is 'horizon'. `confidence` is 0..1; `sky_fraction` is the share of
    the picture above the horizon, 0..1. `change` is how the picture follows on the one before. Where the net
    did not look at the frame (`is_key` is false), only the measurement is its own; the rest is that of the
    last key frame; without a measurement nothing is said of the frame.
    """

    view: View
    confidence: float
    sky_fraction: float
    measurement: Measurement | None = None
    change: Change = "none"
    is_key: bool = True
