"""Decode, analysis and output overlapped in three threads; the only place that knows threads and queues.

    reader thread ──channel──► analysis thread ──channel──► the caller's thread: sinks

Recordings go through bounded channels, so that no frame is lost and memory stays flat: at most
2 · `depth` + 3 frames exist. Live sources hand over only the newest frame; what the analysis cannot keep
up with is dropped and counted, never queued. An exception of any stage ends the run and surfaces once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from signal import SIGINT, SIGTERM, getsignal, signal
from typing import Generic, TypeVar

from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon, State
from horizon_rt.sinks import Sink
from horizon_rt.sources import Source
from horizon_rt.tracker import HorizonTracker

__all__ = ["RunSummary", "run_pipeline"]

T = TypeVar("T")
_DEPTH = 3


@dataclass(slots=True)
class RunSummary:
    """What a run did; `states` counts frames by state, `seconds` is wall time from the first frame on."""

    frames: int = 0
    dropped: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    states: dict[State, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    @property
    def availability(self) -> float:
        """Share of frames with an estimate (tracking or coasting), 0..1."""
        known = self.states.get("tracking", 0) + self.states.get("coasting", 0)
        return known / self.frames if self.frames else 0.0

    def count(self, horizon: Horizon) -> None:
        """Take in one frame."""
        self.frames += 1
        self.states[horizon.state] = self.states.get(horizon.state, 0) + 1


class _Channel(Generic[T]):
    """A bounded queue between two threads that can end, fail or be cut off by its reader.

    With `newest` it holds one item, and a put replaces an item that was not taken.
    """

    def __init__(self, depth: int, *, newest: bool = False) -> None:
        self.dropped = 0
        self._items: deque[T] = deque()
        self._depth, self._newest = (1 if newest else depth), newest
        self._changed = threading.Condition()
        self._ended = self._cut = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Hand over an item; False when the reader is gone."""
        with self._changed:
            if self._newest:
                self.dropped += len(self._items)
                self._items.clear()
            self._changed.wait_for(lambda: len(self._items) < self._depth or self._cut)
            if not self._cut:
                self._items.append(item)
                self._changed.notify_all()
            return not self._cut

    def end(self, error: BaseException | None = None) -> None:
        """No more items; `error` is raised in the reader after the last one."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def cut(self) -> None:
        """The reader wants no more."""
        with self._changed:
            self._cut = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended or self._cut)
                if not self._items:
                    if self._error is not None and not self._cut:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


def _pump(produce: Iterable[T], channel: _Channel[T]) -> None:
    """Body of a stage's thread: move items into the channel until either side ends."""
    error: BaseException | None = None
    try:
        for item in produce:
            if not channel.put(item):
                break
    except BaseException as caught:
        error = caught
    channel.end(error)


def run_pipeline(
    source: Source,
    tracker: HorizonTracker,
    sinks: Sequence[Sink] = (),
    *,
    on_frame: Callable[[Frame, Horizon], None] | None = None,
) -> RunSummary:
    """Track a whole source into sinks; closes both. Call it from the main thread.

    Returns after the source ended, a sink wanted to stop, or Ctrl-C or SIGTERM (`interrupted`); the sinks
    are then whole. Raises what a stage raised, after the sinks let go of their outputs under partial names.
    """
    summary = RunSummary()
    frames: _Channel[Frame] = _Channel(_DEPTH, newest=source.info.live)
    results: _Channel[tuple[Frame, Horizon]] = _Channel(1 if source.info.live else _DEPTH)
    analysed = ((frame, tracker.update(frame)) for frame in frames)
    threads = [
        threading.Thread(target=_pump, args=(source, frames), name="reader", daemon=True),
        threading.Thread(target=_pump, args=(analysed, results), name="analysis", daemon=True),
    ]
    try:
        with ExitStack() as stack, _signals_as_interrupt():
            for sink in sinks:
                stack.enter_context(sink)
            for thread in threads:
                thread.start()
            _drain(results, sinks, summary, on_frame)
    except KeyboardInterrupt:
        summary.interrupted = True
    finally:
        source.close()
        frames.cut()
        results.cut()
        for thread in threads:
            if thread.ident is not None:
                thread.join(timeout=5.0)
    summary.dropped = frames.dropped
    summary.warnings = list(source.warnings)
    return summary


def _drain(
    results: _Channel[tuple[Frame, Horizon]],
    sinks: Sequence[Sink],
    summary: RunSummary,
    on_frame: Callable[[Frame, Horizon], None] | None,
) -> None:
    start = time.perf_counter()
    for frame, horizon in results:
        for sink in sinks:
            sink.write(frame, horizon)
        summary.count(horizon)
        summary.seconds = time.perf_counter() - start
        if on_frame is not None:
            on_frame(frame, horizon)
        if any(sink.wants_stop for sink in sinks):
            return


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does; a second signal while files are being closed is ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: getsignal(number) for number in (SIGINT, SIGTERM)}

    def interrupt(*_: object) -> None:
        for number in before:
            signal(number, lambda *_: None)
        raise KeyboardInterrupt

    for number in before:
        signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal(number, handler)
