"""A line laid onto the straight luma edge beside it, at full resolution.

Luma profiles are taken across the line at many stations along it. The line whose gradient, summed over the
stations, is strongest within reach starts a robust straight fit (Huber 1964, by iteratively reweighted
least squares) through the sub-pixel gradient maxima of the stations. A place without a consistent edge is
refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import HorizonLine, wrap_degrees
from horizon_rt.system.kernels import kernel

__all__ = ["EdgeFit", "refine_line", "visible_span"]

Array = NDArray[np.float64]

_STEP = 0.5  # px between the samples of a profile, and between the candidates of the search
_MARGIN = 8.0  # px that profiles reach beyond the search, to see the gradient fall again
_STATIONS, _PER_STATION = 256, 8
_MIN_LENGTH = 24.0  # px of visible line
_SMOOTHING = 0.7  # px, standard deviation of the Gaussian of the narrowest gradient filter
# In pure noise the best of all candidates reaches about 4.5 standard errors.
_MIN_SIGNIFICANCE = 8.0
_MIN_SHARE = 0.5  # of the stations that have their maximum on the line
_MIN_RISE = 1.5  # grey levels, above the bands of a quantised ramp
_FALL = 0.6  # of its peak, that the mean gradient must fall below on both sides
_HUBER = 1.345  # in standard deviations: 95 % efficiency for Gaussian noise
_ITERATIONS = 8


@dataclass(frozen=True, slots=True)
class EdgeFit:
    """The edge that was found: its line, its gradient towards the sky in grey levels per px, the share of
    the stations that lie on it, and their root mean square distance in px.
    """

    line: HorizonLine
    gradient: float
    share: float
    rms_px: float


def refine_line(luma: NDArray[np.uint8], line: HorizonLine, *, reach_px: float = 6.0) -> EdgeFit | None:
    """The strongest consistent edge whose ends lie within `reach_px` of the line's.

    `luma` is (height, width) uint8. The sky stays on its side. None where no edge is consistent:
    too weak against its own variation, not a maximum, or on too few stations.
    """
    height, width = luma.shape
    span = visible_span(line, width, height)
    if span is None or span[1] - span[0] < _MIN_LENGTH:
        return None
    profiles = _Profiles.across(luma, line, span, reach_px)
    gradient = profiles.gradient(_SMOOTHING)
    start, sign = profiles.strongest(gradient, reach_px)
    width_px = profiles.edge_width(sign * gradient, start)
    if width_px is None:
        return None
    gradient = sign * profiles.gradient(max(_SMOOTHING, 0.25 * width_px))
    return profiles.fit(gradient, sign, start, window=max(1.5, 0.5 * width_px))


def visible_span(line: HorizonLine, width: int, height: int) -> tuple[float, float] | None:
    """Where the line enters and leaves the pixel centres' rectangle, in px along it from its foot point.

    The foot point is the one nearest to the image centre, the direction (cos angle, sin angle). None where
    the line misses the picture. (Liang & Barsky 1984.)
    """
    nx, ny = line.normal
    half = ((width - 1) / 2, (height - 1) / 2)
    low, high = -math.inf, math.inf
    for foot, step, reach in ((-line.offset_px * nx, -ny, half[0]), (-line.offset_px * ny, nx, half[1])):
        if abs(step) < 1e-12:
            if abs(foot) > reach:
                return None
            continue
        ends = sorted(((-reach - foot) / step, (reach - foot) / step))
        low, high = max(low, ends[0]), min(high, ends[1])
    return (low, high) if low < high else None


@dataclass(frozen=True, slots=True)
class _Profiles:
    """Luma `values` (offsets, stations) at `offsets` px towards the sky and `stations` px along `line`."""

    values: Array
    offsets: Array
    stations: Array
    line: HorizonLine

    @classmethod
    def across(
        cls, luma: NDArray[np.uint8], line: HorizonLine, span: tuple[float, float], reach_px: float
    ) -> Self:
        """Sampled bilinearly; each station is the mean over its share of the span."""
        length = span[1] - span[0]
        count = min(_STATIONS, int(length / 2))
        each = min(_PER_STATION, max(1, round(length / count)))
        edge = math.ceil((reach_px + _MARGIN) / _STEP)
        offsets = _STEP * np.arange(-edge, edge + 1, dtype=np.float64)
        along = span[0] + length * (np.arange(count * each) + 0.5) / (count * each)
        values = _sample(luma, line, along, offsets).reshape(len(offsets), count, each).mean(axis=2)
        return cls(values, offsets, along.reshape(count, each).mean(axis=1), line)

    def gradient(self, sigma_px: float) -> Array:
        """Derivative towards the sky, smoothed across the line."""
        sigma = sigma_px / _STEP
        size = (1, 2 * math.ceil(3 * sigma) + 1)
        smooth = cv2.GaussianBlur(self.values, size, sigma, borderType=cv2.BORDER_REPLICATE)
        return np.gradient(np.asarray(smooth, np.float64), _STEP, axis=0)

    def strongest(self, gradient: Array, reach_px: float) -> tuple[tuple[float, float], float]:
        """Offsets of the best line at the first and last station, and the sign of its gradient."""
        limit = float(np.median(np.abs(gradient).max(axis=0)))  # so that one ship does not outshine the rest
        middle, reach = len(self.offsets) // 2, round(reach_px / _STEP)
        first, last, score = _strongest(np.clip(gradient, -limit, limit), middle - reach, middle + reach)
        ends = float(self.offsets[first]), float(self.offsets[last])
        return ends, math.copysign(1.0, score)

    def edge_width(self, gradient: Array, ends: tuple[float, float]) -> float | None:
        """Full width in px at which the mean gradient along a line has fallen; None where there is no edge.

        That is where the mean does not stand out of its own standard error, or does not fall.
        """
        here = self._at(gradient, *ends)[0]
        error = float(here.std()) / math.sqrt(len(here))
        if not here.mean() > max(_MIN_SIGNIFICANCE * error, 1e-3):
            return None
        shifts = _STEP * np.arange(1, round(_MARGIN / _STEP) + 1, dtype=np.float64)
        sides = (self._at(gradient, ends[0] + s * shifts, ends[1] + s * shifts).mean(axis=1) for s in (-1, 1))
        fallen = [np.flatnonzero(side < _FALL * here.mean()) for side in sides]
        if min(map(len, fallen)) == 0:
            return None
        width = float(sum(shifts[f[0]] for f in fallen))
        return width if width * here.mean() > _MIN_RISE else None

    def fit(self, gradient: Array, sign: float, ends: tuple[float, float], window: float) -> EdgeFit | None:
        """Straight line through the maxima within `window` px of it; None where too few stations have one."""
        slope = (ends[1] - ends[0]) / float(self.stations[-1] - self.stations[0])
        where = np.array([ends[0] - slope * self.stations[0], slope])
        for _ in range(_ITERATIONS):
            near = where[0] + where[1] * self.stations
            peaks, found = self._maxima(gradient, near, window)
            if found.mean() < _MIN_SHARE:
                return None
            where = _huber_line(self.stations[found], peaks[found], where)
        residuals = peaks[found] - where[0] - where[1] * self.stations[found]
        strength = sign * float(np.median(gradient[self._rows(near), np.arange(len(near))]))
        return EdgeFit(
            self._moved(where), strength, float(found.mean()), float(np.sqrt(np.mean(residuals**2)))
        )

    def _at(self, gradient: Array, first: Array | float, last: Array | float) -> Array:
        """Gradient (lines, stations) along straight lines, given their offsets at both ends."""
        share = np.linspace(0.0, 1.0, len(self.stations))
        offsets = np.atleast_1d(first)[:, None] * (1 - share) + np.atleast_1d(last)[:, None] * share
        return gradient[self._rows(offsets), np.arange(len(self.stations))]

    def _rows(self, offsets: Array) -> NDArray[np.intp]:
        rows = np.rint((offsets - self.offsets[0]) / _STEP).astype(np.intp)
        return np.clip(rows, 0, len(self.offsets) - 1)

    def _maxima(self, gradient: Array, near: Array, window: float) -> tuple[Array, NDArray[np.bool_]]:
        """Sub-pixel offset of each station's largest gradient around `near`, and where it is a maximum.

        The top is that of the parabola through the largest sample and its neighbours.
        """
        reach = round(window / _STEP)
        rows = self._rows(near) + np.arange(-reach, reach + 1)[:, None]
        stations = np.arange(len(near))
        top = np.clip(rows, 1, len(self.offsets) - 2)
        best = gradient[top, stations].argmax(axis=0)
        row = top[best, stations]
        before, peak, after = (gradient[row + k, stations] for k in (-1, 0, 1))
        bend = before - 2 * peak + after
        found = (peak > 0) & (peak >= before) & (peak >= after) & (bend < 0)
        shift = 0.5 * (before - after) / np.where(found, bend, 1.0)
        return self.offsets[row] + _STEP * np.where(found, shift, 0.0), found

    def _moved(self, where: Array) -> HorizonLine:
        """The line whose offset from this one is where[0] + where[1]·s at s px from the foot point."""
        turn = math.atan(where[1])
        return HorizonLine(
            wrap_degrees(self.line.angle_deg - math.degrees(turn)),
            (self.line.offset_px - float(where[0])) * math.cos(turn),
        )


@kernel()
def _strongest(gradient: Array, low: int, high: int) -> tuple[int, int, float]:
    """Rows low..high of both ends of the straight line with the largest absolute sum of gradients."""
    stations = gradient.shape[1]
    best_first, best_last, best = low, low, 0.0
    for first in range(low, high + 1):
        for last in range(low, high + 1):
            slope = (last - first) / (stations - 1)
            score = 0.0
            for k in range(stations):
                score += gradient[int(first + slope * k + 0.5), k]
            if abs(score) > abs(best):
                best_first, best_last, best = first, last, score
    return best_first, best_last, best


def _sample(luma: NDArray[np.uint8], line: HorizonLine, along: Array, offsets: Array) -> Array:
    """Luma (offsets, stations) at points given along and across the line, relative to its foot point."""
    height, width = luma.shape
    nx, ny = line.normal
    across = offsets[:, None] - line.offset_px
    x = (width - 1) / 2 + across * nx - along * ny
    y = (height - 1) / 2 + across * ny + along * nx
    maps = x.astype(np.float32), y.astype(np.float32)
    image = np.ascontiguousarray(luma).astype(np.float32)
    return np.asarray(cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float64)


def _huber_line(stations: Array, peaks: Array, where: Array) -> Array:
    """One reweighted least-squares step for (offset, slope)."""
    residuals = np.abs(peaks - where[0] - where[1] * stations)
    scale = max(1.4826 * float(np.median(residuals)), 0.05)  # sd of a Gaussian from its median deviation
    root = np.sqrt(np.minimum(1.0, _HUBER * scale / np.maximum(residuals, 1e-9)))
    design = np.stack([np.ones_like(stations), stations], axis=1)
    return np.asarray(np.linalg.lstsq(design * root[:, None], peaks * root, rcond=None)[0])
