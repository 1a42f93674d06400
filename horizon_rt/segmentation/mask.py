"""What a net says of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from horizon_rt.models.sizes import OUTPUT_STRIDE
from horizon_rt.segmentation.letterbox import Letterbox

__all__ = ["Segmentation"]


@dataclass(frozen=True, slots=True)
class Segmentation:
    """`logits` of 'above the horizon', float32 (rows, columns), one for each 4×4 block of the net input.

    `presence` is the probability, 0..1, that a horizon is in view; `letterbox` places the picture in the
    input. `magnified` says how many times finer a careful look's cells are than those that sigma is set for.
    """

    logits: NDArray[np.float32]
    presence: float
    letterbox: Letterbox
    magnified: float = 1.0

    @classmethod
    def from_net(cls, logits: NDArray[np.float32], presence: float, letterbox: Letterbox) -> Self:
        """What a net says, with `presence` as its logit."""
        return cls(logits, float(1 / (1 + np.exp(-np.clip(presence, -30, 30)))), letterbox)

    def picture_logits(self, width: int, height: int) -> NDArray[np.float32]:
        """Logits (height, width) of every pixel of the picture, bilinear between the cells' centres."""
        box, (rows, columns) = self.letterbox, self.logits.shape
        across = _linear_weights(width, columns, box.scale, box.left)
        down = _linear_weights(height, rows, box.scale, box.top)
        return np.asarray(down @ self.logits @ across.T, np.float32)


@lru_cache(maxsize=16)
def _linear_weights(size: int, cells: int, scale: float, margin: float) -> NDArray[np.float32]:
    """(size, cells): how much of each cell of the net's output belongs to each picture pixel on one axis."""
    at = ((np.arange(size) + 0.5) * scale + margin) / OUTPUT_STRIDE - 0.5
    at = np.clip(at, 0, cells - 1)
    weights = 1 - np.abs(at[:, None] - np.arange(cells))
    return np.clip(weights, 0, None).astype(np.float32)
