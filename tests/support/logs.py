"""Logs of flights after the specifications of their formats, and telemetry of the same frames."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.metadata import klv

Array = NDArray[np.float64]


def write_telemetry(path: Path, time_s: Array, roll: Array, pitch: Array, **columns: Any) -> Path:
    """Telemetry as JSON lines; `state`, `roll_sd_deg`, `pitch_sd_deg` (n,) and `header` are optional."""
    head = {
        "schema": "horizon-rt/1", "source": "flight.mp4", "width": 640, "height": 480, "camera": {},
        **columns.get("header", {}),
    }  # fmt: skip
    rows = [head]
    states = columns.get("state", ["tracking"] * len(time_s))
    sds = [columns.get(name, np.full(len(time_s), 0.5)) for name in ("roll_sd_deg", "pitch_sd_deg")]
    for k, time in enumerate(time_s.tolist()):
        known = np.isfinite(roll[k])
        values = [roll[k], pitch[k], sds[0][k], sds[1][k]]
        names = ("roll_deg", "pitch_deg", "roll_sd_deg", "pitch_sd_deg")
        angles = {name: round(float(v), 6) if known else None for name, v in zip(names, values, strict=True)}
        rows.append(
            {"frame": k, "time_s": round(time, 6), "state": str(states[k]), "view": "horizon", **angles}
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_csv(path: Path, head: str, *columns: Sequence[float] | Array) -> Path:
    """A table with this head."""
    rows = [",".join(map(repr, map(float, row))) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([head, *rows, ""]))
    return path


def write_tlog(
    path: Path, time_s: Array, roll: Array, pitch: Array, *, boots_at: float = 0.0, others: bool = True
) -> Path:
    """MAVLink packets of an autopilot, each after its time of receipt (µs, big endian)."""
    from pymavlink.dialects.v20 import common

    out = io.BytesIO()
    mav, station = (
        common.MAVLink(io.BytesIO(), srcSystem=s, srcComponent=c) for s, c in ((1, 1), (255, 190))
    )

    def put(sender: Any, message: Any, time: float) -> None:
        out.write(struct.pack(">Q", int(1_700_000_000_000_000 + 1e6 * time)) + message.pack(sender))
        sender.seq = (sender.seq + 1) % 256

    for k, time in enumerate(time_s.tolist()):
        if others and k % 10 == 0:
            put(mav, mav.heartbeat_encode(1, 3, 81, 0, 4), time)
            put(station, station.attitude_encode(0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0), time)
        boot_ms = round(1e3 * (time - boots_at))
        angles = float(np.radians(roll[k])), float(np.radians(pitch[k]))
        put(mav, mav.attitude_encode(boot_ms, *angles, 0.5, 0.0, 0.0, 0.0), time)
    path.write_bytes(out.getvalue())
    return path


_HEAD = b"\xa3\x95"
_FMT, _ATT, _NOISE = 128, 130, 131


def write_gopro(path: Path, time_s: Array, roll: Array, pitch: Array, *, per_payload: int = 20) -> Path:
    """A film's metadata track with gravity for every frame and a picture that stabilisation has turned."""
    import av
    from scipy.spatial.transform import Rotation

    turned = Rotation.from_rotvec(0.1 * np.sin(time_s[:, None] * (1.0, 1.3, 0.7)))
    r, p = np.radians(roll), np.radians(pitch)
    gravity = np.column_stack([np.cos(p) * np.sin(r), np.cos(p) * np.cos(r), -np.sin(p)])
    body = np.round(32767 * turned.inv().apply(np.nan_to_num(gravity))).astype(">i2")
    orientation = np.round(32767 * np.roll(turned.as_quat(), 1, axis=1)).astype(">i2")  # w first
    step = float(np.median(np.diff(time_s)))
    with av.open(path, "w", format="mp4") as film:
        track = film.add_data_stream("bin_data")
        track.time_base = Fraction(1, 100_000)
        for first in range(0, len(time_s), per_payload):
            part = slice(first, first + per_payload)
            streams = ((b"IORI", 8, orientation[part].tobytes()), (b"GRAV", 6, body[part].tobytes()))
            scale = klv(b"SCAL", b"s", 2, struct.pack(">h", 32767))
            inner = b"".join(klv(b"STRM", b"", 1, scale + klv(k, b"s", size, v)) for k, size, v in streams)
            packet = av.Packet(klv(b"DEVC", b"", 1, klv(b"DVNM", b"c", 1, b"HERO11 Black") + inner))
            packet.stream, packet.time_base = track, track.time_base
            packet.pts = packet.dts = round(100_000 * time_s[first])
            packet.duration = round(100_000 * step * len(time_s[part]))
            film.mux(packet)
    return path


