"""A live source that falls silent: the track coasts, is lost, and comes back with the picture."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from itertools import pairwise

import numpy as np

from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.pipeline.channel import Channel
from horizon_rt.pipeline.silence import with_silence
from horizon_rt.pipeline.stages import run_pipeline
from horizon_rt.sinks import Sink
from horizon_rt.sources import Source, SourceInfo, open_source
from horizon_rt.tracker import HorizonTracker

PATIENCE_S = 0.15


def _frame(index: int, time_s: float) -> Frame:
    return Frame((np.full((8, 8), 60, np.uint8),), index, time_s, decoded_at_s=time.perf_counter())


def _given(pauses_s: list[float]) -> list[Frame]:
    """What comes of frames 0.02 s apart with a pause before each."""
    frames: Channel[Frame] = Channel(newest=False)

    def give() -> None:
        for index, pause_s in enumerate(pauses_s):
            time.sleep(pause_s)
            frames.put(_frame(index, 0.02 * index))
        frames.end()

    threading.Thread(target=give).start()
    return list(with_silence(frames, PATIENCE_S))


def test_without_silence_the_frames_are_as_they_were() -> None:
    found = _given([0.0] * 20)
    assert [(f.index, f.time_s, f.damaged) for f in found] == [(i, 0.02 * i, False) for i in range(20)]


def test_damaged_frames_stand_in_while_nothing_comes() -> None:
    found = _given([0.0, 0.0, 0.6, 0.0])
    silent = [frame for frame in found if frame.damaged]
    assert 1 < len(silent) < 9
    assert [frame.damaged for frame in found] == [False] * 2 + [True] * len(silent) + [False] * 2
    assert [frame.index for frame in found] == list(range(len(found)))
    times = [frame.time_s for frame in found]
    assert all(b > a for a, b in pairwise(times))
    assert all(frame.stands_in for frame in silent)
    assert silent[0].time_s >= 0.02 + PATIENCE_S
    assert found[-1].time_s > silent[-1].time_s


def test_a_broken_first_frame_is_one_to_go_on_from() -> None:
    frames: Channel[Frame] = Channel(newest=False)
    frames.put(replace(_frame(0, 0.0), damaged=True))
    threading.Timer(0.5, frames.end).start()
    found = list(with_silence(frames, PATIENCE_S))
    assert [frame.stands_in for frame in found] == [False] + [True] * (len(found) - 1)
    assert len(found) > 2
    assert found[1].time_s > 0


def test_nothing_stands_in_before_the_first_frame() -> None:
    assert [frame.damaged for frame in _given([0.5, 0.0])] == [False, False]


class Stutter(Source):
    """Frames of a rendered sea, as a camera gives them, that pause for a while after the first second."""

    def __init__(self, pause_s: float) -> None:
        super().__init__()
        with open_source("synth:sea?size=320x180&seconds=2&fps=20&motion=rest") as clip:
            self._frames = deque(clip)
        self.info = SourceInfo(
            name="stutter", kind="device", width=320, height=180, frame_rate=20.0, live=True
        )
        self._pause_s, self._late_s, self._start_s = pause_s, 0.0, 0.0

    def _next_frame(self) -> Frame | None:
        if not self._frames:
            return None
        frame = self._frames.popleft()
        if frame.index == 0:
            self._start_s = time.perf_counter()
        self._late_s = self._pause_s if frame.time_s >= 1 else 0.0
        due_s = self._start_s + frame.time_s + self._late_s
        if self._closing.wait(max(0.0, due_s - time.perf_counter())):
            return None
        return Frame(
            frame.planes, frame.index, frame.time_s + self._late_s, sampling=frame.sampling,
            decoded_at_s=time.perf_counter(),
        )  # fmt: skip

    def _release(self) -> None:
        self._frames.clear()


class Kept(Sink):
    def __init__(self) -> None:
        self.said: list[Horizon] = []
        self.pictures = 0

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self.said.append(horizon)
        self.pictures += not frame.stands_in

    def _finish(self) -> None:
        pass


def test_a_camera_that_gives_nothing_has_stalled() -> None:
    with Stutter(2.0) as source:
        while (frame := source.read()) is not None and frame.time_s < 0.94:
            assert source.health is not None
            assert source.health.state == "receiving"
        waiting = threading.Thread(target=source.read)
        waiting.start()
        time.sleep(source.patience_s + 0.2)
        health = source.health
        assert health is not None
        assert health.state == "stalled"
        assert health.age_s > source.patience_s
        waiting.join()
        assert source.health.state == "receiving"


def test_the_track_coasts_is_lost_and_comes_back() -> None:
    tracker = HorizonTracker(hfov=70, model="small", real_time=True)
    with open_source("synth:sea?size=320x180&seconds=1&fps=20") as source:
        tracker.update(next(iter(source)))  # the net is made ready
    tracker.reset()
    sink = Kept()
    summary = run_pipeline(Stutter(4.0), tracker, [sink])
    states = [h.state for h in sink.said]
    runs = [states[0], *(b for a, b in pairwise(states) if a != b)]
    assert runs[0] == "acquiring"  # nobody has looked yet
    silent = [h for h in sink.said if h.view == "unknown" and h.time_s > 1.2]
    assert silent[0].time_s < 3
    assert {h.state for h in silent} >= {"lost"}
    assert silent[-1].state == "lost"
    assert silent[-1].attitude is None
    assert states[-1] == "tracking"
    assert "coasting" in runs
    assert all(b.time_s > a.time_s and b.frame > a.frame for a, b in pairwise(sink.said))
    assert summary.frames == sink.pictures < len(sink.said)
