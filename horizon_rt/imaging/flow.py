"""Where points of a picture are in another one (Lucas and Kanade 1981, in pyramids)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["WINDOW", "followed_points"]

Luma = NDArray[np.uint8]
Points = NDArray[np.float32]
WINDOW = (21, 21)
"""Of the picture around a point, width and height in px, that is laid onto the other."""


def followed_points(
    before: Luma, after: Luma, points: Points, *, levels: int, least_step_px: float = 0.01
) -> Points:
    """Where points (n, 2) in px went, followed until they move less than a step; NaN where they were lost."""
    until = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 30, least_step_px)
    start = np.nan_to_num(points).reshape(-1, 1, 2)
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before, after, start, np.empty_like(start), winSize=WINDOW, maxLevel=levels, criteria=until
    )
    return np.where(status == 1, found[:, 0], np.float32(np.nan)).astype(np.float32)
