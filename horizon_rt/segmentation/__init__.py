"""From a frame to the probability of 'above the horizon'."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from horizon_rt.frame import Frame
from horizon_rt.models.sizes import OUTPUT_STRIDE
from horizon_rt.segmentation.preprocess import INPUT_AREA_PX, Letterbox, Preprocessor

if TYPE_CHECKING:
    from horizon_rt.segmentation.backends import Backend

__all__ = ["OnStage", "Segmentation", "Segmenter", "unwatched"]

OnStage = Callable[[str], None]


def unwatched(stage: str) -> None:
    """The `OnStage` of those whom nobody times."""


@dataclass(frozen=True, slots=True)
class Segmentation:
    """`logits` of 'above the horizon', float32 (rows, columns), one for each 4×4 block of the net input.

    `presence` is the probability, 0..1, that a horizon is in view; `letterbox` places the picture in the
    input.
    """

    logits: NDArray[np.float32]
    presence: float
    letterbox: Letterbox

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


class Segmenter:
    """Preprocess and net, one frame at a time; not for use by several threads at once.

    `on_stage` is called with the name of each part when it is done.
    """

    def __init__(self, backend: Backend, *, input_area_px: int = INPUT_AREA_PX) -> None:
        self.backend = backend
        self.on_stage: OnStage = unwatched
        self.preprocess = Preprocessor(input_area_px)

    def segment(self, frame: Frame) -> Segmentation:
        """Run the net on a frame."""
        letterbox = self.preprocess(frame)
        self.on_stage("preprocess")
        found = self.segment_input(self.preprocess.input, letterbox)
        self.on_stage("segment")
        return found

    def segment_all(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Segmentation | None]]:
        """Each of the frames with its mask, None for damaged ones, in their order."""
        for frame in frames:
            yield frame, None if frame.damaged else self.segment(frame)

    def segment_input(self, picture: NDArray[np.float32], letterbox: Letterbox) -> Segmentation:
        """Run the net on a net input (1, 3, h, w) as `Preprocessor` makes it."""
        return Segmentation.from_net(*self.backend(picture), letterbox)
