"""The covariance of a measurement: of the mask's plane, of the edge's, and of a plane without an edge.

docs/uncertainty.md tells where each part comes from and by which script it was set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from horizon_rt.fitting.stations import Strip
from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Attitude, Measurement
from horizon_rt.models.manifest import SigmaCalibration

__all__ = ["DEFAULT_UNCERTAINTY", "Uncertainty"]

Array = NDArray[np.float64]
_TILT = np.array([[1.0, -1.0], [-1.0, 1.0]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """The settings of the covariance model (`benchmarks/fit_sigma.py`), and the model.

    `white_share` of the sigma from the width of the mask's boundary is new in each frame; the rest is
    correlated over time. `mask_share` of the mask's sigma of height and `tilt_share` of that of tilt stay in
    an edge's plane, as an edge may not be that of the horizon; `floor_px` is the least sigma of an edge. A
    plane of the mask that no edge supports has `unsupported_factor` times its sigma. `correlation_factor` is
    how far stations may err alike before a plane on the edge is less certain than that of the mask. Where an
    edge is searched from a prediction, that has `prediction_factor` times its sigma and `prediction_px` more.
    """

    white_share: float = 0.25
    mask_share: float = 0.6
    tilt_share: float = 0.3
    floor_px: float = 0.15
    unsupported_factor: float = 2.0
    correlation_factor: float = 3.0
    prediction_factor: float = 2.0
    prediction_px: float = 1.0

    def of_mask(
        self,
        up: UpVector,
        formal: Array,
        boundary_width: float,
        cell_rad: float,
        calibration: SigmaCalibration,
        inliers: int,
    ) -> Measurement:
        """The plane through the mask's boundary.

        `formal` (3, 3) is the covariance for independent crossings, rad²; `boundary_width` that of the band
        in which the mask is ambiguous, in cells of `cell_rad`.
        """
        width_deg = math.degrees(calibration.boundary_width * boundary_width * cell_rad)
        scaled = calibration.scale**2 * formal
        return Measurement(
            up=up,
            covariance=scaled + up.isotropic_covariance(width_deg),
            inliers=inliers,
            white=scaled + up.isotropic_covariance(self.white_share * width_deg),
        )

    def of_edge(self, up: UpVector, strip: Strip, formal: Array, others: Array, inliers: int) -> Measurement:
        """The plane on an edge.

        `formal` and `others` (2, 2) are covariances of the elevations at both ends of the strip, rad²: of
        stations that err independently, and of all that makes another edge possible.
        """
        dual = strip.dual
        floor = up.isotropic_covariance(math.degrees(self.floor_px / strip.mean_scale))
        return Measurement(
            up=up,
            covariance=dual.T @ (formal + others) @ dual + floor,
            inliers=inliers,
            white=dual.T @ formal @ dual,
        )

    def of_mask_share(self, prior: Array) -> Array:
        """What stays of the mask's covariance (2, 2), rad²: of its height and of its tilt."""
        lift, tilt = 0.25 * prior.sum(), 0.25 * float(prior[0, 0] - 2 * prior[0, 1] + prior[1, 1])
        return np.asarray(self.mask_share**2 * lift + self.tilt_share**2 * tilt * _TILT)

    def unsupported(self, measured: Measurement) -> Measurement:
        """The plane of a mask that no edge supports, less certain by as much."""
        white = measured.covariance if measured.white is None else measured.white
        return replace(measured, covariance=self.unsupported_factor**2 * measured.covariance, white=white)

    def of_prediction(self, predicted: Attitude, strip: Strip) -> Measurement:
        """A predicted plane as the place where the edge of the last frames is searched: it has moved, but
        is the same.
        """
        up, same = predicted.up, 0.0 if predicted.correlated is None else predicted.correlated
        least = up.isotropic_covariance(math.degrees(self.prediction_px / strip.mean_scale))
        covariance = self.prediction_factor**2 * (predicted.covariance - same) + least
        return Measurement(up=up, covariance=covariance, inliers=0)

    def at_least_as_correlated(self, edge: Measurement, key: Measurement) -> Measurement:
        """An edge's plane whose correlated covariance is that of the last key frame, where that is larger:
        between key frames nothing new is learnt of which edge is the horizon.
        """
        if edge.white is None or np.trace(edge.correlated) >= np.trace(key.correlated):
            return edge
        tangent = np.eye(3) - np.outer(edge.up.as_array(), edge.up.as_array())
        return replace(edge, covariance=edge.white + tangent @ key.correlated @ tangent)

    def is_worse(self, edge: Measurement, mask: Measurement) -> bool:
        """Whether an edge's plane is less certain than that of the mask without an edge."""
        assert edge.white is not None
        variance = np.trace(edge.covariance) + (self.correlation_factor**2 - 1) * np.trace(edge.white)
        return bool(variance > self.unsupported_factor**2 * np.trace(mask.covariance))


DEFAULT_UNCERTAINTY = Uncertainty()
