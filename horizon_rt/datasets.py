"""Dataset folders: dataset.toml, images/, horizon.csv (file,x1,y1,x2,y2,sky_side)."""

from __future__ import annotations

import csv
import math
import os
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from horizon_rt.errors import DatasetError

__all__ = ["LabelledImage", "data_root", "is_set_aside", "read_horizons"]

_SIDES = {"above": True, "below": False}


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A picture with the end points of its horizon in px, or None where it shows no horizon."""

    path: Path
    ends: tuple[float, float, float, float] | None
    sky_above: bool = True


def data_root() -> Path | None:
    """Folder of the datasets: HORIZON_RT_DATA, else `../shared/data` beside a checkout; None if absent."""
    given = os.environ.get("HORIZON_RT_DATA")
    root = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    return root if root.is_dir() else None


def read_horizons(folder: Path) -> list[LabelledImage]:
    """The labelled pictures of a dataset folder, in the order of its table; raises DatasetError."""
    table = folder / "horizon.csv"
    if not table.is_file():
        raise DatasetError(f"{folder} is no line dataset: it has no horizon.csv")
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{table} cannot be read: {error}") from error
    return [_labelled(folder, table, number, row) for number, row in enumerate(rows, 2)]


def _labelled(folder: Path, table: Path, number: int, row: dict[str, str]) -> LabelledImage:
    try:
        path = folder / "images" / row["file"]
        values = [row[name].strip() for name in ("x1", "y1", "x2", "y2")]
        if not any(values):
            return LabelledImage(path, None)
        return LabelledImage(path, _ends(values), _SIDES[row["sky_side"].strip()])
    except (AttributeError, KeyError, ValueError, TypeError) as error:
        raise DatasetError(f"{table}, line {number}: wrong or missing value: {error}") from error


def _ends(values: list[str]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in values)
    if not all(map(math.isfinite, (x1, y1, x2, y2))) or (x1, y1) == (x2, y2):
        raise ValueError(f"two distinct points are needed, got {', '.join(values)}")
    return x1, y1, x2, y2


def is_set_aside(split: Path, dataset: str, name: str) -> bool:
    """Whether a split file (`[set_aside]` name prefixes by dataset) keeps this file from training.

    Raises DatasetError for a split file that cannot be read: training on what was to be set aside would
    spoil every figure.
    """
    return name.startswith(_prefixes(split, dataset))


@lru_cache(maxsize=64)
def _prefixes(split: Path, dataset: str) -> tuple[str, ...]:
    try:
        return tuple(tomllib.loads(split.read_text(encoding="utf-8"))["set_aside"].get(dataset, []))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DatasetError(f"{split} is no usable split: {error}") from error
