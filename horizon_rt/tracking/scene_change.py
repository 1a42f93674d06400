"""What the images alone tell: whether one repeats the last, or comes after a cut."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from horizon_rt.frame import DevicePlane, Plane
from horizon_rt.horizon import Change

__all__ = ["SceneChangeDetector"]

_SAMPLES = 2000  # pixels of an image that are compared first: each is a wait for memory
_BINS = 32
_CUT = 0.5  # share of the histogram that changes places at a cut


class SceneChangeDetector:
    """Compares each frame with the one before, whose luma it keeps hold of."""

    def __init__(self) -> None:
        self._last: tuple[Plane, Plane | DevicePlane] | None = None  # sparse and whole
        self._histogram: NDArray[np.float64] | None = None

    def update(self, luma: Plane | DevicePlane, *, bit_depth: int = 8) -> Change:
        """'repeated' where nothing changed, 'cut' where the histogram of the luma is another, else 'none'."""
        every = max(1, round(math.sqrt(luma.size / _SAMPLES)))
        sparse = luma[::every, ::every].copy()
        counts = np.bincount((sparse >> max(bit_depth - 5, 0)).ravel(), minlength=_BINS)
        histogram = np.convolve(counts / counts.sum(), (0.25, 0.5, 0.25))
        last, before = self._last, self._histogram
        self._last, self._histogram = (sparse, luma), histogram
        if last is None or before is None or last[1].shape != luma.shape or before.shape != histogram.shape:
            return "none"
        if np.array_equal(last[0], sparse) and np.array_equal(last[1], luma):
            return "repeated"
        return "cut" if 0.5 * float(np.abs(histogram - before).sum()) > _CUT else "none"
