"""Rerun recordings, read by the SDK's own reader and checked by its command line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.sinks import context, frame, horizon, run_python

from horizon_rt.errors import OutputError
from horizon_rt.sinks import Overlay, Sink

pyarrow = pytest.importorskip("pyarrow")
chunk = pytest.importorskip("rerun.chunk", reason="needs the extra 'rerun'")

CONTEXT = context()
START = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
COMMAND = shutil.which("rerun", path=str(Path(sys.executable).parent))


def rerun_sink(path: Path) -> Sink:
    from horizon_rt.sinks.rerun import RerunSink

    return RerunSink(path, CONTEXT)


def columns(path: Path, entity: str) -> dict[str, list[Any]]:
    """What is told of an entity, by the end of the column's name, in the order of frames; times in ns."""
    found: dict[str, list[Any]] = {}
    for part in chunk.RrdReader(path).stream().to_chunks():
        if part.entity_path == entity and not part.is_static:
            batch = part.to_record_batch()
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                is_time = pyarrow.types.is_temporal(values.type)
                plain = values.cast("int64") if is_time else values
                found.setdefault(name.rpartition(":")[2], []).extend(plain.to_pylist())
    order = np.argsort(found["frame"])
    return {name: [values[i] for i in order] for name, values in found.items() if len(values) == len(order)}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A second of a flight; three frames in its midst have no estimate."""
    with rerun_sink(tmp_path / "t.rrd") as sink:
        for index in range(30):
            lost = 10 <= index < 13
            said = horizon(index, roll=None if lost else index - 15.0, sd=None if lost else (0.5, 0.25),
                           state="lost" if lost else "tracking")  # fmt: skip
            sink.write(frame(index), replace(said, time_utc=START + timedelta(seconds=index / 30)))
    return tmp_path / "t.rrd"


def test_roll_and_pitch_with_two_sigma(recording: Path) -> None:
    frames = [index for index in range(30) if not 10 <= index < 13]
    roll, pitch = columns(recording, "/attitude/roll"), columns(recording, "/attitude/pitch")
    assert roll["frame"] == pitch["frame"] == frames
    wanted = [[i - 15.0, i - 16.0, i - 14.0] for i in frames]
    assert np.array(roll["scalars"]) == pytest.approx(np.array(wanted), abs=1e-9)
    assert np.array(pitch["scalars"]) == pytest.approx(np.array([[3.0, 2.5, 3.5]] * 27), abs=1e-9)


def test_the_timelines(recording: Path) -> None:
    found = columns(recording, "/attitude/roll")
    seconds = [value / 1e9 for value in found["time"]]
    assert seconds == pytest.approx([index / 30 for index in found["frame"]], abs=1e-6)
    moments = [value / 1e9 - START.timestamp() for value in found["utc"]]
    assert moments == pytest.approx(seconds, abs=1e-5)


def test_the_state_is_a_log_of_its_changes(recording: Path) -> None:
    found = columns(recording, "/state")
    assert found["frame"] == [0, 10, 13]
    assert found["text"] == [["tracking"], ["lost"], ["tracking"]]
    assert found["level"] == [["INFO"], ["WARN"], ["INFO"]]


def test_lines_end_where_the_estimate_does(recording: Path) -> None:
    found = columns(recording, "/attitude")
    assert (found["frame"], found["is_recursive"]) == ([10], [[True]])


def test_pictures_are_few_and_show_the_horizon(recording: Path) -> None:
    found = columns(recording, "/picture")
    assert found["frame"] == pytest.approx([0, 6, 12, 18, 24], abs=1)
    data = np.array(found["blob"][-1][0], np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    last = found["frame"][-1]
    drawn = Overlay(CONTEXT.camera).render(frame(last), horizon(last, roll=last - 15.0, sd=(0.5, 0.25)))
    assert image.shape == (64, 96, 3)
    assert drawn.to_bgr().std() > 20, "something is drawn on the grey"
    assert np.corrcoef(image.ravel(), drawn.to_bgr().ravel())[0, 1] > 0.8


@pytest.mark.skipif(COMMAND is None, reason="the command rerun is not there")
def test_the_command_line_finds_it_whole(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERUN_ANALYTICS", "0")
    done = subprocess.run([str(COMMAND), "rrd", "verify", str(recording)], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore:RRD file has no footer")
def test_a_killed_run_leaves_what_was_written(tmp_path: Path) -> None:
    code = """
import os, time
from pathlib import Path
from support.sinks import context, frame, horizon
from horizon_rt.sinks.rerun import RerunSink
sink = RerunSink(Path(sys.argv[1]), context())
for index in range(30):
    sink.write(frame(index), horizon(index))
time.sleep(1)
os.kill(os.getpid(), 9)
"""
    assert run_python(code, tmp_path / "t.rrd").returncode == -9
    found = columns(tmp_path / "t.rrd.partial", "/attitude/roll")
    assert found["frame"] == list(range(30))


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"ends in \.rrd"):
        rerun_sink(tmp_path / "t.mp4")
    assert not list(tmp_path.iterdir())
