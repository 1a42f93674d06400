"""ArduPilot's DataFlash logs (.bin): ATT messages, by the FMT messages that describe them.

A message is A3 95, its type (one byte) and its values; FMT (type 128) gives the length of each type, the
characters of its values and their names (ArduPilot, libraries/AP_Logger/LogStructure.h). The reader of
pymavlink never ends on a log whose FMT gives a length of 0, and writes a line for every byte that is none.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from horizon_rt.flight_logs.samples import Samples, check_count

__all__ = ["read_dataflash"]

_HEAD = b"\xa3\x95"
_FMT, _FMT_LENGTH = 128, 89
_FMT_VALUES = struct.Struct("<BB4s16s64s")
_CODES = {
    "b": "b", "B": "B", "h": "h", "H": "H", "i": "i", "I": "I", "q": "q", "Q": "Q", "f": "f", "d": "d",
    "M": "B", "n": "4s", "N": "16s", "Z": "64s", "a": "64s", "c": "h", "C": "H", "e": "i", "E": "I",
    "L": "i", "g": "e",
}  # fmt: skip
"""The characters of FMT as those of `struct`."""
_FACTORS = {"c": 0.01, "C": 0.01, "e": 0.01, "E": 0.01, "L": 1e-7}
_TIMES_S = {"TimeUS": 1e-6, "TimeMS": 1e-3}  # the second before ArduPilot 3.2


@dataclass(frozen=True, slots=True)
class _Layout:
    """How to take time, roll and pitch out of an ATT message: its struct, and place and factor of each."""

    values: struct.Struct
    picked: tuple[tuple[int, float], ...]

    @classmethod
    def of(cls, length: int, characters: str, names: list[str]) -> _Layout | None:
        """None where it does not hold the three or its length is wrong."""
        time = next((name for name in _TIMES_S if name in names), None)
        if time is None or not {"Roll", "Pitch"} <= set(names) or not set(characters) <= _CODES.keys():
            return None
        values = struct.Struct("<" + "".join(_CODES[one] for one in characters))
        if values.size + 3 != length or len(names) != len(characters):
            return None
        places = [names.index(name) for name in (time, "Roll", "Pitch")]
        if set("nNZa") & {characters[place] for place in places}:
            return None
        factors = [_FACTORS.get(characters[place], 1.0) for place in places]
        return cls(values, ((places[0], _TIMES_S[time]), *zip(places[1:], factors[1:], strict=True)))

    def take(self, data: mmap.mmap, start: int) -> tuple[float, ...]:
        values = self.values.unpack_from(data, start)
        return tuple(factor * values[place] for place, factor in self.picked)


def read_dataflash(path: Path) -> Samples:
    """ATT messages: the time since boot in seconds, roll and pitch in degrees; raises OSError, ValueError."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        rows = _rows(data)
    time_s, roll, pitch = np.array(rows, np.float64).reshape(-1, 3).T
    return time_s, roll, pitch


def _rows(data: mmap.mmap) -> list[tuple[float, ...]]:
    lengths, layouts, rows = {_FMT: _FMT_LENGTH}, dict[int, _Layout](), []
    place, size = 0, len(data)
    while 0 <= (place := data.find(_HEAD, place)) <= size - 3:
        kind = data[place + 2]
        length = lengths.get(kind, 0)
        if length < 3 or place + length > size:
            place += 2
            continue
        if kind == _FMT:
            _learn(data, place + 3, lengths, layouts)
        elif kind in layouts:
            rows.append(layouts[kind].take(data, place + 3))
            check_count(len(rows))
        place += length
    return rows


def _learn(data: mmap.mmap, start: int, lengths: dict[int, int], layouts: dict[int, _Layout]) -> None:
    """Take in what an FMT message says of a type."""
    kind, length, name, characters, names = _FMT_VALUES.unpack_from(data, start)
    if kind == _FMT:
        return
    lengths[kind] = length
    layouts.pop(kind, None)
    if _text(name) == "ATT":
        layout = _Layout.of(length, _text(characters), _text(names).split(","))
        if layout is not None:
            layouts[kind] = layout


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("ascii", "replace")
