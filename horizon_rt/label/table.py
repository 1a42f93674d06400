"""The dataset's files: horizon.csv from lines, and dataset.toml."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

from horizon_rt.files import write_whole
from horizon_rt.geometry import HorizonLine

__all__ = ["Row", "line_row", "write_card", "write_table"]

Row = tuple[str, str, str, str, str]
_COLUMNS = ("file", "x1", "y1", "x2", "y2", "sky_side")
_NO_HORIZON: Row = ("", "", "", "", "")
_UNSTATED = "not stated"
_STEEPEST_PX = 1e6  # a line that leaves the picture's sides farther off is given by its top and bottom


def line_row(line: HorizonLine | None, width: int, height: int) -> Row:
    """x1, y1, x2, y2, sky_side of a line; all empty for None.

    The points lie at x = 0 and x = width − 1; those of a line too steep for that lie at y = 0 and
    y = height − 1. An exactly vertical one has two equal x, side 'above', and runs down where the sky is on
    its right and up where it is on its left, as `HorizonLine.from_points` reads it.
    """
    if line is None:
        return _NO_HORIZON
    points = [(x, line.y_at(x, width, height)) for x in (0.0, width - 1.0)]
    if max(abs(y) for _, y in points) > _STEEPEST_PX:
        points = [(line.x_at(y, width, height), y) for y in (0.0, height - 1.0)]
    (x1, y1), (x2, y2) = (tuple(round(v, 3) + 0.0 for v in point) for point in points)
    above = line.normal[1] < 0
    if x1 == x2:
        above = True
        if line.normal[0] < 0:
            y1, y2 = y2, y1
    return f"{x1:.10g}", f"{y1:.10g}", f"{x2:.10g}", f"{y2:.10g}", "above" if above else "below"


def write_table(folder: Path, rows: Iterable[tuple[str, Row]]) -> None:
    """horizon.csv of (file, row) pairs, whole or not at all; raises OutputError."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((file, *row) for file, row in rows)
    write_whole(folder / "horizon.csv", text.getvalue().encode())


def write_card(
    folder: Path, *, name: str | None, source: str, scene: str | None, licence: str | None
) -> bool:
    """dataset.toml, unless there is one; whether it was written. Raises OutputError."""
    path = folder / "dataset.toml"
    if path.exists():
        return False
    card = {
        "name": name or folder.resolve().name,
        "licence": licence or _UNSTATED,
        "source": source,
        "scene": scene or _UNSTATED,
        "modality": "rgb",
        "truth": "line, drawn by hand",
    }
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in card.items())
    write_whole(path, text.encode(errors="replace"))
    return True


def _toml(text: str) -> str:
    # A JSON string without escapes beyond ASCII's is a TOML basic string too, but for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
