"""Many recordings, one after the other: tracked, and summed up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from horizon_rt.errors import HorizonError
from horizon_rt.options import DEFAULT_HFOV_DEG, RunOptions
from horizon_rt.pipeline.inputs import BatchItem, find_inputs
from horizon_rt.pipeline.run import camera_for, expected_frames, run
from horizon_rt.pipeline.stages import RunSummary
from horizon_rt.reports.table import Table
from horizon_rt.sinks.images import overlay_path
from horizon_rt.sinks.records import camera_fields, header_matches, mount_fields, read_header, read_records
from horizon_rt.sources import open_source
from horizon_rt.system.messages import error_line, printable
from horizon_rt.system.progress import NO_PROGRESS, Progress
from horizon_rt.tracker import model_name

__all__ = ["BatchItem", "Result", "find_inputs", "result_line", "run_batch", "summary_table"]

_log = logging.getLogger(__name__)

Status = Literal["done", "skipped", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a job; `reason` is the error's line."""

    job: BatchItem
    status: Status
    summary: RunSummary | None = None
    reason: str = ""


def run_batch(
    jobs: Sequence[BatchItem],
    options: RunOptions,
    *,
    resume: bool = False,
    progress: Progress = NO_PROGRESS,
    on_result: Callable[[Result], object] = lambda result: None,
) -> list[Result]:
    """Run all jobs; stops early only when interrupted. With `resume` those that are whole are skipped.

    `on_result` is called after each job.
    """
    results: list[Result] = []
    with progress.start("files", len(jobs)) as files:
        for job in jobs:
            whole = resume and _is_whole(job, options)
            result = Result(job, "skipped") if whole else _run_job(job, options, progress)
            results.append(result)
            files.advance()
            on_result(result)
            if result.status == "interrupted" or (result.summary and result.summary.signalled):
                break
    return results


def _is_whole(job: BatchItem, options: RunOptions) -> bool:
    """Whether the outputs are there and undamaged, of this input, lens and options, and not older than it."""
    try:
        telemetry = job.outputs.paths[0]
        head = read_header(telemetry)
        if telemetry.stat().st_mtime < job.source.stat().st_mtime or not _is_same_run(head, job, options):
            return False
        if not all(path.exists() for path in job.outputs.paths):
            return False
        records = [(record["frame"], record.get("file")) for record in read_records(telemetry)]
        # An interrupted run does not know how many frames there are.
        return head["frames"] == len(records) and _is_whole_overlay(job.outputs.overlay, records)
    except (OSError, ValueError, KeyError, TypeError, HorizonError):
        return False


def _is_same_run(head: Mapping[str, Any], job: BatchItem, options: RunOptions) -> bool:
    same_way = head["options"] == options.header_fields and head["model"] == model_name(options.engine)
    if not (same_way and header_matches(head, job.source)):
        return False
    with open_source(job.source) as source:
        profile = camera_for(options, source.info)
    same_mount = head.get("mount") == mount_fields(profile.mount)
    return same_mount and bool(head["camera"] == camera_fields(profile.model))


def _is_whole_overlay(overlay: Path | None, records: Sequence[tuple[int, str | None]]) -> bool:
    """Whether there is a picture of each record."""
    if overlay is None:
        return True
    if overlay.is_dir():
        return all(overlay_path(overlay, file, frame).stat().st_size for frame, file in records)
    with open_source(overlay) as opened:
        return opened.info.frame_count in (None, len(records))


def _run_job(job: BatchItem, options: RunOptions, progress: Progress) -> Result:
    try:
        source = open_source(job.source, decoder=options.source_decoder, part=options.part)
        with progress.start(printable(job.source.name), expected_frames(source.info)) as task:
            summary = run(
                source,
                options,
                job.outputs,
                keep_interrupted=False,
                on_first_pass=lambda *_: task.advance(),
                on_frame=None if options.smooth == "offline" else lambda *_: task.advance(),
            )
    except KeyboardInterrupt:
        return Result(job, "interrupted")
    except Exception as error:
        _log.debug("%s", job.source, exc_info=True)
        return Result(job, "failed", reason=error_line(error))
    return Result(job, "interrupted" if summary.interrupted else "done", summary)


def result_line(result: Result, options: RunOptions) -> str:
    """What became of a job, in one line."""
    detail = result.reason
    if result.summary is not None:
        s = result.summary
        detail = f"{s.frames} frames, {s.fps:.0f} frames/s, {100 * s.share_with_horizon:.1f} % with a horizon"
        if options.lens.is_assumed:
            detail += f", lens assumed: hfov {DEFAULT_HFOV_DEG:g}°"
    return f"{result.status}: {result.job.source}" + (f" ({detail})" if detail else "")


def summary_table(results: Sequence[Result]) -> Table:
    """A row for each input, and the sum."""
    rows = []
    for result in results:
        s = result.summary
        cells = (str(s.frames), f"{s.fps:.0f}", f"{100 * s.share_with_horizon:.1f} %") if s else ("", "", "")
        rows.append((result.job.source.name, result.status, *cells))
    inputs = f"{len(results)} input{'s' if len(results) != 1 else ''}"
    whole = f"{sum(r.status in ('done', 'skipped') for r in results)} whole"
    frames = str(sum(r.summary.frames for r in results if r.summary))
    head = ("input", "status", "frames", "frames/s", "with horizon")
    return Table("input", "", head, tuple(rows), foot=(inputs, whole, frames, "", ""))
