"""Classical horizon finders, written with OpenCV as a user would: each takes a BGR picture, gives a line.

None says whether there is a horizon at all, and all take the sky to be the upper side.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import HorizonLine

__all__ = ["BASELINES"]

Image = NDArray[np.uint8]
_SMALL = (80, 60)  # px, for `region_variance`


def otsu(picture: Image) -> HorizonLine | None:
    """Otsu's threshold, and a line through the lowest bright pixel of each column."""
    height, width = picture.shape[:2]
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (5, 5), 0)
    _, bright = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    last = height - 1 - np.argmax(bright[::-1] > 0, axis=0)
    columns = np.flatnonzero((bright > 0).any(axis=0) & (last < height - 1))
    return _fitted(columns, last[columns] + 0.5, width, height)


def canny_hough(picture: Image) -> HorizonLine | None:
    """Canny's edges, and the line with most votes of the Hough transform."""
    height, width = picture.shape[:2]
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (5, 5), 0)
    lines = cv2.HoughLines(cv2.Canny(grey, 50, 150), 1, math.pi / 720, max(20, width // 8))
    if lines is None:
        return None
    rho, theta = (float(v) for v in np.reshape(lines, (-1, np.shape(lines)[-1]))[0][:2])
    c, s = math.cos(theta), math.sin(theta)
    x, y = rho * c, rho * s
    return HorizonLine.from_points(x - 1000 * s, y + 1000 * c, x + 1000 * s, y - 1000 * c, width, height)


def gradient_strips(picture: Image) -> HorizonLine | None:
    """The strongest vertical gradient in each of 64 strips, and the line that most of them lie on."""
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    strips = cv2.resize(grey, (64, height), interpolation=cv2.INTER_AREA)
    gradient = np.abs(cv2.Sobel(cv2.GaussianBlur(strips, (1, 7), 0), cv2.CV_32F, 0, 1, ksize=3))
    y = np.argmax(gradient, axis=0).astype(float)
    x = (np.arange(64) + 0.5) * width / 64 - 0.5
    rng, best = np.random.default_rng(0), np.zeros(64, bool)
    for _ in range(100):
        i, j = rng.choice(64, 2, replace=False)
        near = np.abs(y - y[i] - (y[j] - y[i]) / (x[j] - x[i]) * (x - x[i])) < 0.01 * height
        best = near if near.sum() > best.sum() else best
    return _fitted(x[best], y[best], width, height)


def line_segments(picture: Image) -> HorizonLine | None:
    """Line segments at full resolution (von Gioi et al. 2010), and the line along which most length lies."""
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    found = cv2.createLineSegmentDetector().detect(grey)[0]
    if found is None:
        return None
    ends = np.reshape(found, (-1, 2, 2)).astype(float)
    length = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
    longest = np.argsort(length)[::-1]
    best, most = np.zeros(len(ends), bool), 0.0
    for k in longest[:40]:
        nx, ny = (ends[k, 1, 1] - ends[k, 0, 1]) / length[k], (ends[k, 0, 0] - ends[k, 1, 0]) / length[k]
        near = (np.abs((ends - ends[k, 0]) @ (nx, ny)) < 0.005 * height).all(axis=1)
        if length[near].sum() > most:
            best, most = near, float(length[near].sum())
    weights = np.repeat(length[best] / 5, 2).astype(int) + 1
    points = np.repeat(ends[best].reshape(-1, 2), weights, axis=0)
    return _fitted(*points.T, width, height)


def region_variance(picture: Image) -> HorizonLine | None:
    """Ettinger et al. 2003: the line whose sides have the least spread of colours, coarse, then fine."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, _SMALL, interpolation=cv2.INTER_AREA).astype(np.float64)
    w, h = _SMALL
    x, y = np.meshgrid(np.arange(w) - (w - 1) / 2, np.arange(h) - (h - 1) / 2)
    colours = small.reshape(-1, 3)
    outer = np.einsum("ni,nj->nij", colours, colours).reshape(-1, 9)
    products = np.concatenate([np.ones((w * h, 1)), colours, outer], axis=1)
    total, half = products.sum(axis=0), math.hypot(w, h) / 2

    def cost(line: tuple[float, float]) -> float:
        angle, offset = line
        sky = (math.sin(angle) * x - math.cos(angle) * y + offset > 0).ravel()
        if not 0.02 < sky.mean() < 0.98:
            return math.inf
        above = products[sky].sum(axis=0)
        return _spread(above) + _spread(total - above)

    turn, shift = math.pi / 36, half / 12
    grid = [(i * turn, j * shift) for i in range(-18, 19) for j in range(-12, 13)]
    best = min(grid, key=cost)
    for step in (0.5, 0.25, 0.12):
        ways = [(i * step * turn, j * step * shift) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        best = min(((best[0] + i, best[1] + j) for i, j in ways), key=cost)
    nx, ny = math.sin(best[0]) * w / width, math.cos(best[0]) * h / height
    return HorizonLine(math.degrees(math.atan2(nx, ny)), best[1] / math.hypot(nx, ny))


def _spread(sums: NDArray[np.float64]) -> float:
    """Determinant and squared trace of the covariance of colours, from their sums."""
    n, mean = sums[0], sums[1:4] / sums[0]
    covariance = sums[4:].reshape(3, 3) / n - np.outer(mean, mean)
    return float(abs(np.linalg.det(covariance)) + np.trace(covariance) ** 2)


def _fitted(x: NDArray[np.float64], y: NDArray[np.float64], width: int, height: int) -> HorizonLine | None:
    if len(x) < 8:
        return None
    points = np.stack([x, y], axis=1).astype(np.float32)
    dx, dy, x0, y0 = np.ravel(cv2.fitLine(points, cv2.DIST_HUBER, 0, 0.01, 0.01)).tolist()
    return HorizonLine.from_points(x0, y0, x0 + dx, y0 + dy, width, height)


BASELINES: dict[str, Callable[[Image], HorizonLine | None]] = {
    "Otsu, line fit": otsu,
    "Canny, Hough": canny_hough,
    "gradient strips": gradient_strips,
    "line segments (LSD)": line_segments,
    "region variance (Ettinger)": region_variance,
}
