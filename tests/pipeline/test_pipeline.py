"""The pipeline with stages of known speed and known failures."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from support.sinks import horizon

from horizon_rt.errors import DecodeError, HorizonError, OutputError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.options import RunOptions
from horizon_rt.pipeline.channel import DEPTH, Channel
from horizon_rt.pipeline.outputs import Outputs
from horizon_rt.pipeline.run import run
from horizon_rt.pipeline.stages import Analysis, RunSummary, run_pipeline
from horizon_rt.sinks import Sink
from horizon_rt.sources import Source, SourceInfo, SourceKind, open_source

pytestmark = pytest.mark.usefixtures("no_leaks")


class StubSource(Source):
    """`count` frames that take `period_s` each; `error` comes instead of frame `fails_at`."""

    def __init__(
        self,
        count: int,
        *,
        period_s: float = 0.0,
        live: bool = False,
        kind: SourceKind = "file",
        fails_at: int | None = None,
        error: BaseException | None = None,
    ) -> None:
        super().__init__()
        self.info = SourceInfo(name="stub", kind=kind, width=96, height=64, live=live)
        self.given = self.releases = self.most_alive = 0
        self._count, self._period_s = count, period_s
        self._fails_at, self._error = fails_at, error or DecodeError("stub: the source broke")
        self._planes: list[weakref.ref[np.ndarray]] = []

    def _next_frame(self) -> Frame | None:
        if self._period_s and self._closing.wait(self._period_s):
            return None
        if self.given == self._fails_at:
            raise self._error
        if self.given == self._count:
            return None
        plane = np.full((64, 96), 60, np.uint8)
        self._planes = [known for known in self._planes if known() is not None] + [weakref.ref(plane)]
        self.most_alive = max(self.most_alive, len(self._planes))
        self.given += 1
        index = self.given - 1
        return Frame((plane,), index, index * (self._period_s or 0.01), decoded_at_s=time.perf_counter())

    def _release(self) -> None:
        self.releases += 1


class StubTracker(Analysis):
    """Takes `seconds` a frame; raises `error` at frame `fails_at`."""

    def __init__(
        self, seconds: float = 0.0, *, fails_at: int | None = None, error: BaseException | None = None
    ) -> None:
        self._seconds, self._fails_at = seconds, fails_at
        self._error = error or ValueError("the tracker broke")

    def update(self, frame: Frame) -> Horizon:
        time.sleep(self._seconds)
        if frame.index == self._fails_at:
            raise self._error
        return horizon(frame.index)


class StubSink(Sink):
    """Notes what it gets and how it ends."""

    def __init__(
        self,
        seconds: float = 0.0,
        *,
        fails_at: int | None = None,
        stops_at: int | None = None,
        error: BaseException | None = None,
        on_write: Callable[[int], None] = lambda index: None,
        close_error: BaseException | None = None,
    ) -> None:
        self.indices: list[int] = []
        self.ages_s: list[float] = []
        self.end = ""
        self._seconds, self._fails_at, self._stops_at = seconds, fails_at, stops_at
        self._error, self._close_error = error or OutputError("cannot write stub: full"), close_error
        self._on_write = on_write

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        assert frame.index == horizon.frame
        self.ages_s.append(time.perf_counter() - frame.decoded_at_s)
        if frame.index == self._fails_at:
            raise self._error
        time.sleep(self._seconds)
        self.indices.append(frame.index)
        self._on_write(frame.index)

    @property
    def wants_stop(self) -> bool:
        return self._stops_at is not None and self._stops_at in self.indices

    def _finish(self) -> None:
        self.end += "closed"
        if self._close_error is not None:
            raise self._close_error

    def _abandon(self) -> None:
        self.end += "aborted"


def go(source: Source, tracker: object, *sinks: Sink, **options: object) -> RunSummary:
    return run_pipeline(source, tracker, sinks, **options)  # type: ignore[arg-type]


# --- what a run gives


@pytest.mark.parametrize("slow", ["source", "tracker", "sink", "nothing"])
def test_recordings_lose_no_frame(slow: str) -> None:
    seconds = {name: 0.004 if slow == name else 0.0 for name in ("source", "tracker", "sink")}
    source, sink = StubSource(60, period_s=seconds["source"]), StubSink(seconds["sink"])
    seen: list[int] = []
    summary = go(
        source, StubTracker(seconds["tracker"]), sink, on_frame=lambda frame, _: seen.append(frame.index)
    )
    assert sink.indices == seen == list(range(60))
    assert (summary.frames, summary.dropped, summary.states) == (60, 0, {"tracking": 60})
    assert sink.end == "closed"
    assert source.releases == 1
    assert not summary.interrupted


@pytest.mark.parametrize("slow", ["tracker", "sink", "nothing"])
def test_a_bounded_number_of_frames_is_alive(slow: str) -> None:
    source = StubSource(100)
    go(source, StubTracker(0.002 * (slow == "tracker")), StubSink(0.002 * (slow == "sink")))
    assert source.most_alive <= 2 * DEPTH + 4


def test_a_source_without_frames() -> None:
    sink = StubSink()
    summary = go(StubSource(0), StubTracker(), sink)
    assert (summary.frames, summary.fps, summary.share_with_horizon, sink.end) == (0, 0.0, 0.0, "closed")


def test_a_sink_can_end_the_run() -> None:
    sinks = StubSink(stops_at=5), StubSink()
    summary = go(StubSource(10**9, period_s=0.001), StubTracker(), *sinks)
    assert [sink.indices for sink in sinks] == [list(range(6))] * 2
    assert [sink.end for sink in sinks] == ["closed"] * 2
    assert not summary.interrupted


def test_warnings_of_the_source_are_in_the_summary() -> None:
    source = StubSource(3)
    source.warn("stub: 2 damaged packets skipped")
    assert go(source, StubTracker()).warnings == ["stub: 2 damaged packets skipped"]


# --- in real time


def test_a_slow_tracker_drops_frames_and_does_not_fall_behind() -> None:
    source, sink = StubSource(150, period_s=0.004, live=True), StubSink()
    summary = go(source, StubTracker(0.04), sink)
    assert summary.frames + summary.dropped == source.given == 150
    assert summary.dropped > 75
    assert sink.indices == sorted(set(sink.indices))
    assert sink.indices[-1] == 149, "the newest frame is never the one that is dropped"
    assert statistics.median(sink.ages_s) < 2 * 0.04, "a queue of one frame alone would add a frame's time"


def test_a_slow_sink_drops_frames_and_does_not_fall_behind() -> None:
    source, sink = StubSource(150, period_s=0.004, live=True), StubSink(0.04)
    summary = go(source, StubTracker(), sink)
    assert summary.frames + summary.dropped == source.given == 150
    assert summary.dropped > 75
    assert statistics.median(sink.ages_s) < 0.04


def test_metrics_count_the_frames_that_the_run_dropped() -> None:
    pytest.importorskip("horizon_rt.web.sink", reason="needs the extra 'web'")
    from horizon_rt.web.metrics import Metrics

    metrics = Metrics(health=lambda: None, links=(), streams=lambda: 0)

    class Counting(StubSink):
        def _write(self, frame: Frame, horizon: Horizon) -> None:
            super()._write(frame, horizon)
            metrics.count(frame, horizon)

    summary = go(StubSource(150, period_s=0.004, live=True), StubTracker(0.02), Counting(0.02))
    text = metrics.exposition("")[0].decode()
    assert summary.dropped > 50
    assert f"\nhorizon_rt_frames_dropped_total {float(summary.dropped)}\n" in text
    assert f'{{state="tracking"}} {float(summary.frames)}\n' in text


def test_a_recording_in_real_time_plays_at_its_own_speed() -> None:
    class Instant(StubSource):
        def _next_frame(self) -> Frame | None:
            self._period_s = 0.0
            return super()._next_frame()

    start = time.perf_counter()
    source, sink = Instant(30), StubSink()
    summary = go(source, StubTracker(), sink, real_time=True)
    assert time.perf_counter() - start >= 0.29  # 30 frames, 10 ms apart
    assert summary.frames + summary.dropped == 30
    assert max(sink.ages_s) < 0.25, "the age counts from when a frame is due"


def test_a_pipe_in_real_time_is_not_held_back() -> None:
    class Slideshow(StubSource):
        def _next_frame(self) -> Frame | None:
            made = super()._next_frame()
            return made and Frame(made.planes, made.index, 100.0 * made.index)

    start = time.perf_counter()
    summary = go(Slideshow(3, kind="stdin"), StubTracker(), real_time=True)
    assert time.perf_counter() - start < 5
    assert summary.frames + summary.dropped == 3


# --- failures


def stages(where: str, error: BaseException | None = None) -> tuple[Source, StubTracker, StubSink]:
    at = {name: 7 if name == where else None for name in ("source", "tracker", "sink")}
    return (
        StubSource(10**6, fails_at=at["source"], error=error),
        StubTracker(fails_at=at["tracker"], error=error),
        StubSink(fails_at=at["sink"], error=error),
    )


@pytest.mark.parametrize("where", ["source", "tracker", "sink"])
@pytest.mark.parametrize("error", [None, RuntimeError("odd"), MemoryError()], ids=str)
def test_an_error_of_any_stage_surfaces_once(where: str, error: BaseException | None) -> None:
    source, tracker, sink = stages(where, error)
    beside = StubSink()
    with pytest.raises((HorizonError, ValueError, RuntimeError, MemoryError)) as caught:
        go(source, tracker, beside, sink)
    assert error is None or caught.value is error
    assert sink.indices == list(range(7)), "what came before is written"
    assert [sink.end, beside.end] == ["aborted"] * 2
    assert cast(StubSource, source).releases == 1


def test_a_live_run_goes_on_without_an_output_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """But not without the last one, nor where the reader of a pipe has left."""
    full, also_full, good = StubSink(fails_at=3), StubSink(fails_at=5), StubSink(stops_at=9)
    source = StubSource(10**6, period_s=0.01, live=True)
    with pytest.raises(OutputError, match="full"):
        go(source, StubTracker(), full, good, also_full)
    assert (full.indices[-1], also_full.indices[-1], good.indices[-1]) == (2, 4, 9)
    assert [sink.end for sink in (full, good, also_full)] == ["aborted", "closed", "aborted"]
    assert [line.getMessage().count("goes on without") for line in caplog.records] == [1, 1]


@pytest.mark.parametrize("alone", [True, False])
def test_a_live_run_ends_with_its_last_output_or_its_reader(alone: bool) -> None:
    error = OutputError("cannot write stub: the reader left")
    error.__cause__ = None if alone else BrokenPipeError()
    failing, beside = StubSink(fails_at=3, error=error), StubSink()
    with pytest.raises(OutputError):
        go(
            StubSource(10**6, period_s=0.01, live=True),
            StubTracker(),
            *([failing] if alone else [failing, beside]),
        )
    assert len(beside.indices) <= 3


def test_an_output_that_fails_at_its_end_leaves_no_other_with_its_name() -> None:
    telemetry, video = StubSink(), StubSink(close_error=OutputError("cannot write stub: full"))
    with pytest.raises(OutputError, match="full"):
        go(StubSource(3), StubTracker(), telemetry, video)
    assert (telemetry.end, video.end) == ("aborted", "closed")


def test_of_a_live_run_an_output_that_fails_at_its_end_takes_no_other_along() -> None:
    telemetry, video = StubSink(stops_at=3), StubSink(close_error=OutputError("cannot write stub: full"))
    with pytest.raises(OutputError, match="full"):
        go(StubSource(10**6, period_s=0.01, live=True), StubTracker(), telemetry, video)
    assert (telemetry.end, video.end) == ("closed", "closed")


# --- signals


def after(count: int, *numbers: int, pause_s: float = 0.0) -> Callable[[int], None]:
    """Sends signals to this process once so many frames are written."""
    written: list[int] = []

    def write(index: int) -> None:
        written.append(index)
        if len(written) == count:
            for number in numbers:
                os.kill(os.getpid(), number)
                time.sleep(pause_s)

    return write


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("live", [False, True])
def test_a_signal_ends_the_run_between_two_frames(number: int, live: bool) -> None:
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    sinks = StubSink(on_write=after(5, number, number)), StubSink()
    summary = go(StubSource(10**9, period_s=0.002, live=live), StubTracker(), *sinks)
    assert summary.interrupted
    assert [sink.end for sink in sinks] == ["closed"] * 2
    assert sinks[0].indices == sinks[1].indices
    assert len(sinks[0].indices) == 5
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_signal_reaches_a_run_that_waits_for_its_source() -> None:
    source, sink = StubSource(5, period_s=60), StubSink()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    start = time.perf_counter()
    assert go(source, StubTracker(), sink).interrupted
    assert time.perf_counter() - start < 10
    assert sink.end == "aborted", "nothing was written"


def test_sinks_hear_whether_they_hold_the_whole_source() -> None:
    class Hearing(StubSink):
        def _finish(self) -> None:
            super()._finish()
            heard.append(self._complete)

    heard: list[bool] = []
    go(StubSource(4), StubTracker(), Hearing())
    go(StubSource(4), StubTracker(), Hearing(stops_at=2))
    go(StubSource(10**6), StubTracker(), Hearing(on_write=after(5, signal.SIGINT)))
    go(StubSource(60, period_s=0.002, live=True), StubTracker(seconds=0.02), Hearing())
    assert heard == [True, False, False, False]


def test_an_interrupted_run_can_keep_its_partial_names() -> None:
    sink = StubSink(on_write=after(5, signal.SIGINT))
    assert go(StubSource(10**6), StubTracker(), sink, keep_interrupted=False).interrupted
    assert sink.end == "aborted"


def test_a_signal_while_sinks_close_does_not_spoil_a_whole_run() -> None:
    class Closing(StubSink):
        def _finish(self) -> None:
            signal.raise_signal(signal.SIGINT)
            super()._finish()

    sinks = StubSink(), Closing()
    summary = go(StubSource(9), StubTracker(), *sinks, keep_interrupted=False)
    assert (summary.frames, summary.interrupted, summary.signalled) == (9, False, True)
    assert [sink.end for sink in sinks] == ["closed"] * 2


def test_a_cut_in_the_midst_of_the_reader_s_step(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(deque[int]):
        def popleft(self) -> int:
            channel.cut()
            return super().popleft()

    monkeypatch.setattr("horizon_rt.pipeline.channel.deque", Interrupted)
    channel = Channel[int](newest=False)
    assert channel.put(1)
    assert channel.put(2)
    assert list(channel) == [1]
    assert channel.cut_short
    assert not channel.put(3)


@pytest.mark.parametrize("cut_first", [True, False])
def test_only_an_end_before_the_cut_is_one(cut_first: bool) -> None:
    channel = Channel[int](newest=False)
    for step in (channel.cut, channel.end) if cut_first else (channel.end, channel.cut):
        step()
    assert list(channel) == []
    assert channel.cut_short == cut_first


def test_a_second_signal_ends_a_sink_that_hangs() -> None:
    sink = StubSink(on_write=after(5, signal.SIGINT, signal.SIGINT, pause_s=1.1))
    with pytest.raises(KeyboardInterrupt):
        go(StubSource(10**6), StubTracker(), sink)
    assert sink.end == "aborted"


def test_a_run_outside_the_main_thread() -> None:
    summaries: list[RunSummary] = []
    worker = threading.Thread(target=lambda: summaries.append(go(StubSource(9), StubTracker())))
    worker.start()
    worker.join()
    assert summaries[0].frames == 9


# --- real stages


def test_runs_leave_no_descriptor_open(clip: Path, tmp_path: Path) -> None:
    def once(name: str) -> None:
        outputs = Outputs(telemetry=(str(tmp_path / f"{name}.jsonl"),), overlay=tmp_path / f"{name}.mp4")
        assert run(open_source(clip), RunOptions(), outputs).frames == 12

    def fails() -> None:
        outputs = Outputs(telemetry=(str(tmp_path / "c.jsonl"),), overlay=tmp_path / "c.unknown")
        with pytest.raises(OutputError):
            run(open_source(clip), RunOptions(), outputs)

    once("a")
    before = os.listdir("/proc/self/fd")
    once("b")
    fails()
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert not list(tmp_path.glob("*.partial"))
