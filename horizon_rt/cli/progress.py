"""How far a run is: bars on a terminal, JSON lines where they are asked for, nothing elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from horizon_rt.cli.console import print_line
from horizon_rt.cli.style import current_style, write_record
from horizon_rt.system.messages import printable
from horizon_rt.system.progress import NO_PROGRESS, Progress, Task

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from horizon_rt.frame import Frame
    from horizon_rt.horizon import Horizon
    from horizon_rt.pipeline.stages import OnFrame
    from horizon_rt.sources import Source, SourceInfo

__all__ = ["bars", "count_progress", "progress", "status_line", "training_progress"]

_RECORDS_EVERY_S = 0.2


class _RichTask:
    """A task of a bar; see `system.progress.Task`."""

    def __init__(self, bar: RichProgress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def advance(self, count: int = 1, **fields: str) -> None:
        self._bar.update(self._task, advance=count, **fields)  # type: ignore[arg-type]


class _Bars:
    """Bars of pieces of work; see `system.progress.Progress`."""

    def __init__(self, bar: RichProgress) -> None:
        self._bar = bar

    @contextmanager
    def start(self, what: str, total: int | None) -> Iterator[Task]:
        task = self._bar.add_task(printable(what), total=total, state="")
        try:
            yield _RichTask(self._bar, task)
        finally:
            self._bar.refresh()
            self._bar.remove_task(task)


class _RecordTask:
    """A task whose numbers are JSON lines, some of them a second; the first and the last always."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what, self._total, self._done = what, total, 0
        self._fields: dict[str, str] = {}
        self.write()

    def advance(self, count: int = 1, **fields: str) -> None:
        self._done += count
        self._fields = fields
        if time.monotonic() >= self._due_s:
            self.write()

    def write(self) -> None:
        self._due_s = time.monotonic() + _RECORDS_EVERY_S
        write_record("progress", task=self._what, done=self._done, total=self._total, **self._fields)


class _Records:
    """Pieces of work as JSON lines; see `system.progress.Progress`."""

    @contextmanager
    def start(self, what: str, total: int | None) -> Iterator[Task]:
        task = _RecordTask(printable(what), total)
        try:
            yield task
        finally:
            task.write()


def _bar(console: Console) -> RichProgress:
    """Description, bar, count, time left and state."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    name, state = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[state]}")
    columns = (name, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), state)
    return Progress(*columns, console=console, transient=True)


@contextmanager
def bars(console: Console) -> Iterator[Progress]:
    """How far pieces of work are, in the style of this run."""
    if current_style().progress == "jsonl":
        yield _Records()
    elif console.is_terminal:
        with _bar(console) as bar:
            yield _Bars(bar)
    else:
        yield NO_PROGRESS


@contextmanager
def progress(info: SourceInfo, console: Console, *, times: int = 1) -> Iterator[OnFrame]:
    """How far a run through the frames of a source is, which is read so often."""
    from horizon_rt.pipeline.run import expected_frames

    frames = expected_frames(info)
    total = None if frames is None else times * frames
    with bars(console) as shown, shown.start(Path(info.name).name or info.name, total) as task:
        yield lambda _frame, horizon: task.advance(state=horizon.state)


@contextmanager
def count_progress(total: int, what: str, console: Console) -> Iterator[Callable[[], object]]:
    """How far something is; call what it gives after each of `total`."""
    with bars(console) as shown, shown.start(what, total) as task:
        yield task.advance


@contextmanager
def training_progress(console: Console) -> Iterator[Callable[[str, int, int, float], None]]:
    """As `bars`, but for a plain line at every twentieth elsewhere; takes what, step, steps, loss."""
    with ExitStack() as stack:
        shown = stack.enter_context(bars(console))
        tasks: dict[str, tuple[ExitStack, Task]] = {}
        done: dict[str, int] = {}

        def on_step(what: str, step: int, steps: int, loss: float) -> None:
            if what not in tasks:
                ending = stack.enter_context(ExitStack())
                tasks[what] = ending, ending.enter_context(shown.start(what, steps))
            ending, task = tasks[what]
            text = "" if math.isnan(loss) else f"loss {loss:.4f}"
            fields = {"loss": f"{loss:.4f}"} if current_style().progress == "jsonl" else {"state": text}
            task.advance(step - done.get(what, 0), **(fields if text else {}))
            done[what] = step
            if step >= steps:
                ending.close()
            if shown is NO_PROGRESS and 20 * step // steps != 20 * (step - 1) // steps:
                print_line(console, f"{what} {step}/{steps}" + (f", {text}" if text else ""))

        yield on_step


@contextmanager
def status_line(console: Console, source: Source, *, quiet: bool = False) -> Iterator[OnFrame | None]:
    """Roll and pitch of the newest frame in one line of the terminal, or that its source has fallen silent;
    nothing elsewhere.
    """
    if current_style().progress == "jsonl":
        with _Records().start("live", None) as task:
            yield lambda _frame, horizon: task.advance(state=horizon.state)
    elif quiet or not console.is_terminal:
        yield None
    else:
        line = _LiveLine(source)
        with console.status(line):
            yield line.update


class _LiveLine:
    """What is told of a live source now, each time that it is drawn."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._horizon: Horizon | None = None

    def update(self, _frame: Frame, horizon: Horizon) -> None:
        self._horizon = horizon

    def __rich__(self) -> str:
        health = self._source.health
        if health is not None and health.state != "receiving":
            return f"{health.state}, no picture for {health.age_s:.0f} s"
        return "waiting for the first frame" if self._horizon is None else _one_line(self._horizon)


def _one_line(horizon: Horizon) -> str:
    if horizon.roll_deg is None or horizon.pitch_deg is None:
        return f"{horizon.state}, view {horizon.view}"
    return f"{horizon.state}  roll {horizon.roll_deg:+7.2f}°  pitch {horizon.pitch_deg:+6.2f}°"
