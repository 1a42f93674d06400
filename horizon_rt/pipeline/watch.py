"""Whether the stages of a run get on: one that does not is told in the log, on the page and to systemd."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, TypeVar

from horizon_rt.system.service import notify, watchdog_s

__all__ = ["Watch"]

_log = logging.getLogger(__name__)

Stage = Literal["reader", "analysis", "sinks"]
T = TypeVar("T")
_LIMIT_S = 5.0
_FIRST_LIMIT_S = 120.0  # on the first frame, for which kernels may be compiled
_LOOK_S = 0.5


class Watch:
    """Knows since when each stage has been at one frame; for all threads.

    A stage that is at one frame for more than `limit_s` hangs; until a frame has passed all stages it may
    take two minutes.
    """

    def __init__(self, limit_s: float = _LIMIT_S) -> None:
        self._limit_s = limit_s
        self._since_s: dict[Stage, float] = {}
        self._patience_s: Callable[[], float] = float
        self._told: dict[Stage, float] = {}
        self._is_ready = False

    def reading(self, frames: Iterable[T], patience_s: Callable[[], float]) -> Iterator[T]:
        """The frames of the reader, which is at work while the next one is awaited; `patience_s` says how
        much longer it may take for what it cannot help.
        """
        self._patience_s = patience_s
        source = iter(frames)
        while True:
            self._since_s["reader"] = time.monotonic()
            try:
                frame = next(source)
            except StopIteration:
                return
            finally:
                self._since_s.pop("reader")
            yield frame
            del frame

    def taking(self, stage: Stage, items: Iterable[T]) -> Iterator[T]:
        """The items for a stage that is at work from one until it asks for the next."""
        for item in items:
            self._since_s[stage] = time.monotonic()
            yield item
            del item, self._since_s[stage]

    def passed(self) -> None:
        """A frame has passed all stages."""
        if not self._is_ready:
            self._is_ready = True
            notify("READY=1")

    @property
    def hanging(self) -> Mapping[Stage, float]:
        """The stages that hang now, and for how many seconds."""
        now_s, limit_s = time.monotonic(), self._limit_s if self._is_ready else _FIRST_LIMIT_S
        limits_s = {"reader": limit_s + self._patience_s()}
        taken_s = {stage: now_s - since_s for stage, since_s in list(self._since_s.items())}
        return {stage: s for stage, s in taken_s.items() if s > limits_s.get(stage, limit_s)}

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell the log and the service manager how the stages fare, while the block runs."""
        ended = threading.Event()
        thread = threading.Thread(target=self._look, args=(ended,), name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            notify("STOPPING=1")

    def _look(self, ended: threading.Event) -> None:
        manager_s = watchdog_s()
        pause_s = min(_LOOK_S, self._limit_s / 4, (manager_s or _LOOK_S) / 3)
        while not ended.wait(pause_s):
            hanging = self.hanging
            self._log_changes(hanging)
            if manager_s and not hanging:
                notify("WATCHDOG=1")

    def _log_changes(self, hanging: Mapping[Stage, float]) -> None:
        for stage in sorted(hanging.keys() - self._told.keys()):
            _log.warning("the %s has made no progress for %.0f s", stage, hanging[stage])
        for stage in sorted(self._told.keys() - hanging.keys()):
            _log.warning("the %s goes on", stage)
        self._told = dict(hanging)
