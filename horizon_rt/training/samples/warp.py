"""Pictures in windows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.training.samples.sample import InputShape

__all__ = ["shrunk", "warp"]

_BLURRED = 1.5  # px of the picture for one of the window, from which it is blurred first


def warp(
    image: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: InputShape,
    *,
    border: int = cv2.BORDER_REPLICATE,
) -> NDArray[np.uint8]:
    """The window (height, width) of a picture or mask; `matrix` (3, 3) takes window px to picture px."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    window = cv2.warpPerspective(image, matrix, (size[1], size[0]), flags=flags, borderMode=border)
    return np.asarray(window, np.uint8)


def shrunk(image: NDArray[np.uint8], matrix: NDArray[np.float64], size: InputShape) -> NDArray[np.uint8]:
    """`warp` of a picture, blurred first where the window shows it much smaller."""
    shrink = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    if shrink > _BLURRED:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 * shrink), np.uint8)
    return warp(image, matrix, size)
