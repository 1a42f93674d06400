"""Real time on a slower machine, alike each time: looks whose answers come late by whole frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self, cast

from horizon_rt.camera import Camera
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.segmentation import Segmentation, Segmenter
from horizon_rt.tracker import HorizonTracker

__all__ = ["LateTracker"]

_POLL_S = 0.001


class _HeldNet:
    """A segmenter that answers only while it is let."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter, self._may_answer = segmenter, threading.Event()

    def segment(self, frame: Frame, *, careful: bool = False) -> Segmentation:
        self._may_answer.wait()
        return self._segmenter.segment(frame, careful=careful)

    def answer(self, is_looking: Callable[[], bool]) -> None:
        self._may_answer.set()
        while is_looking():
            time.sleep(_POLL_S)
        self._may_answer.clear()

    def close(self) -> None:
        self._may_answer.set()


class LateTracker:
    """A tracker in real time: a look at a frame is answered right before the frame `lag` frames after it."""

    def __init__(
        self, segmenter: Segmenter, lag: int, camera: Camera | None = None, model: str | None = None
    ) -> None:
        self._net, self.lag, self._waited = _HeldNet(segmenter), lag, 0
        net = cast(Segmenter, self._net)
        self.tracker = HorizonTracker(camera, segmenter=net, real_time=True, model=model)

    def update(self, frame: Frame) -> Horizon:
        """See `HorizonTracker`."""
        if self.tracker.is_looking and self._waited >= self.lag:
            self._net.answer(lambda: self.tracker.is_looking)
        was_looking = self.tracker.is_looking
        horizon = self.tracker.update(frame)
        self._waited = self._waited + 1 if was_looking else 1
        if was_looking and horizon.observation.change == "cut":
            self._waited -= self.lag  # the look at the new scene comes after the one that is forgotten
        return horizon

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._net.close()
