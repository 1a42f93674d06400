"""Which edge near the mask's plane is the horizon: a coarse-to-fine maximum a posteriori search.

The covariance of the mask's plane is the prior, what a small net makes of the luma profiles across the
horizon the evidence (`strip_net`). Where the best plane and its neighbours are probable enough, the planes
around it compete at a finer step, as what looks like one edge in coarse rows may be several.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from horizon_rt.fitting.evidence import Moments, most_probable_plane
from horizon_rt.fitting.profiles import sample_strip
from horizon_rt.fitting.stations import STATIONS, Stations, Strip
from horizon_rt.fitting.strip_net import NET_ROWS, StripNet
from horizon_rt.frame import DevicePlane, Plane
from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Measurement

__all__ = ["FINE_PX", "ROWS", "Edge", "EdgeSearch"]

Array = NDArray[np.float64]

ROWS = NET_ROWS
"""Rows of a profile, the horizon's in the middle."""
FINE_PX = 0.5
"""Between the rows of the finest profiles."""
_LARGEST_REACH = 0.15  # of the height
_REACH_SD = 3.0
_REFINE_FACTOR = 3.0  # between the steps of the search
_MIN_POSTERIOR, _MIN_SUPPORT = 0.1, 1.0  # the second in nats
_ROUNDED = 12**-0.5  # rows: the standard deviation of what is rounded to whole ones
_LEFT_ROWS = 8.0  # standard deviation of the prior that a coarser step leaves


class Edge(NamedTuple):
    """An edge that may be the horizon: its plane, the strip along it, the sign of its luma gradient towards
    the sky, the step of the search; covariances (2, 2) of the elevations at both ends, rad²: of its place, of
    all other planes that may be it, and of the rounding of its place, which is new in each frame; and how far
    the stations show it (n,), 0 to 1.
    """

    up: UpVector
    strip: Strip
    sign: float
    step_px: float
    place: Array
    others: Array
    rounding: Array
    trust: Array


class _Plane(NamedTuple):
    """What `most_probable_plane` gives."""

    first: float
    last: float
    sign: float
    posterior: float
    none: float
    support: float
    beside: Moments
    others: Moments
    trust: Array

    @property
    def is_believed(self) -> bool:
        """Whether it is probable, and by what is seen, not by the prior alone."""
        return self.posterior >= _MIN_POSTERIOR and self.support >= _MIN_SUPPORT

    def doubt(self, prior: Array) -> Array:
        """Covariance (2, 2) of what other planes, or none of these, would change; none leaves the prior."""
        return _matrix(self.others) + self.none * prior


class EdgeSearch:
    """Searches the frames of one camera; reuses its buffers, so each thread needs its own."""

    def __init__(self, stations: Stations) -> None:
        self._stations = stations
        self._net = StripNet()
        self._rows, self._log_posteriors = np.empty((ROWS, STATIONS)), np.empty((ROWS, ROWS))

    def find(
        self, luma: Plane | DevicePlane, measured: Measurement, strip: Strip, gain: float
    ) -> Edge | None:
        """The most probable edge near a measurement, whose strip this is; None where none is probable."""
        prior = strip.prior(measured)
        step = self.first_step_px(strip, prior)
        plane = None if step is None else self._search(luma, strip, step, prior, gain)
        if step is None or plane is None or not plane.is_believed:
            return None
        return self._refined(luma, measured, strip, plane, step, prior, gain)

    def _refined(
        self,
        luma: Plane | DevicePlane,
        measured: Measurement,
        strip: Strip,
        plane: _Plane,
        step: float,
        prior: Array,
        gain: float,
    ) -> Edge | None:
        """The edge at the finest step at which it is probable; None where it leaves the picture."""
        doubt = plane.doubt(prior)
        best, up = plane, strip.moved(measured.up, plane.first, plane.last)
        near = self._stations.strip(up)
        while step > _REFINE_FACTOR * FINE_PX and near is not None:
            finer = max(step / _REFINE_FACTOR, FINE_PX)
            left = (_LEFT_ROWS * finer / near.mean_scale) ** 2 * np.eye(2)
            better = self._search(luma, near, finer, left, gain)
            if better is None or not better.is_believed:
                break
            step, best, up = finer, better, near.moved(up, better.first, better.last)
            doubt = doubt + better.doubt(left)
            near = self._stations.strip(up)
        if near is None:
            return None
        rounding = (_ROUNDED * step / near.mean_scale) ** 2 * np.eye(2)
        return Edge(up, near, best.sign, step, _matrix(best.beside), doubt, rounding, best.trust)

    def first_step_px(self, strip: Strip, prior: Array) -> float | None:
        """Between rows that reach as far as the elevations at both ends may be off; `prior` (2, 2) is their
        covariance. None where it is none.
        """
        sd_px = math.sqrt(max(prior[0, 0], prior[1, 1], 0.0)) * strip.mean_scale
        if not math.isfinite(sd_px) or _precision(prior) is None:
            return None
        reach_px = min(_REACH_SD * sd_px, _LARGEST_REACH * self._stations.camera.height)
        return max(reach_px / (ROWS // 2), FINE_PX)

    def _search(
        self,
        luma: Plane | DevicePlane,
        strip: Strip,
        step_px: float,
        prior: Array,
        gain: float,
    ) -> _Plane | None:
        """The most probable plane; None for a covariance that is none."""
        precision = _precision(prior)
        if precision is None:
            return None
        sample_strip(luma, strip, step_px, gain, self._rows)
        self._net(self._rows)
        trust, evidence = np.empty(STATIONS), (self._net.evidence, self._net.floors, self._net.none)
        found = most_probable_plane(
            self._rows,
            *evidence,
            strip.scales / step_px,
            strip.shares,
            precision,
            self._log_posteriors,
            trust,
        )
        return _Plane(*found, trust)


def _matrix(moments: Moments) -> Array:
    aa, ab, bb = moments
    return np.array([[aa, ab], [ab, bb]])


def _precision(prior: Array) -> Array | None:
    """Inverse (2, 2) of a covariance; None for what is none."""
    determinant = prior[0, 0] * prior[1, 1] - prior[0, 1] * prior[1, 0]
    if not (np.isfinite(prior).all() and determinant > 1e-12 * prior[0, 0] * prior[1, 1] > 0):
        return None
    (aa, ab), (_, bb) = prior
    return np.array(((bb / determinant, -ab / determinant), (-ab / determinant, aa / determinant)))
