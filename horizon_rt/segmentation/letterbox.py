"""Where a picture lies in the input of a net, and the cells of the net's output in the picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from horizon_rt.models.sizes import INPUT_AREA_PX, INPUT_STRIDE, OUTPUT_STRIDE

__all__ = ["Letterbox", "input_size", "letterbox_of"]


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture lies in the net input: input px = (picture px + 0.5) · scale − 0.5 + (left, top)."""

    scale: float
    left: float
    top: float

    def to_picture(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Picture px (N, 2) of input px (N, 2)."""
        return (points + 0.5 - (self.left, self.top)) / self.scale - 0.5

    def cell_centres(self, rows: int, columns: int) -> NDArray[np.float64]:
        """Picture px (rows · columns, 2) of the centres of the net's output cells, row by row."""
        y, x = np.mgrid[:rows, :columns] * float(OUTPUT_STRIDE) + (OUTPUT_STRIDE - 1) / 2
        return self.to_picture(np.stack([x.ravel(), y.ravel()], axis=1))


@lru_cache(maxsize=64)
def input_size(width: int, height: int, area_px: int = INPUT_AREA_PX) -> tuple[int, int]:
    """Net input (height, width) of a picture: the multiples of 32 that show it largest within `area_px`."""
    best, answer = 0.0, (INPUT_STRIDE, INPUT_STRIDE)
    for w in range(INPUT_STRIDE, area_px // INPUT_STRIDE + 1, INPUT_STRIDE):
        for h in range(INPUT_STRIDE, area_px // w + 1, INPUT_STRIDE):
            scale = min(w / width, h / height)
            if scale > best * 1.001 or (scale > best * 0.999 and w * h < answer[0] * answer[1]):
                best, answer = scale, (h, w)
    return answer


def letterbox_of(width: int, height: int, out_width: int, out_height: int) -> Letterbox:
    """A picture as large as it fits into a net input, centred."""
    scale = min(out_width / width, out_height / height)
    return Letterbox(scale, (out_width - width * scale) / 2, (out_height - height * scale) / 2)
