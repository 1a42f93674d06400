"""`horizon-rt level`: a recording whose horizon stays level."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from horizon_rt.pipeline.levelling import LevelSummary

from horizon_rt.cli.console import (
    hide_secrets,
    in_words,
    print_first_use,
    print_line,
    print_summary,
    print_warning,
)
from horizon_rt.cli.options import takes
from horizon_rt.cli.progress import progress
from horizon_rt.cli.style import make_console
from horizon_rt.pipeline.level_options import LevelOptions

__all__ = ["level"]

_FEW = 0.8


@takes(options=LevelOptions, omit=("smooth", "mount", "every"))
def level(
    source: Annotated[str, typer.Argument(help="Video file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.mp4", help="Video to write: .mp4, .m4v, .mov or .mkv.")],
    preview: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Picture of some frames to write, the source above."),
    ] = None,
    *,
    options: LevelOptions,
) -> None:
    """Turn a recording so that its horizon stays level; sound, times and colours stay as they are."""
    from horizon_rt.pipeline.levelling import level_video
    from horizon_rt.pipeline.run import assumed_lens, open_in_background
    from horizon_rt.sources import open_source

    console = make_console()
    hide_secrets(console)
    opened = open_in_background(lambda: open_source(source, **options.source_fields))
    print_first_use(console)
    with progress(opened.info, console, times=2) as on_frame:
        summary = level_video(
            opened, out, options, preview=preview, on_first_pass=on_frame, on_frame=on_frame
        )
    written = [path for path in (out, preview) if path is not None and summary.is_written]
    print_summary(summary.run, written, console)
    if not summary.is_written:
        print_line(console, f"{out} is not written: that begins once the whole recording has been tracked")
    if summary.run.interrupted:
        raise typer.Exit(130)
    _print_levelled(summary, options, console, assumed_lens(options, opened.info))


def _print_levelled(summary: LevelSummary, options: LevelOptions, console: Console, assumed: str) -> None:
    if not summary.sure:
        found = "the horizon was sure in no frame" if summary.run.with_horizon else "no horizon found"
        print_warning(console, f"{found}: the output is not levelled")
        return
    low, high = summary.zoom
    print_line(
        console,
        f"turned by up to {summary.largest_turn_deg:.1f}°, zoom {low:.2f} to {high:.2f}; "
        f"the horizon was sure in {100 * summary.sure:.1f} % of the frames",
    )
    if summary.limited:
        more = "--crop keep shows all" if options.crop == "fill" else "--crop fill zooms as far as it takes"
        print_line(
            console,
            f"{100 * summary.limited:.1f} % of the frames are levelled in part, as the zoom allows no more; "
            f"{more}",
        )
    if summary.sure < _FEW:
        print_line(console, "where the horizon is not sure, the last sure attitude is held")
    if assumed and options.lock == "roll+pitch":
        print_warning(
            console,
            f"lens assumed: {in_words(assumed)}, which the pitch depends on; give --hfov or --camera-profile",
        )
