"""Telemetry against logs: flights of known offset, drift and mount, and those that cannot be told."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from support.cli import RunCli
from support.flights import Flight, log_of, made_track, seen_track
from support.logs import write_csv, write_telemetry, write_tlog

import horizon_rt as hz
from horizon_rt.comparison.motion import Attitudes, motion_of
from horizon_rt.comparison.statistics import AxisErrors
from horizon_rt.errors import SourceError
from horizon_rt.geometry.rotation import rotation_of
from horizon_rt.geometry.up_vector import roll_pitch_deg, up_vectors

Array = NDArray[np.float64]
MOUNT = hz.Mount(roll_deg=2, pitch_deg=-12, yaw_deg=5)
OFFSET_S, DRIFT = 312.3456, 80e-6
LOG_TIMES = np.arange(0, 700, 0.04)


def track(flight: Flight, *, span_s: float = 180.0, mount: hz.Mount | None = MOUNT, **more: Any) -> hz.Track:
    return seen_track(flight, span_s=span_s, mount=mount, offset_s=OFFSET_S, drift=DRIFT, **more)


def log(flight: Flight, times: Array = LOG_TIMES) -> hz.AttitudeLog:
    return log_of(flight, times)


def turn_between(one: hz.Mount, other: hz.Mount) -> float:
    return float(np.degrees(Rotation.from_matrix(one.rotation @ other.rotation.T).magnitude()))


@pytest.mark.parametrize(
    "mount",
    [
        MOUNT,
        hz.Mount(roll_deg=-4, pitch_deg=-30, yaw_deg=90),
        hz.Mount(roll_deg=0, pitch_deg=-5, yaw_deg=180),
    ],
    ids=["ahead", "to the right", "aft"],
)
def test_offset_drift_and_mount_are_found_within_their_sigmas(mount: hz.Mount) -> None:
    errors = []
    for seed in range(4):
        flight = Flight(seed)
        found = hz.compare(track(flight, mount=mount), log(flight))
        one = found.alignment
        assert one.drift is not None
        assert one.drift_sd is not None
        offset = one.offset_s - (OFFSET_S + DRIFT * one.middle_s)
        assert abs(offset) < 0.005  # of frames that are 33 ms apart
        errors += [offset / one.offset_sd_s, (one.drift - DRIFT) / one.drift_sd]
        assert turn_between(found.mount, mount) < 0.4
        angles = ((found.mount.roll_deg, mount.roll_deg), (found.mount.pitch_deg, mount.pitch_deg))
        errors += [(a - b) / sd for (a, b), sd in zip(angles, found.mount_sd_deg[:2], strict=True)]
        assert found.camera_mount == found.mount
        for axis in (found.errors["all"].roll, found.errors["all"].pitch):
            assert abs(axis.bias_deg) < 0.1
            assert axis.rms_deg == pytest.approx(0.427, rel=0.2)
            assert axis.within_2_sigma == pytest.approx(0.954, abs=0.04)
    assert np.sqrt(np.mean(np.square(errors))) < 2.0
    assert np.abs(errors).max() < 4.5


def test_a_log_of_four_samples_a_second_does(tmp_path: Path) -> None:
    flight = Flight(5)
    found = hz.compare(track(flight), log(flight, np.arange(0, 600, 0.25)))
    assert found.alignment.offset_s == pytest.approx(OFFSET_S + DRIFT * found.alignment.middle_s, abs=0.01)


def test_a_large_drift_over_a_long_time_is_found() -> None:
    flight, time = Flight(6), np.arange(0, 1200, 0.1)
    roll, pitch = flight.seen(time * 1.001 + 50, None)
    rng = np.random.default_rng(0)
    ours = made_track(time, roll + rng.normal(size=len(time)) * 0.2, pitch + rng.normal(size=len(time)) * 0.2)
    found = hz.compare(ours, log(flight, np.arange(0, 1300, 0.1)))
    assert found.alignment.drift == pytest.approx(1e-3, abs=3e-6)
    assert turn_between(found.mount, hz.Mount(roll_deg=0, pitch_deg=0)) < 0.1


def test_a_rolling_ship_is_aligned() -> None:
    flight = Flight(7, roll_sd=4.0, pitch_sd=2.0, slowest=0.08, fastest=0.15)
    found = hz.compare(track(flight, span_s=400), log(flight, np.arange(0, 900, 0.1)))
    assert found.alignment.offset_s == pytest.approx(OFFSET_S + DRIFT * found.alignment.middle_s, abs=0.03)


def test_states_gaps_and_frames_outside_the_log_are_told() -> None:
    flight = Flight(8)
    ours = track(flight)
    state = np.full(len(ours), "tracking", dtype="<U9")
    state[600:700], state[700:900] = "coasting", "lost"
    ours.roll_deg[700:900] = ours.pitch_deg[700:900] = np.nan
    ours.roll_deg[600:700] += 5.0
    ours = made_track(ours.time_s, ours.roll_deg, ours.pitch_deg, state=state)
    found = hz.compare(ours, log(flight, np.arange(0, OFFSET_S + 120, 0.04)))
    assert found.errors.keys() == {"all", "tracking", "coasting", "lost"}
    assert found.errors["coasting"].compared == 100
    assert found.errors["coasting"].roll.bias_deg == pytest.approx(5.0, abs=0.5)
    assert (found.errors["lost"].frames, found.errors["lost"].compared) == (200, 0)
    assert np.isnan(found.errors["lost"].roll.rms_deg)
    assert found.errors["all"].frames == pytest.approx(120 * 30, abs=3)
    assert np.isnan(found.log_time_s[-1])
    assert found.errors["tracking"].roll.rms_deg == pytest.approx(0.427, rel=0.25)


def test_the_mount_can_stay_in_the_errors() -> None:
    flight = Flight(9)
    mount = hz.Mount(roll_deg=1.5, pitch_deg=-3)
    found = hz.compare(track(flight, mount=mount), log(flight), mount=False)
    assert not found.mount_applied
    assert turn_between(found.mount, mount) < 0.4
    assert found.errors["all"].roll.bias_deg == pytest.approx(1.5, abs=0.3)
    assert found.errors["all"].pitch.bias_deg == pytest.approx(-3.0, abs=0.3)


def test_of_telemetry_with_a_mount_that_of_the_camera_is_told_too() -> None:
    """The camera looks down by 30° by its header, and the vehicle of the header is 2° off that of the log."""
    flight, given = Flight(10), hz.Mount(roll_deg=0, pitch_deg=-30)
    rest = hz.Mount(roll_deg=0, pitch_deg=2)
    header = {"mount": {"roll_deg": 0.0, "pitch_deg": -30.0, "yaw_deg": 0.0}}
    found = hz.compare(track(flight, mount=rest, header=header), log(flight))
    assert turn_between(found.mount, rest) < 0.4
    whole = Rotation.from_matrix(given.rotation @ rest.rotation)
    assert np.degrees((Rotation.from_matrix(found.camera_mount.rotation) * whole.inv()).magnitude()) < 0.4


def test_without_pitching_and_rolling_there_is_no_yaw() -> None:
    """Of a vehicle that turns a little about one axis, the noise of the other tells no yaw to 5°."""
    flight = Flight(15, roll_sd=0.2, pitch_sd=0.05)
    ours = track(flight, mount=hz.Mount(roll_deg=0, pitch_deg=-10))
    found = hz.compare(ours, log(flight), offset_s=OFFSET_S, within_s=1.0)
    assert np.isnan(found.mount_sd_deg[2])
    assert found.mount.yaw_deg == pytest.approx(0.0, abs=1e-9)
    assert found.mount.pitch_deg == pytest.approx(-10.0, abs=0.5)
    assert max(found.mount_sd_deg[:2]) < 0.2


@pytest.mark.parametrize("span_s", [20.0, 60.0, 200.0])
def test_the_log_of_another_flight_is_refused(span_s: float) -> None:
    for seed in range(5):
        with pytest.raises(SourceError, match="tells no offset"):
            hz.compare(track(Flight(seed), span_s=span_s), log(Flight(seed + 500)))


def test_what_can_be_aligned_anywhere_is_refused_or_needs_an_offset() -> None:
    """A swell of one period: it looks alike at every other period."""
    times, period_s = np.arange(0, 600, 0.1), 8.0
    phase = 2 * np.pi * times / period_s
    swell = hz.AttitudeLog(time_s=times, roll_deg=10 * np.sin(phase), pitch_deg=4 * np.sin(phase), name="a")
    part = slice(3000, 5000)
    ours = made_track(times[part] - 300.0, swell.roll_deg[part], swell.pitch_deg[part])
    with pytest.raises(SourceError, match=r"at several offsets|too few movements"):
        hz.compare(ours, swell)
    found = hz.compare(ours, swell, offset_s=300.5, within_s=1.5)
    assert found.alignment.offset_s == pytest.approx(300.0, abs=0.01)


def test_other_refusals() -> None:
    flight = Flight(12)
    with pytest.raises(SourceError, match="pictures that stand alone"):
        hz.compare(track(flight, file=("a.png",)), log(flight))
    with pytest.raises(SourceError, match="too little to compare"):
        hz.compare(track(flight), log(flight, np.array([1.0])))
    with pytest.raises(SourceError, match="8 s in common"):
        hz.compare(track(flight, span_s=5), log(flight))
    with pytest.raises(SourceError, match="cut it to the 24 h"):
        hz.compare(track(flight), log(flight, np.array([0.0, 1e6])))
    still = made_track(np.arange(0, 60, 0.1), np.zeros(600), np.zeros(600))
    with pytest.raises(SourceError, match="move"):
        hz.compare(still, log(flight))


def test_rates_are_those_of_the_motion_and_gaps_are_not_bridged() -> None:
    time = np.arange(0, 30, 0.03)
    roll = 10 * np.sin(0.8 * time)
    keep = (time < 10) | (time > 12)
    motion = motion_of(Attitudes.of(time[keep], roll[keep], np.zeros(keep.sum())), what="it")
    true = np.radians(8 * np.cos(0.8 * motion.time_s)) * np.exp(-0.5 * (0.8 * 0.15) ** 2)
    speed = np.linalg.norm(motion.rate, axis=1)
    assert np.allclose(speed[motion.known], np.abs(true)[motion.known], atol=2e-3)
    assert not motion.is_known(np.array([10.5, 11.5, -1.0, 40.0])).any()
    assert motion.is_known(np.array([5.0, 20.0])).all()


def test_times_that_run_back_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """More than a few of them are told."""
    twice = np.concatenate([np.arange(0, 30, 0.1), np.arange(0, 10, 0.1)])
    told = "it: 100 of 400 samples are left out, as their times come again or run back"
    for times, line in ((twice, [told]), (twice[:302], [])):
        caplog.clear()
        motion_of(Attitudes.of(times, times * 0, times * 0), what="it")
        assert caplog.messages == line
    times = np.array([0.0, 1.0, 1.0, 0.5, 2.0, np.nan, 3.0])
    assert Attitudes.of(times, times * 0, times * 0).time_s.tolist() == [0.0, 1.0, 2.0, 3.0]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_rotations_are_those_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=(2, 9, 3))
    assert np.allclose(
        rotation_of(one.T @ other), Rotation.align_vectors(one, other)[0].as_matrix(), atol=1e-6
    )


@pytest.mark.parametrize("pitch_deg", [-90.0, -89.5, 89.9])
def test_a_log_whose_axes_point_up_has_no_false_errors(pitch_deg: float) -> None:
    """Roll and yaw of the mount are one angle there, whose split must not leak into the errors."""
    mount = hz.Mount(roll_deg=10.0, pitch_deg=pitch_deg)
    times = np.arange(0, 60, 0.04)
    angles = Flight(3).attitude(times)
    roll, pitch = roll_pitch_deg(up_vectors(*angles) @ mount.rotation)
    log = hz.AttitudeLog(time_s=times, roll_deg=roll, pitch_deg=pitch, name="a.csv", format="table")
    found = hz.compare(made_track(times, *angles), log)
    assert found.errors["all"].roll.rms_deg < 0.2
    assert found.errors["all"].pitch.rms_deg < 0.2


@pytest.mark.parametrize("wrong_s", [1e6, -1e6])
def test_one_wrong_time_leaves_the_others(wrong_s: float) -> None:
    times = np.array([0.0, 1.0, 2.0, wrong_s, 3.0, 4.0, 5.0])
    kept = Attitudes.of(times, np.zeros(7), np.zeros(7))
    assert kept.time_s.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@given(st.floats(-179, 179), st.floats(-89, 89))
def test_up_vectors_are_those_of_the_value(roll: float, pitch: float) -> None:
    expected = hz.UpVector.from_roll_pitch(roll, pitch).as_array()
    assert np.allclose(up_vectors(np.array([roll]), np.array([pitch]))[0], expected, atol=1e-12)


def test_errors_of_one_angle() -> None:
    errors = AxisErrors.of(np.array([1.0, -1.0, 3.0, 1.0]), np.array([0.6, 0.4, 2.0, np.nan]))
    assert (errors.bias_deg, errors.median_deg) == (1.0, 1.0)
    assert errors.rms_deg == pytest.approx(np.sqrt(3))
    assert errors.p95_deg == pytest.approx(2.7)
    assert errors.within_2_sigma == pytest.approx(2 / 3)


# --- the command


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder, flight = tmp_path_factory.mktemp("flight"), Flight(13)
    ours = track(flight, span_s=60)
    telemetry = write_telemetry(folder / "t.jsonl", ours.time_s, ours.roll_deg, ours.pitch_deg)
    times = np.arange(300, 400, 0.1)
    return telemetry, write_tlog(folder / "flight.tlog", times, *flight.attitude(times))


def test_the_command_tells_and_writes(files: tuple[Path, Path], tmp_path: Path, cli: RunCli) -> None:
    done = cli("compare", *files, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "offset, log time − time\t+312.3" in done.out
    assert "mounting offset, log → telemetry\troll +" in done.out
    values = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert values["offset_s"] == pytest.approx(OFFSET_S, abs=0.01)
    assert values["errors"]["all"]["frames"] == 1800
    with (tmp_path / "out" / "compare.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 1800
    row = {name: float(rows[900][name]) for name in rows[900] if name != "state"}
    assert row["roll_error_deg"] == pytest.approx(row["roll_deg"] - row["log_roll_deg"], abs=1e-4)
    assert row["log_time_s"] - row["time_s"] == pytest.approx(values["offset_s"], abs=0.01)
    page = (tmp_path / "out" / "compare.html").read_text()
    assert page.count("<svg") == page.count("</svg>") == 2
    assert "nan" not in page
    assert (tmp_path / "out" / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_refuses_in_one_line(files: tuple[Path, Path], tmp_path: Path, cli: RunCli) -> None:
    times = np.arange(0, 100, 0.1)
    other = write_csv(tmp_path / "b.csv", "time_s,roll_deg,pitch_deg", times, *Flight(99).attitude(times))
    done = cli("compare", files[0], other)
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("error: the rates of telemetry and log correlate by 0.")
    assert cli("compare", files[0], tmp_path / "none.csv").code == 1
