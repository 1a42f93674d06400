"""Folders of tags in TIFF files (TIFF 6.0, section 2), read and written in either byte order."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

__all__ = [
    "Tag",
    "byte_order",
    "entries",
    "first_folder",
    "following_at",
    "long_tag",
    "read_folder",
    "write_folder",
]

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_NUMBERS = {3: 2, 8: 2, 4: 4, 5: 4, 9: 4, 10: 4, 11: 4, 13: 4, 12: 8}
"""Bytes of a value of a kind, and of the numbers that it is made of where it is made of any."""
_MOST_TAGS = 4096


@dataclass(frozen=True, slots=True)
class Tag:
    """A value of a kind in a byte order, '<' or '>'."""

    kind: int
    data: bytes
    order: str

    @property
    def number(self) -> int:
        """The first number of a BYTE, SHORT or LONG."""
        size = min(_SIZES.get(self.kind, 1), 4)
        return int.from_bytes(self.data[:size], "little" if self.order == "<" else "big")

    def ordered(self, order: str) -> Tag:
        """The same value in a byte order."""
        size = _NUMBERS.get(self.kind)
        if order == self.order or size is None:
            return replace(self, order=order)
        return Tag(self.kind, np.frombuffer(self.data, f"u{size}").byteswap().tobytes(), order)


def long_tag(value: int, order: str) -> Tag:
    """A LONG."""
    return Tag(4, struct.pack(order + "I", value), order)


class _Entry(NamedTuple):
    """A tag, the kind and number of its values, and where they lie, or else where that is said."""

    tag: int
    kind: int
    number: int
    value_at: int


def byte_order(data: bytes | bytearray) -> str:
    """'<' or '>', from the head of a file."""
    return "<" if data[:2] == b"II" else ">"


def first_folder(data: bytes) -> int:
    """Where the first folder lies; raises struct.error."""
    return int(struct.unpack_from(byte_order(data) + "I", data, 4)[0])


def entries(data: bytes | bytearray, folder: int) -> Iterator[_Entry]:
    """Those of a folder one by one; raises struct.error where the data end."""
    order = byte_order(data)
    count = struct.unpack_from(order + "H", data, folder)[0]
    for at in range(folder + 2, folder + 2 + 12 * min(count, _MOST_TAGS), 12):
        tag, kind, number = struct.unpack_from(order + "HHI", data, at)
        yield _Entry(tag, kind, number, at + 8)


def following_at(data: bytes | bytearray, folder: int) -> int:
    """Where a folder says where the next one lies; raises struct.error."""
    return folder + 2 + 12 * int(struct.unpack_from(byte_order(data) + "H", data, folder)[0])


def read_folder(data: bytes, at: int) -> tuple[dict[int, Tag], int]:
    """The tags of a folder and where the next one lies, 0 for none; raises struct.error.

    Tags of unknown kinds, and those whose value lies outside the file, are left out.
    """
    order, tags = byte_order(data), dict[int, Tag]()
    for tag, kind, number, value_at in entries(data, at):
        size = _SIZES.get(kind, 0) * number
        start = value_at if size <= 4 else struct.unpack_from(order + "I", data, value_at)[0]
        if size and start + size <= len(data):
            tags.setdefault(tag, Tag(kind, data[start : start + size], order))
    return tags, int(struct.unpack_from(order + "I", data, following_at(data, at))[0])


def write_folder(tags: Mapping[int, Tag], order: str, at: int) -> bytes:
    """A folder that is to lie at an even place of a file, without one that follows."""
    entries, values = b"", b""
    beyond = at + 2 + 12 * len(tags) + 4
    for tag, one in sorted(tags.items()):
        value = one.ordered(order)
        entries += struct.pack(order + "HHI", tag, value.kind, len(value.data) // _SIZES[value.kind])
        if len(value.data) <= 4:
            entries += value.data.ljust(4, b"\0")
        else:
            entries += struct.pack(order + "I", beyond + len(values))
            values += value.data + b"\0" * (len(value.data) % 2)
    return struct.pack(order + "H", len(tags)) + entries + bytes(4) + values
