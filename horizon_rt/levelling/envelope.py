"""A zoom that changes smoothly and is always enough."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

__all__ = ["upper_envelope"]

Array = NDArray[np.float64]


def upper_envelope(time_s: Array, needed: Array, *, rate: float, smooth_s: float) -> Array:
    """A function (N,) that is nowhere below `needed` (N,), and looks ahead as well as back.

    Its slope is at most `rate` a second where frames lie closer than `smooth_s`, over which it bends.
    """
    steep = _lipschitz(time_s, needed, rate)
    half_s = 0.5 * smooth_s
    top = _running_max(
        time_s, steep, half_s + float(np.diff(time_s, append=time_s[-1:]).clip(0, half_s).max())
    )
    smooth = _box_mean(time_s, _box_mean(time_s, top, 0.5 * half_s), 0.5 * half_s)
    return np.maximum(smooth, needed)


def _lipschitz(time_s: Array, values: Array, rate: float) -> Array:
    """The least function above the values whose slope is at most `rate`."""
    found = values.copy()
    steps = (rate * np.diff(time_s)).tolist()
    for k, step in enumerate(steps):
        found[k + 1] = max(found[k + 1], found[k] - step)
    for k in range(len(steps) - 1, -1, -1):
        found[k] = max(found[k], found[k + 1] - steps[k])
    return found


def _running_max(time_s: Array, values: Array, reach_s: float) -> Array:
    """The largest value within `reach_s` before and after each time."""
    found = np.empty_like(values)
    best: deque[int] = deque()
    ahead = 0
    for k, now_s in enumerate(time_s.tolist()):
        while ahead < len(values) and time_s[ahead] <= now_s + reach_s:
            while best and values[best[-1]] <= values[ahead]:
                best.pop()
            best.append(ahead)
            ahead += 1
        while time_s[best[0]] < now_s - reach_s:
            best.popleft()
        found[k] = values[best[0]]
    return found


def _box_mean(time_s: Array, values: Array, half_s: float) -> Array:
    """The mean over `half_s` before and after, of the straight lines between the values; the ends go on."""
    if len(values) < 2 or half_s <= 0:
        return values
    times = np.concatenate([[time_s[0] - 2 * half_s], time_s, [time_s[-1] + 2 * half_s]])
    padded = np.concatenate([values[:1], values, values[-1:]])
    areas = np.concatenate([[0.0], np.cumsum(0.5 * np.diff(times) * (padded[1:] + padded[:-1]))])

    def area(at: Array) -> Array:
        """∫ up to `at`, exact for straight lines."""
        k = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
        since, step = at - times[k], np.maximum(times[k + 1] - times[k], 1e-12)
        slope = (padded[k + 1] - padded[k]) / step
        return np.asarray(areas[k] + since * (padded[k] + 0.5 * slope * since))

    return np.asarray((area(time_s + half_s) - area(time_s - half_s)) / (2 * half_s))
