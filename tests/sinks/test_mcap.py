"""MCAP files, read by the format's own reader with its decoder of ROS 2 messages."""

from __future__ import annotations

import json
import math
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.cli import RunCli, lines, write_horizon
from support.sinks import context, frame, horizon, run_python

from horizon_rt.errors import OutputError
from horizon_rt.geometry import Mount
from horizon_rt.horizon import Horizon
from horizon_rt.sinks import open_telemetry
from horizon_rt.sinks.records import flatten
from horizon_rt.system.files import AtomicFile

reader = pytest.importorskip("mcap.reader", reason="needs the extra 'mcap'")
decoder = pytest.importorskip("mcap_ros2.decoder", reason="needs the extra 'mcap'")
exceptions = pytest.importorskip("mcap.exceptions")

IMU, DIAGNOSTICS = "/horizon/imu", "/horizon/diagnostics"
Message = tuple[str, int, Any]  # schema, log time in ns, what it says


def read(path: Path) -> dict[str, list[Message]]:
    """All messages by their topic; those before the end of a file that breaks off."""
    found: dict[str, list[Message]] = {IMU: [], DIAGNOSTICS: []}
    with path.open("rb") as file, suppress(exceptions.EndOfFile):
        opened = reader.NonSeekingReader(file, decoder_factories=[decoder.DecoderFactory()])
        for schema, channel, message, said in opened.iter_decoded_messages(log_time_order=False):
            assert channel.message_encoding == "cdr"
            found[channel.topic].append((schema.name, message.log_time, said))
    return found


def moving(one: Horizon, roll_dps: float, pitch_dps: float) -> Horizon:
    assert one.attitude is not None
    inverse = np.linalg.pinv(one.attitude.up.roll_pitch_jacobian())
    return replace(one, attitude=replace(one.attitude, rate=inverse @ np.radians([roll_dps, pitch_dps])))


FLIGHT = [
    horizon(0, roll=None, state="lost", view="sky", sd=None),
    horizon(1, roll=-35.0, pitch=12.5, sd=(0.4, 0.3), state="acquiring"),
    moving(horizon(2, roll=160.0, pitch=-40.0, sd=(2.0, 1.0)), 25.0, -7.0),
    moving(horizon(3, roll=20.0, pitch=60.0, sd=(5.0, 4.0), state="coasting"), -3.0, 11.0),
]


@pytest.fixture
def written(tmp_path: Path) -> tuple[dict[str, list[Message]], list[dict[str, Any]]]:
    """The messages of a flight, and its rows as JSON lines."""
    about = context()
    targets = [tmp_path / "t.mcap", tmp_path / "t.jsonl"]
    with ExitStack() as stack:
        one, other = (stack.enter_context(open_telemetry(target, about)) for target in targets)
        for said in FLIGHT:
            one.write(frame(said.frame), said)
            other.write(frame(said.frame), said)
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()[1:]]
    return read(tmp_path / "t.mcap"), rows


def test_diagnostics_hold_the_row_of_telemetry(written: Any) -> None:
    messages, rows = written
    levels = {"tracking": 0, "coasting": 1, "acquiring": 1, "lost": 2}
    assert len(messages[DIAGNOSTICS]) == len(rows) == 4
    for (schema, when_ns, said), row in zip(messages[DIAGNOSTICS], rows, strict=True):
        assert schema == "diagnostic_msgs/msg/DiagnosticArray"
        (status,) = said.status
        assert (status.name, status.message, status.hardware_id) == ("horizon", row["state"], "flight.mp4")
        assert status.level == levels[row["state"]]
        told = {pair.key: pair.value for pair in status.values}
        wanted = {key: value for key, value in flatten(row).items() if value is not None}
        assert told.keys() == wanted.keys()
        for key, value in wanted.items():
            assert told[key] == value if isinstance(value, str) else json.loads(told[key]) == value
        assert when_ns == pytest.approx(1e9 * row["time_s"], abs=1e6)
        assert said.header.stamp.sec * 10**9 + said.header.stamp.nanosec == when_ns
        assert said.header.frame_id == "camera_link"  # without a mount


def test_with_a_mount_it_is_the_attitude_of_the_vehicle(tmp_path: Path) -> None:
    mount = Mount(roll_deg=0.0, pitch_deg=-12.0)
    said = replace(FLIGHT[1], mount=mount)
    with open_telemetry(tmp_path / "t.mcap", replace(context(), mount=mount)) as sink:
        sink.write(frame(said.frame), said)
    ((_, _, imu),) = read(tmp_path / "t.mcap")[IMU]
    assert imu.header.frame_id == "base_link"
    q = imu.orientation
    assert said.up is not None
    up = Rotation.from_quat([q.x, q.y, q.z, q.w]).inv().apply([0.0, 0.0, 1.0])
    true = mount.vehicle_up(said.up).as_array()
    assert up == pytest.approx([true[2], -true[0], -true[1]], abs=1e-6)


