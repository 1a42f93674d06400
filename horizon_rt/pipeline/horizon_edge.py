"""Points of the strongest edge near a line, for a lens that bends it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import HorizonLine

__all__ = ["FEWEST_STATIONS", "horizon_points"]

Array = NDArray[np.float64]
Luma = NDArray[np.uint8]
_STATIONS, FEWEST_STATIONS = 48, 12
_REACH, _LEAST_REACH_PX, _STEP_PX = 0.012, 4, 0.5  # the first of the width, across the line
_BESIDE_PX, _SMOOTH = 3, (9, 1.5)  # along the line; across it, in steps
_WEAKEST = 0.25  # of the median slope


def horizon_points(luma: Luma, line: HorizonLine) -> Array:
    """Points (n, 2) in px of the edge, at most 48; none where less than 12 places of the line are in view.

    At each place it is the largest slope of the luma across the line, of the sign that most have, to a part
    of a px by a parabola.
    """
    normal, places = np.array(line.normal), _places(luma, line)
    if len(places) < FEWEST_STATIONS:
        return np.empty((0, 2))
    reach = _reach(luma)
    offsets = np.arange(-reach, reach + _STEP_PX / 2, _STEP_PX)
    slope = _slopes(luma, places[None] + offsets[:, None, None] * normal, np.array([-normal[1], normal[0]]))
    peak = np.clip(slope.argmax(axis=0), 1, len(offsets) - 2)
    k = np.arange(len(places))
    before, top, after = slope[peak - 1, k], slope[peak, k], slope[peak + 1, k]
    bend = np.minimum(before - 2 * top + after, -1e-9)
    at = offsets[peak] + _STEP_PX * np.clip(0.5 * (before - after) / bend, -1, 1)
    strong = (top > _WEAKEST * np.median(top)) & (np.abs(at) < reach - 1)
    return np.asarray((places + at[:, None] * normal)[strong])


def _reach(luma: Luma) -> int:
    return max(_LEAST_REACH_PX, round(_REACH * luma.shape[1]))


def _places(luma: Luma, line: HorizonLine) -> Array:
    """Along the line (n, 2), where there is room on both sides of it."""
    height, width = luma.shape
    normal = np.array(line.normal)
    foot = np.array([(width - 1) / 2, (height - 1) / 2]) - line.offset_px * normal
    along = np.linspace(-0.5, 0.5, 4 * _STATIONS) * np.hypot(width, height)
    places = foot + along[:, None] * np.array([-normal[1], normal[0]])
    margin = _reach(luma) + _BESIDE_PX
    places = places[((places > margin) & (places < (width - 1 - margin, height - 1 - margin))).all(axis=1)]
    chosen = np.linspace(0, len(places) - 1, min(len(places), _STATIONS)).astype(int)
    return np.asarray(places[chosen])


def _slopes(luma: Luma, grid: Array, along: Array) -> Array:
    """Of the luma across the line (rows, n), summed along it, positive where most edges are."""
    picture = luma.astype(np.float32)
    beside = (grid + k * along for k in range(-_BESIDE_PX, _BESIDE_PX + 1))
    maps = (one.astype(np.float32).transpose(2, 0, 1) for one in beside)
    rows = sum(cv2.remap(picture, x, y, cv2.INTER_LINEAR) for x, y in maps)
    size, sigma = _SMOOTH
    rows = cv2.GaussianBlur(np.asarray(rows, np.float32), (1, size), sigmaX=0.01, sigmaY=sigma)
    slope = np.gradient(rows, axis=0)
    quarter = len(slope) // 4
    return np.asarray(slope * (np.sign(np.median(slope[quarter:-quarter].sum(axis=0))) or 1.0))
