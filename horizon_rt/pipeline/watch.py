"""Whether the stages of a run get on: one that does not is told in the log, on the page and to systemd."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, TypeVar

from horizon_rt.system.host import give_back_memory
from horizon_rt.system.service import notify, watchdog_s
from horizon_rt.system.ticking import Ticking

__all__ = ["Watch", "reporting"]

_log = logging.getLogger(__name__)

Stage = Literal["reader", "analysis", "sinks"]
T = TypeVar("T")
_LIMIT_S = 5.0
_FIRST_LIMIT_S = 120.0  # on the first frame, for which kernels may be compiled
_LOOK_S = 0.5
_GIVE_BACK_S = 60.0


class Watch:
    """Knows since when each stage of a run has been at one frame; for all threads.

    A stage that is at one frame for more than `limit_s` hangs; until a frame has passed all stages, and the
    run `is_ready`, it may take two minutes. `name` is that of its camera, for the log.
    """

    def __init__(self, name: str = "", limit_s: float = _LIMIT_S) -> None:
        self.name, self.limit_s = name, limit_s
        self.is_ready = False
        self._since_s: dict[Stage, float] = {}
        self._patience_s = 0.0

    def reading(self, frames: Iterable[T], patience_s: float) -> Iterator[T]:
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
            try:
                yield item
            finally:
                del item, self._since_s[stage]

    def passed(self) -> None:
        """A frame has passed all stages."""
        self.is_ready = True

    @property
    def hanging(self) -> Mapping[Stage, float]:
        """The stages that hang now, and for how many seconds."""
        now_s, limit_s = time.monotonic(), self.limit_s if self.is_ready else _FIRST_LIMIT_S
        limits_s = {"reader": limit_s + self._patience_s}
        taken_s = {stage: now_s - since_s for stage, since_s in list(self._since_s.items())}
        return {stage: s for stage, s in taken_s.items() if s > limits_s.get(stage, limit_s)}


@contextmanager
def reporting(watches: Sequence[Watch]) -> Iterator[None]:
    """Tell the log and the service manager how the stages of all these runs fare, while the block runs; and
    give memory that is free back to the system each minute.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_look, args=(watches, ended), name="watchdog", daemon=True)
    thread.start()
    memory = Ticking(give_back_memory, _GIVE_BACK_S, "memory")
    try:
        yield
    finally:
        memory.close()
        ended.set()
        thread.join()
        notify("STOPPING=1")


def _look(watches: Sequence[Watch], ended: threading.Event) -> None:
    manager_s, is_ready = watchdog_s(), False
    pause_s = min(_LOOK_S, watches[0].limit_s / 4, (manager_s or _LOOK_S) / 3)
    told: dict[str, float] = {}
    while not ended.wait(pause_s):
        hanging = {
            f"{stage} of {watch.name}" if watch.name else stage: s
            for watch in watches
            for stage, s in watch.hanging.items()
        }
        _log_changes(told, hanging)
        told = hanging
        if not is_ready and any(watch.is_ready for watch in watches):
            is_ready = True
            notify("READY=1")
        if manager_s and not hanging:
            notify("WATCHDOG=1")


def _log_changes(before: Mapping[str, float], now: Mapping[str, float]) -> None:
    for stage in sorted(now.keys() - before.keys()):
        _log.warning("the %s has made no progress for %.0f s", stage, now[stage])
    for stage in sorted(before.keys() - now.keys()):
        _log.warning("the %s goes on", stage)
