"""Luma profiles across a horizon: samples along the normals of its stations, the sky's last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from horizon_rt.fitting.stations import Strip
from horizon_rt.frame import DevicePlane, Plane
from horizon_rt.system.kernels import Array, kernel

__all__ = ["sample_profiles", "sample_strip"]

_ALONG_PX, _MOST_ALONG = 3.0, 3  # between the samples that a station averages, and their number


def sample_strip(
    luma: Plane | DevicePlane, strip: Strip, step_px: float, gain: float, rows: NDArray[np.float64]
) -> None:
    """Fill `rows` (r, n) as `sample_profiles`; of a `DevicePlane` only the profiles leave the GPU."""
    count = min(_MOST_ALONG, max(1, round(strip.spacing_px / _ALONG_PX)))
    rest = strip.points, strip.normals, step_px, strip.spacing_px / count, count, gain, rows
    if isinstance(luma, DevicePlane):
        from horizon_rt.fitting.device_profiles import sample_device_profiles

        sample_device_profiles(luma.tensor, *rest)
    else:
        sample_profiles(luma, *rest)


@kernel(fastmath=True)
def sample_profiles(
    luma: Array,
    points: Array,
    normals: Array,
    step: float,
    along: float,
    count: int,
    gain: float,
    rows: Array,
) -> None:
    """Fill `rows` (r, n): luma `step` px apart along the normals, each the mean of `count` samples along the
    horizon, `along` px apart, times `gain`. Bilinear; beyond the picture, of 2×2 px or more, its border goes
    on. Points and step are finite.
    """
    height, width = luma.shape
    half = rows.shape[0] // 2
    for k in range(points.shape[0]):
        nx, ny = normals[k, 0], normals[k, 1]
        for i in range(rows.shape[0]):
            total = 0.0
            for j in range(count):
                s = (j - 0.5 * (count - 1)) * along
                x = points[k, 0] + (i - half) * step * nx - s * ny
                y = points[k, 1] + (i - half) * step * ny + s * nx
                x, y = min(max(x, 0.0), width - 1.001), min(max(y, 0.0), height - 1.001)
                c, r = int(x), int(y)
                u, v = x - c, y - r
                top = luma[r, c] + u * (float(luma[r, c + 1]) - luma[r, c])
                bottom = luma[r + 1, c] + u * (float(luma[r + 1, c + 1]) - luma[r + 1, c])
                total += top + v * (bottom - top)
            rows[i, k] = gain * total / count
