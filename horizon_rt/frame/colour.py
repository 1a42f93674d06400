"""RGB to Y'CbCr and back, for the matrices and ranges of video (BT.601, BT.709, BT.2020; see H.273)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from horizon_rt.frame.planes import ColourMatrix, Plane, Sampling

__all__ = ["Colour", "rgb_to_yuv", "to_bgr", "to_eight_bits", "yuv_from_rgb"]

Colour = tuple[int, int, int]
_KR_KB: dict[ColourMatrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}


def yuv_from_rgb(matrix: ColourMatrix) -> NDArray[np.float64]:
    """(3, 3) from RGB 0..1 to Y 0..1 and U, V −0.5..0.5."""
    kr, kb = _KR_KB[matrix]
    luma = np.array([kr, 1 - kr - kb, kb])
    blue = (np.array([0.0, 0.0, 1.0]) - luma) / (2 * (1 - kb))
    red = (np.array([1.0, 0.0, 0.0]) - luma) / (2 * (1 - kr))
    return np.stack([luma, blue, red])


def _matrix(sampling: Sampling) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(3, 3) from RGB 0..255 to 8-bit YUV, and the offset (3,)."""
    luma, chroma, black = (1.0, 1.0, 0.0) if sampling.full_range else (219 / 255, 224 / 255, 16.0)
    matrix = np.array([[luma], [chroma], [chroma]]) * yuv_from_rgb(sampling.matrix)
    return matrix, np.array([black, 128.0, 128.0])


@lru_cache(maxsize=256)
def rgb_to_yuv(colour: Colour, sampling: Sampling) -> Colour:
    """An RGB colour 0..255 as 8-bit (Y, U, V) of this matrix and range; the bit depth plays no part."""
    matrix, offset = _matrix(sampling)
    y, u, v = (int(x) for x in np.clip(np.rint(matrix @ np.array(colour) + offset), 0, 255))
    return y, u, v


@lru_cache(maxsize=16)
def yuv_to_bgr_matrix(sampling: Sampling) -> NDArray[np.float32]:
    """(3, 4) affine map from 8-bit YUV to BGR, for `cv2.transform`."""
    matrix, offset = _matrix(sampling)
    inverse = np.linalg.inv(matrix)
    return np.concatenate([inverse, -(inverse @ offset)[:, None]], axis=1)[::-1].astype(np.float32)


def to_eight_bits(plane: Plane, bit_depth: int) -> NDArray[np.uint8]:
    """The samples rounded to 8 bits; (rows, columns) uint8."""
    import cv2

    if plane.dtype == np.uint8:
        return cast("NDArray[np.uint8]", plane)
    eight = cv2.convertScaleAbs(np.ascontiguousarray(plane), alpha=0.5 ** (bit_depth - 8))
    return cast("NDArray[np.uint8]", eight)


def to_bgr(planes: Sequence[Plane], sampling: Sampling) -> NDArray[np.uint8]:
    """BGR (height, width, 3) uint8 of a luma plane and two or no chroma planes of any subsampling."""
    import cv2

    luma, *chroma = (np.ascontiguousarray(to_eight_bits(plane, sampling.bit_depth)) for plane in planes)
    size = luma.shape[::-1]
    whole = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in chroma]
    yuv = cv2.merge([luma, *(whole or [np.full_like(luma, 128)] * 2)])
    return cast("NDArray[np.uint8]", cv2.transform(yuv, yuv_to_bgr_matrix(sampling)))
