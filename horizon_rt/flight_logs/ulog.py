"""PX4's logs (.ulg): vehicle_attitude, after the ULog file format (docs.px4.io, 'ULog File Format').

A message is its size (two bytes), its type (a letter) and its content. F describes the fields of a topic, A
gives a topic its number, D holds its values. The reader of pyulog never ends on some damaged files.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from horizon_rt.flight_logs.samples import Samples, check_count

__all__ = ["ULOG_MAGIC", "read_ulog"]

ULOG_MAGIC = b"ULog\x01\x12\x35"
_START = 16  # of the messages, after magic, version and time
_HEAD = struct.Struct("<HB")
_SYNC = b"\x2f\x73\x13\x20\x25\x0c\xbb\x12"
_TYPES = frozenset(b"BFIMPQALCDORS")
_SIZES = {
    "int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "int64_t": 8,
    "uint64_t": 8, "float": 4, "double": 8, "bool": 1, "char": 1,
}  # fmt: skip
_FIELD = re.compile(r"(\w+?)(?:\[(\d{1,5})\])? (\w+)")
_TOPIC = b"vehicle_attitude"
_QUATERNION, _TIME = struct.Struct("<4f"), struct.Struct("<Q")


def read_ulog(path: Path) -> Samples:
    """vehicle_attitude: the time since boot in seconds, and roll and pitch in degrees of the quaternion that
    turns body axes into those of the world; raises OSError and ValueError.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        rows = _rows(data)
    time_us, w, x, y, z = np.array(rows, np.float64).reshape(-1, 5).T
    norm = np.where((size := np.sqrt(w * w + x * x + y * y + z * z)) > 0.5, size, np.nan)
    roll = np.arctan2(2 * (w * x + y * z), w * w - x * x - y * y + z * z)
    pitch = np.arcsin(np.clip(2 * (w * y - x * z) / norm**2, -1.0, 1.0))
    return 1e-6 * time_us, np.degrees(roll), np.degrees(pitch)


def _rows(data: mmap.mmap) -> list[tuple[float, ...]]:
    """Time in µs and quaternion (w, x, y, z) of each sample of the first attitude."""
    fields: dict[str, int] | None = None
    number: int | None = None
    rows = []
    for kind, start, size in _messages(data):
        if kind == b"F" and data[start : start + len(_TOPIC) + 1] == _TOPIC + b":":
            fields = _offsets(data[start + len(_TOPIC) + 1 : start + size].decode("ascii", "replace"))
        elif kind == b"A" and number is None:
            number = _number(data, start, size)
        elif kind == b"D" and fields is not None and _is_of(number, data, start, size, fields["size"]):
            rows.append(_sample(data, start + 2, fields))
            check_count(len(rows))
    return rows


def _is_of(number: int | None, data: mmap.mmap, start: int, size: int, needed: int) -> bool:
    """Whether a D message is a whole one of the topic with this number."""
    return size >= needed + 2 and struct.unpack("<H", data[start : start + 2])[0] == number


def _sample(data: mmap.mmap, start: int, fields: dict[str, int]) -> tuple[float, ...]:
    time = _TIME.unpack_from(data, start + fields["timestamp"])
    return (*time, *_QUATERNION.unpack_from(data, start + fields["q"]))


def _number(data: mmap.mmap, start: int, size: int) -> int | None:
    """That which an A message gives to the first attitude, if it is about that."""
    if data[start : start + 1] != b"\0" or data[start + 3 : start + size] != _TOPIC:
        return None
    return int(struct.unpack("<H", data[start + 1 : start + 3])[0])


def _messages(data: mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Letter, start and size of the content of each message; after damage, from the next sync message on."""
    place, ends = _START, [len(data)]
    while place + _HEAD.size <= len(data):
        size, letter = _HEAD.unpack_from(data, place)
        start = place + _HEAD.size
        end = next((end for end in ends if end > place), len(data))
        if letter == ord("B") and size >= 40:
            ends = (
                sorted({*struct.unpack_from("<3Q", data, start + 16), len(data)} - {0})
                if len(data) >= start + 40
                else ends
            )
        if start + size > end:  # a crash cut it off; what was appended begins at the end
            place = end
        elif letter not in _TYPES or size == 0:
            sync = data.find(_SYNC, place)
            place = sync + len(_SYNC) if sync >= 0 else len(data)
        else:
            yield bytes([letter]), start, size
            place = start + size


def _offsets(text: str) -> dict[str, int]:
    """Where in a sample its time and quaternion stand, and how long it is up to there; raises ValueError."""
    found, place = {}, 0
    for field in text.split(";"):
        if not (match := _FIELD.fullmatch(field.strip())) or match[1] not in _SIZES:
            break
        size = _SIZES[match[1]] * int(match[2] or 1)
        if (match[3], match[1], match[2]) in (("timestamp", "uint64_t", None), ("q", "float", "4")):
            found[match[3]] = place
            found["size"] = place + size
        place += size
    if not {"timestamp", "q"} <= found.keys():
        raise ValueError("vehicle_attitude has no timestamp and q")
    return found
