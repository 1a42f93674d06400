"""Recordings with hindsight: what comes later corrects what was said of a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from horizon_rt.camera import CameraModel
from horizon_rt.errors import SourceError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.pipeline import OnFrame, RunSummary, run_pipeline
from horizon_rt.sinks import Sink, TelemetrySink
from horizon_rt.sources import Source, WrappedSource
from horizon_rt.tracker import HorizonTracker, estimated
from horizon_rt.tracking import smooth_tracks

__all__ = ["run_offline", "smooth_horizons"]


def smooth_horizons(horizons: Sequence[Horizon], camera: CameraModel) -> list[Horizon]:
    """The horizons of a whole recording, each with what all of its frames tell (see `smooth_tracks`).

    Only their times and observations count, not how they were filtered before. `camera` is the lens for the
    frames' size.
    """
    tracks = smooth_tracks((horizon.time_s, horizon.observation) for horizon in horizons)
    return [
        replace(horizon, state=track.state, latency_ms=None, **estimated(track, camera))
        for horizon, track in zip(horizons, tracks, strict=True)
    ]


class _SecondLook(WrappedSource):
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


class _Hindsight:
    """In the place of a tracker: says of each frame what is known by now."""

    def __init__(self, horizons: Sequence[Horizon]) -> None:
        self._horizons = iter(horizons)

    def update(self, frame: Frame) -> Horizon:
        horizon = next(self._horizons, None)
        if horizon is None or horizon.frame != frame.index:
            raise SourceError("the recording shows other frames when it is read again; it may have changed")
        return horizon


def run_offline(
    source: Source,
    again: Callable[[], Source],
    tracker: HorizonTracker,
    sinks: Sequence[Sink],
    *,
    keep_interrupted: bool = True,
    on_look: OnFrame | None = None,
    on_frame: OnFrame | None = None,
) -> RunSummary:
    """As `run_pipeline` for a recording, with hindsight; `tracker` is one that does not filter.

    The recording is looked at first (`on_look`). Where a sink needs its pictures it is then read once more,
    from `again`; a signal during the first look leaves telemetry alone.
    """
    said: list[Horizon] = []
    sizes: list[tuple[int, int]] = []

    def keep(frame: Frame, horizon: Horizon) -> None:
        said.append(horizon)
        sizes.append((frame.width, frame.height))
        if on_look is not None:
            on_look(frame, horizon)

    summary = run_pipeline(source, tracker, on_frame=keep)
    known = _smoothed(said, sizes, tracker.camera)
    if any(not isinstance(sink, TelemetrySink) for sink in sinks):
        summary.interrupted = summary.signalled
        if not summary.interrupted:
            return _second(again(), known, sinks, summary, keep_interrupted, on_frame)
    summary.states.clear()
    for horizon in known:
        summary.states[horizon.state] = summary.states.get(horizon.state, 0) + 1
    if not summary.interrupted or (keep_interrupted and known):
        telemetry = [sink for sink in sinks if isinstance(sink, TelemetrySink)]
        _write(telemetry, known, complete=not summary.interrupted)
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
        _SecondLook(source, len(known)),
        _Hindsight(known),
        sinks,
        keep_interrupted=keep_interrupted,
        on_frame=on_frame,
    )
    summary.seconds += first.seconds
    summary.warnings = list(dict.fromkeys(first.warnings + summary.warnings))
    return summary


def _smoothed(
    horizons: Sequence[Horizon], sizes: Sequence[tuple[int, int]], camera: CameraModel | None
) -> list[Horizon]:
    """Smoothed apart where the size of the picture changes, and with it the lens."""
    smoothed: list[Horizon] = []
    for size, part in groupby(zip(sizes, horizons, strict=True), key=lambda pair: pair[0]):
        assert camera is not None
        smoothed += smooth_horizons([horizon for _, horizon in part], camera.for_size(*size))
    return smoothed


def _write(sinks: Sequence[TelemetrySink], horizons: Sequence[Horizon], *, complete: bool) -> None:
    for horizon in horizons:
        for sink in sinks:
            sink.put(horizon)
    for sink in reversed(sinks):
        sink.close(complete=complete)
