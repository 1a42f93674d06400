"""The matrices of video colour (BT.601, BT.709, BT.2020; collected in ITU-T H.273)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from horizon_rt.frame import ColourMatrix

__all__ = ["yuv_from_rgb"]

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
