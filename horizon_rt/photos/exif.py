"""The orientation in EXIF data, which is a TIFF file in itself (EXIF 2.32, 4.5; TIFF 6.0, section 2).

Entries are changed in their place, so that all others, and notes of the maker with offsets in them, stay.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["TRANSPOSED", "orientation_of", "stored_angle", "upright", "with_upright"]

TRANSPOSED = frozenset({5, 6, 7, 8})
"""Orientations that swap width and height."""
_MIRRORED = frozenset({2, 4, 5, 7})
_ORIENTATION, _EXIF, _WIDTH, _HEIGHT = 0x0112, 0x8769, 0xA002, 0xA003
_SHORT, _LONG = 3, 4
_MOST_ENTRIES = 4096


class _Entry(NamedTuple):
    tag: int
    kind: int
    value_at: int


def orientation_of(data: bytes) -> int:
    """1 to 8, what the first folder of EXIF data says; 1 where it says nothing, or nonsense."""
    try:
        order, first = _head(data)
        for entry in _entries(data, order, first):
            if entry.tag == _ORIENTATION:
                value = int(struct.unpack_from(order + "H", data, entry.value_at)[0])
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def with_upright(data: bytes, size: tuple[int, int] | None = None) -> bytes:
    """The same EXIF data for an upright picture: orientation 1, its size in px, and no thumbnail.

    Without a size that and the thumbnail stay. What is damaged stays as it is from there on.
    """
    changed = bytearray(data)
    try:
        order, first = _head(data)
        for entry in _entries(data, order, first):
            if entry.tag == _ORIENTATION:
                struct.pack_into(order + "H", changed, entry.value_at, 1)
            elif entry.tag == _EXIF and size is not None:
                inner = struct.unpack_from(order + "I", data, entry.value_at)[0]
                _set_size(changed, order, inner, size)
        if size is not None:
            count = struct.unpack_from(order + "H", data, first)[0]
            struct.pack_into(order + "I", changed, first + 2 + 12 * count, 0)
    except struct.error:
        pass
    return bytes(changed)


def _set_size(data: bytearray, order: str, folder: int, size: tuple[int, int]) -> None:
    for entry in _entries(data, order, folder):
        if entry.tag in (_WIDTH, _HEIGHT) and entry.kind in (_SHORT, _LONG):
            value = size[entry.tag == _HEIGHT]
            struct.pack_into(order + "HI"[entry.kind == _LONG], data, entry.value_at, value)


def _head(data: bytes) -> tuple[str, int]:
    order = "<" if data[:2] == b"II" else ">"
    return order, struct.unpack_from(order + "I", data, 4)[0]


def _entries(data: bytes | bytearray, order: str, folder: int) -> Iterator[_Entry]:
    count = struct.unpack_from(order + "H", data, folder)[0]
    for number in range(min(count, _MOST_ENTRIES)):
        at = folder + 2 + 12 * number
        tag, kind = struct.unpack_from(order + "HH", data, at)
        yield _Entry(tag, kind, at + 8)


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """A picture (height, width, …) as it is to be seen, from how it is stored (EXIF 2.32, tag 274)."""
    if orientation in TRANSPOSED:
        pixels = pixels.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(pixels[rows, columns])


def stored_angle(angle_deg: float, orientation: int) -> float:
    """A small turn of the picture as it is seen, as one of the picture as it is stored."""
    return -angle_deg if orientation in _MIRRORED else angle_deg
