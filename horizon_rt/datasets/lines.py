"""Writing horizon.csv: lines as the rows that `folder` reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from horizon_rt.files import write_whole
from horizon_rt.geometry import HorizonLine
from horizon_rt.messages import file_cell

__all__ = ["LineRow", "line_row", "write_lines"]

LineRow = tuple[str, str, str, str, str]
_COLUMNS = ("file", "x1", "y1", "x2", "y2", "sky_side")
_NO_HORIZON: LineRow = ("", "", "", "", "")


def line_row(line: HorizonLine | None, width: int, height: int) -> LineRow:
    """x1, y1, x2, y2, sky_side of a line; all empty for None.

    The points are its `ends`. An exactly vertical line has two equal x, side 'above', and runs down where the
    sky is on its right and up where it is on its left, as `HorizonLine.from_points` reads it.
    """
    if line is None:
        return _NO_HORIZON
    x1, y1, x2, y2 = (round(value, 3) + 0.0 for value in line.ends(width, height))
    above = line.normal[1] < 0
    if x1 == x2:
        above = True
        if line.normal[0] < 0:
            y1, y2 = y2, y1
    return f"{x1:.10g}", f"{y1:.10g}", f"{x2:.10g}", f"{y2:.10g}", "above" if above else "below"


def write_lines(folder: Path, rows: Iterable[tuple[str, LineRow]]) -> None:
    """horizon.csv of (file, row) pairs, whole or not at all; raises OutputError.

    A file whose name a spreadsheet would take for a formula stands there as ./NAME.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((file_cell(file), *row) for file, row in rows)
    write_whole(folder / "horizon.csv", text.getvalue().encode())
