"""The harness behind `horizon-rt bench`: that it measures what it says, and what it makes of it."""

from __future__ import annotations

import json
import os
import signal
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ROOT
from support.bench import bench_result
from support.cli import RunCli
from support.sinks import horizon

from horizon_rt.bench import measure as harness
from horizon_rt.bench.clips import write_clip
from horizon_rt.bench.job import BenchJob, every_engine
from horizon_rt.bench.measure import STAGES, Plan, measure
from horizon_rt.bench.report import write_report
from horizon_rt.bench.results import Quartiles, Report, changes
from horizon_rt.errors import DatasetError
from horizon_rt.fitting import HorizonRefiner
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.options import Engine
from horizon_rt.segmentation.backends import installed_backends
from horizon_rt.sources import open_source
from horizon_rt.system.interrupts import interrupts_raise
from horizon_rt.system.processor import has_bfloat16
from horizon_rt.tracker import HorizonTracker

SIZE = (320, 192)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "clip.mp4"
    write_clip(path, SIZE, 24)
    return path


def test_a_clip_has_the_frames_that_move_and_a_horizon(video: Path) -> None:
    with open_source(video) as source:
        assert (source.info.width, source.info.height, source.info.frame_rate) == (*SIZE, 30)
        frames = list(source)
    assert len(frames) == 24
    assert all(np.abs(a.luma.astype(int) - b.luma).mean() > 0.5 for a, b in pairwise(frames))
    tracker = HorizonTracker(model="small")
    assert [tracker.update(frame).view for frame in frames[:6]] == ["horizon"] * 6


def test_everything_is_measured(video: Path) -> None:
    result = measure(video, Plan(engine=Engine(model="small", backend="torchscript"), frames=20, repeats=2))
    assert result.key == ("320x192", "small", "torchscript-cpu")
    assert tuple(result.stages) == STAGES
    assert list(result.speeds) == [
        "decode", "track", "decode and encode", "track and overlay",
        "track / decode", "track and overlay / decode and encode",
    ]  # fmt: skip
    assert all(0 < q.low <= q.median <= q.high for q in (*result.stages.values(), *result.speeds.values()))
    assert (result.frames, result.live_frames + result.dropped) == (10, 20)
    latency = list(result.latency_ms.values())
    assert latency == sorted(latency)
    assert result.share("track") == 1
    assert result.share("fit") < 0.5
    assert result.share("fit") + result.share("align") >= 1
    parts = [result.share(s) * result.stages[s].median for s in STAGES[1:]]
    assert result.analysis_ms == pytest.approx(sum(parts))
    assert result.cpu_s_per_frame > 0
    assert result.peak_memory_mb > 50


