"""Struct arrays of numbers from MATLAB files of version 5 to 7 (not 7.3, which is HDF5).

MathWorks, 'MAT-File Format', R2023b: a header of 128 bytes, then data elements of a type, a length and
data, padded to 8 bytes; elements may be deflated. Only what a struct of numbers needs is read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from horizon_rt.errors import DatasetError

__all__ = ["is_mat_file", "read_struct_array"]

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_STRUCT_CLASS = 2
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_LARGEST = 1 << 25  # bytes, inflated; the truth of an hour of video has less than a tenth


def is_mat_file(path: Path) -> bool:
    """Whether the file begins as MATLAB files of version 5 and later do."""
    try:
        with path.open("rb") as file:
            return file.read(6) == b"MATLAB"
    except OSError:
        return False


def read_struct_array(path: Path, fields: tuple[str, ...]) -> list[tuple[float, ...]]:
    """The first value of each of these fields, for all elements of the first struct array that has them.

    NaN stands for an empty field. Raises DatasetError with the file and what is wrong.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST} bytes")
        data, room = path.read_bytes(), _LARGEST
        order = _byte_order(data)
        for kind, body in _elements(memoryview(data)[_HEADER:], order):
            if kind == _COMPRESSED:
                inflated = _inflated(body, room)
                room -= len(inflated)
                kind, body = _next(_elements(inflated, order))
            found = _struct_values(body, order, fields) if kind == _MATRIX else None
            if found is not None:
                return found
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, OverflowError, struct.error, zlib.error) as error:
        raise DatasetError(f"{path} is no readable MATLAB file: {error}") from error
    raise DatasetError(f"{path} holds no struct with the fields {', '.join(fields)}")


def _byte_order(data: bytes) -> str:
    mark = data[126:128]
    if not data.startswith(b"MATLAB 5.0") or mark not in (b"IM", b"MI"):
        raise ValueError("it is not of version 5 to 7; save it with -v7")
    return "<" if mark == b"IM" else ">"


def _inflated(body: memoryview, room: int) -> memoryview:
    inflate = zlib.decompressobj()
    data = inflate.decompress(body, room + 1)
    if len(data) > room:
        raise ValueError(f"it inflates to more than {_LARGEST} bytes")
    return memoryview(data)


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """The (type, data) elements one after the other."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        if kind >> 16:  # small element: length and type in 4 bytes, data in the next 4
            kind, size, start, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
            if size > 4:
                raise ValueError(f"a small element has at most 4 bytes, not {size}")
        else:
            start = at + 8
            end = start + size + (-size % 8 if kind != _COMPRESSED else 0)
        if start + size > len(data):
            raise ValueError("it ends within an element")
        yield kind, data[start : start + size]
        at = end


def _next(parts: Iterator[tuple[int, memoryview]]) -> tuple[int, memoryview]:
    """The next element; a StopIteration would be a RuntimeError where a generator asks for it."""
    found = next(parts, None)
    if found is None:
        raise ValueError("it ends where an element is needed")
    return found


@dataclass(frozen=True, slots=True)
class _Array:
    """Class, element count and the parts after the name of a matrix element."""

    kind: int
    count: int
    parts: Iterator[tuple[int, memoryview]]


def _array(body: memoryview, order: str) -> _Array:
    parts = _elements(body, order)
    flags, dimensions = _values(_next(parts), order), _values(_next(parts), order)
    _next(parts)  # the name
    return _Array(int(flags[0]) & 0xFF, int(np.prod(dimensions.astype(np.float64))), parts)


def _values(element: tuple[int, memoryview], order: str) -> np.ndarray:
    kind, data = element
    if kind not in _NUMBERS:
        raise ValueError(f"numbers are needed where there is data of type {kind}")
    values = np.frombuffer(data, np.dtype(order + _NUMBERS[kind]))
    if len(values) == 0:
        raise ValueError("numbers are needed where there are none")
    return values


def _struct_values(body: memoryview, order: str, fields: tuple[str, ...]) -> list[tuple[float, ...]] | None:
    array = _array(body, order)
    if array.kind != _STRUCT_CLASS:
        return None
    length = int(_values(_next(array.parts), order)[0])
    names = _names(_next(array.parts)[1], length)
    if not set(fields) <= set(names):
        return None
    rows = []
    for _ in range(array.count):
        cells = {name: _next(array.parts)[1] for name in names}
        rows.append(tuple(_number(cells[name], order) for name in fields))
    return rows


def _names(data: memoryview, length: int) -> list[str]:
    if length < 1:
        raise ValueError(f"field names have at least 1 byte, not {length}")
    raw = bytes(data)
    return [raw[i : i + length].split(b"\0")[0].decode("latin-1") for i in range(0, len(raw), length)]


def _number(body: memoryview, order: str) -> float:
    if not body:
        return float("nan")
    array = _array(body, order)
    return float(_values(_next(array.parts), order)[0]) if array.count else float("nan")
