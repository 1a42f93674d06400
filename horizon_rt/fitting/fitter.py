"""The half plane that a mask shows, with its covariance; or the refusal of a frame without a horizon."""

from __future__ import annotations

import math

import numpy as np

from horizon_rt.camera import Camera
from horizon_rt.fitting.boundary import agreement, crossings
from horizon_rt.fitting.plane import fit_plane
from horizon_rt.fitting.uncertainty import DEFAULT_UNCERTAINTY, Uncertainty
from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Observation, View
from horizon_rt.models.sizes import OUTPUT_STRIDE
from horizon_rt.models.weights import SigmaCalibration
from horizon_rt.segmentation import Letterbox, Segmentation

__all__ = ["HorizonFitter"]

_MIN_INLIERS = 6
_MIN_SPAN = 0.12  # of the picture's smaller angular width, that the inliers must span
_MIN_CONFIDENCE = 0.5
_PURE = 0.93  # share of sky (or ground) in a frame that shows nothing else


class HorizonFitter:
    """Fits the horizon plane to segmentations of one camera's frames; reuses its buffers.

    `dip` is the angle in rad of the visible horizon below level.
    """

    def __init__(
        self,
        camera: Camera,
        sigma: SigmaCalibration,
        *,
        dip: float = 0.0,
        seed: int = 1,
        uncertainty: Uncertainty = DEFAULT_UNCERTAINTY,
    ) -> None:
        self.camera = camera
        self.sigma = sigma
        self.uncertainty = uncertainty
        self._seed = seed
        self._sine = math.sin(dip)
        self._key: tuple[Letterbox, tuple[int, ...]] | None = None
        self._rays = np.empty((0, 0, 3))
        self._cell = self._width = 0.0
        self._points = self._skyward = np.empty((0, 3))

    def fit(self, segmentation: Segmentation) -> Observation:
        """The horizon in a frame, or what it shows instead."""
        self._prepare(segmentation.letterbox, segmentation.logits.shape)
        logits, rays = segmentation.logits, self._rays
        up, covariance = np.zeros(3), np.zeros((3, 3))
        count = crossings(logits, rays, self._points, self._skyward)
        inliers, _, span = fit_plane(
            self._points, self._skyward, count, self._cell, self._seed, up, covariance, self._sine
        )
        agree, sky, width = agreement(logits, rays, up, self._cell, self._sine)
        # Without a plane the net's own opinion is all there is.
        confidence = segmentation.presence * (min(max(agree, 0.0), 1.0) if inliers else 1.0)
        seen = inliers >= _MIN_INLIERS and span >= _MIN_SPAN * self._width and confidence >= _MIN_CONFIDENCE
        if not seen:
            return Observation(view=_view_without_horizon(sky), confidence=1.0 - confidence, sky_fraction=sky)
        # The same doubt in finer cells is no smaller: the net was trained, and sigma set, with coarser ones.
        cell = segmentation.magnified * self._cell
        measurement = self.uncertainty.of_mask(
            UpVector.from_vector(up), covariance, width, cell, self.sigma, inliers
        )
        return Observation(view="horizon", confidence=confidence, sky_fraction=sky, measurement=measurement)

    def _prepare(self, letterbox: Letterbox, shape: tuple[int, ...]) -> None:
        if self._key == (letterbox, shape):
            return
        rows, columns = shape
        points = letterbox.cell_centres(rows, columns)
        limits = np.array([self.camera.width, self.camera.height]) - 0.5
        rays = self.camera.rays(points)
        rays[((points < -0.5) | (points > limits)).any(axis=1)] = np.nan
        self._rays = rays.reshape(rows, columns, 3)
        self._cell = OUTPUT_STRIDE / letterbox.scale / self.camera.focal_px
        self._width = min(self.camera.width, self.camera.height) / self.camera.focal_px
        self._points = np.empty((2 * rows * columns, 3))
        self._skyward = np.empty_like(self._points)
        self._key = (letterbox, shape)


def _view_without_horizon(sky_fraction: float) -> View:
    if sky_fraction > _PURE:
        return "sky"
    return "ground" if sky_fraction < 1 - _PURE else "unknown"
