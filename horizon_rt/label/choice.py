"""Which frames of a source are worth labelling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import SourceError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Observation
from horizon_rt.pipeline.run import expected_frames
from horizon_rt.sources import SourceInfo

__all__ = ["Chosen", "FrameChoice", "spacing"]

_DEFAULT_COUNT = 100
_CANDIDATES = 8  # frames of a run that are looked at
_SIGNATURE = (32, 18)
# In grey levels of 255 between signatures: a repeated picture with its noise stays below the first, a
# change of scene reaches the second.
_SAME, _NEW = 0.7, 25.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """A frame that was chosen, and what the tracker sees in it."""

    frame: Frame
    observation: Observation


def spacing(info: SourceInfo, *, every: int | None = None, count: int | None = None) -> int:
    """Length in frames of the runs of which one frame each is taken.

    That is `every`, or what gives at most `count` frames: by default 100 of a video, and all pictures of a
    folder. Raises SourceError where the length of the source is needed and unknown.
    """
    if every is not None or (info.is_image_set and count is None):
        return every or 1
    expected = expected_frames(info)
    if expected is None:
        raise SourceError(f"{info.name}: its length is unknown; give --every N to take one frame of N")
    return max(1, math.ceil(expected / (count or _DEFAULT_COUNT)))


class FrameChoice:
    """Takes the most telling frame of each run of `every` frames.

    Telling is what differs from the frame taken before, and what the tracker is unsure of. A run without any
    difference is left out, unless `keep_similar`. Holds at most one frame.
    """

    def __init__(self, every: int, *, keep_similar: bool = False) -> None:
        self._every = every
        self._step = math.ceil(every / _CANDIDATES)
        self._smallest = -1.0 if keep_similar else _SAME
        self._run = -1
        self._best: tuple[float, Chosen, NDArray[np.float32]] | None = None
        self._last: NDArray[np.float32] | None = None

    def wants(self, index: int) -> bool:
        """Whether this frame is one to look at."""
        return index % self._every % self._step == 0

    def add(self, chosen: Chosen) -> Chosen | None:
        """Consider a frame; the frame of the run before, once this one begins another run."""
        run, done = chosen.frame.index // self._every, None
        if run != self._run:
            done, self._run = self.finish(), run
        signature = _signature(chosen.frame)
        change = math.inf if self._last is None else float(np.abs(signature - self._last).mean())
        score = min(change / _NEW, 1.0) + _doubt(chosen.observation)
        if change > self._smallest and (self._best is None or score > self._best[0]):
            self._best = score, chosen, signature
        return done

    def finish(self) -> Chosen | None:
        """The frame of the last run."""
        if self._best is None:
            return None
        (_, chosen, self._last), self._best = self._best, None
        return chosen


def _doubt(observation: Observation) -> float:
    """0..1: the tracker decides at a confidence of one half."""
    return min(max(2.0 - 2.0 * observation.confidence, 0.0), 1.0)


def _signature(frame: Frame) -> NDArray[np.float32]:
    """Mean luma in coarse cells, 0..255."""
    luma = frame.arrays()[0].astype(np.float32) / np.float32(2 ** (frame.sampling.bit_depth - 8))
    return np.asarray(cv2.resize(luma, _SIGNATURE, interpolation=cv2.INTER_AREA), np.float32)
