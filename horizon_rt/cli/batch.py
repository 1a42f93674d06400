"""`horizon-rt batch`: many recordings in one go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from horizon_rt.pipeline.batch import Result

from horizon_rt.cli.console import print_advice, print_first_use, print_line, print_table, print_warning
from horizon_rt.cli.options import takes
from horizon_rt.cli.progress import bars
from horizon_rt.cli.style import make_console
from horizon_rt.options import RunOptions

__all__ = ["batch"]


@takes(options=RunOptions)
def batch(
    inputs: Annotated[list[str], typer.Argument(help="Video files, folders or glob patterns.")],
    out: Annotated[Path, typer.Option(help="Folder for the overlay and telemetry of each input.")],
    overlay: Annotated[bool, typer.Option(help="Write overlay videos beside the telemetry.")] = True,
    telemetry: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ENDING", help="Telemetry beside NAME.jsonl, by its ending, such as .srt; repeatable."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Skip inputs whose outputs are whole.")] = False,
    *,
    options: RunOptions,
) -> None:
    """Track many recordings; a broken one is named and the rest goes on (exit code 1)."""
    from horizon_rt.pipeline.batch import find_inputs, run_batch, summary_table
    from horizon_rt.pipeline.stages import RunSummary

    console = make_console()
    print_first_use(console)
    jobs = find_inputs(inputs, out, overlay=overlay, also=_endings(telemetry or []))
    with bars(console) as progress:
        results = run_batch(
            jobs,
            options,
            resume=resume,
            progress=progress,
            on_result=lambda result: _print_result(result, options, console),
        )
    print_table(summary_table(results))
    runs = [result.summary for result in results if result.summary is not None]
    total = RunSummary(frames=sum(r.frames for r in runs), with_horizon=sum(r.with_horizon for r in runs))
    print_advice(total, options, console, repeatable=True)
    if len(results) < len(jobs) or any(result.status == "interrupted" for result in results):
        raise typer.Exit(130)
    if any(result.status == "failed" for result in results):
        raise typer.Exit(1)


def _endings(given: list[str]) -> list[str]:
    from horizon_rt.sidecars.opening import ENDINGS

    known = [*(ending for ending in ENDINGS if ending.startswith(".")), ".csv", ".mcap"]
    endings = [ending if ending.startswith(".") else f".{ending}" for ending in given]
    if unknown := [ending for ending in endings if ending not in known]:
        raise typer.BadParameter(f"--telemetry of batch is one of {', '.join(known)}, got {unknown[0]!r}")
    return endings


def _print_result(result: Result, options: RunOptions, console: Console) -> None:
    from horizon_rt.pipeline.batch import result_line

    line = result_line(result, options)
    if result.status == "failed":
        print_warning(console, line, kind="error")
    else:
        print_line(console, line)
