"""What stands in for the frames of a live source that gives none: the last one, marked as damaged.

So the track coasts and is lost while nothing comes, in telemetry and everywhere else. Otherwise its last
word would stand for good.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from horizon_rt.frame import Frame
from horizon_rt.pipeline.channel import Channel

__all__ = ["with_silence"]

_OFTEN_S, _SELDOM_S = 0.1, 1.0  # between stand-ins
_OFTEN_FOR_S = 3.0  # after which the track is lost in any case
_LEAST_INTERVAL_S = 1e-3


def with_silence(frames: Channel[Frame], patience_s: float) -> Iterator[Frame]:
    """The frames, and after `patience_s` without one damaged ones; times and numbers go on in their order."""
    silence = _Silence(patience_s)
    for frame in frames.read(silence.pause_s):
        yield silence.stand_in() if frame is None else silence.take(frame)
        del frame


class _Silence:
    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._last: Frame | None = None
        self._came_s, self._start_s, self._added = 0.0, 0.0, 0

    def pause_s(self) -> float | None:
        """How long to wait for a frame before the next stand-in; None for ever."""
        if self._last is None:
            return None
        silent_s = time.perf_counter() - self._came_s - self._patience_s
        if silent_s < 0:
            return -silent_s
        return _OFTEN_S if silent_s < _OFTEN_FOR_S else _SELDOM_S

    def take(self, frame: Frame) -> Frame:
        self._came_s = time.perf_counter()
        taken = self._go_on(frame, frame.index + self._added, frame.time_s)
        self._start_s = taken.time_s - self._came_s
        return taken

    def stand_in(self) -> Frame:
        assert self._last is not None
        self._added += 1
        now_s = time.perf_counter()
        made = replace(self._last, damaged=True, stands_in=True, decoded_at_s=now_s)
        return self._go_on(made, self._last.index + 1, self._start_s + now_s)

    def _go_on(self, frame: Frame, index: int, time_s: float) -> Frame:
        if self._last is not None:
            time_s = max(time_s, self._last.time_s + _LEAST_INTERVAL_S)
        self._last = replace(frame, index=index, time_s=time_s)
        return self._last
