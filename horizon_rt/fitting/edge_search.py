"""Which edge near the mask's plane is the horizon: a coarse-to-fine maximum a posteriori search.

The covariance of the mask's plane is the prior, the features of luma profiles across the horizon the evidence
(a conditional logit, McFadden 1974, of `benchmarks/fit_evidence.py`). Where the best plane and its neighbours
are probable enough, the planes around it compete at a finer step, as what looks like one edge in coarse rows
may be several.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from horizon_rt.fitting.evidence import FEATURES, collect_features, most_probable_plane
from horizon_rt.fitting.profiles import sample_strip
from horizon_rt.fitting.stations import STATIONS, Stations, Strip
from horizon_rt.frame import DevicePlane, Plane
from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Measurement

__all__ = ["FINE_PX", "ROWS", "Edge", "EdgeSearch", "precision_of"]

Array = NDArray[np.float64]

ROWS = 2 * 24 + 1
"""Rows of a profile, the horizon's in the middle."""
FINE_PX = 0.5
"""Between the rows of the finest profiles."""
_LARGEST_REACH = 0.15  # of the height
_REACH_SD = 3.0
_REFINE_FACTOR = 3.0  # between the steps of the search
_MIN_POSTERIOR = 0.25
_WEIGHTS = np.array([5.61, 9.72, -3.54, -3.35, 0.66, 0.88])  # of `evidence.FEATURES`, and of the prior


class Edge(NamedTuple):
    """An edge that may be the horizon: its plane, the strip along it, the sign of its luma gradient towards
    the sky, the step of the search, and the second moments (2, 2) of other planes that may be it, as
    elevations at both ends of the first strip, rad².
    """

    up: UpVector
    strip: Strip
    sign: float
    step_px: float
    others: Array


class _Plane(NamedTuple):
    """What `most_probable_plane` gives."""

    first: float
    last: float
    sign: float
    posterior: float
    moments: tuple[float, float, float]


class EdgeSearch:
    """Searches the frames of one camera; reuses its buffers, so each thread needs its own."""

    def __init__(self, stations: Stations) -> None:
        self._stations = stations
        self._rows, self._features = np.empty((ROWS, STATIONS)), np.empty((ROWS, STATIONS, FEATURES))
        self._log_posteriors = np.empty((ROWS, ROWS))

    def find(
        self, luma: Plane | DevicePlane, measured: Measurement, strip: Strip, gain: float
    ) -> Edge | None:
        """The most probable edge near a measurement, whose strip this is; None where none is probable."""
        prior = strip.prior(measured)
        step = self.first_step_px(strip, prior)
        plane = None if step is None else self._search(luma, strip, step, prior, np.zeros(2), gain)
        if step is None or plane is None or not plane.posterior >= _MIN_POSTERIOR:
            return None
        return self._refined(luma, measured, strip, plane, step, gain)

    def _refined(
        self,
        luma: Plane | DevicePlane,
        measured: Measurement,
        strip: Strip,
        plane: _Plane,
        step: float,
        gain: float,
    ) -> Edge | None:
        """The edge at the finest step at which it is probable; None where it leaves the picture."""
        sign, up = plane.sign, strip.moved(measured.up, plane.first, plane.last)
        near = self._stations.strip(up)
        while step > _REFINE_FACTOR * FINE_PX and near is not None:
            finer = max(step / _REFINE_FACTOR, FINE_PX)
            middle = near.elevations(up, measured.up)
            better = self._search(luma, near, finer, near.prior(measured), middle, gain)
            if better is None or not better.posterior >= _MIN_POSTERIOR:
                break
            step, sign = finer, better.sign
            up = near.moved(up, better.first, better.last)
            near = self._stations.strip(up)
        aa, ab, bb = plane.moments
        return None if near is None else Edge(up, near, sign, step, np.array([[aa, ab], [ab, bb]]))

    def first_step_px(self, strip: Strip, prior: Array) -> float | None:
        """Between rows that reach as far as the elevations at both ends may be off; `prior` (2, 2) is their
        covariance. None where it is none.
        """
        sd_px = math.sqrt(max(prior[0, 0], prior[1, 1], 0.0)) * strip.mean_scale
        if not math.isfinite(sd_px) or precision_of(prior) is None:
            return None
        reach_px = min(_REACH_SD * sd_px, _LARGEST_REACH * self._stations.camera.height)
        return max(reach_px / (ROWS // 2), FINE_PX)

    def features(self, luma: Plane | DevicePlane, strip: Strip, step_px: float, gain: float) -> Array:
        """Features (rows, stations, FEATURES) of profiles; the buffer of the next call."""
        sample_strip(luma, strip, step_px, gain, self._rows)
        collect_features(self._rows, self._features)
        return self._features

    def _search(
        self,
        luma: Plane | DevicePlane,
        strip: Strip,
        step_px: float,
        prior: Array,
        middle: Array,
        gain: float,
    ) -> _Plane | None:
        """The most probable plane; None for a covariance that is none."""
        precision = precision_of(prior)
        if precision is None:
            return None
        features = self.features(luma, strip, step_px, gain)
        scales = strip.scales / step_px
        found = most_probable_plane(
            features, scales, strip.shares, middle, precision, _WEIGHTS, self._log_posteriors
        )
        return _Plane(*found)


def precision_of(prior: Array) -> Array | None:
    """Inverse (2, 2) of a covariance; None for what is none."""
    determinant = prior[0, 0] * prior[1, 1] - prior[0, 1] * prior[1, 0]
    if not (np.isfinite(prior).all() and determinant > 1e-12 * prior[0, 0] * prior[1, 1] > 0):
        return None
    (aa, ab), (_, bb) = prior
    return np.array(((bb / determinant, -ab / determinant), (-ab / determinant, aa / determinant)))
