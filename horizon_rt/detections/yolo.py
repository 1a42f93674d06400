"""YOLO's text: a file for each picture, a line for each box: class, centre, width and height, as shares of
the picture's, and a confidence or none. Of a video NAME_12.txt is its 12th frame, as ultralytics writes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from horizon_rt.detections.boxes import Box, corners
from horizon_rt.detections.fields import number
from horizon_rt.errors import DetectionsError

__all__ = ["read_file", "read_folder"]

_CLASSES = "classes.txt"
_NUMBERED = re.compile(r"_([0-9]{1,9})$")


def read_folder(folder: Path, text_of: Callable[[Path], str]) -> Iterator[Box]:
    """The boxes of all its texts, by name; `classes.txt` names the classes, a line each."""
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise DetectionsError("no .txt lies in this folder")
    classes = folder / _CLASSES
    names = text_of(classes).split("\n") if classes.is_file() else []
    for file in files:
        if file.name != _CLASSES:
            try:
                yield from read_file(file, text_of(file), names)
            except DetectionsError as error:
                raise DetectionsError(f"{file.name}: {error}") from error


def read_file(path: Path, text: str, names: Sequence[str] = ()) -> Iterator[Box]:
    """The boxes of the text of a picture; raises DetectionsError."""
    found = _NUMBERED.search(path.stem)
    frame = int(found[1]) - 1 if found and int(found[1]) else None
    for place, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) not in (5, 6):
            raise DetectionsError(f"line {place}: needs class, x, y, width, height, perhaps confidence")
        kind, x, y, width, height, *score = (number(word, f"line {place}: a value") for word in words)
        if kind != int(kind) or kind < 0:
            raise DetectionsError(f"line {place}: a class is a whole number, got {kind:g}")
        label = names[int(kind)].strip() if kind < len(names) else f"{kind:.0f}"
        values = {"label": label} | ({"score": score[0]} if score else {})
        edges = corners(x - width / 2, y - height / 2, width, height)
        yield Box(edges, frame=frame, file=path.stem, values=values, relative=True)
