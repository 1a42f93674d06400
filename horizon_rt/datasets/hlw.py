"""Horizon Lines in the Wild (Workman et al. 2016): metadata.csv beside images/ and split/.

Each line is `image,left x,left y,right x,right y`, in later releases with height and width after the name;
px of the picture, relative to its middle, y up.
"""

from __future__ import annotations

from pathlib import Path

from horizon_rt.datasets.base import Example, Label, PictureSet
from horizon_rt.datasets.text import finite, read_cells
from horizon_rt.errors import DatasetError

__all__ = ["looks_like_hlw", "open_hlw"]

_COLUMNS = (5, 7)


def looks_like_hlw(table: Path) -> bool:
    """Whether the first line of this file is one of a metadata.csv."""
    try:
        with table.open("rb") as lines:
            cells = lines.readline(4096).decode("utf-8", "replace").strip().split(",")
        _numbers(cells)
    except (OSError, ValueError):
        return False
    return True


def open_hlw(table: Path) -> PictureSet:
    """The pictures of a metadata.csv, in images/ beside it; raises DatasetError."""
    examples = []
    for number, cells in read_cells(table):
        try:
            x1, y1, x2, y2 = _numbers(cells)[-4:]
            if (x1, y1) == (x2, y2):
                raise ValueError(f"two distinct points are needed, got ({x1:g}, {y1:g}) twice")
        except ValueError as error:
            raise DatasetError(f"{table}, line {number}: wrong or missing value: {error}") from error
        label = Label(in_view=True, ends=(x1, y1, x2, y2), centred=True)
        examples.append(Example(path=table.parent / "images" / cells[0], label=label, scene="any"))
    if not examples:
        raise DatasetError(f"{table} has no lines")
    return PictureSet(examples, name="hlw", truth="line")


def _numbers(cells: list[str]) -> list[float]:
    if len(cells) not in _COLUMNS:
        raise ValueError(f"{' or '.join(map(str, _COLUMNS))} columns are needed, got {len(cells)}")
    return [finite(cell) for cell in cells[1:]]
