"""Telemetry against its published schema and independent readers."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ROOT
from support.camera import brown
from support.sinks import context, frame, horizon, run_python

from horizon_rt.errors import OutputError
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.horizon import Attitude, Horizon, Measurement, Observation
from horizon_rt.sinks import TelemetrySink
from horizon_rt.sinks.records import read_header, read_records

SCHEMA = json.loads((ROOT / "docs" / "telemetry.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def strict(text: str) -> Any:
    """JSON without the NaN and Infinity that Python's reader would let pass."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def digits(text: str) -> int:
    mantissa = text.lower().split("e")[0].replace("-", "").replace(".", "")
    return len(mantissa.lstrip("0").rstrip("0"))


wild = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))
unit = st.one_of(st.floats(0, 1), st.just(math.nan))
ups = st.builds(UpVector.from_roll_pitch, st.floats(-180, 180), st.floats(-90, 90))
lines = st.one_of(st.none(), st.builds(HorizonLine, st.floats(-180, 180), st.floats(allow_nan=True)))
covariances = st.sampled_from([np.eye(3) * 1e-6, np.full((3, 3), np.nan), np.zeros((3, 3))])
rates = st.one_of(st.none(), st.tuples(*[st.floats(-1e9, 1e9) | st.just(math.nan)] * 3).map(np.array))
attitudes = st.builds(Attitude, up=ups, covariance=covariances, rate=rates)
measurements = st.builds(Measurement, up=ups, covariance=covariances, inliers=st.integers(0, 10**6))
observations = st.builds(
    Observation,
    view=st.sampled_from(["horizon", "sky", "ground", "unknown"]),
    confidence=unit,
    sky_fraction=unit,
    measurement=st.one_of(st.none(), measurements),
)
horizons = st.builds(
    Horizon,
    frame=st.integers(0, 10**9),
    time_s=st.floats(0, 1e6),
    state=st.sampled_from(["acquiring", "tracking", "coasting", "lost"]),
    observation=observations,
    attitude=st.one_of(st.none(), attitudes),
    line=lines,
    measured_line=lines,
    latency_ms=wild,
    width=st.one_of(st.none(), st.integers(1, 10**5)),
    height=st.one_of(st.none(), st.integers(1, 10**5)),
    time_utc=st.one_of(st.none(), st.datetimes(timezones=st.timezones())),
    file=st.one_of(st.none(), st.text(st.characters(codec="utf-8"))),
)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@given(horizons)
def test_any_record_is_strict_json_of_the_schema(value: Horizon) -> None:
    text = json.dumps(value.to_dict(), allow_nan=False)
    VALIDATOR.validate(strict(text))


@given(horizons)
def test_numbers_have_six_digits_and_lose_no_more(value: Horizon) -> None:
    written = value.to_dict()
    for name in ("roll_deg", "pitch_deg", "roll_rate_dps", "latency_ms"):
        number, true = written[name], getattr(value, name)
        if true is None or not math.isfinite(true):
            assert number is None
        else:
            assert digits(json.dumps(number)) <= 6
            assert number == pytest.approx(true, rel=5.1e-6)


@given(st.floats(0, 1e6))
def test_time_keeps_the_order_of_frames_for_days(seconds: float) -> None:
    base = horizon()
    times = [
        Horizon(frame=0, time_s=t, state="lost", observation=base.observation).to_dict()["time_s"]
        for t in (seconds, seconds + 1 / 240)
    ]
    assert times[0] < times[1]
    assert abs(times[0] - seconds) <= 0.0005001


@given(horizons)
def test_a_horizon_as_a_dictionary_is_its_row(value: Horizon) -> None:
    with TemporaryDirectory() as folder:
        with TelemetrySink(f"{folder}/t.jsonl", context(is_image_set=value.file is not None)) as sink:
            sink.write(frame(), value)
        row = Path(folder, "t.jsonl").read_text("utf-8").split("\n")[1]
    assert strict(row) == value.to_dict()


@pytest.mark.parametrize("angle", [-30.0, 0.0, 12.5, 60.0, 89.99999, 90.0, -90.0, 135.0, 180.0])
def test_pictures_carry_their_size_and_two_points_of_the_line(angle: float) -> None:
    line = HorizonLine(angle_deg=angle, offset_px=20.0)
    row = replace(horizon(file="a.png"), line=line, width=641, height=481).to_dict()
    assert (row["width"], row["height"]) == (641, 481)
    # The distance of a point from the line by its normal form, around the image's centre.
    normal = math.sin(math.radians(angle)), -math.cos(math.radians(angle))
    for x, y in ((row["x1"], row["y1"]), (row["x2"], row["y2"])):
        scale = max(1.0, abs(x), abs(y))
        assert normal[0] * (x - 320) + normal[1] * (y - 240) + 20 == pytest.approx(0, abs=1e-5 * scale)
    steep = abs(abs(angle) - 90) < 0.01
    assert [row["y1"], row["y2"]] == [0, 480] if steep else [row["x1"], row["x2"]] == [0, 640]
    without = replace(horizon(roll=None, file="a.png"), width=641, height=481).to_dict()
    assert {without[name] for name in ("x1", "y1", "x2", "y2")} == {None}
    assert "x1" not in replace(horizon(), width=641, height=481).to_dict()


