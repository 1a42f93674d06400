"""How far a batch is, and what became of each input."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from horizon_rt.batches.plan import Planned
from horizon_rt.batches.work import Result
from horizon_rt.pipeline.stages import RunSummary
from horizon_rt.reports.table import Table
from horizon_rt.system.messages import printable
from horizon_rt.system.progress import Progress, Task
from horizon_rt.system.units import counted

__all__ = ["Shown", "result_line", "summary_table"]


class Shown:
    """Bars for all frames and for each item that is under way; may be told of them from any thread."""

    def __init__(self, progress: Progress, planned: Sequence[Planned]) -> None:
        self._progress, self._planned = progress, planned
        left = [one for one in planned if one.why]
        usual = round(statistics.median([one.frames for one in left if one.frames] or [1]))
        self._left = {one.item.name: one.frames or usual for one in left}
        self._names = {one.item.name: printable(one.item.source) for one in left}
        self._total, self._count, self._ended = sum(self._left.values()), len(left), 0
        self._all: Task | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._stack = ExitStack()
        if self._planned:
            self._all = self._stack.enter_context(self._progress.start("all", self._total))

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def advance(self, key: str, count: int) -> None:
        """So many more frames of an item are done; it never has more than it was thought to have."""
        with self._lock:
            count = min(count, self._left.get(key, 0))
            if count and self._all is not None:
                self._left[key] -= count
                self._all.advance(count, state=self._state)

    def end(self, key: str) -> None:
        """An item has come to an end, with as many frames as it had."""
        with self._lock:
            if self._all is not None and key in self._left:
                self._ended += 1
                self._all.advance(self._left.pop(key), state=self._state)

    @property
    def _state(self) -> str:
        return f"{self._ended} of {counted(self._count, 'file')}"


def result_line(result: Result) -> str:
    """What became of an item, in one line."""
    detail = result.reason
    if result.summary is not None:
        s = result.summary
        detail = f"{counted(s.frames, 'frame')}, {s.fps:.0f} frames/s, "
        detail += f"{100 * s.share_with_horizon:.1f} % with a horizon"
        if s.assumed:
            detail += f", lens assumed: {s.assumed}"
    return f"{result.status}: {result.item.source}" + (f" ({detail})" if detail else "")


def summary_table(results: Sequence[Result]) -> Table:
    """A row for each input, and the sum."""
    rows = [(result.item.name, result.status, *_cells(result.summary)) for result in results]
    inputs = counted(len(results), "input")
    whole = f"{sum(r.status in ('done', 'skipped') for r in results)} whole"
    frames = str(sum(r.summary.frames for r in results if r.summary))
    head = ("input", "status", "frames", "frames/s", "with horizon")
    return Table("input", "", head, tuple(rows), foot=(inputs, whole, frames, "", ""))


def _cells(summary: RunSummary | None) -> Iterator[str]:
    if summary is None:
        return iter(("", "", ""))
    return iter((str(summary.frames), f"{summary.fps:.0f}", f"{100 * summary.share_with_horizon:.1f} %"))
