"""Corners of a picture, where they are in another, and how well that is known.

Corners after Shi and Tomasi (1994), flow after Lucas and Kanade (1981) in pyramids. The covariance of the
flow is that of least squares: noise² times the inverse of the structure tensor, less what noise adds.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import HorizonLine
from horizon_rt.imaging.flow import WINDOW, followed_points

__all__ = ["Matches", "far_corners", "followed", "match_corners"]

Array = NDArray[np.float64]
Luma = NDArray[np.uint8]
Points = NDArray[np.float32]
_TILES, _BLOCK, _SPACING_PX, _BORDER_PX = (6, 10), 5, 7, 12
_LEAST_CORNER = 1e-6
_BELOW = 0.15  # of the width, below the horizon: what is nearer moves and changes too much
_PER_TILE = 12
_FLOW_LEVELS, _MATCH_LEVELS = 3, 2
_STEP_PX = 0.003  # until which a corner is followed
_RETURN_PX, _RETURN_SIGMAS = 0.5, 3.0  # a corner followed there and back ends this near to its start
_FAR = 0.05  # of the width, that a corner lies off where the homography puts it
_LEAST_SD_PX, _MOST_SD_PX, _LEAST_NOISE = 0.05, 0.12, 0.5
_NOISE_GAIN = 2 * (3**2 + 10**2 + 3**2) / 32**2  # of the differences of Scharr
_NOISE_SHARE, _LEAST_SHARE = (
    1.6,
    1e-4,
)  # of what noise adds to a tensor: corners lie where that is most


class Matches(NamedTuple):
    """Corners (n, 2) in px, where they are in another picture, and the covariance (n, 2, 2) of that."""

    before: Array
    after: Array
    covariance: Array


def far_corners(luma: Luma, line: HorizonLine, per_tile: int = _PER_TILE) -> Points:
    """Corners (n, 2), spread over the sky and the ground near the horizon: so many of each of 60 tiles."""
    height, width = luma.shape
    strength = cv2.cornerMinEigenVal(luma, _BLOCK, ksize=3)
    largest = cv2.dilate(strength, np.ones((_SPACING_PX, _SPACING_PX), np.uint8))
    y, x = np.mgrid[:height, :width]
    good = (strength == largest) & (strength > _LEAST_CORNER)
    good &= line.signed_distance(x, y, width, height) > -_BELOW * width
    good[:_BORDER_PX] = good[-_BORDER_PX:] = False
    good[:, :_BORDER_PX] = good[:, -_BORDER_PX:] = False
    rows, columns = np.nonzero(good)
    order = np.argsort(-strength[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    tile = rows * _TILES[0] // height * _TILES[1] + columns * _TILES[1] // width
    by_tile = np.argsort(tile, kind="stable")
    rank = np.arange(len(tile)) - np.searchsorted(tile[by_tile], tile[by_tile])
    chosen = by_tile[rank < per_tile]
    return np.stack([columns[chosen], rows[chosen]], axis=1).astype(np.float32)


def followed(before: Luma, after: Luma, points: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Where points (n, 2) of the last frame are in the next one, and which are sure (n,)."""
    there = followed_points(before, after, points, levels=_FLOW_LEVELS, least_step_px=_STEP_PX)
    back = followed_points(after, before, there, levels=_FLOW_LEVELS, least_step_px=_STEP_PX)
    height, width = after.shape
    sure = np.linalg.norm(back - points, axis=1) < _RETURN_PX
    sure &= (there > 2).all(axis=1) & (there < (width - 3, height - 3)).all(axis=1)
    return there, sure


def match_corners(first: Luma, last: Luma, homography: Array, line: HorizonLine) -> Matches:
    """Corners of the first picture in the last; `line` is the horizon in the first.

    The last is laid onto the first by the `homography` (3, 3) from the first to the last, so that corners
    look the same and move little.
    """
    laid, filled = _laid(last, homography), _laid(np.full_like(last, 255), homography)
    inside = cv2.erode(filled, np.ones((2 * _BORDER_PX + 1,) * 2, np.uint8), borderValue=0)
    start = far_corners(first, line)
    start = start[inside[start[:, 1].astype(int), start[:, 0].astype(int)] == 255]
    if not len(start):
        return Matches(np.empty((0, 2)), np.empty((0, 2)), np.empty((0, 2, 2)))
    there = followed_points(first, laid, start, levels=_MATCH_LEVELS, least_step_px=_STEP_PX)
    back = followed_points(laid, first, there, levels=_MATCH_LEVELS, least_step_px=_STEP_PX)
    covariance = _flow_covariance(first, start) + _LEAST_SD_PX**2 * np.eye(2)
    away, allowed = (back - start).astype(float), covariance + _RETURN_PX**2 / 4 * np.eye(2)
    sure = np.einsum("ni,nij,nj->n", away, np.linalg.inv(allowed), away) < _RETURN_SIGMAS**2
    sure &= np.linalg.norm(there - start, axis=1) < _FAR * first.shape[1]
    sure &= np.sqrt(np.linalg.eigvalsh(covariance)[:, 0]) < _MOST_SD_PX
    return _moved(Matches(start[sure].astype(float), there[sure].astype(float), covariance[sure]), homography)


def _laid(picture: Luma, homography: Array) -> Luma:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(picture, homography, picture.shape[::-1], flags=flags), np.uint8)


def _moved(laid: Matches, homography: Array) -> Matches:
    """As `after` lies in the picture that was laid."""
    places = np.column_stack([laid.after, np.ones(len(laid.after))]) @ homography.T
    after = places[:, :2] / places[:, 2:]
    slopes = (homography[:2, :2] - after[:, :, None] * homography[2, :2]) / places[:, 2, None, None]
    return Matches(laid.before, after, slopes @ laid.covariance @ slopes.transpose(0, 2, 1))


def _flow_covariance(luma: Luma, points: Points) -> Array:
    """Covariance (n, 2, 2) in px² of the flow of points, by the noise in both pictures."""
    picture, noise = luma.astype(np.float32), _noise(luma)
    dx, dy = cv2.Scharr(picture, -1, 1, 0) / 32, cv2.Scharr(picture, -1, 0, 1) / 32
    rows, columns = points[:, 1].astype(int), points[:, 0].astype(int)
    xx, xy, yy = (
        cv2.boxFilter(part, -1, WINDOW, normalize=False)[rows, columns].astype(float)
        for part in (dx * dx, dx * dy, dy * dy)
    )
    values, axes = np.linalg.eigh(np.stack([xx, xy, xy, yy], axis=1).reshape(-1, 2, 2))
    by_noise = _NOISE_GAIN * noise**2 * WINDOW[0] * WINDOW[1]
    variance = 2 * noise**2 / np.maximum(values - _NOISE_SHARE * by_noise, _LEAST_SHARE * by_noise)
    return np.asarray((axes * variance[:, None, :]) @ axes.transpose(0, 2, 1))


def _noise(luma: Luma) -> float:
    """Standard deviation of the noise by second differences (Immerkær 1996), of which the median is taken."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rough = np.abs(cv2.filter2D(luma.astype(np.float32), -1, mask))
    return max(_LEAST_NOISE, float(np.median(rough)) / (0.6745 * 6))
