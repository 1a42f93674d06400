"""Many recordings, one after the other: tracked, and summed up."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from horizon_rt.config import DEFAULT_HFOV_DEG, TrackOptions
from horizon_rt.errors import HorizonError
from horizon_rt.inputs import Job, find_inputs
from horizon_rt.messages import error_line, printable, say
from horizon_rt.pipeline import RunSummary
from horizon_rt.run import camera_for, expected_frames, run
from horizon_rt.sinks.images import overlay_path
from horizon_rt.sinks.records import camera_fields, read_header, read_records, tells_of
from horizon_rt.sources import open_source

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

__all__ = ["Job", "Result", "find_inputs", "run_batch", "summary_table"]

_log = logging.getLogger(__name__)

Status = Literal["done", "skipped", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a job; `reason` is the error's line."""

    job: Job
    status: Status
    summary: RunSummary | None = None
    reason: str = ""


def run_batch(
    jobs: Sequence[Job], options: TrackOptions, console: Console, *, resume: bool = False
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


def _is_whole(job: Job, options: TrackOptions) -> bool:
    """Whether the outputs are there and undamaged, of this input, lens and options, and not older than it."""
    try:
        telemetry = job.outputs.paths[0]
        head = read_header(telemetry)
        if telemetry.stat().st_mtime < job.source.stat().st_mtime or not _is_same_run(head, job, options):
            return False
        records = [(record["frame"], record.get("file")) for record in read_records(telemetry)]
        # An interrupted run does not know how many frames there are.
        return head["frames"] == len(records) and _is_whole_overlay(job.outputs.overlay, records)
    except (OSError, ValueError, KeyError, TypeError, HorizonError):
        return False


def _is_same_run(head: Mapping[str, Any], job: Job, options: TrackOptions) -> bool:
    if head["options"] != options.told or not tells_of(head, job.source):
        return False
    with open_source(job.source) as source:
        return bool(head["camera"] == camera_fields(camera_for(options, source.info).model))


def _is_whole_overlay(overlay: Path | None, records: Sequence[tuple[int, str | None]]) -> bool:
    """Whether there is a picture of each record."""
    if overlay is None:
        return True
    if overlay.is_dir():
        return all(overlay_path(overlay, file, frame).stat().st_size for frame, file in records)
    with open_source(overlay) as opened:
        return opened.info.frame_count in (None, len(records))


def _run_job(job: Job, options: TrackOptions, bar: Progress) -> Result:
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


def _line(result: Result, options: TrackOptions) -> str:
    detail = result.reason
    if result.summary is not None:
        s = result.summary
        detail = f"{s.frames} frames, {s.fps:.0f} frames/s, {100 * s.share_with_horizon:.1f} % with a horizon"
        if options.lens_is_assumed:
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
