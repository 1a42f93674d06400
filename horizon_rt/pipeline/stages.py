"""Decode, analysis and output overlapped in three threads.

    reader thread ──channel──► analysis thread ──channel──► the caller's thread: sinks

Recordings go through bounded channels, so that no frame is lost and memory stays flat: at most
2 · `channel.DEPTH` + 4 frames exist, and on a GPU two batches of them. In real time each stage takes the
newest frame of the one before; what it cannot keep up with is dropped and counted, never queued. While a
live source gives no frame, damaged ones stand in (`silence`), and a stage that hangs is told (`watch`). An
exception of any stage ends the run and surfaces once.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Protocol

from horizon_rt.errors import OutputError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon, State
from horizon_rt.pipeline.channel import Channel, pump
from horizon_rt.pipeline.silence import with_silence
from horizon_rt.pipeline.watch import Watch
from horizon_rt.sinks import Sink
from horizon_rt.sources import Source
from horizon_rt.sources.base import as_live
from horizon_rt.system.interrupts import interrupts_call

__all__ = ["Analysis", "OnFrame", "RunSummary", "run_pipeline"]

OnFrame = Callable[[Frame, Horizon], None]
_STEEP_DEG = 60.0
_JOIN_S = 5.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class RunSummary:
    """What a run did; `states` counts frames by state, `seconds` is wall time until the last frame. `unseen`
    are those that came in real time before the net had looked, `steep` those that are tilted by over 60°.

    `dropped` counts the frames of a run in real time that came too late to be shown. `interrupted` means that
    a signal cut the run short, `signalled` that one came at all, if only after the last frame. `assumed` says
    what was assumed of the lens, empty where it was given.
    """

    frames: int = 0
    with_horizon: int = 0
    unseen: int = 0
    steep: int = 0
    dropped: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    signalled: bool = False
    assumed: str = ""
    states: dict[State, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    @property
    def share_with_horizon(self) -> float:
        """Share of frames that show a horizon, 0..1, of those that were seen."""
        seen = self.frames - self.unseen
        return self.with_horizon / seen if seen else 0.0

    def count(self, horizon: Horizon) -> None:
        """Take in one frame."""
        self.frames += 1
        self.states[horizon.state] = self.states.get(horizon.state, 0) + 1
        self.with_horizon += horizon.view == "horizon"
        self.unseen += horizon.view == "unknown" and horizon.state == "acquiring"
        self.steep += horizon.attitude is not None and abs(horizon.attitude.up.roll_deg) > _STEEP_DEG


class Analysis(Protocol):
    """What says where the horizon is in each frame: a tracker, or what stands in for one."""

    def update(self, frame: Frame, /) -> Horizon:
        """The horizon of the next frame."""
        ...

    def update_all(self, frames: Iterable[Frame], /) -> Iterator[tuple[Frame, Horizon]]:
        """Each of the frames with its horizon, in their order; may take frames ahead."""
        return ((frame, self.update(frame)) for frame in frames)


class _Stages:
    """The reader and the analysis in their threads; `results` is what comes out."""

    def __init__(self, source: Source, tracker: Analysis, watch: Watch, *, newest: bool) -> None:
        info, self._source, self._closing = source.info, source, threading.Event()
        held_back = newest and not info.live and info.kind != "stdin"
        read: Iterable[Frame] = _when_due(source, self._closing) if held_back else source
        self.frames: Channel[Frame] = Channel(newest=newest)
        self.results: Channel[tuple[Frame, Horizon]] = Channel(newest=newest)
        frames = with_silence(self.frames, source.patience_s) if newest and not held_back else self.frames
        if newest:
            read, frames = watch.reading(read, _patience_s(source)), watch.taking("analysis", frames)
        may_wait = info.kind == "file" and not newest
        analysed = tracker.update_all(frames) if may_wait else Analysis.update_all(tracker, frames)
        self._threads = [
            pump("reader", map(as_live, read) if newest else read, self.frames),
            pump("analysis", analysed, self.results),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def dropped(self) -> int:
        return self.frames.dropped + self.results.dropped

    def close(self) -> None:
        """End both threads."""
        self._closing.set()
        self._source.close()
        self.frames.cut()
        self.results.cut()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(_JOIN_S)
            if thread.is_alive():
                _log.warning("the %s of %s does not end; left behind", thread.name, self._source.info.name)


def _patience_s(source: Source) -> float:
    """How long the reader may wait for a frame: of a camera as long as it may be silent, for ever where the
    other end of a pipe or a stream, or the clock of a recording, lets it wait.
    """
    return source.patience_s if source.info.kind == "device" else math.inf


def _when_due(source: Iterable[Frame], closing: threading.Event) -> Iterator[Frame]:
    """Hold each frame of a recording back until its time has come."""
    start_s: float | None = None
    for frame in source:
        now_s = time.perf_counter()
        start_s = now_s - frame.time_s if start_s is None else start_s
        if closing.wait(max(0.0, start_s + frame.time_s - now_s)):
            return
        yield replace(frame, decoded_at_s=time.perf_counter())


def run_pipeline(
    source: Source,
    tracker: Analysis,
    sinks: Sequence[Sink] = (),
    *,
    real_time: bool = False,
    keep_interrupted: bool = True,
    on_frame: OnFrame | None = None,
    watch: Watch | None = None,
    at_stop: Callable[[Callable[[], None]], object] | None = None,
) -> RunSummary:
    """Track a whole source into sinks; closes both. Call it from the main thread, or have `at_stop` called
    with what a signal is to call there.

    Returns after the source ended, a sink wanted to stop, or Ctrl-C, SIGTERM or SIGHUP (`interrupted`),
    which take effect between two frames. The sinks are then whole, but for an interrupted run that wrote no
    frame or came without `keep_interrupted`: there, and after what a stage raised, which is raised here, the
    sinks let go of their outputs under partial names. A second signal, later, raises KeyboardInterrupt.

    In real time the frames are gone for good, so that such a run goes on without an output that fails, as on
    a full disk, as long as there is another one; it says so at once, and raises the error at its end.

    `real_time` treats a recording as a camera: each frame comes when it is due, and late ones are dropped. In
    real time, and of a live source, `watch` knows which stages hang.
    """
    summary, watch, newest = RunSummary(), watch or Watch(), real_time or source.info.live
    stages, outputs = _Stages(source, tracker, watch, newest=newest), _OpenSinks(sinks, live=newest)

    def stop() -> None:
        summary.signalled = True
        stages.results.cut()

    with interrupts_call(stop), ExitStack() as stack:
        stack.callback(stages.close)
        for sink in sinks:
            stack.callback(sink.abort)  # without effect on a sink that is closed
        stages.start()
        if at_stop is not None:
            at_stop(stop)
        results = watch.taking("sinks", stages.results) if newest else stages.results
        ended = _drain(results, outputs, summary, on_frame, watch.passed)
        summary.interrupted = stages.results.cut_short
        if not summary.interrupted or (keep_interrupted and summary.frames):
            complete = ended and not summary.interrupted and not stages.dropped
            outputs.close(complete=complete)
        if outputs.failure is not None:
            raise outputs.failure
    summary.dropped = stages.dropped
    summary.warnings = list(source.warnings)
    return summary


class _OpenSinks:
    """The `sinks` that still take frames; `failure` is that of the first one that is left behind."""

    def __init__(self, sinks: Sequence[Sink], *, live: bool) -> None:
        self.sinks, self._live = [*sinks], live
        self.failure: OutputError | None = None

    def write(self, frame: Frame, horizon: Horizon) -> None:
        for sink in [*self.sinks]:
            try:
                sink.write(frame, horizon)
            except OutputError as error:
                self._leave(sink, error)

    def close(self, *, complete: bool) -> None:
        for sink in reversed(self.sinks):
            try:
                sink.close(complete=complete)
            except OutputError as error:
                if not self._live:
                    raise
                self.failure = self.failure or error

    def _leave(self, sink: Sink, error: OutputError) -> None:
        reader_left = isinstance(error.__cause__, BrokenPipeError)
        if not self._live or reader_left or self.sinks == [sink]:
            raise error
        self.sinks.remove(sink)
        self.failure = self.failure or error
        _log.warning("%s; the run goes on without it", error)


def _drain(
    results: Iterable[tuple[Frame, Horizon]],
    outputs: _OpenSinks,
    summary: RunSummary,
    on_frame: OnFrame | None,
    on_passed: Callable[[], object],
) -> bool:
    """Write what comes; False where a sink wanted to stop before the end."""
    start = time.perf_counter()
    for frame, horizon in results:
        outputs.write(frame, horizon)
        if not frame.stands_in:
            summary.count(horizon)
        summary.seconds = time.perf_counter() - start
        if on_frame is not None:
            on_frame(frame, horizon)
        on_passed()
        if any(sink.wants_stop for sink in outputs.sinks):
            return False
        del frame, horizon
    return True
