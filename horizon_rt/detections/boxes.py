"""A box, and all boxes of a source by their frame or picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

from horizon_rt.errors import DetectionsError
from horizon_rt.system.messages import printable

__all__ = ["Box", "Boxes", "corners"]

_LARGEST = 1e6
_CORNER_PX = 0.5  # from the edge of a pixel, where boxes begin, to its centre, where this project counts from


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """A box by its edges x1, y1, x2, y2 in px from the upper left corner of the picture, or, if `relative`,
    as shares of its width and height; the `frame` or the `file` that it belongs to, and what else was read of
    it. Raises DetectionsError for what is no box.
    """

    edges: tuple[float, float, float, float]
    frame: int | None = None
    file: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    relative: bool = False

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.edges
        if not all(abs(value) <= _LARGEST for value in self.edges) or x2 < x1 or y2 < y1:
            raise DetectionsError(f"a box has left and top before right and bottom, got {self.edges}")
        if self.frame is None and self.file is None:
            raise DetectionsError("a box belongs to a frame or to a file")

    def in_picture(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Its edges as points of a picture of this size in px, with the centres of pixels at integers."""
        across, down = (width, height) if self.relative else (1, 1)
        x1, y1, x2, y2 = self.edges
        left, top = x1 * across - _CORNER_PX, y1 * down - _CORNER_PX
        return left, top, x2 * across - _CORNER_PX, y2 * down - _CORNER_PX

    @property
    def label(self) -> str:
        """What the detector says that it is; empty if nothing."""
        for name in ("label", "class", "name", "category"):
            if isinstance(text := self.values.get(name), str) and text:
                return text
        return ""


class Boxes:
    """All boxes of a source, in their order. `document` is what they were read from, where that is written
    again with what is found.
    """

    def __init__(self, boxes: Iterable[Box], *, document: dict[str, Any] | None = None) -> None:
        self.all = list(boxes)
        self.document = document
        self._by_frame: dict[int, list[Box]] = {}
        self._by_name: dict[str, dict[str, list[Box]]] = {}
        for box in self.all:
            if box.frame is not None:
                self._by_frame.setdefault(box.frame, []).append(box)
            if box.file is not None:
                self._by_name.setdefault(_path(box.file).name, {}).setdefault(box.file, []).append(box)

    def of(self, frame: int, file: str | None) -> list[Box]:
        """Those of a frame; of a picture by its name, or its name without suffix, as in YOLO, and of several
        of one name by their folders. Raises DetectionsError where these do not tell.
        """
        if file is None or not self._by_name:
            return self._by_frame.get(frame, [])
        path = _path(file)
        found = self._by_name.get(path.name) or self._by_name.get(path.stem, {})
        alike = {one: _shared_folders(_path(one), path) for one in found}
        best = [one for one in found if alike[one] == max(alike.values())]
        if len(best) > 1:
            raise DetectionsError(f"{printable(best[0])} and {printable(best[1])} both fit {printable(file)}")
        return found[best[0]] if best else []


def _path(file: str) -> PurePosixPath:
    return PurePosixPath(file.replace("\\", "/"))


def _shared_folders(one: PurePosixPath, other: PurePosixPath) -> int:
    """How many of the folders around both have the same names."""
    pairs = zip(one.parts[-2::-1], other.parts[-2::-1], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def corners(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    """Edges of a corner and a size; raises DetectionsError where there is none."""
    if not (math.isfinite(x + y + width + height) and width >= 0 and height >= 0):
        raise DetectionsError(f"a box has a width and height, got {(x, y, width, height)}")
    return x, y, x + width, y + height
