"""`horizon-rt convert`: telemetry in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horizon_rt.cli.console import print_line
from horizon_rt.cli.style import make_console
from horizon_rt.system.units import counted

__all__ = ["convert"]


def convert(
    telemetry: Annotated[Path, typer.Argument(help="Telemetry as JSON lines, as track and batch write it.")],
    outputs: Annotated[
        list[Path],
        typer.Argument(
            help="Files to write: .srt, .vtt, .gcsv, .motion.csv, .parquet, .gravity.txt, geo.txt, or a "
            "folder NAME.gpano."
        ),
    ],
    merge: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The camera's own .gcsv, whose gyroscope is kept, or the geo.txt with the positions.",
        ),
    ] = None,
) -> None:
    """Write telemetry as subtitles, gyroscope log, table or metadata for other programs."""
    from horizon_rt.pipeline.convert import convert_telemetry

    rows = convert_telemetry(telemetry, outputs, merge=merge)
    console = make_console()
    for path in outputs:
        print_line(console, f"written: {path} ({counted(rows, 'frame')} read)")
