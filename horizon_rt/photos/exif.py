"""The orientation in EXIF data, which is a TIFF file in itself (EXIF 2.32, 4.5; TIFF 6.0, section 2).

Entries are changed in their place, so that all others, and notes of the maker with offsets in them, stay.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.imaging.tag_folders import byte_order, entries, first_folder, following_at

__all__ = ["TRANSPOSED", "orientation_of", "stored_angle", "upright", "with_upright"]

TRANSPOSED = frozenset({5, 6, 7, 8})
"""Orientations that swap width and height."""
_MIRRORED = frozenset({2, 4, 5, 7})
_ORIENTATION, _EXIF, _WIDTH, _HEIGHT = 0x0112, 0x8769, 0xA002, 0xA003
_SHORT, _LONG = 3, 4


def orientation_of(data: bytes) -> int:
    """1 to 8, what the first folder of EXIF data says; 1 where it says nothing, or nonsense."""
    try:
        order = byte_order(data)
        for entry in entries(data, first_folder(data)):
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
        order, first = byte_order(data), first_folder(data)
        for entry in entries(data, first):
            if entry.tag == _ORIENTATION:
                struct.pack_into(order + "H", changed, entry.value_at, 1)
            elif entry.tag == _EXIF and size is not None:
                inner = struct.unpack_from(order + "I", data, entry.value_at)[0]
                _set_size(changed, inner, size)
        if size is not None:
            struct.pack_into(order + "I", changed, following_at(data, first), 0)
    except struct.error:
        pass
    return bytes(changed)


def _set_size(data: bytearray, folder: int, size: tuple[int, int]) -> None:
    order = byte_order(data)
    for entry in entries(data, folder):
        if entry.tag in (_WIDTH, _HEIGHT) and entry.kind in (_SHORT, _LONG):
            value = size[entry.tag == _HEIGHT]
            struct.pack_into(order + "HI"[entry.kind == _LONG], data, entry.value_at, value)


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
