"""Files of boxes: CSV, JSON, JSON lines, COCO, and YOLO's text; the format is told by name and content."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from horizon_rt.detections import coco, yolo
from horizon_rt.detections.boxes import Box, Boxes
from horizon_rt.detections.fields import box_of
from horizon_rt.errors import DetectionsError
from horizon_rt.system.json import parse_value
from horizon_rt.system.text import read_text

__all__ = ["read_boxes"]

_LARGEST_FILE = 256 << 20
_MOST_BOXES = 5_000_000


def read_boxes(path: Path | str) -> Boxes:
    """The boxes of a file, or of a folder with YOLO's texts; raises DetectionsError.

    Corners count from the upper left corner of the picture, as in COCO: 0 is the left edge of the first
    pixel.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return Boxes(_bounded(yolo.read_folder(path, _text)))
        suffix = path.suffix.lower()
        if suffix == ".txt":
            return Boxes(_bounded(yolo.read_file(path, _text(path))))
        if suffix == ".csv":
            return Boxes(_bounded(_rows(_text(path))))
        if suffix in (".jsonl", ".ndjson"):
            return Boxes(_bounded(_json_lines(_text(path))))
        if suffix == ".json":
            return _json(_text(path))
    except DetectionsError as error:
        raise DetectionsError(f"{path}: {error}") from error
    raise DetectionsError(f"{path}: boxes are read from .csv, .json, .jsonl, .txt or a folder of .txt")


def _text(path: Path) -> str:
    try:
        return read_text(path, largest=_LARGEST_FILE)
    except OSError as error:
        raise DetectionsError(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DetectionsError(str(error)) from error


def _bounded(boxes: Iterable[Box]) -> Iterator[Box]:
    for count, box in enumerate(boxes):
        if count >= _MOST_BOXES:
            raise DetectionsError(f"more than {_MOST_BOXES} boxes")
        yield box


def _rows(text: str) -> Iterator[Box]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            values = {key: value for key, value in row.items() if key and value not in (None, "")}
            yield _numbered(values, f"line {reader.line_num}")
    except csv.Error as error:
        raise DetectionsError(f"line {reader.line_num}: {error}") from error


def _json_lines(text: str) -> Iterator[Box]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield _numbered(_parsed(line, f"line {number}: "), f"line {number}")


def _json(text: str) -> Boxes:
    value = _parsed(text)
    if isinstance(value, dict) and "annotations" in value:
        return Boxes(_bounded(coco.boxes_of(value)), document=value)
    if isinstance(value, dict) and isinstance(value.get("boxes"), list):
        value = value["boxes"]
    if not isinstance(value, list):
        raise DetectionsError("a list of boxes is needed, or COCO's images and annotations")
    return Boxes(_bounded(_numbered(item, f"box {number}") for number, item in enumerate(value, 1)))


def _parsed(text: str, where: str = "") -> Any:
    try:
        return parse_value(text)
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise DetectionsError(f"{where}no JSON: {reason}") from error


def _numbered(values: Any, where: str) -> Box:
    if not isinstance(values, Mapping):
        raise DetectionsError(f"{where}: no object with the fields of a box")
    try:
        return box_of(values)
    except DetectionsError as error:
        raise DetectionsError(f"{where}: {error}") from error
