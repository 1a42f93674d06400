"""`horizon-rt batch`: many recordings in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horizon_rt.cli.common import (
    Backend,
    BackendChoice,
    Decoder,
    Device,
    DeviceChoice,
    Hfov,
    Model,
    Precision,
    PrecisionChoice,
    Profile,
    Smooth,
    Smoothing,
    options_from,
    print_table,
    say_advice,
    say_first_use,
)

__all__ = ["batch"]


def batch(
    inputs: Annotated[list[str], typer.Argument(help="Video files, folders or glob patterns.")],
    out: Annotated[Path, typer.Option(help="Folder for the overlay and telemetry of each input.")],
    overlay: Annotated[bool, typer.Option(help="Write overlay videos beside the telemetry.")] = True,
    resume: Annotated[bool, typer.Option("--resume", help="Skip inputs whose outputs are whole.")] = False,
    smooth: Smooth = Smoothing.causal,
    camera_profile: Profile = None,
    hfov: Hfov = None,
    model: Model = None,
    device: Device = DeviceChoice.auto,
    backend: Backend = BackendChoice.auto,
    precision: Precision = PrecisionChoice.auto,
    decoder: Decoder = DeviceChoice.auto,
) -> None:
    """Track many recordings; a broken one is named and the rest goes on (exit code 1)."""
    from rich.console import Console

    from horizon_rt.batch import find_inputs, run_batch, summary_table
    from horizon_rt.pipeline import RunSummary

    options = options_from(camera_profile, hfov, model, smooth, device, backend, decoder, precision)
    console = Console(stderr=True)
    say_first_use(console)
    jobs = find_inputs(inputs, out, overlay=overlay)
    results = run_batch(jobs, options, console, resume=resume)
    print_table(summary_table(results))
    runs = [result.summary for result in results if result.summary is not None]
    total = RunSummary(frames=sum(r.frames for r in runs), with_horizon=sum(r.with_horizon for r in runs))
    say_advice(total, options, console, repeatable=True)
    if len(results) < len(jobs) or any(result.status == "interrupted" for result in results):
        raise typer.Exit(130)
    if any(result.status == "failed" for result in results):
        raise typer.Exit(1)
