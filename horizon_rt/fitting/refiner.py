"""The horizon of the mask, laid onto the edge that is seen at full resolution; or left where it is.

Luma profiles are taken across the horizon at stations along it: a curve, where the lens bends it. The planes
near the mask's compete: the covariance of the mask's plane is the prior, what the stations show the evidence
(a conditional logit, McFadden 1974, of `benchmarks/fit_evidence.py`). Where one of them and its neighbours
hold enough of the belief, the planes around it compete in closer looks, as edges that pass for one from afar
may be several. A robust fit (Tukey's biweight) through the sub-pixel gradient maxima of the stations follows.
Where none is believed, the mask's plane stays, twice as unsure. What other planes hold of the belief widens
the covariance.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import CameraModel, Pinhole
from horizon_rt.camera.projection import SkyFrame, runs
from horizon_rt.fitting.evidence import CUES, collect_cues, sample_profiles, search
from horizon_rt.fitting.stations import pinhole_stations
from horizon_rt.fitting.subpixel import fit_maxima
from horizon_rt.frame import DevicePlane, Plane
from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Measurement

__all__ = ["HorizonRefiner"]

Array = NDArray[np.float64]

_BORDER = 16  # points on each side of the picture, between which its border is taken as straight
_STATIONS = 96
_ALONG_PX, _MOST_ALONG = 3.0, 3  # between the samples that a station averages, and their number
_ROWS = 24  # of a profile on each side of the horizon
_FINE_PX = 0.5
_MOST_REACH = 0.15  # of the height
_REACH_SD = 3.0
_MIN_LENGTH_PX = 24.0
_UNSEEN = 2.0  # of the mask's sigma, that its plane has where no edge bears it out
_RELIEF = 3.0  # how far stations may err alike, when it comes to that
_TINY = 1e-4  # rad, for derivatives
_CLOSER = 3.0  # times as near each look after the first
_BELIEF = 0.25  # that the best plane must hold
_WEIGHTS = np.array([5.61, 9.72, -3.54, -3.35, 0.66, 0.88])  # of `profiles.CUES`, and of the prior
_TRUST = 0.5  # of the mask's sigma, for the plane as a whole: an edge may not be that of the horizon
_FLOOR_PX = 0.15


class _Strip(NamedTuple):
    """Stations along a horizon: px position and unit normal towards the sky (n, 2), px per rad of elevation
    (n,), shares (n, 2) of the elevations at both ends, the rays (2, 3) at both ends, px between stations,
    azimuths (n,) in rad.
    """

    points: Array
    normals: Array
    scales: Array
    shares: Array
    ends: Array
    spacing: float
    azimuths: Array

    def prior(self, measured: Measurement) -> Array:
        """Covariance (2, 2) of the elevations at both ends, rad²."""
        return np.asarray(self.ends @ measured.covariance @ self.ends.T)

    def elevations(self, near: UpVector, other: UpVector) -> Array:
        """Of another plane above both ends (2,), rad; `near` is the plane of the strip."""
        return np.asarray(np.arctan2(-self.ends @ other.as_array(), near.as_array() @ other.as_array()))


class HorizonRefiner:
    """Refines the horizons of one camera's frames; reuses its buffers, so each thread needs its own."""

    def __init__(self, camera: CameraModel) -> None:
        self.camera = camera
        w, h = camera.width - 0.5, camera.height - 0.5
        across, down = np.linspace(-0.5, w, _BORDER), np.linspace(-0.5, h, _BORDER)
        ends = np.full(_BORDER, -0.5), np.full(_BORDER, w), np.full(_BORDER, h)
        sides = [(across, ends[0]), (ends[1], down), (across[::-1], ends[2]), (ends[0], down[::-1])]
        border = np.concatenate([np.stack(side, axis=1)[:-1] for side in sides])
        rays = camera.rays(np.concatenate([border, border[:1]]))
        self._lens: tuple[float, float, float, float] | None = None
        if isinstance(camera, Pinhole) and not any(camera.distortion):
            self._lens = (camera.fx, camera.fy, camera.cx, camera.cy)
        self._border = rays[np.isfinite(rays).all(axis=1)]
        rows = 2 * _ROWS + 1
        self._rows, self._cues = np.empty((rows, _STATIONS)), np.empty((rows, _STATIONS, CUES))
        self._gain = 1.0
        self._beliefs, self._precision = np.empty((rows, rows)), np.empty((2, 2))

    def refine(self, luma: Plane | DevicePlane, measured: Measurement, *, bit_depth: int = 8) -> Measurement:
        """The measurement with its plane on the visible edge, or where it was, less sure; as it was where too
        little of the horizon is in view.

        `luma` is (height, width), uint8 or uint16 with `bit_depth` low bits, of the camera's size; or a
        `DevicePlane`, of which only the profiles leave the GPU.
        """
        self._gain = 2.0 ** (8 - bit_depth)
        strip = self._strip(measured.up)
        if strip is None:
            return measured
        prior = strip.prior(measured)
        step = self._look(luma, strip, prior)
        if step is None:
            return measured
        found = self._found(luma, measured, strip, prior, step)
        return _unseen(measured) if found is None or _is_doubtful(found, measured) else found

    def _found(
        self, luma: Plane | DevicePlane, measured: Measurement, strip: _Strip, prior: Array, step: float
    ) -> Measurement | None:
        """The plane on the edge that is believed; None where none is."""
        first, last, sign, belief, rest = self._search(strip, step, np.zeros(2))
        if not belief >= _BELIEF:
            return None
        others = np.array([[rest[0], rest[1]], [rest[1], rest[2]]]) + _TRUST**2 * 0.25 * prior.sum()
        near = _moved(measured.up, _dual(strip.ends), first, last)
        beside = self._strip(near)
        while step > _CLOSER * _FINE_PX and beside is not None:
            finer = max(step / _CLOSER, _FINE_PX)
            if not self._look_from(luma, beside, finer, beside.prior(measured)):
                break
            first, last, edge, belief, _ = self._search(beside, finer, beside.elevations(near, measured.up))
            if not belief >= _BELIEF:
                break
            step, sign = finer, edge
            near = _moved(near, _dual(beside.ends), first, last)
            beside = self._strip(near)
        return None if beside is None else self._settle(luma, beside, near, sign, 1.5 * step, others)

    def _search(
        self, strip: _Strip, step: float, middle: Array
    ) -> tuple[float, float, float, float, tuple[float, float, float]]:
        """See `search`; by the cues and the precision of the last look."""
        scales = strip.scales / step
        return search(self._cues, scales, strip.shares, middle, self._precision, _WEIGHTS, self._beliefs)

    def _look(self, luma: Plane | DevicePlane, strip: _Strip, prior: Array) -> float | None:
        """Collect the cues as far as the elevations at both ends may be off; returns px between the rows.

        `prior` (2, 2) is their covariance; None where it is none.
        """
        sd_px = math.sqrt(max(prior[0, 0], prior[1, 1], 0.0)) * float(strip.scales.mean())
        if not math.isfinite(sd_px):
            return None
        step = max(min(_REACH_SD * sd_px, _MOST_REACH * self.camera.height) / _ROWS, _FINE_PX)
        return step if self._look_from(luma, strip, step, prior) else None

    def _look_from(self, luma: Plane | DevicePlane, strip: _Strip, step: float, prior: Array) -> bool:
        """Collect the cues of rows `step` px apart; False for a covariance that is none."""
        determinant = prior[0, 0] * prior[1, 1] - prior[0, 1] * prior[1, 0]
        if not (np.isfinite(prior).all() and determinant > 1e-12 * prior[0, 0] * prior[1, 1] > 0):
            return False
        (aa, ab), (_, bb) = prior
        self._precision[:] = ((bb / determinant, -ab / determinant), (-ab / determinant, aa / determinant))
        self._sample(luma, strip, step)
        collect_cues(self._rows, self._cues)
        return True

    def _settle(
        self,
        luma: Plane | DevicePlane,
        strip: _Strip,
        near: UpVector,
        sign: float,
        window_px: float,
        others: Array,
    ) -> Measurement | None:
        """The plane on the edge beside `near`, that of the strip; None where none is consistent.

        `others` (2, 2) adds to the covariance of the elevations at both ends.
        """
        self._sample(luma, strip, _FINE_PX)
        window = max(2.0, window_px) / _FINE_PX
        found, first, last, covariance = fit_maxima(
            self._rows, strip.scales / _FINE_PX, strip.shares, sign, window
        )
        if found == 0:
            return None
        dual = _dual(strip.ends)
        up = _moved(near, dual, first, last)
        floor = up.isotropic_covariance(math.degrees(_FLOOR_PX / float(strip.scales.mean())))
        return Measurement(
            up=up,
            covariance=dual.T @ (covariance + others) @ dual + floor,
            inliers=found,
            noise=dual.T @ covariance @ dual,
        )

    def _strip(self, up: UpVector) -> _Strip | None:
        """Stations where the plane is in view; None where too little of it is."""
        if abs(up.z) > 0.99 or min(self.camera.width, self.camera.height) < 2:
            return None
        strip = self._bent_strip(up) if self._lens is None else self._straight_strip(up, self._lens)
        if strip is None or not np.isfinite(strip.scales).all():
            return None
        return strip if strip.spacing * _STATIONS > _MIN_LENGTH_PX else None

    def _straight_strip(self, up: UpVector, lens: tuple[float, float, float, float]) -> _Strip:
        n = _STATIONS
        parts = (
            np.empty((n, 2)),
            np.empty((n, 2)),
            np.empty(n),
            np.empty((n, 2)),
            np.empty((2, 3)),
            np.empty(n),
        )
        spacing = pinhole_stations(up.as_array(), lens, (self.camera.width, self.camera.height), *parts)
        return _Strip(*parts[:5], spacing, parts[5])

    def _bent_strip(self, up: UpVector) -> _Strip | None:
        """For any lens, by its projection."""
        sky = SkyFrame.of(up)
        heights = self._border @ sky.up
        crossed = np.flatnonzero((heights[:-1] > 0) != (heights[1:] > 0))
        if len(crossed) < 2:
            return None
        share = heights[crossed] / (heights[crossed] - heights[crossed + 1])
        rays = self._border[crossed] + share[:, None] * (self._border[crossed + 1] - self._border[crossed])
        azimuths = np.arctan2(rays @ sky.right, rays @ sky.forward)
        strip = self._stations(sky, float(azimuths.max()), float(azimuths.min()))
        inside = self._inside(strip.points)
        if not inside.all():  # a lens can bend the horizon out of the picture and back
            seen = max((strip.azimuths[run] for run in runs(inside)), key=len, default=strip.azimuths[:0])
            if len(seen) < 2:
                return None
            strip = self._stations(sky, seen[0], seen[-1])
        return strip

    def _inside(self, points: Array) -> NDArray[np.bool_]:
        limits = np.array([self.camera.width, self.camera.height])
        return np.asarray(((points > -1.0) & (points < limits)).all(axis=1))

    def _stations(self, sky: SkyFrame, first: float, last: float) -> _Strip:
        """Stations from one azimuth to another."""
        inset = 0.5 * (last - first) / _STATIONS
        t = np.linspace(first + inset, last - inset, _STATIONS)
        level = sky.rays(t, 0.0)
        lift = _TINY * sky.up
        pixels = self.camera.project(np.concatenate([level, level + lift, level - lift]))
        points, above, below = pixels.reshape(3, _STATIONS, 2)
        normals = (above - below) / (2 * _TINY)
        scales = np.hypot(normals[:, 0], normals[:, 1])
        spacing = float(np.hypot(*(points[-1] - points[0]))) / (_STATIONS - 1)
        shares = np.stack([np.sin(t[-1] - t), np.sin(t - t[0])], axis=1) / math.sin(t[-1] - t[0])
        return _Strip(points, normals / scales[:, None], scales, shares, level[[0, -1]], spacing, t)

    def _sample(self, luma: Plane | DevicePlane, strip: _Strip, step: float) -> None:
        count = min(_MOST_ALONG, max(1, round(strip.spacing / _ALONG_PX)))
        rest = strip.points, strip.normals, step, strip.spacing / count, count, self._gain, self._rows
        if isinstance(luma, DevicePlane):
            from horizon_rt.fitting.device_profiles import sample_device_profiles

            sample_device_profiles(luma.tensor, *rest)
        else:
            sample_profiles(luma, *rest)


def _is_doubtful(found: Measurement, measured: Measurement) -> bool:
    assert found.noise is not None
    variance = np.trace(found.covariance) + (_RELIEF**2 - 1) * np.trace(found.noise)
    return bool(variance > _UNSEEN**2 * np.trace(measured.covariance))


def _unseen(measured: Measurement) -> Measurement:
    """The plane of the mask as it was, with the sigma of planes that no edge bears out."""
    noise = measured.covariance if measured.noise is None else measured.noise
    return replace(measured, covariance=_UNSEEN**2 * measured.covariance, noise=noise)


def _dual(ends: Array) -> Array:
    """(2, 3): the change of u for an elevation of 1 rad at either end and none at the other."""
    c = float(ends[0] @ ends[1])
    return -np.stack([ends[0] - c * ends[1], ends[1] - c * ends[0]]) / (1 - c * c)


def _moved(up: UpVector, dual: Array, first: float, last: float) -> UpVector:
    """The plane that passes at these elevations in rad above both ends of the strip with this `_dual`."""
    return UpVector.from_vector(up.as_array() + np.array([math.tan(first), math.tan(last)]) @ dual)
