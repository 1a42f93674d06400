"""Dataset folders: dataset.toml, images/, horizon.csv (file,x1,y1,x2,y2,sky_side)."""

from __future__ import annotations

import csv
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from horizon_rt.errors import DatasetError

__all__ = ["LabelledImage", "data_root", "is_set_aside", "read_horizons"]


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
    with table.open(newline="") as rows:
        return [_labelled(folder, table, number, row) for number, row in enumerate(csv.DictReader(rows), 2)]


def _labelled(folder: Path, table: Path, number: int, row: dict[str, str]) -> LabelledImage:
    try:
        path = folder / "images" / row["file"]
        if not row["x1"]:
            return LabelledImage(path, None)
        ends = (float(row["x1"]), float(row["y1"]), float(row["x2"]), float(row["y2"]))
        return LabelledImage(path, ends, row["sky_side"] != "below")
    except (KeyError, ValueError, TypeError) as error:
        raise DatasetError(f"{table}, line {number}: {error!r}") from error


def is_set_aside(split: Path, dataset: str, name: str) -> bool:
    """Whether a split file (`[set_aside]` name prefixes by dataset) keeps this file from training."""
    prefixes = tomllib.loads(split.read_text())["set_aside"].get(dataset, [])
    return name.startswith(tuple(prefixes))