def test_the_orientation_is_that_of_the_up_vector(written: Any) -> None:
    messages, rows = written
    with_angles = [row for row in rows if row["roll_deg"] is not None]
    assert len(messages[IMU]) == len(with_angles) == 3, "none without an estimate"
    for (schema, _, said), row, true in zip(messages[IMU], with_angles, FLIGHT[1:], strict=True):
        assert schema == "sensor_msgs/msg/Imu"
        q = said.orientation
        body = Rotation.from_quat([q.x, q.y, q.z, q.w])
        assert true.up is not None
        # Camera axes are right, down, forward; those of REP 103 forward, left, up.
        up = true.up.z, -true.up.x, -true.up.y
        assert body.inv().apply([0, 0, 1]) == pytest.approx(up, abs=1e-12)
        yaw, pitch, roll = body.as_euler("ZYX", degrees=True)
        assert (roll, -pitch, yaw) == pytest.approx((row["roll_deg"], row["pitch_deg"], 0.0), abs=1e-3)
        covariance = np.reshape(said.orientation_covariance, (3, 3))
        sds = np.degrees(np.sqrt(covariance.diagonal()))
        assert sds[:2] == pytest.approx([row["roll_sd_deg"], row["pitch_sd_deg"]], rel=1e-4)
        assert covariance[2, 2] >= 1e6
        assert np.count_nonzero(covariance) == 3
        assert said.linear_acceleration_covariance[0] == -1


def test_the_angular_velocity_is_that_of_the_body_or_said_to_be_unknown(written: Any) -> None:
    still, *turning = [said for _, _, said in written[0][IMU]]
    assert still.angular_velocity_covariance[0] == -1
    for said, true in zip(turning, FLIGHT[2:], strict=True):
        assert list(said.angular_velocity_covariance) == [0] * 9
        angles = np.array([0, -true.pitch_deg, true.roll_deg])
        step = np.array([0, -true.pitch_rate_dps, true.roll_rate_dps]) * 1e-6
        before, after = (Rotation.from_euler("ZYX", angles + k * step, degrees=True) for k in (-0.5, 0.5))
        v = said.angular_velocity
        assert (before.inv() * after).as_rotvec() / 1e-6 == pytest.approx([v.x, v.y, v.z], abs=1e-6)


def test_live_messages_carry_the_time_of_day(tmp_path: Path) -> None:
    moment = datetime(2026, 5, 4, 3, 2, 1, 234_567, tzinfo=UTC)
    with open_telemetry(tmp_path / "t.mcap", context()) as sink:
        sink.write(frame(0), replace(horizon(0), time_utc=moment))
    messages = read(tmp_path / "t.mcap")
    for topic in (IMU, DIAGNOSTICS):
        assert messages[topic][0][1] == int(moment.timestamp()) * 10**9 + 234_567_000


def test_the_header_is_the_metadata(tmp_path: Path) -> None:
    with open_telemetry(tmp_path / "t.mcap", context()):
        pass
    with (tmp_path / "t.mcap").open("rb") as file:
        (metadata,) = reader.make_reader(file).iter_metadata()
    head = json.loads(metadata.metadata["header"])
    assert (metadata.name, head["schema"]) == ("horizon-rt/1", "horizon-rt/1")
    assert (head["source"], head["width"], head["height"]) == ("flight.mp4", 96, 64)


def test_a_killed_run_leaves_what_is_older_than_a_second(tmp_path: Path) -> None:
    code = """
import os
from pathlib import Path
from support.sinks import context, frame, horizon
from horizon_rt.sinks import open_telemetry
sink = open_telemetry(Path(sys.argv[1]), context())
for index in range(300):
    sink.write(frame(index), horizon(index))
os.kill(os.getpid(), 9)
"""
    assert run_python(code, tmp_path / "t.mcap").returncode == -9
    assert not (tmp_path / "t.mcap").exists()
    messages = read(tmp_path / "t.mcap.partial")
    frames = [round(30 * when_ns / 1e9) for _, when_ns, _ in messages[DIAGNOSTICS]]
    assert frames == list(range(len(frames)))
    assert 300 - len(frames) <= 30


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = open_telemetry(tmp_path / "t.mcap", context())

    def full(self: AtomicFile, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AtomicFile, "write", full)

    def write() -> None:
        for index in range(300):
            sink.write(frame(index), horizon(index))

    with pytest.raises(OutputError, match="No space left"):
        write()
    sink.close()
    assert not (tmp_path / "t.mcap").exists()


@pytest.mark.parametrize("smooth", ["causal", "offline"])
def test_a_run_writes_both_alike(cli: RunCli, tmp_path: Path, smooth: str) -> None:
    clip = write_horizon(tmp_path / "clip.mkv")
    one, other = tmp_path / "t.mcap", tmp_path / "t.jsonl"
    done = cli("track", clip, "--telemetry", one, "--telemetry", other, "--smooth", smooth)
    assert done.code == 0, done.err
    rows = [row for row in lines(other)[1:] if row["roll_deg"] is not None]
    said = read(one)[IMU]
    assert len(said) == len(rows) > 0
    for (_, _, message), row in zip(said, rows, strict=True):
        assert math.degrees(2 * math.atan2(message.orientation.x, message.orientation.w)) == pytest.approx(
            row["roll_deg"], abs=0.5
        )
