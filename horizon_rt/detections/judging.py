"""What the horizon says of boxes, and a sink that writes it."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from horizon_rt.detections.boxes import Box, Boxes
from horizon_rt.errors import OutputError
from horizon_rt.geometry import Range
from horizon_rt.horizon import Horizon, Side
from horizon_rt.horizon.row import number
from horizon_rt.sinks.base import RecordSink
from horizon_rt.system.files import write_atomic
from horizon_rt.system.messages import file_cell

__all__ = ["AnnotationSink", "Judgement", "judge"]

_FOUND = ("side", "range_m", "range_sd_m")
_EDGES = ("x1", "y1", "x2", "y2")
_TOLD = ("annotation", "frame", "file", "box", "bbox", *_EDGES, *_FOUND)
_SUFFIXES = (".csv", ".json", ".jsonl", ".ndjson")


class Judgement(NamedTuple):
    """The side of the horizon of a box, and the range of its waterline: the middle of its bottom edge."""

    side: Side | None = None
    range: Range | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """As they are written."""
        if self.range is None:
            return dict(zip(_FOUND, (self.side, None, None), strict=True))
        return dict(zip(_FOUND, (self.side, *map(number, self.range)), strict=True))


def judge(box: Box, horizon: Horizon) -> Judgement:
    """What a frame's horizon says of one of its boxes; a range where a height is given."""
    edges = x1, _, x2, y2 = box.in_picture(horizon.width or 0, horizon.height or 0)
    side = horizon.side_of(edges)
    known = horizon.height_m and side in ("sea", "horizon")
    return Judgement(side, horizon.range_to((x1 + x2) / 2, y2) if known else None)


def _check_target(target: str) -> None:
    """Raises OutputError where nothing could be written under this name; '-' is standard output."""
    if target != "-" and Path(target).suffix.lower() not in _SUFFIXES:
        raise OutputError(f"cannot write boxes to {target}: use {', '.join(_SUFFIXES)} or -")


class AnnotationSink(RecordSink):
    """Writes all boxes in their order, with what their frames' horizons say of them, when it is closed;
    without a target it counts them alone.

    CSV, JSON or JSON lines by the name of the target; those of a COCO file stay one as .json. A box whose
    frame did not come has nothing said of it.
    """

    _still = True

    def __init__(self, target: str | None, boxes: Boxes) -> None:
        """Raises OutputError for another suffix."""
        if target is not None:
            _check_target(target)
        self._target, self._boxes = target, boxes
        self._found: dict[int, Judgement] = {}
        self._sizes: dict[int, tuple[int, int]] = {}

    def put(self, horizon: Horizon) -> None:
        """See `RecordSink`."""
        for box in self._boxes.of(horizon.frame, horizon.file):
            self._found[id(box)] = judge(box, horizon)
            if horizon.width is not None and horizon.height is not None:
                self._sizes[id(box)] = horizon.width, horizon.height

    @property
    def found(self) -> list[Judgement]:
        """What is said of the boxes whose frames came, in their order."""
        return [self._found[id(box)] for box in self._boxes.all if id(box) in self._found]

    def _finish(self) -> None:
        if self._target == "-":
            print(self._text(".csv").encode("utf-8", "backslashreplace").decode(), end="")
        elif self._target is not None:
            path = Path(self._target)
            write_atomic(path, self._text(path.suffix.lower()).encode("utf-8", "backslashreplace"))

    def _abandon(self) -> None:
        """Nothing was begun."""

    def _text(self, suffix: str) -> str:
        if suffix == ".json" and self._boxes.document is not None:
            return self._coco(self._boxes.document)
        rows = [self._row(box) for box in self._boxes.all]
        if suffix == ".json":
            return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
        if suffix in (".jsonl", ".ndjson"):
            return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        return _csv(rows)

    def _row(self, box: Box) -> dict[str, Any]:
        place = {"frame": box.frame} if box.file is None else {"file": box.file}
        width, height = self._sizes.get(id(box), (math.nan, math.nan)) if box.relative else (1.0, 1.0)
        in_px = (edge * size for edge, size in zip(box.edges, (width, height) * 2, strict=True))
        edges = dict(zip(_EDGES, map(number, in_px), strict=True))
        others = {name: value for name, value in box.values.items() if name not in _TOLD}
        return {**place, **edges, **others, **self._found.get(id(box), Judgement()).fields}

    def _coco(self, document: dict[str, Any]) -> str:
        annotations = [dict(one) for one in document["annotations"]]
        for box in self._boxes.all:
            annotations[box.values["annotation"]] |= self._found.get(id(box), Judgement()).fields
        return json.dumps({**document, "annotations": annotations}, ensure_ascii=False) + "\n"


def _csv(rows: list[dict[str, Any]]) -> str:
    columns = dict.fromkeys(name for row in rows for name in row if name not in _FOUND) | dict.fromkeys(
        _FOUND
    )
    writer = csv.writer(text := io.StringIO(), lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = [row.get(name) for name in columns]
        writer.writerow([file_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue()
