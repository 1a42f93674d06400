"""`horizon-rt demo`: render a flight with known attitude, track it, say how far off it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the overlay video and the telemetry.")] = Path(
        "demo-out"
    ),
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Length of the flight.")] = 12.0,
    size: Annotated[str, typer.Option(metavar="WxH", help="Picture size.")] = "640x360",
    scene: Annotated[
        str, typer.Option(help="Scene: sea, coast, fields, town, … as for synth: sources.")
    ] = "coast",
    motion: Annotated[str, typer.Option(help="Motion: flight, aerobatics, boat or rest.")] = "aerobatics",
    seed: Annotated[int, typer.Option(min=0, help="Another number is another scene.")] = 1,
) -> None:
    """Render a known flight, track it, print the error, write the overlay."""
    from horizon_rt.cli.console import print_first_use, print_line, print_summary, print_table
    from horizon_rt.cli.progress import progress
    from horizon_rt.cli.style import make_console
    from horizon_rt.pipeline.demo import Demo

    console = make_console()
    flight = Demo(scene, out, motion=motion, size=size, seconds=seconds, seed=seed)
    print_first_use(console)
    print_line(console, "a flight is rendered and tracked; a recording takes a fraction of that time")
    with progress(flight.source.info, console) as on_frame:
        summary = flight.run(on_frame)
    print_summary(summary, flight.outputs.paths, console)
    if summary.interrupted:
        raise typer.Exit(130)
    print_table(flight.table())