def test_a_slow_stage_shows_where_it_is_slow(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alignment that sleeps: its stage, the speed, the latency and nothing else know of it."""
    before = measure(video, Plan(frames=20, repeats=1, overlay=False))
    align = HorizonRefiner.align

    def slow(self: HorizonRefiner, *args: object, **options: object) -> object:
        time.sleep(0.08)
        return align(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(HorizonRefiner, "align", slow)
    after = measure(video, Plan(frames=20, repeats=1, overlay=False))
    assert after.stages["align"].median > 40
    assert after.stages["segment"].median < before.stages["segment"].median + 20
    assert after.speeds["track"].median < 25 < after.speeds["decode"].median
    assert after.latency_ms["p50"] > 40
    assert after.dropped > 0
    assert "track and overlay" not in after.speeds


def test_a_signal_ends_it_and_is_no_sample(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    update = HorizonTracker.update

    def struck(self: HorizonTracker, frame: Frame, *more: object) -> Horizon:
        if frame.index == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return update(self, frame, *more)  # type: ignore[arg-type]

    with interrupts_raise():
        monkeypatch.setattr(HorizonTracker, "update", struck)
        with pytest.raises(KeyboardInterrupt):
            measure(video, Plan(frames=20, repeats=1, overlay=False))


def test_the_clock_counts_from_the_decoded_frame() -> None:
    clock = harness.LatencyClock()
    frame = Frame((np.zeros((4, 4), np.uint8),), 0, 0.0, decoded_at_s=time.perf_counter() - 0.5)
    clock.write(frame, horizon(0))
    assert clock.latency_ms[0] == pytest.approx(500, abs=100)


@given(st.lists(st.floats(1, 1e4), min_size=1, max_size=9), st.floats(0.1, 10))
@settings(deadline=None)
def test_a_verdict_needs_quartiles_that_do_not_overlap(values: list[float], factor: float) -> None:
    old, new = Quartiles.of(values), Quartiles.of([v * factor for v in values])
    before = Report({}, {}, (bench_result(speeds={"track": old}, stages={"fit": old}),))
    after = Report({}, {}, (bench_result(speeds={"track": new}, stages={"fit": new}),))
    speed, stage = changes(before, after)
    apart = new.low > old.high or new.high < old.low
    alone = any(spread.low == spread.high for spread in (old, new))
    assert (speed.verdict, stage.verdict) == (
        ("one run tells no spread",) * 2
        if alone
        else ("within the spread",) * 2
        if not apart
        else ("better", "worse")
        if factor > 1
        else ("worse", "better")
    )
    assert speed.factor == pytest.approx(new.median / old.median)
    assert not list(changes(Report({}, {}, (bench_result(model="other"),)), after))


def test_a_report_is_read_back_and_a_page_needs_nothing_else(tmp_path: Path) -> None:
    machine = {"cpu": "x", "gpu": None, "versions": {"torch": "2"}}
    report = Report(machine, {"frames": 9}, (bench_result(), bench_result(model="n|<b>", gpu_memory_mb=7.0)))
    files = write_report(tmp_path, report, list(changes(report, report)))
    assert [path.name for path in files] == ["bench.json", "bench.md", "bench.html"]
    assert Report.from_json(files[0]) == report
    page, text = files[2].read_text(), files[1].read_text()
    assert "n|&lt;b&gt;" in page
    assert "src=" not in page
    assert "<script" not in page
    assert r"n\|\<b\>" in text
    assert "within the spread" in text


def test_a_report_with_a_number_beyond_floats_is_refused(tmp_path: Path) -> None:
    shipped = ROOT / "benchmarks" / "results" / "bench.json"
    values = json.loads(shipped.read_text())
    values["results"][0]["stages"]["decode"] = [10**400] * 3
    (tmp_path / "bench.json").write_text(json.dumps(values))
    with pytest.raises(DatasetError, match=r"bench\.json is no report"):
        Report.from_json(tmp_path / "bench.json")


JUNK = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda c: st.lists(c) | st.dictionaries(st.text(), c),
)


@given(JUNK)
@settings(deadline=None)
def test_what_is_no_report_is_refused(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.mktemp("r") / "r.json"
    good = json.loads(Report({}, {}, (bench_result(),)).to_json())
    parts = [{**good, "results": [value]}, {**good, "schema": value}]
    parts += [{**good, "results": value}] if value != [] else []
    parts += [{**good, "machine": value}] if not isinstance(value, dict) else []
    for broken in (value, *parts):
        path.write_text(json.dumps(broken))
        with pytest.raises(DatasetError):
            Report.from_json(path)


def test_bench_from_the_command_line(video: Path, tmp_path: Path, cli: RunCli) -> None:
    words = ("bench", video, "--frames", "12", "--repeats", "1", "--no-overlay", "--out", tmp_path)
    done = cli(*words)
    assert done.code == 0, done.err
    assert [e for e in done.errors if e.startswith("written")] == [
        f"written: {tmp_path / name}" for name in ("bench.json", "bench.md", "bench.html")
    ]
    heads = [line.split("\t") for line in done.out.splitlines() if "\tmodel\t" in line]
    assert [head[0] for head in heads] == ["speed", "latency", "stages", "means"]
    again = cli(*words, "--against", tmp_path / "bench.json")
    assert again.code == 0, again.err
    assert "verdict" in again.out


def test_the_matrix_is_all_that_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = every_engine("cpu")
    assert {engine.backend for engine in engines} == set(installed_backends())
    in_bfloat16 = Engine(backend="torchscript", precision="bfloat16", device="cpu")
    assert (in_bfloat16 in engines) == has_bfloat16()
    assert len(set(engines)) == len(engines)
    monkeypatch.setattr("horizon_rt.segmentation.backends.has_cuda_driver", lambda: True)
    monkeypatch.setattr("horizon_rt.segmentation.torchscript.best_device", lambda: "cuda")
    batches = {engine.batch for engine in every_engine("auto") if engine.precision == "float16"}
    assert batches == {1, 8, 32}
    assert {engine.backend for engine in every_engine("cuda")} == {"torchscript"}


def test_what_is_the_same_is_measured_once(tmp_path: Path) -> None:
    job = BenchJob(
        plan=Plan(frames=12, repeats=1, overlay=False),
        sizes=(SIZE,),
        models=("nano",),
        engines=(
            Engine(device="cpu", backend="torchscript", batch=1),
            Engine(device="cpu", backend="torchscript", precision="float32"),
            Engine(device="cpu", backend="torchscript"),
        ),
    )
    assert [r.key for r in job.run().results] == [("320x192", "nano", "torchscript-cpu")]


def test_clips_of_other_rates_are_told_apart(tmp_path: Path) -> None:
    job = BenchJob(
        plan=Plan(frames=12, repeats=1, overlay=False),
        sizes=(SIZE,),
        models=("nano",),
        rates_hz=(30, 60),
    )
    report = job.run()
    assert [(r.clip, r.live_fps) for r in report.results] == [("320x192", 30), ("320x192@60", 60)]


def test_bench_says_that_two_runs_have_nothing_in_common(video: Path, tmp_path: Path, cli: RunCli) -> None:
    (tmp_path / "old.json").write_text(Report({}, {}, (bench_result(),)).to_json())
    words = ("bench", video, "--frames", "12", "--repeats", "1", "--no-overlay", "--model", "nano")
    done = cli(*words, "--against", tmp_path / "old.json")
    assert done.code == 0
    assert "nothing in common" in done.err.replace("no recording, model and backend", "nothing")
    assert "verdict" not in done.out


def test_bench_looks_at_its_folder_before_it_measures(
    video: Path, tmp_path: Path, cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("horizon_rt.bench.job.measure", lambda *_: pytest.fail("measured"))
    done = cli("bench", video, "--out", tmp_path / "file")
    assert (done.code, len(done.errors)) == (1, 1)
    assert "cannot write" in done.err


def test_bench_refuses_what_it_cannot_measure(video: Path, tmp_path: Path, cli: RunCli) -> None:
    assert cli("bench", video, "--size", "64x32").code == 2
    assert cli("bench", video, "--fps", "60").code == 2
    assert cli("bench", "--matrix", "--model", "nano").code == 2
    assert cli("bench", "--matrix", "--precision", "float32").code == 2
    assert cli("bench", "--size", "641x480").code == 2
    assert "no model 'smal'" in cli("bench", "--model", "small", "--model", "smal").err
    assert cli("bench", tmp_path / "none.mp4").code == 1
    (tmp_path / "old.json").write_text("{}")
    done = cli("bench", video, "--against", tmp_path / "old.json")
    assert (done.code, len(done.errors)) == (1, 1)
    assert "no report of a benchmark" in done.err
    folder = cli("bench", tmp_path)
    assert (folder.code, len(folder.errors)) == (1, 1)
