"""Preprocess and net, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from horizon_rt.frame import Frame
from horizon_rt.models.sizes import INPUT_AREA_PX
from horizon_rt.segmentation.backend import Backend
from horizon_rt.segmentation.letterbox import Letterbox
from horizon_rt.segmentation.mask import Segmentation
from horizon_rt.segmentation.preprocess import Preprocessor

__all__ = ["OnStage", "Segmenter", "no_op"]

OnStage = Callable[[str], None]


def no_op(stage: str) -> None:
    """The `OnStage` where no stage is timed."""


_CAREFUL = 2.25  # times the usual input
_POSSIBLE = 0.5  # presence below which no mask makes a horizon of a frame


class Segmenter:
    """Preprocess and net, one frame at a time; not for use by several threads at once.

    `on_stage` is called with the name of each part when it is done. A careful look takes a second, larger
    input for the mask; whether a horizon is in view is said by the usual one, which nets are trained for.
    """

    def __init__(self, backend: Backend, *, input_area_px: int = INPUT_AREA_PX) -> None:
        self.backend = backend
        self.on_stage: OnStage = no_op
        self.preprocess = Preprocessor(input_area_px)
        self._careful = Preprocessor(round(_CAREFUL * input_area_px))
        self._input_area_px = input_area_px

    def sibling(self) -> Segmenter:
        """One for other pictures with the same net, for use in the same thread."""
        return Segmenter(self.backend, input_area_px=self._input_area_px)

    def segment(self, frame: Frame, *, careful: bool = False) -> Segmentation:
        """Run the net on a frame, twice in a `careful` look at one that may show a horizon."""
        usual = self._segment(frame, self.preprocess)
        if not careful or usual.presence < _POSSIBLE:
            return usual
        large = self._segment(frame, self._careful)
        magnified = large.letterbox.scale / usual.letterbox.scale
        return replace(large, presence=usual.presence, magnified=magnified)

    def _segment(self, frame: Frame, preprocess: Preprocessor) -> Segmentation:
        letterbox = preprocess(frame)
        self.on_stage("preprocess")
        found = self.segment_input(preprocess.input, letterbox)
        self.on_stage("segment")
        return found

    def segment_all(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Segmentation | None]]:
        """Each of the frames in their order, with its mask where masks are made ahead, which is not here;
        None for damaged ones.
        """
        return ((frame, None) for frame in frames)

    def segment_input(self, picture: NDArray[np.float32], letterbox: Letterbox) -> Segmentation:
        """Run the net on a net input (1, 3, h, w) as `Preprocessor` makes it."""
        return Segmentation.from_net(*self.backend(picture), letterbox)
