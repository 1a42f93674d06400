"""A labelled line carried to another frame of the same camera.

The tracker's own lines say roughly how the camera moved; the flow of corners near the horizon, which are far
away, says it exactly (Lucas & Kanade 1981 in pyramids, a similarity by RANSAC).
"""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import HorizonLine, wrap_degrees
from horizon_rt.imaging.flow import followed_points

__all__ = ["CarryMethod", "carry_line"]

Array = NDArray[np.float64]
Luma = NDArray[np.uint8]
CarryMethod = Literal["flow", "tracker", "same"]

_BAND = 0.08  # of the height, on both sides of the line
_CORNERS, _QUALITY, _SPACING_PX = 200, 0.005, 5
_LEVELS = 4
_RETURN_PX = 1.0  # a corner tracked there and back ends this near to its start
_RANSAC_PX = 1.5
_MIN_CORNERS, _MIN_SHARE = 12, 0.5
_MAX_SCALE = 1.05  # what is far away does not grow


def carry_line(
    line: HorizonLine,
    lumas: tuple[Luma, Luma],
    tracked: tuple[HorizonLine | None, HorizonLine | None],
) -> tuple[HorizonLine, CarryMethod]:
    """The line of the first picture in the second, and what told the motion.

    `lumas` are (height, width) uint8 of equal shape, `tracked` the tracker's lines in both. Where the flow is
    not consistent the tracker's motion alone is taken, and without that the line stays.
    """
    motion = _tracked_motion(tracked, lumas[0].shape)
    start = _moved(line, motion, lumas[0].shape)
    size = (lumas[0].shape[1], lumas[0].shape[0])
    turned = cv2.warpAffine(lumas[0], motion, size, borderMode=cv2.BORDER_REPLICATE)
    flow = _flow(np.asarray(turned, np.uint8), lumas[1], start)
    if flow is not None:
        return _moved(start, flow, lumas[0].shape), "flow"
    return start, "same" if None in tracked else "tracker"


def _tracked_motion(tracked: tuple[HorizonLine | None, HorizonLine | None], shape: tuple[int, ...]) -> Array:
    """(2, 3) turn about the image centre and shift across the horizon that take one line to the other."""
    before, after = tracked
    if before is None or after is None:
        return np.eye(2, 3)
    turn = math.radians(after.angle_deg - before.angle_deg)
    c, s = math.cos(turn), math.sin(turn)
    rotation = np.array([[c, -s], [s, c]])
    shift = (before.offset_px - after.offset_px) * np.array(after.normal)
    centre = _centre(shape)
    return np.column_stack([rotation, centre + shift - rotation @ centre])


def _flow(before: Luma, after: Luma, line: HorizonLine) -> Array | None:
    """(2, 3) similarity that takes what lies near the line from one picture to the other."""
    corners = cv2.goodFeaturesToTrack(before, _CORNERS, _QUALITY, _SPACING_PX, mask=_band(line, before.shape))
    if corners is None:
        return None
    corners = corners.reshape(-1, 2)
    there = followed_points(before, after, corners, levels=_LEVELS)
    back = followed_points(after, before, there, levels=_LEVELS)
    kept = np.linalg.norm(back - corners, axis=1) < _RETURN_PX
    if kept.sum() < _MIN_CORNERS:
        return None
    matrix, inliers = cv2.estimateAffinePartial2D(
        corners[kept], there[kept], ransacReprojThreshold=_RANSAC_PX
    )
    if matrix is None or inliers.sum() < max(_MIN_CORNERS, _MIN_SHARE * kept.sum()):
        return None
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    return np.asarray(matrix, np.float64) if 1 / _MAX_SCALE < scale < _MAX_SCALE else None


def _band(line: HorizonLine, shape: tuple[int, ...]) -> Luma:
    y, x = np.mgrid[: shape[0], : shape[1]]
    near = np.abs(line.signed_distance(x, y, shape[1], shape[0])) < _BAND * shape[0]
    return np.where(near, 255, 0).astype(np.uint8)


def _moved(line: HorizonLine, matrix: Array, shape: tuple[int, ...]) -> HorizonLine:
    """The line after a similarity of the picture."""
    turn = math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))
    centre, normal = _centre(shape), np.array(line.normal)
    foot = matrix[:, :2] @ (centre - line.offset_px * normal) + matrix[:, 2]
    turned = HorizonLine(wrap_degrees(line.angle_deg + turn), 0.0)
    return HorizonLine(turned.angle_deg, float(np.array(turned.normal) @ (centre - foot)))


def _centre(shape: tuple[int, ...]) -> Array:
    return np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
