"""`horizon-rt compare`: telemetry against the log of the same flight."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horizon_rt.cli.console import print_line, print_table
from horizon_rt.cli.style import make_console

__all__ = ["compare"]


def compare(
    telemetry: Annotated[Path, typer.Argument(help="Telemetry as JSON lines, as track and batch write it.")],
    log: Annotated[
        Path,
        typer.Argument(
            help="Roll and pitch of the flight: .csv with units in the names of its columns, ArduPilot .bin, "
            "MAVLink .tlog, PX4 .ulg, a film of a GoPro (.mp4), or other telemetry (.jsonl)."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write compare.html, .png, .json and .csv into this folder."),
    ] = None,
    offset: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Log time minus telemetry time, where it is known roughly."),
    ] = None,
    within: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How far --offset may be off.")
    ] = 30.0,
    keep_mount: Annotated[
        bool, typer.Option("--keep-mount", help="Tell the mounting offset, but leave it in the errors.")
    ] = False,
) -> None:
    """Compare telemetry with a flight log: clocks aligned, mounting offset found, errors by state.

    The rates of the two tell the offset and drift of the clocks. Where they do not correlate enough,
    nothing is compared, and a line says why.
    """
    from horizon_rt.comparison import compare as compare_tracks
    from horizon_rt.flight_logs import load_log
    from horizon_rt.reports.table import Table
    from horizon_rt.system.extras import require
    from horizon_rt.system.files import make_folder
    from horizon_rt.tracks import load_track

    if out is not None:
        require("report", "compare --out")
        make_folder(out)
    track = load_track(telemetry)
    console = make_console()
    with console.status("reading the log"):
        loaded = load_log(log)
    found = compare_tracks(track, loaded, offset_s=offset, within_s=within, mount=not keep_mount)
    from horizon_rt.comparison.tables import error_table, fact_rows

    print_table(Table("Alignment", "", ("Alignment", "value"), tuple(fact_rows(found))))
    print_table(error_table(found))
    if out is None:
        return
    from horizon_rt.comparison.report import write_report

    for path in write_report(found, out):
        print_line(console, f"written: {path}")
