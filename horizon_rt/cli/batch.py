"""`horizon-rt batch`: many recordings in one go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from horizon_rt.batches.job import Job
    from horizon_rt.batches.plan import Planned
    from horizon_rt.batches.work import Result

from horizon_rt.batches.options import BatchOptions
from horizon_rt.cli.console import print_advice, print_first_use, print_line, print_table, print_warning
from horizon_rt.cli.options import takes
from horizon_rt.cli.progress import bars
from horizon_rt.cli.style import make_console
from horizon_rt.options import RunOptions
from horizon_rt.system.units import counted

__all__ = ["batch"]


@takes(how=BatchOptions, options=RunOptions)
def batch(
    *,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(help="Video files, folders, glob patterns, or @FILE: a list of them."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the outputs of all inputs.")],
    how: BatchOptions,
    options: RunOptions,
) -> None:
    """Track many recordings; a broken one is named and the rest goes on (exit code 1)."""
    from horizon_rt.batches.job import prepare
    from horizon_rt.batches.plan import plan_table
    from horizon_rt.batches.shown import summary_table

    console = make_console()
    job = prepare(inputs or [], out, options, how)
    if how.watch is not None:
        _watch(job, console)
        return
    if how.dry_run:
        print_table(plan_table(job.planned))
        return
    print_first_use(console)
    with bars(console) as progress:
        results = job.run(progress=progress, on_result=lambda result: _print_result(result, console))
    print_table(summary_table(results))
    if left := job.not_begun(results):
        print_line(console, f"{counted(len(left), 'input')} not begun")
    _write_page(job, results, console)
    _finish(results, len(job.planned), options, console)


def _write_page(job: Job, results: Sequence[Result], console: Console) -> None:
    if (page := job.write_page(results)) is not None:
        print_line(console, f"written: {page}")


def _watch(job: Job, console: Console) -> None:
    """What is named, and then what comes into the watched folder; Ctrl-C is its usual end, with exit code 0
    unless something has failed at last.
    """
    from horizon_rt.batches.plan import plan
    from horizon_rt.batches.run import run_batch
    from horizon_rt.batches.watching import items_of, watch_folder
    from horizon_rt.errors import OutputError

    how, folder, before = job.how, Path(job.how.watch or ""), [one.item for one in job.planned]
    if not folder.is_dir():
        raise typer.BadParameter(f"--watch takes a folder, and {folder} is none")

    clashes: list[OutputError] = []

    def coming() -> Iterator[Planned | None]:
        yield from job.planned
        print_line(console, f"watching {folder}; Ctrl-C ends it")
        for item in items_of(watch_folder(folder, how.settle_s), before, job.out, how):
            if item is None:
                yield None
            elif isinstance(item, OutputError):
                clashes.append(item)
                print_warning(console, f"failed: {item}", kind="error")
            else:
                yield from plan([item], job.options, job.settings, resume=True)

    results = run_batch(
        coming(), job.options, job.settings, how, on_result=lambda result: _print_result(result, console)
    )
    latest = {result.item.name: result for result in results}
    _write_page(job, [*latest.values()], console)
    if clashes or any(result.status == "failed" for result in latest.values()):
        raise typer.Exit(1)


def _finish(results: list[Result], expected: int, options: RunOptions, console: Console) -> None:
    """Advice, and the exit code."""
    from horizon_rt.pipeline.stages import RunSummary

    runs = [result.summary for result in results if result.summary is not None]
    total = RunSummary(frames=sum(r.frames for r in runs), with_horizon=sum(r.with_horizon for r in runs))
    print_advice(total, options, console, repeatable=True)
    if len(results) < expected or any(result.status == "interrupted" for result in results):
        raise typer.Exit(130)
    if any(result.status == "failed" for result in results):
        raise typer.Exit(1)


def _print_result(result: Result, console: Console) -> None:
    from horizon_rt.batches.shown import result_line

    line = result_line(result)
    if result.status == "failed":
        print_warning(console, line, kind="error")
    else:
        print_line(console, line)
