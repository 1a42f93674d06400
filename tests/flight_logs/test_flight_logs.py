"""Logs of flights: written after the specifications of their formats, read back; damaged ones refused."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ROOT
from support.flights import Flight
from support.logs import write_csv, write_dataflash, write_gopro, write_telemetry, write_tlog, write_ulog

import horizon_rt as hz
from horizon_rt.errors import HorizonError, MissingExtra, SourceError, SourceNotFound
from horizon_rt.flight_logs import LOG_FORMATS, load_log

TIMES = 12.0 + np.arange(0, 20, 0.05)
ROLL, PITCH = Flight(1).attitude(TIMES)
WRITERS = {
    "a.bin": write_dataflash, "a.tlog": write_tlog, "a.ulg": write_ulog, "a.mp4": write_gopro,
    "a.jsonl": write_telemetry,
}  # fmt: skip
TOLERANCE_DEG = {"a.bin": 0.0051, "a.tlog": 1e-4, "a.ulg": 1e-4, "a.mp4": 0.01, "a.jsonl": 1e-5}


@pytest.mark.parametrize("name", WRITERS)
def test_a_log_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    log = load_log(WRITERS[name](tmp_path / name, TIMES, ROLL, PITCH))
    assert np.allclose(log.time_s, TIMES, atol=1e-3 if name == "a.tlog" else 1e-5)
    assert np.allclose(log.roll_deg, ROLL, atol=TOLERANCE_DEG[name])
    assert np.allclose(log.pitch_deg, PITCH, atol=TOLERANCE_DEG[name])
    assert log.name == name
    assert log.format in LOG_FORMATS.values()
    assert f"{len(TIMES)} samples" in repr(log)


def test_a_log_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    written = write_ulog(tmp_path / "log_7.bin", TIMES, ROLL, PITCH)
    assert load_log(written).format == "PX4 ULog"
    assert (
        load_log(write_dataflash(tmp_path / "00000012.BIN", TIMES, ROLL, PITCH)).format
        == "ArduPilot DataFlash"
    )


def test_dataflash_is_read_as_by_pymavlink(tmp_path: Path) -> None:
    from pymavlink.DFReader import DFReader_binary

    written = write_dataflash(tmp_path / "a.bin", TIMES, ROLL, PITCH)
    with DFReader_binary(str(written)) as reader:
        messages = iter(lambda: reader.recv_match(type=["ATT"]), None)
        rows = np.array([(1e-6 * one.TimeUS, one.Roll, one.Pitch) for one in messages])
    log = load_log(written)
    assert np.allclose(np.column_stack([log.time_s, log.roll_deg, log.pitch_deg]), rows, atol=1e-12)


def test_ulog_is_read_as_by_pyulog(tmp_path: Path) -> None:
    from pyulog import ULog
    from pyulog.px4 import PX4ULog

    written = write_ulog(tmp_path / "a.ulg", TIMES, ROLL, PITCH)
    other = ULog(str(written), ["vehicle_attitude"])
    PX4ULog(other).add_roll_pitch_yaw()
    data = other.get_dataset("vehicle_attitude").data
    log = load_log(written)
    assert np.array_equal(log.time_s, 1e-6 * data["timestamp"])
    assert np.allclose(np.radians(log.roll_deg), data["roll"], atol=1e-6)
    assert np.allclose(np.radians(log.pitch_deg), data["pitch"], atol=1e-6)


def test_after_damage_a_ulog_goes_on_at_the_next_sync(tmp_path: Path) -> None:
    written = write_ulog(tmp_path / "a.ulg", TIMES, ROLL, PITCH)
    data, sync = written.read_bytes(), b"\x08\x00S\x2f\x73\x13\x20\x25\x0c\xbb\x12"
    place = data.index(b"\x07\x00", len(data) // 2) - 3  # of a sample
    written.write_bytes(data[:place] + bytes(40) + sync + data[place:])
    assert len(load_log(written)) == len(TIMES)
    written.write_bytes(data[:place] + bytes(40) + data[place:])
    assert 0.4 < len(load_log(written)) / len(TIMES) < 0.6


def test_what_was_appended_to_a_ulog_is_read(tmp_path: Path) -> None:
    """After a crash, which cut off a message; the offset is told by the flags."""
    written = write_ulog(tmp_path / "a.ulg", TIMES, ROLL, PITCH)
    data = bytearray(written.read_bytes())
    place = data.index(b"\x07\x00", len(data) // 2) - 3
    cut = data[place : place + 20]
    data[place:place] = cut
    data[16 + 3 + 8] = 1
    data[16 + 3 + 16 : 16 + 3 + 24] = (place + 20).to_bytes(8, "little")
    written.write_bytes(data)
    assert len(load_log(written)) == len(TIMES)


def test_a_film_without_gravity_is_refused(tmp_path: Path, clip: Path) -> None:
    """HERO8 writes zeros; other films have no such track."""
    unknown = np.full_like(ROLL, np.nan)
    blank = write_gopro(tmp_path / "GX01.MP4", TIMES, unknown, unknown)
    for path in (blank, clip.rename(tmp_path / "flight.mp4")):
        with pytest.raises(SourceError, match="holds no roll and pitch \\(GoPro metadata\\)"):
            load_log(path)


def test_dataflash_without_a_length_ends(tmp_path: Path) -> None:
    written = write_dataflash(tmp_path / "a.bin", TIMES, ROLL, PITCH)
    written.write_bytes(written.read_bytes().replace(b"\x83\x0fRATE", b"\x83\x00RATE"))
    assert len(load_log(written)) == len(TIMES)


def test_of_a_tlog_with_a_restart_the_longest_run_is_taken(tmp_path: Path) -> None:
    first = write_tlog(tmp_path / "1.tlog", TIMES[:100], ROLL[:100], PITCH[:100]).read_bytes()
    second = write_tlog(tmp_path / "2.tlog", TIMES[100:], ROLL[100:], PITCH[100:], boots_at=17.0).read_bytes()
    (tmp_path / "both.tlog").write_bytes(first + second)
    log = load_log(tmp_path / "both.tlog")
    assert np.allclose(log.time_s, TIMES[100:] - 17.0, atol=1e-3)


HEADS = [
    ("time_s,roll_deg,pitch_deg", 1.0, 1.0, 1.0),
    ("time(millisecond), roll(degrees), pitch(degrees)", 1e3, 1.0, 1.0),
    ("Timestamp [us],OSD.roll [°],OSD.pitch [°]", 1e6, 1.0, 1.0),
    ("TimeUS,Roll (rad),pitch_rad", 1e6, np.pi / 180, np.pi / 180),
    ("t_ns,roll radians,pitch_degrees", 1e9, np.pi / 180, 1.0),
]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head[0])
def test_columns_are_known_by_name_and_unit(head: tuple[str, float, float, float], tmp_path: Path) -> None:
    names, time, roll, pitch = head
    log = load_log(write_csv(tmp_path / "a.csv", names, TIMES * time, ROLL * roll, PITCH * pitch))
    assert np.allclose(log.time_s, TIMES, atol=1e-9)
    assert np.allclose(log.roll_deg, ROLL, atol=1e-9)
    assert np.allclose(log.pitch_deg, PITCH, atol=1e-9)


def test_moments_semicolons_comments_and_gaps(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "# a log\r\ntime_utc;heading_deg;roll_deg;gimbal_roll_deg;pitch_deg;roll_rate_dps\r\n"
        "2026-05-01T10:00:00.250Z;1;2.5;9;-3;0\r\n\r\n2026-05-01T12:00:01+02:00;1;;9;-3.5\r\n"
    )
    log = load_log(path)
    assert log.time_s.tolist() == [1777629600.25, 1777629601.0]
    assert log.roll_deg[0] == 2.5
    assert np.isnan(log.roll_deg[1])
    assert log.pitch_deg.tolist() == [-3.0, -3.5]


def test_our_own_table_is_a_log(tmp_path: Path) -> None:
    from horizon_rt.horizon.row import COLUMNS

    values = {
        "time_s": "1.5",
        "roll_deg": "2",
        "pitch_deg": "3",
        "state": "tracking",
        "measured_roll_deg": "7",
    }
    row = ",".join(values.get(name, "") for name in COLUMNS)
    (tmp_path / "a.csv").write_text(f"{','.join(COLUMNS)}\n{row}\n")
    log = load_log(tmp_path / "a.csv")
    assert (log.time_s[0], log.roll_deg[0], log.pitch_deg[0]) == (1.5, 2.0, 3.0)


WRONG = [
    ("", "it is empty"),
    (
        "time_s,roll,pitch_deg\n1,2,3\n",
        "no column of roll with a unit, but roll; call the one to take roll_deg",
    ),
    ("seconds,roll_deg,pitch_deg\n1,2,3\n", "no column of time with a unit"),
    ("time_s,a_roll_deg,b_roll_deg,pitch_deg\n1,2,3,4\n", "several columns of roll: a_roll_deg, b_roll_deg"),
    ("time_s,roll_deg,pitch_deg\n1,2,3\n2,x,3\n", "line 3: 'x' in column roll_deg cannot be read"),
    ("time_utc,roll_deg,pitch_deg\nnoon,2,3\n", "line 2: 'noon' in column time_utc"),
    ("time_s,roll_deg,pitch_deg\n", "it holds no roll and pitch"),
    ("time_s,roll_deg,pitch_deg\n1,,3\n", "it holds no roll and pitch"),
    ("x" * 70000, "longer than"),
]


@pytest.mark.parametrize(("text", "reason"), WRONG, ids=[reason for _, reason in WRONG])
def test_what_is_wrong_with_a_table_is_told(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(SourceError) as caught:
        load_log(tmp_path / "a.csv")
    assert reason in str(caught.value)


def test_other_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceNotFound, match="check the name"):
        load_log(tmp_path / "none.csv")
    (tmp_path / "a.doc").write_text("time_s")
    with pytest.raises(SourceError, match=r"ends in none of \.csv"):
        load_log(tmp_path / "a.doc")
    for name in ("a.bin", "a.tlog"):
        (tmp_path / name).write_bytes(b"nothing of the kind" * 9)
        with pytest.raises(SourceError, match="no"):
            load_log(tmp_path / name)
    monkeypatch.setattr("horizon_rt.system.extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match="logs"):
        load_log(write_tlog(tmp_path / "b.tlog", TIMES, ROLL, PITCH))


def test_the_log_is_a_public_value(tmp_path: Path) -> None:
    log = hz.load_log(write_csv(tmp_path / "a.csv", HEADS[0][0], TIMES, ROLL, PITCH))
    assert isinstance(log, hz.AttitudeLog)


@pytest.fixture(scope="module")
def mutate() -> Callable[..., bytes]:
    sys.path.append(str(ROOT / "benchmarks"))
    try:
        from mutations import mutate
    finally:
        sys.path.pop()
    return mutate


def check(path: Path) -> None:
    """It is read, or refused in one line."""
    try:
        log = load_log(path)
    except HorizonError as error:
        reason = str(error)
    else:
        assert log.time_s.shape == log.roll_deg.shape == log.pitch_deg.shape
        return
    assert "\n" not in reason


@pytest.mark.parametrize("name", [*WRITERS, "a.csv"])
def test_damaged_logs_are_read_or_refused_in_one_line(
    name: str, tmp_path: Path, mutate: Callable[..., bytes]
) -> None:
    few = slice(0, 40)
    write = WRITERS.get(name, lambda path, *columns: write_csv(path, HEADS[0][0], *columns))
    good = write(tmp_path / name, TIMES[few], ROLL[few], PITCH[few]).read_bytes()
    for seed in range(60):
        (tmp_path / name).write_bytes(mutate(good, random.Random(seed), text=name in ("a.csv", "a.jsonl")))
        check(tmp_path / name)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name, magic in (
        ("f.csv", b""),
        ("f.bin", b"\xa3\x95"),
        ("f.tlog", b""),
        ("f.ulg", b"ULog\x01\x12\x35\x01"),
    ):
        (folder / name).write_bytes(magic + data)
        check(folder / name)
