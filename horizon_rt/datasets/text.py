"""Text files of datasets, with errors that name the file and the line."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from horizon_rt import toml
from horizon_rt.errors import DatasetError

__all__ = ["finite", "parse_rows", "read_rows", "read_text", "read_toml"]

T = TypeVar("T")
Row = dict[str, Any]


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


def read_rows(path: Path) -> list[tuple[int, Row]]:
    """The rows of a CSV file with a header, each with its line number; raises DatasetError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            return [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def parse_rows(path: Path, parse: Callable[[Row], T]) -> list[T]:
    """Each row of a CSV file parsed; what `parse` raises for bad values becomes a DatasetError."""
    parsed = []
    for number, row in read_rows(path):
        try:
            parsed.append(parse(row))
        except (AttributeError, KeyError, ValueError, TypeError) as error:
            raise DatasetError(f"{path}, line {number}: wrong or missing value: {error}") from error
    return parsed


def finite(text: str | float) -> float:
    """A finite number; raises ValueError for what is none (OverflowError, TypeError as `float` does)."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"a finite number is needed, got {text!r}")
    return value