def write_dataflash(path: Path, time_s: Array, roll: Array, pitch: Array) -> Path:
    """An ArduPilot DataFlash log: FMT messages that describe the others, ATT in hundredths of a degree."""
    out = bytearray()
    for kind, length, name, layout, columns in (
        (_FMT, 89, "FMT", "BBnNZ", "Type,Length,Name,Format,Columns"),
        (
            _ATT,
            3 + 8 + 12 + 2 + 2,
            "ATT",
            "QccccCCCC",
            "TimeUS,DesRoll,Roll,DesPitch,Pitch,DesYaw,Yaw,ErrRP,ErrYaw",
        ),
        (_NOISE, 3 + 8 + 4, "RATE", "Qf", "TimeUS,R"),
    ):
        out += _HEAD + struct.pack(
            "<BBB4s16s64s", _FMT, kind, length, name.encode(), layout.encode(), columns.encode()
        )
    for time, r, p in zip(time_s.tolist(), roll.tolist(), pitch.tolist(), strict=True):
        us, hundredths = round(1e6 * time), (0, round(100 * r), 0, round(100 * p))
        out += _HEAD + struct.pack("<BQhhhhHHHH", _ATT, us, *hundredths, 0, 9000, 0, 0)
        out += _HEAD + struct.pack("<BQf", _NOISE, us, 0.5)
    path.write_bytes(out)
    return path


def write_ulog(path: Path, time_s: Array, roll: Array, pitch: Array, yaw: float = 40.0) -> Path:
    """A PX4 ULog: header, flags, the format of vehicle_attitude, its number, and quaternions (w, x, y, z)."""
    out = bytearray(b"ULog\x01\x12\x35\x01" + struct.pack("<Q", 1_000_000))

    def put(kind: str, data: bytes) -> None:
        out.extend(struct.pack("<HB", len(data), ord(kind)) + data)

    put("B", bytes(40))
    put("F", b"vehicle_attitude:uint64_t timestamp;uint64_t timestamp_sample;float[4] q;"
             b"float[4] delta_q_reset;uint8_t quat_reset_counter;uint8_t[7] _padding0;")  # fmt: skip
    put("F", b"cpuload:uint64_t timestamp;float load;")
    put("A", struct.pack("<BH", 0, 7) + b"vehicle_attitude")
    put("A", struct.pack("<BH", 0, 8) + b"cpuload")
    for time, r, p in zip(
        time_s.tolist(), np.radians(roll).tolist(), np.radians(pitch).tolist(), strict=True
    ):
        us = round(1e6 * time)
        q = _quaternion(r, p, np.radians(yaw))
        put("D", struct.pack("<HQQ8fB", 7, us, max(us - 100, 0), *q, 1.0, 0.0, 0.0, 0.0, 0))
        put("D", struct.pack("<HQf", 8, us, 0.5))
    path.write_bytes(out)
    return path


def _quaternion(roll: float, pitch: float, yaw: float) -> tuple[float, ...]:
    from scipy.spatial.transform import Rotation

    x, y, z, w = Rotation.from_euler("ZYX", [yaw, pitch, roll]).as_quat()
    return float(w), float(x), float(y), float(z)
