"""`horizon-rt live --record`, in a process that is killed at any moment, and started again."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from support import ROOT
from support.cli import RunCli
from support.recording import Read, read_segments, wait_for

from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.options import LiveOptions
from horizon_rt.pipeline.outputs import Outputs
from horizon_rt.pipeline.run import run
from horizon_rt.recording.options import RecordOptions
from horizon_rt.recording.recorder import Recorder
from horizon_rt.sinks.records import read_records
from horizon_rt.sources import open_source

SCHEMA = json.loads((ROOT / "docs" / "telemetry.schema.json").read_text())
ENDLESS = "lavfi:testsrc2=size=320x240:rate=30"
Start = Callable[..., subprocess.Popen[str]]
ROUNDS = 2
needs_ffprobe = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")


def check_whole(segment: Read) -> None:
    assert segment.header["frames"] == len(segment.rows) == len(segment.times_s)
    since_first = [time_s - segment.row_times_s[0] for time_s in segment.row_times_s]
    assert segment.times_s == pytest.approx(since_first, abs=1e-3)


def lost_s(segment: Read) -> float:
    """From the last picture of a video to the last row of its telemetry."""
    shown = segment.times_s[-1] if segment.times_s else 0.0
    return segment.row_times_s[-1] - segment.row_times_s[0] - shown


@needs_ffprobe
def test_it_is_killed_again_and_again(process: Start, tmp_path: Path) -> None:
    folder, chance, known = tmp_path / "rec", random.Random(5), 0
    for _ in range(ROUNDS):
        before = {path: path.read_bytes() for path in folder.glob("*") if path.suffix != ".partial"}
        child = process("live", ENDLESS, "--no-window", "--record", folder, "--segment", "2s")
        wait_for(lambda: len([*folder.glob("*.jsonl*")]) > known, 60)  # noqa: B023
        time.sleep(chance.uniform(0.0, 4.0))
        child.kill()
        child.wait()
        segments = read_segments(folder, SCHEMA)
        for segment in segments[known:-1]:
            check_whole(segment)
        assert lost_s(segments[-1]) <= 2.0
        assert all(path.read_bytes() == data for path, data in before.items())
        assert len([*folder.glob("*.partial")]) <= 2
        known = len(segments)
    times = [time_s for segment in segments for time_s in segment.row_times_s]
    assert sum(a >= b for a, b in pairwise(times)) == ROUNDS - 1  # each run begins anew, and none goes back


@needs_ffprobe
def test_it_ends_whole_and_goes_on_after_a_restart(process: Start, tmp_path: Path) -> None:
    for expected in (1, 2):
        child = process("live", ENDLESS, "--no-window", "--record", tmp_path, "--telemetry", "-")
        assert child.stdout is not None
        rows = [child.stdout.readline() for _ in range(40)]
        child.send_signal(signal.SIGTERM)
        out, errors = child.communicate(timeout=30)
        assert (child.returncode, "Traceback" in errors) == (0, False), errors
        segments = read_segments(tmp_path, SCHEMA)
        assert len(segments) == expected
        check_whole(segments[-1])
        # Its telemetry is that of the run, which the encoder keeps up with.
        written = [json.loads(line) for line in (*rows, *out.splitlines())][1:]
        assert segments[-1].rows == written
        assert not list(tmp_path.glob("*.partial"))


def test_telemetry_of_a_killed_run_is_whole_and_stays(process: Start, cli: RunCli, tmp_path: Path) -> None:
    telemetry = tmp_path / "t.jsonl"
    child = process("live", ENDLESS, "--no-window", "--telemetry", telemetry, "--telemetry", "-")
    assert child.stdout is not None
    for _ in range(31):
        child.stdout.readline()
    child.kill()
    child.wait()
    left = telemetry.with_name("t.jsonl.partial")
    killed = left.read_bytes()
    assert killed.endswith(b"\n")
    assert len(list(read_records(left))) >= 30
    source = ENDLESS + ":duration=0.5"
    done = cli("live", source, "--no-window", "--telemetry", telemetry, "--overlay", tmp_path / "o.mp4")
    assert f"{telemetry} exists, writing {tmp_path / 't-2.jsonl'}; --overwrite replaces it" in done.errors
    assert left.read_bytes() == killed
    before = [(path, path.read_bytes()) for path in (tmp_path / "o.mp4", tmp_path / "t-2.jsonl")]
    done = cli("live", source, "--no-window", "--telemetry", telemetry, "--overlay", tmp_path / "o.mp4")
    assert [line.split()[-1] for line in done.errors if line.startswith("written: ")] == [
        str(tmp_path / "t-3.jsonl"),
        str(tmp_path / "o-2.mp4"),
    ]
    assert all(path.read_bytes() == data for path, data in before)
    old = (tmp_path / "t-3.jsonl").read_bytes()
    cli("live", source, "--no-window", "--telemetry", tmp_path / "t-3.jsonl", "--overwrite")
    assert (tmp_path / "t-3.jsonl").read_bytes() != old
    assert not (tmp_path / "t-4.jsonl").exists()


def test_a_rerun_recording_is_not_replaced_either(cli: RunCli, tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="needs the extra 'rerun'")
    (tmp_path / "o.rrd").write_bytes(b"of yesterday")
    cli("live", ENDLESS + ":duration=0.3", "--no-window", "--rerun", tmp_path / "o.rrd")
    assert (tmp_path / "o.rrd").read_bytes() == b"of yesterday"
    assert (tmp_path / "o-2.rrd").stat().st_size > 100


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--record", "clip.mp4"), "--overlay FILE"),
        (("--keep", "20GB"), "--record FOLDER"),
        (("--record", "rec", "--keep", "much"), "500MB or 20GB"),
        (("--record", "rec", "--record-on-demand", "--no-window"), "needs --web or a window"),
    ],
)
def test_what_is_asked_wrongly_is_told_at_once(
    cli: RunCli, words: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("live", ENDLESS, *words)
    assert done.code == 2
    assert told in " ".join(done.err.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


@needs_ffprobe
def test_a_run_gives_the_recorder_to_who_starts_it(tmp_path: Path) -> None:
    options = RecordOptions(record=str(tmp_path), record_on_demand=True, pre_trigger="1s")
    found: list[Recorder] = []

    def on_frame(frame: Frame, horizon: Horizon) -> None:
        if frame.time_s >= 2 and not found[0].recording:
            found[0].start()

    source = open_source(ENDLESS + ":duration=3")
    outputs = Outputs(recording=options)
    run(source, LiveOptions(), outputs, real_time=True, on_frame=on_frame, on_recorder=found.append)
    (segment,) = read_segments(tmp_path, SCHEMA)
    check_whole(segment)
    assert segment.row_times_s[0] <= 1.2
    assert segment.row_times_s[-1] > 2
