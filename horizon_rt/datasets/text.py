"""Text files of datasets, with errors that name the file and the line."""

from __future__ import annotations

import csv
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

from horizon_rt.errors import DatasetError
from horizon_rt.system import toml

__all__ = ["LARGEST", "LARGEST_ANGLES", "finite", "parse_rows", "read_cells", "read_text", "read_toml"]

T = TypeVar("T")
Row = dict[str, Any]
LARGEST = 1e12
LARGEST_ANGLES = {"roll_deg": 360.0, "pitch_deg": 90.0}


def read_text(path: Path) -> str:
    """The UTF-8 text of a file; raises DatasetError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """The table of a TOML file; raises DatasetError."""
    try:
        return toml.read_toml(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from error


def read_cells(path: Path) -> list[tuple[int, list[str]]]:
    """The rows of a CSV file, each with its line number, but for empty ones; raises DatasetError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines)
            return [(reader.line_num, cells) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def read_rows(path: Path) -> list[tuple[int, Row]]:
    """The rows of a CSV file by the names of its header, with line numbers; raises DatasetError.

    A cell that a row lacks is None.
    """
    (_, head), *rows = read_cells(path) or [(0, [])]
    return [(number, dict(zip_longest(head, cells[: len(head)]))) for number, cells in rows]


def parse_rows(path: Path, parse: Callable[[Row], T]) -> list[T]:
    """Each row of a CSV file parsed; what `parse` raises for bad values becomes a DatasetError."""
    parsed = []
    for number, row in read_rows(path):
        try:
            parsed.append(parse(row))
        except (AttributeError, KeyError, ValueError, TypeError) as error:
            raise DatasetError(f"{path}, line {number}: wrong or missing value: {error}") from error
    return parsed


def finite(text: str | float, largest: float = LARGEST) -> float:
    """A number within ±largest; raises ValueError, or OverflowError and TypeError as `float` does.

    The bound is far beyond any place in a picture, and keeps what is made of the number finite.
    """
    value = float(text)
    if not abs(value) <= largest:
        raise ValueError(f"a finite number within ±{largest:g} is needed, got {value:g}")
    return value
