"""The state of a labelling: the frames on offer and what was said of each, saved at every change.

What is said of the horizon lies in horizon.csv alone. The journal label.jsonl holds the rest: a header, the
frames with the tracker's proposals, which were skipped, and that all were taken from the source. A last line
that was cut short is dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from horizon_rt.datasets import read_horizons
from horizon_rt.datasets.lines import line_row, write_lines
from horizon_rt.errors import DatasetError, OutputError
from horizon_rt.files import append_line, output_error, write_whole
from horizon_rt.geometry import HorizonLine
from horizon_rt.label import journal
from horizon_rt.label.journal import LabelFrame

__all__ = ["OPEN", "Mark", "Session", "Status"]

Status = Literal["open", "line", "none", "skipped"]
_JOURNAL = "label.jsonl"
_TOLD = ("line", "none")  # what stands in the table


@dataclass(frozen=True, slots=True)
class Mark:
    """What was said of a frame; `line` is set for the status 'line' alone."""

    status: Status
    line: HorizonLine | None = None


OPEN = Mark("open")


class Session:
    """A dataset folder being labelled; safe to use from several threads.

    `source` and `every` say what the frames come from. Opening a folder that holds a journal continues it.
    Raises DatasetError for a journal that cannot be read or belongs to another source, OutputError for a
    folder that holds something else or cannot be written.
    """

    def __init__(self, folder: Path, *, source: str, every: int) -> None:
        self.folder, self.every, self.source = folder, every, source
        self.complete, self.failure = False, ""
        self.seen, self.expected = 0, 0
        self._frames: list[LabelFrame] = []
        self._marks: list[Mark] = []
        self._lock = threading.RLock()
        self._journal = folder / _JOURNAL
        if self._journal.exists():
            self._resume()
        else:
            self._begin()

    @staticmethod
    def is_complete(folder: Path) -> bool:
        """Whether the folder holds all the frames already, so that the source is not needed."""
        return (folder / _JOURNAL).exists() and journal.load(folder / _JOURNAL).complete

    @property
    def frames(self) -> Sequence[LabelFrame]:
        """The frames so far, in the order of the source."""
        with self._lock:
            return tuple(self._frames)

    @property
    def marks(self) -> Sequence[Mark]:
        """What was said of each."""
        with self._lock:
            return tuple(self._marks)

    def image_path(self, number: int) -> Path:
        """The saved picture of a frame."""
        return self.folder / "images" / self._frames[number].file

    def add(self, frame: LabelFrame, picture: bytes) -> None:
        """Save a frame's picture and put it on offer, unless it is there already; raises OutputError."""
        with self._lock:
            if any(known.index == frame.index for known in reversed(self._frames)):
                return
            write_whole(self.folder / "images" / frame.file, picture)
            self._append(journal.frame_entry(frame))
            self._frames.append(frame)
            self._marks.append(OPEN)

    def finish(self) -> None:
        """Note that all frames were taken; raises OutputError."""
        with self._lock:
            if not self.complete:
                self._append({"complete": True})
                self.complete = True

    def mark(self, number: int, mark: Mark) -> None:
        """Say something of a frame and save it; raises OutputError, and then nothing has changed."""
        with self._lock:
            before, marks = self._marks[number], list(self._marks)
            marks[number] = mark
            # The table overrules the journal, so the journal comes first.
            if (before.status == "skipped") != (mark.status == "skipped"):
                skipped = mark.status == "skipped"
                self._append({"file": self._frames[number].file, "skipped": skipped})
            if before.status in _TOLD or mark.status in _TOLD:
                self._write_lines(marks)
            self._marks = marks

    def counts(self) -> dict[Status, int]:
        """How many frames have each status."""
        every: tuple[Status, ...] = ("line", "none", "skipped", "open")
        states = [mark.status for mark in self.marks]
        return {status: states.count(status) for status in every}

    def unused_name(self, stem: str, suffix: str, index: int) -> str:
        """A file name that no frame bears yet, letters in either case being the same."""
        taken = {frame.file.casefold() for frame in self._frames}
        name = f"{stem}{suffix}"
        return name if name.casefold() not in taken else f"{stem}_{index:06d}{suffix}"

    def _begin(self) -> None:
        try:
            (self.folder / "images").mkdir(parents=True, exist_ok=True)
            strangers = [p.name for p in self.folder.iterdir() if p.name not in ("images", "dataset.toml")]
            strangers += [p.name for p in (self.folder / "images").iterdir()]
        except OSError as error:
            raise output_error(self.folder, error) from error
        if strangers:
            raise OutputError(
                f"{self.folder} holds {strangers[0]}, which no labelling made; choose another --out"
            )
        header = {"format": journal.FORMAT, "source": self.source, "every": self.every}
        write_whole(self._journal, journal.line(header))
        self._write_lines([])

    def _resume(self) -> None:
        saved = journal.load(self._journal)
        if saved.source != self.source:
            raise DatasetError(
                f"{self.folder} was begun from {saved.source}, not {self.source}; choose another --out"
            )
        if saved.cut:
            write_whole(self._journal, b"".join(journal.line(entry) for entry in saved.entries))
        self.complete, self.every = saved.complete, saved.every
        self._frames = saved.frames
        table = self._read_table()
        skipped = Mark("skipped")
        self._marks = [table.get(f.file, skipped if f.file in saved.skipped else OPEN) for f in saved.frames]

    def _read_table(self) -> dict[str, Mark]:
        sizes = {frame.file: (frame.width, frame.height) for frame in self._frames}
        marks = {}
        for row in read_horizons(self.folder):
            name = row.path.name
            if name not in sizes:
                raise DatasetError(f"{self.folder / 'horizon.csv'} names {name}, which the journal lacks")
            line = None
            if row.ends is not None:
                line = HorizonLine.from_points(*row.ends, *sizes[name], sky_above=row.sky_above)
            marks[name] = Mark("none" if line is None else "line", line)
        return marks

    def _write_lines(self, marks: Sequence[Mark]) -> None:
        told = zip(self._frames, marks, strict=True)
        write_lines(
            self.folder,
            [(f.file, line_row(m.line, f.width, f.height)) for f, m in told if m.status in _TOLD],
        )

    def _append(self, entry: dict[str, Any]) -> None:
        append_line(self._journal, journal.line(entry))
