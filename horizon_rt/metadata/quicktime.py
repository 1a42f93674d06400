"""User data of MP4 and MOV files: the boxes `udta` and `meta` of the movie and its tracks (ISO/IEC 14496-12;
QuickTime File Format, "Metadata").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

__all__ = ["UserData", "user_data"]

_LARGEST = 4 << 20
_MOST_BOXES = 4096
_READ = (b"udta", b"meta")


class UserData(NamedTuple):
    """Boxes of user data by their type, with their bodies, and metadata by key, as text or a number."""

    boxes: dict[bytes, bytes]
    keys: dict[str, str | float]


def user_data(path: Path) -> UserData:
    """Those of a file; empty for one that is none, or damaged. The first of a name counts. Raises OSError."""
    found = UserData({}, {})
    with path.open("rb") as file:
        size = file.seek(0, 2)
        budget = [_MOST_BOXES]
        for kind, start, end in _file_boxes(file, 0, size, budget):
            if kind == b"moov":
                _take(file, start, end, found, budget)
                break
    return found


def _take(file: BinaryIO, start: int, end: int, found: UserData, budget: list[int]) -> None:
    for kind, first, last in _file_boxes(file, start, end, budget):
        if kind == b"trak":
            _take(file, first, last, found, budget)
        elif kind in _READ and last - first <= _LARGEST:
            file.seek(first)
            _parse(kind, file.read(last - first), found)


def _file_boxes(file: BinaryIO, start: int, end: int, budget: list[int]) -> Iterator[tuple[bytes, int, int]]:
    """Type, and where the body begins and ends, of each box; what is damaged ends them."""
    while start + 8 <= end and budget[0] > 0:
        budget[0] -= 1
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind = struct.unpack_from(">I4s", head)
        body = start + 8
        if size == 1 and len(head) == 16:
            size, body = struct.unpack_from(">Q", head, 8)[0], start + 16
        last = end if size == 0 else start + size
        if not body <= last <= end:
            return
        yield kind, body, last
        start = last


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(_MOST_BOXES):
        if at + 8 > len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            return
        yield kind, data[at + 8 : at + size]
        at += size


def _parse(kind: bytes, body: bytes, found: UserData) -> None:
    if kind == b"meta":
        _keys(body, found)
        return
    for name, value in _boxes(body):
        if name == b"meta":
            _keys(value, found)
        else:
            found.boxes.setdefault(name, value)


def _keys(body: bytes, found: UserData) -> None:
    """A `meta` with its `keys` and `ilst`; in MP4 its version comes first."""
    inner = dict(_boxes(body)) or dict(_boxes(body[4:]))
    if b"keys" not in inner:
        inner = dict(_boxes(body[4:]))
    names = [name for _, name in _boxes(inner.get(b"keys", b"")[8:])]
    for index, value in _boxes(inner.get(b"ilst", b"")):
        place = int.from_bytes(index, "big") - 1
        if 0 <= place < len(names):
            for kind, data in _boxes(value):
                if kind == b"data" and len(data) >= 8:
                    name = names[place].decode("utf-8", "replace")
                    found.keys.setdefault(name, _value(data))


def _value(data: bytes) -> str | float:
    """By the well-known types: UTF-8 text, integers, floats."""
    kind, body = int.from_bytes(data[:4], "big"), data[8:]
    if kind in (23, 24) and len(body) == (4 if kind == 23 else 8):
        return float(struct.unpack(">f" if kind == 23 else ">d", body)[0])
    if kind in (21, 22, 65, 66, 67, 74, 75, 76, 77, 78) and 1 <= len(body) <= 8:
        return float(int.from_bytes(body, "big", signed=kind in (21, 65, 66, 67, 74)))
    return body.decode("utf-8", "replace").strip("\0 ")
