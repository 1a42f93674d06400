"""Many recordings, one after the other: tracked, and summed up."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from horizon_rt.errors import HorizonError
from horizon_rt.options import DEFAULT_HFOV_DEG, RunOptions
from horizon_rt.pipeline.inputs import Job, find_inputs
from horizon_rt.pipeline.run import expected_frames, run
from horizon_rt.pipeline.stages import RunSummary
from horizon_rt.sinks.records import read_header, tells_of
from horizon_rt.sources import open_source
from horizon_rt.system.messages import error_line, printable, say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

__all__ = ["Job", "Result", "find_inputs", "run_batch", "summary_table"]

_log = logging.getLogger(__name__)

_ENOUGH = 0.95  # of the frames that a file declares; some declare a few more than they have
Status = Literal["done", "skipped", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a job; `reason` is the error's line."""

    job: Job
    status: Status
    summary: RunSummary | None = None
    reason: str = ""


def run_batch(
    jobs: Sequence[Job], options: RunOptions, console: Console, *, resume: bool = False
) -> list[Result]:
    """Run all jobs; stops early only when interrupted. With `resume` those that are whole are skipped."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    name = TextColumn("{task.description}", markup=False)
    columns = (name, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    results: list[Result] = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        files = bar.add_task("files", total=len(jobs))
        for job in jobs:
            whole = resume and _is_whole(job, options)
            result = Result(job, "skipped") if whole else _run_job(job, options, bar)
            results.append(result)
            bar.advance(files)
            say(console, _line(result, options))
            if result.status == "interrupted" or (result.summary and result.summary.signalled):
                break
    return results


def _is_whole(job: Job, options: RunOptions) -> bool:
    """Whether the outputs are there, those of this input with these options, and not older than it."""
    try:
        written = [path.stat().st_mtime for path in job.outputs.paths]
        telemetry = job.outputs.paths[0]
        head = read_header(telemetry)
        same = head["options"] == options.header_fields and tells_of(head, job.source)
        return same and written[0] >= job.source.stat().st_mtime and _is_long_enough(telemetry, job.source)
    except (OSError, ValueError, KeyError, TypeError, HorizonError):
        return False


def _is_long_enough(telemetry: Path, source: Path) -> bool:
    """Whether it has the frames that the source declares; an interrupted `track` leaves fewer."""
    with open_source(source) as opened:
        declared = expected_frames(opened.info)
    with telemetry.open("rb") as lines:
        return declared is None or sum(1 for _ in lines) - 1 >= _ENOUGH * declared


def _run_job(job: Job, options: RunOptions, bar: Progress) -> Result:
    task: TaskID | None = None
    try:
        source = open_source(job.source, decoder=options.source_decoder)
        task = bar.add_task(printable(job.source.name), total=expected_frames(source.info))
        summary = run(
            source,
            options,
            job.outputs,
            keep_interrupted=False,
            on_look=lambda *_: bar.advance(task),
            on_frame=None if options.smooth == "offline" else lambda *_: bar.advance(task),
        )
    except KeyboardInterrupt:
        return Result(job, "interrupted")
    except Exception as error:
        _log.debug("%s", job.source, exc_info=True)
        return Result(job, "failed", reason=error_line(error))
    finally:
        if task is not None:
            bar.remove_task(task)
    return Result(job, "interrupted" if summary.interrupted else "done", summary)


def _line(result: Result, options: RunOptions) -> str:
    detail = result.reason
    if result.summary is not None:
        s = result.summary
        detail = f"{s.frames} frames, {s.fps:.0f} frames/s, {100 * s.share_with_horizon:.1f} % with a horizon"
        if options.lens.is_assumed:
            detail += f", lens assumed: hfov {DEFAULT_HFOV_DEG:g}°"
    return f"{result.status}: {result.job.source}" + (f" ({detail})" if detail else "")


def summary_table(results: Sequence[Result]) -> Table:
    """A row for each input, and the sum."""
    from rich.table import Table
    from rich.text import Text

    table = Table("input", "status", "frames", "frames/s", "with horizon", title="batch", show_footer=True)
    table.columns[0].footer = f"{len(results)} input{'s' if len(results) != 1 else ''}"
    table.columns[1].footer = f"{sum(r.status in ('done', 'skipped') for r in results)} whole"
    table.columns[2].footer = str(sum(r.summary.frames for r in results if r.summary))
    for result in results:
        s = result.summary
        cells = (str(s.frames), f"{s.fps:.0f}", f"{100 * s.share_with_horizon:.1f} %") if s else ("", "", "")
        table.add_row(Text(result.job.source.name), result.status, *cells)
    return table
