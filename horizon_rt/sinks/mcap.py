"""Telemetry as ROS 2 messages in an MCAP file, which ROS 2, Foxglove and PlotJuggler open.

/horizon/imu is a sensor_msgs/Imu in the axes of REP 103 (x forward, y left, z up), wherefore pitch is
positive nose down there. /horizon/diagnostics holds the row of telemetry.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcap_ros2.writer import Writer

from horizon_rt.geometry import roll_pitch_quaternion
from horizon_rt.sinks.base import RecordSink, SinkContext
from horizon_rt.sinks.records import SCHEMA, flatten, header
from horizon_rt.sinks.ros_messages import DIAGNOSTICS, IMU
from horizon_rt.system.files import AtomicFile

if TYPE_CHECKING:
    from horizon_rt.horizon import Horizon

__all__ = ["McapSink"]

_CHUNK_BYTES = 16384  # what a killed run loses at most: less than a second of 30 frames/s
_HUGE = 1e6  # rad², of the heading, which no horizon tells
_NOT_THERE = [-1.0] + 8 * [0.0]
_UNKNOWN = 9 * [0.0]
_LEVELS = {"tracking": 0, "coasting": 1, "acquiring": 1, "lost": 2}


class McapSink(RecordSink):
    """Writes an Imu message for each frame with an attitude, and a DiagnosticArray for each frame.

    Messages are stamped with the time of day for live sources, else with the time in the recording. The
    header of telemetry is the file's metadata. A file under its partial name opens like any other, and is
    read up to its last whole chunk where the run was killed.
    """

    def __init__(self, target: Path | str, context: SinkContext) -> None:
        """Open the file and write its head; raises OutputError."""
        self._still, self._source = context.is_image_set, context.source
        self._file = AtomicFile(target)
        self._put_out(lambda: self._open(context))

    def _open(self, context: SinkContext) -> None:
        self._writer = Writer(self._file, chunk_size=_CHUNK_BYTES)  # type: ignore[arg-type]
        self._imu = self._writer.register_msgdef("sensor_msgs/msg/Imu", IMU)
        self._diagnostics = self._writer.register_msgdef("diagnostic_msgs/msg/DiagnosticArray", DIAGNOSTICS)
        self._writer.add_metadata(SCHEMA, {"header": json.dumps(header(context))})

    def put(self, horizon: Horizon) -> None:
        """See `RecordSink`."""
        when_ns = _stamp_ns(horizon)
        seconds, nanoseconds = divmod(when_ns, 1_000_000_000)
        head = {"stamp": {"sec": seconds, "nanosec": nanoseconds}, "frame_id": _frame_id(horizon)}
        state = {"header": head, "status": [_status(horizon, self._source)]}

        def write() -> None:
            if horizon.attitude is not None:
                imu = {"header": head, **_imu(horizon)}
                self._writer.write_message("/horizon/imu", self._imu, imu, when_ns, sequence=horizon.frame)
            self._writer.write_message(
                "/horizon/diagnostics", self._diagnostics, state, when_ns, sequence=horizon.frame
            )

        self._put_out(write)

    def _put_out(self, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as error:
            self._file.close()
            raise self._file.failure(error) from error

    def _finish(self) -> None:
        self._put_out(self._writer.finish)
        self._file.commit()

    def _abandon(self) -> None:
        self._put_out(self._writer.finish)
        self._file.close()


def _frame_id(horizon: Horizon) -> str:
    """Of what the attitude is (REP 105)."""
    return "camera_link" if horizon.mount is None else "base_link"


def _stamp_ns(horizon: Horizon) -> int:
    if horizon.time_utc is None:
        return max(0, round(1e9 * horizon.time_s))
    return 1000 * round(1e6 * horizon.time_utc.timestamp())


def _imu(horizon: Horizon) -> dict[str, Any]:
    """What a sensor_msgs/Imu says of a horizon; its acceleration is not there."""
    roll, pitch = math.radians(horizon.roll_deg or 0.0), math.radians(horizon.pitch_deg or 0.0)
    variances = (horizon.roll_sd_deg, horizon.pitch_sd_deg)
    roll_variance, pitch_variance = (math.radians(sd or 0.0) ** 2 for sd in variances)
    rates, known = _angular_velocity(horizon, roll)
    w, x, y, z = roll_pitch_quaternion(roll, -pitch)
    return {
        "orientation": {"x": x, "y": y, "z": z, "w": w},
        "orientation_covariance": [roll_variance, 0.0, 0.0, 0.0, pitch_variance, 0.0, 0.0, 0.0, _HUGE],
        "angular_velocity": dict(zip("xyz", rates, strict=True)),
        "angular_velocity_covariance": _UNKNOWN if known else _NOT_THERE,
        "linear_acceleration": {"x": 0.0, "y": 0.0, "z": 0.0},
        "linear_acceleration_covariance": _NOT_THERE,
    }


def _angular_velocity(horizon: Horizon, roll: float) -> tuple[tuple[float, float, float], bool]:
    """About the axes of the body, in rad/s, without the turn of the heading; whether it is known."""
    if horizon.roll_rate_dps is None or horizon.pitch_rate_dps is None:
        return (0.0, 0.0, 0.0), False
    pitch_rate = math.radians(horizon.pitch_rate_dps)
    about = math.radians(horizon.roll_rate_dps), -pitch_rate * math.cos(roll), pitch_rate * math.sin(roll)
    return about, True


def _status(horizon: Horizon, source: str) -> dict[str, Any]:
    row = flatten(horizon.to_dict())
    return {
        "level": _LEVELS[horizon.state],
        "name": "horizon",
        "message": horizon.state,
        "hardware_id": source,
        "values": [
            {"key": key, "value": value if isinstance(value, str) else json.dumps(value)}
            for key, value in row.items()
            if value is not None
        ],
    }
