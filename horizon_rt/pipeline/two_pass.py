"""Offline runs: a recording is smoothed as a whole, and read a second time where pictures are written."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import groupby

from horizon_rt.camera import Camera
from horizon_rt.errors import SourceError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.pipeline.stages import Analysis, OnFrame, RunSummary, run_pipeline
from horizon_rt.sinks import RecordSink, Sink
from horizon_rt.sources import Source, WrappedSource
from horizon_rt.tracker import HorizonTracker
from horizon_rt.tracking import smooth_horizons

__all__ = ["SecondReading", "run_known", "run_offline"]


class SecondReading(WrappedSource):
    """A recording that is read again and must give as many frames as before."""

    def __init__(self, source: Source, frames: int) -> None:
        super().__init__(source)
        self._left = frames

    def _next_frame(self) -> Frame | None:
        frame = self._source.read()
        if frame is None and self._left > 0:
            raise SourceError(f"{self.info.name} ends {self._left} frames earlier when it is read again")
        self._left -= 1
        return frame


class _Replay(Analysis):
    """In the place of a tracker: says of each frame what is known by now."""

    def __init__(self, horizons: Iterable[Horizon]) -> None:
        self._horizons = iter(horizons)

    def update(self, frame: Frame) -> Horizon:
        horizon = next(self._horizons, None)
        if horizon is None or horizon.frame != frame.index:
            raise SourceError("the recording shows other frames when it is read again; it may have changed")
        return horizon


def run_offline(
    source: Source,
    tracker: HorizonTracker,
    sinks: Sequence[Sink],
    *,
    keep_interrupted: bool = True,
    on_first_pass: OnFrame | None = None,
    on_frame: OnFrame | None = None,
) -> RunSummary:
    """As `run_pipeline` for a recording, smoothed over its whole length; `tracker` does not filter.

    The recording is analysed first (`on_first_pass`). Where a sink needs its pictures it is then read once
    more; a signal during the first pass leaves telemetry alone.
    """
    said: list[Horizon] = []
    sizes: list[tuple[int, int]] = []

    def keep(frame: Frame, horizon: Horizon) -> None:
        said.append(horizon)
        sizes.append((frame.width, frame.height))
        if on_first_pass is not None:
            on_first_pass(frame, horizon)

    summary = run_pipeline(source, tracker, on_frame=keep)
    known = _smoothed(said, sizes, tracker.camera)
    if any(not isinstance(sink, RecordSink) for sink in sinks):
        summary.interrupted = summary.signalled
        if not summary.interrupted:
            return _second(source.reopen(), known, sinks, summary, keep_interrupted, on_frame)
    summary.states.clear()
    for horizon in known:
        summary.states[horizon.state] = summary.states.get(horizon.state, 0) + 1
    if not summary.interrupted or (keep_interrupted and known):
        telemetry = [sink for sink in sinks if isinstance(sink, RecordSink)]
        _write(telemetry, known, complete=not summary.interrupted)
    return summary


def run_known(
    source: Source,
    known: Iterable[Horizon],
    count: int,
    sinks: Sequence[Sink],
    *,
    camera: Camera | None = None,
    on_frame: OnFrame | None = None,
) -> RunSummary:
    """As `run_pipeline` for a recording of which so many horizons are known already; with a `camera` they are
    smoothed first. It is read where a sink needs its pictures.
    """
    if camera is not None:
        every = list(known)
        sizes = [(h.width or camera.width, h.height or camera.height) for h in every]
        known = _smoothed(every, sizes, camera)
    if any(not isinstance(sink, RecordSink) for sink in sinks):
        replayed = SecondReading(source, count)
        return run_pipeline(replayed, _Replay(known), sinks, keep_interrupted=False, on_frame=on_frame)
    summary, begun_s = RunSummary(), time.perf_counter()
    telemetry = [sink for sink in sinks if isinstance(sink, RecordSink)]
    for horizon in known:
        for sink in telemetry:
            sink.put(horizon)
        summary.count(horizon)
    for sink in reversed(telemetry):
        sink.close()
    summary.seconds = time.perf_counter() - begun_s
    return summary


def _second(
    source: Source,
    known: Sequence[Horizon],
    sinks: Sequence[Sink],
    first: RunSummary,
    keep_interrupted: bool,
    on_frame: OnFrame | None,
) -> RunSummary:
    """The second reading, for sinks that need the pictures; its summary is that of both."""
    summary = run_pipeline(
        SecondReading(source, len(known)),
        _Replay(known),
        sinks,
        keep_interrupted=keep_interrupted,
        on_frame=on_frame,
    )
    summary.seconds += first.seconds
    summary.warnings = list(dict.fromkeys(first.warnings + summary.warnings))
    return summary


def _smoothed(
    horizons: Sequence[Horizon], sizes: Sequence[tuple[int, int]], camera: Camera | None
) -> list[Horizon]:
    """Smoothed apart where the size of the picture changes, and with it the lens."""
    smoothed: list[Horizon] = []
    for size, part in groupby(zip(sizes, horizons, strict=True), key=lambda pair: pair[0]):
        assert camera is not None
        smoothed += smooth_horizons([horizon for _, horizon in part], camera.for_size(*size))
    return smoothed


def _write(sinks: Sequence[RecordSink], horizons: Sequence[Horizon], *, complete: bool) -> None:
    for horizon in horizons:
        for sink in sinks:
            sink.put(horizon)
    for sink in reversed(sinks):
        sink.close(complete=complete)