def test_live_rows_carry_the_time_of_day() -> None:
    zone = timezone(timedelta(hours=2))
    when = datetime(2026, 3, 1, 11, 30, 0, 125_999, tzinfo=zone)
    row = replace(horizon(), time_utc=when).to_dict()
    assert row["time_utc"] == "2026-03-01T09:30:00.125Z"
    assert datetime.fromisoformat(row["time_utc"]) == when.replace(microsecond=125_000)
    assert "time_utc" not in horizon().to_dict()


def test_a_file_holds_a_header_and_a_line_a_frame(tmp_path: Path) -> None:
    camera = brown(width=96, height=64, fx=70, fy=70, cx=47.5, cy=31.5, k1=-0.123456789)
    with TelemetrySink(tmp_path / "t.jsonl", context(camera, assumed=("hfov 70°",))) as sink:
        sink.write(frame(0), horizon(0, roll=-20.5, pitch=4))
        sink.write(frame(1), horizon(1, roll=None, state="lost", view="unknown"))
    lines = [strict(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    for line in lines:
        VALIDATOR.validate(line)
    head, first, second = lines
    assert head["schema"] == "horizon-rt/1"
    assert head["assumed"] == ["hfov 70°"]
    lens = {"fx": 70, "fy": 70, "cx": 47.5, "cy": 31.5, "k1": -0.123457, "k2": 0, "p1": 0, "p2": 0, "k3": 0}
    assert head["camera"] == {"model": "BrownConrady", "width": 96, "height": 64, "focal_px": 70, **lens}
    assert (first["roll_deg"], first["angle_deg"], first["measured"]["inliers"]) == (-20.5, 20.5, 80)
    assert "file" not in first
    assert (second["roll_deg"], second["angle_deg"], second["measured"]) == (None, None, None)


def test_csv_has_the_same_values_flattened(tmp_path: Path) -> None:
    values = [horizon(0, file="ü, 1.png"), horizon(1, roll=None, file="b.png")]
    for suffix in ("csv", "jsonl"):
        with TelemetrySink(tmp_path / f"t.{suffix}", context(is_image_set=True)) as sink:
            for value in values:
                sink.write(frame(value.frame, name="x"), value)
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    objects = [strict(line) for line in (tmp_path / "t.jsonl").read_text("utf-8").splitlines()[1:]]
    for row, values_of_frame in zip(rows, objects, strict=True):
        measured = values_of_frame.pop("measured") or dict.fromkeys(objects[0].get("measured") or (), None)
        flat = {**values_of_frame, **{f"measured_{k}": v for k, v in measured.items()}}
        expected = {k: "" if v is None else str(v) for k, v in flat.items()}
        assert {k: row[k] for k in expected} == expected
    assert list(rows[0])[-2:] == ["latency_ms", "file"]
    assert rows[1]["measured_roll_deg"] == ""


def test_pictures_without_a_name_in_the_result_take_the_frames(tmp_path: Path) -> None:
    with TelemetrySink(tmp_path / "t.jsonl", context(is_image_set=True)) as sink:
        sink.write(frame(name="a/\udcff.png"), horizon())
    line = strict((tmp_path / "t.jsonl").read_bytes().decode("utf-8").splitlines()[1])
    assert line["file"] == "a/\udcff.png"


def test_standard_output_holds_json_lines_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    with TelemetrySink("-", context()) as sink:
        sink.write(frame(), horizon())
        assert len(capfd.readouterr().out.splitlines()) == 2
        sink.write(frame(1), horizon(1))
    VALIDATOR.validate(strict(capfd.readouterr().out))


def test_a_replaced_standard_output_works_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", text := io.StringIO())
    with TelemetrySink("-", context()) as sink:
        sink.write(frame(), horizon())
    assert len(text.getvalue().splitlines()) == 2


def test_a_reader_that_goes_away_gives_one_line() -> None:
    code = """
from support.sinks import *
from horizon_rt.sinks import TelemetrySink
from horizon_rt.errors import OutputError
try:
    with TelemetrySink("-", context()) as sink:
        for i in range(100000): sink.write(frame(i), horizon(i))
except OutputError as error:
    print(error, file=sys.stderr)
"""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    with subprocess.Popen(
        [sys.executable, "-c", "import sys" + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        message = child.stderr.read()
    assert child.returncode == 0
    assert message.strip() == "cannot write telemetry to standard output: Broken pipe"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs /dev/shm")
def test_a_file_below_dev_is_written_by_its_extension() -> None:
    with TemporaryDirectory(dir="/dev/shm") as folder:
        TelemetrySink(f"{folder}/x.csv", context()).close()
        assert Path(folder, "x.csv").read_text().startswith("frame,time_s,")
        with pytest.raises(OutputError, match="unknown extension"):
            TelemetrySink(f"{folder}/x", context())
    TelemetrySink("/dev/null", context()).close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_gives_one_line() -> None:
    with pytest.raises(OutputError, match=r"^cannot write /dev/full: No space left on device") as caught:
        TelemetrySink("/dev/full", context())
    assert "\n" not in str(caught.value)
    assert "free space" in str(caught.value)


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_full_disk_leaves_complete_lines(tmp_path: Path, suffix: str) -> None:
    code = """
import resource
from support.sinks import *
from horizon_rt.sinks import TelemetrySink
sink = TelemetrySink(sys.argv[1], context())
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
for i in range(100): sink.write(frame(i), horizon(i))
"""
    done = run_python(code, tmp_path / f"t.{suffix}")
    assert "OutputError: cannot write" in done.stderr.splitlines()[-1]
    assert f"t.{suffix}.partial" in done.stderr.splitlines()[-1]
    assert [p.name for p in tmp_path.iterdir()] == [f"t.{suffix}.partial"]
    text = (tmp_path / f"t.{suffix}.partial").read_text()
    assert text.endswith("\n")
    assert len(text) > 4000
    if suffix == "jsonl":
        assert [strict(line) for line in text.splitlines()]


def test_a_killed_run_leaves_complete_lines(tmp_path: Path) -> None:
    code = """
from support.sinks import *
from horizon_rt.sinks import TelemetrySink
import os, signal
sink = TelemetrySink(sys.argv[1], context())
for i in range(7): sink.write(frame(i), horizon(i))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run_python(code, tmp_path / "t.jsonl").returncode == -signal.SIGKILL
    lines = (tmp_path / "t.jsonl.partial").read_text().splitlines()
    assert [strict(line).get("frame") for line in lines] == [None, 0, 1, 2, 3, 4, 5, 6]


def test_a_record_costs_little(tmp_path: Path) -> None:
    a, b = frame(), horizon()
    with TelemetrySink(tmp_path / "t.jsonl", context()) as sink:
        start = time.process_time()
        for _ in range(300):
            sink.write(a, b)
    assert (time.process_time() - start) / 300 < 1e-3


# --- whole or cut short


def head(path: Path) -> dict[str, object]:
    values: dict[str, object] = json.loads(path.read_text().splitlines()[0])
    return values


@pytest.mark.parametrize("count", [0, 1, 12])
def test_the_header_tells_how_many_frames_a_whole_run_has(tmp_path: Path, count: int) -> None:
    with TelemetrySink(tmp_path / "t.jsonl", context()) as sink:
        for index in range(count):
            sink.write(frame(index), horizon(index))
        assert head(tmp_path / "t.jsonl.partial")["frames"] is None
    found = head(tmp_path / "t.jsonl")
    VALIDATOR.validate(found)
    assert found["frames"] == len((tmp_path / "t.jsonl").read_text().splitlines()) - 1 == count
    assert [record["frame"] for record in read_records(tmp_path / "t.jsonl")] == list(range(count))


def test_a_run_that_was_cut_short_does_not_tell_how_many_frames_there_are(tmp_path: Path) -> None:
    ends: list[Callable[[TelemetrySink], None]] = [
        lambda sink: sink.close(complete=False),
        lambda sink: sink.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None),
        lambda sink: sink.abort(),
    ]
    for number, end in enumerate(ends):
        sink = TelemetrySink(tmp_path / f"{number}.jsonl", context())
        sink.write(frame(), horizon())
        end(sink)
    found = [head(path)["frames"] for path in sorted(tmp_path.iterdir())]
    assert found == [None, None, None]


@pytest.mark.parametrize(
    "line", ["[]", "{}", '{"frame":0}', "[" * 100_000, "\x00" * 9, '{"frame":[1]}', "9" * 5000]
)
def test_a_line_that_is_no_record_is_told_from_one(tmp_path: Path, line: str) -> None:
    path = tmp_path / "t.jsonl"
    with TelemetrySink(path, context()) as sink:
        sink.write(frame(), horizon())
    good = path.read_text()
    for text in (f"{good}{line}\n", f"{good[:-1]} {good}", f"{good}{good.splitlines()[1]}\n"):
        path.write_text(text)
        with pytest.raises(ValueError):  # noqa: PT011
            list(read_records(path))
    path.write_text(f"{line}\n{good}")
    with pytest.raises(ValueError):  # noqa: PT011
        read_header(path)


@pytest.mark.parametrize("live", [False, True])
def test_lines_of_a_live_run_reach_the_disk_each_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: bool
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    with TelemetrySink(tmp_path / "t.jsonl", context(live=live)) as sink:
        sink.write(frame(), horizon())
        end = time.monotonic() + (20 if live else 1.5)
        while not synced and time.monotonic() < end:
            time.sleep(0.01)
        assert bool(synced) == live
        assert set(synced) <= {(tmp_path / "t.jsonl.partial").stat().st_ino}
