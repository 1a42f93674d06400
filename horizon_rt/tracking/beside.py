"""Looks in real time: one at a time, in a thread of their own, taken in when they are known."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple, TypeVar

from horizon_rt.horizon import Change, Observation
from horizon_rt.tracking.filter import Track
from horizon_rt.tracking.rewind import RewindFilter

__all__ = ["LooksBeside"]

_Answer = TypeVar("_Answer")


class _Running(NamedTuple):
    """A look at the frame of this time."""

    answer: Future[Observation]
    time_s: float
    change: Change


class LooksBeside:
    """The look that runs beside its `track`; several may share a `thread`, where their looks take turns."""

    def __init__(self, thread: ThreadPoolExecutor | None = None) -> None:
        self.thread = thread or ThreadPoolExecutor(1, "look")
        self.track = RewindFilter()
        self._running: _Running | None = None

    @property
    def is_running(self) -> bool:
        """Whether a look has begun and was not taken in."""
        return self._running is not None

    @property
    def is_unknown(self) -> bool:
        """Whether the answer of that look is still to come."""
        return self._running is not None and not self._running.answer.done()

    def begin(self, look: Callable[[], Observation], time_s: float, change: Change) -> None:
        """Look at the frame of this time, which the track sees next, unless a look is running."""
        if self._running is None:
            self.track.mark()
            self._running = _Running(self.thread.submit(look), time_s, change)

    def wait_for(self, work: Callable[[], _Answer]) -> _Answer:
        """What other work of the net answers, once the looks before it are done: they share its buffers."""
        return self.thread.submit(work).result()

    def restart(self) -> RewindFilter:
        """Another track, without a look."""
        self.drop()
        self.track = RewindFilter()
        return self.track

    def drop(self) -> None:
        """Forget the look that runs: what it sees is of a scene before."""
        if self._running is not None:
            self._running.answer.cancel()
        self._running = None
        self.track.unmark()

    def take_in(self) -> tuple[float, Observation, Track] | None:
        """The time of the frame that was looked at, what was seen there, and the track there, which goes on
        from it; None where nothing new is known. Raises what the look raised.
        """
        running = self._running
        if running is None or self.is_unknown:
            return None
        self._running = None
        observation = replace(running.answer.result(), change=running.change)
        if not self.track.is_marked:  # its frame is too old
            self.track.unmark()
            return None
        return running.time_s, observation, self.track.correct(observation)
