"""Tables (.csv, .tsv) whose columns name quantity and unit: time_s, roll_deg, "pitch (radians)"."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from horizon_rt.errors import SourceError
from horizon_rt.flight_logs.samples import Samples, check_count

__all__ = ["read_table"]

_TIMES = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "ms": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6,
    "microsecond": 1e-6, "microseconds": 1e-6, "ns": 1e-9, "nanoseconds": 1e-9,
}  # fmt: skip
_ANGLES = {
    "deg": 1.0, "degree": 1.0, "degrees": 1.0, "°": 1.0,
    "rad": math.degrees(1), "radian": math.degrees(1), "radians": math.degrees(1),
}  # fmt: skip
_WORDS = re.compile(r"[^\W_]+|°")
_LONGEST_LINE = 1 << 16
_CALLED = {"time": {"time", "t", "timestamp", "boot", "elapsed"}, "roll": {"roll"}, "pitch": {"pitch"}}
_UNITS = {"time": _TIMES, "roll": _ANGLES, "pitch": _ANGLES}
_EXAMPLES = {
    "time": "time_s, time_ms or time_utc",
    "roll": "roll_deg or roll_rad",
    "pitch": "pitch_deg or pitch_rad",
}
Parse = Callable[[str], float]


def read_table(path: Path) -> Samples:
    """Time, roll and pitch of a table; raises SourceError, with the line, and OSError.

    Columns are separated by commas, semicolons or tabs. Lines that begin with # are left out, and an empty
    cell is a value that is not there.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = _lines(file, path)
        head = next(lines, None)
        if head is None:
            raise SourceError(f"{path}: it is empty")
        delimiter = max(",;\t", key=head[1].count)
        columns = _columns(next(_cells([head], delimiter))[1], path)
        rows = []
        for number, cells in _cells(lines, delimiter):
            rows.append([_number(path, number, cells, *column) for column in columns])
            check_count(len(rows))
    time_s, roll, pitch = np.array(rows, np.float64).reshape(-1, 3).T
    return time_s, roll, pitch


def _lines(file: Iterator[str], path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without comments and empty ones."""
    readline = file.readline  # type: ignore[attr-defined]
    number = 0
    while line := readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise SourceError(f"{path}: line {number} is longer than {_LONGEST_LINE} characters")
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def _cells(lines: Iterable[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in lines:
        yield number, next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])


def _columns(names: list[str], path: Path) -> list[tuple[int, str, Parse]]:
    """Place, name and parser of time, roll and pitch."""
    return [_column(what, names, path) for what in _CALLED]


def _column(what: str, names: list[str], path: Path) -> tuple[int, str, Parse]:
    found = [(place, *_split(name, _UNITS[what])) for place, name in enumerate(names)]
    called = [one for one in found if one[1] and one[1][-1] in _CALLED[what]]
    called = [one for one in called if one[1][0] in _CALLED[what] and len(one[1]) == 1] or called
    with_unit = [one for one in called if one[2] is not None]
    if len(with_unit) == 1:
        place, _, factor = with_unit[0]
        return place, names[place], lambda cell: float(cell) * (factor or 1.0)
    if what == "time" and not with_unit and (utc := _utc(names)) is not None:
        return utc, names[utc], _moment
    have = ", ".join(names[one[0]] for one in (with_unit or called)[:5])
    problem = f"several columns of {what}: {have}" if with_unit else f"no column of {what} with a unit" + (
        f", but {have}" if have else ""
    )  # fmt: skip
    raise SourceError(f"{path}: {problem}; call the one to take {_EXAMPLES[what]}")


def _split(name: str, units: dict[str, float]) -> tuple[list[str], float | None]:
    """The words of a column's name without its unit, and the factor of that."""
    words = _WORDS.findall(name.lower().replace("timeus", "time_us").replace("timestampus", "timestamp_us"))
    if len(words) > 1 and words[-1] in units:
        return words[:-1], units[words[-1]]
    return words, None


def _utc(names: list[str]) -> int | None:
    """The place of a column of moments in ISO 8601."""
    words = [set(_WORDS.findall(name.lower())) for name in names]
    return next((place for place, one in enumerate(words) if one & {"utc", "datetime", "iso8601"}), None)


def _moment(cell: str) -> float:
    moment = datetime.fromisoformat(cell.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(path: Path, number: int, cells: list[str], place: int, name: str, parse: Parse) -> float:
    cell = cells[place].strip() if place < len(cells) else ""
    if not cell:
        return math.nan
    try:
        return parse(cell)
    except (ValueError, OverflowError) as error:
        raise SourceError(
            f"{path}, line {number}: {cell[:40]!r} in column {name[:40]} cannot be read"
        ) from error
