"""`horizon-rt track`: a recording, from the first frame to the last."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from horizon_rt.frame import Frame
    from horizon_rt.horizon import Horizon
    from horizon_rt.pipeline.outputs import Outputs
    from horizon_rt.sources import Source, SourceInfo

from horizon_rt.cli.console import (
    hide_secrets,
    print_advice,
    print_first_use,
    print_lens,
    print_line,
    print_summary,
)
from horizon_rt.cli.options import takes
from horizon_rt.cli.progress import progress
from horizon_rt.cli.style import make_console
from horizon_rt.options import EncodeOptions, RunOptions
from horizon_rt.sinks.drawing import DrawOptions
from horizon_rt.system.address import without_secrets

__all__ = ["track"]

_FEW_STILLS = 10  # pictures, of which the angles are printed


@takes(options=RunOptions, drawing=DrawOptions, coding=EncodeOptions)
def track(
    source: Annotated[
        list[str],
        typer.Argument(
            help="Video file, pictures (folder, glob or files), address, synth:SCENE, or - for a pipe."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for NAME.jsonl and NAME.overlay.mp4; without any output NAME-horizon."),
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(help="Overlay video to write; a folder when the source is pictures.")
    ] = None,
    telemetry: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="Telemetry to write: .jsonl, .csv or .mcap, or - for stdout; repeatable."
        ),
    ] = None,
    rerun: Annotated[
        Path | None, typer.Option(metavar="FILE.rrd", help="Recording for the Rerun viewer to write.")
    ] = None,
    *,
    options: RunOptions,
    drawing: DrawOptions,
    coding: EncodeOptions,
) -> None:
    """Track the horizon through a recording; write its telemetry and a video with the horizon drawn in."""
    from horizon_rt.pipeline.outputs import Outputs
    from horizon_rt.pipeline.run import open_in_background, reads_twice, run

    console = make_console()
    hide_secrets(console)
    opened = open_in_background(lambda: _open(source, options))
    asked = Outputs(
        telemetry=tuple(telemetry or ()), overlay=overlay, rerun=rerun, drawing=drawing, coding=coding
    )
    outputs = _outputs(out, asked, opened.info)
    if options.smooth == "offline" and opened.info.is_image_set:
        print_line(console, "pictures stand alone: nothing is smoothed")
    print_first_use(console)
    twice, stills = reads_twice(options, outputs, opened.info), []
    with progress(opened.info, console, times=2 if twice else 1) as on_frame:

        def on_each(frame: Frame, horizon: Horizon) -> None:
            on_frame(frame, horizon)
            if 0 < len(opened.info.pictures) <= _FEW_STILLS:
                stills.append(f"{Path(horizon.file or '').name}: {horizon.in_words or 'no horizon'}")

        summary = run(opened, options, outputs, on_frame=on_each, on_first_pass=on_frame)
    for line in stills:
        print_line(console, line)
    print_summary(summary, outputs.paths, console)
    print_lens(summary.assumed, outputs, console, always=outputs != asked)
    print_advice(summary, options, console, repeatable=opened.info.kind in ("file", "synthetic"))
    if summary.interrupted and twice and outputs.overlay is not None and not outputs.overlay.exists():
        print_line(console, "no overlay: it is made in a second look, after all of the recording was seen")
    if summary.interrupted:
        raise typer.Exit(130)


def _open(sources: list[str], options: RunOptions) -> Source:
    from horizon_rt.sources import open_source

    if len(sources) == 1:
        return open_source(sources[0], **options.source_fields)
    from horizon_rt.imaging.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES
    from horizon_rt.sources.images import open_pictures
    from horizon_rt.sources.resolve import taken

    suffixes = {Path(name).suffix.lower() for name in sources}
    if suffixes & VIDEO_SUFFIXES or not suffixes & IMAGE_SUFFIXES:
        named = shlex.join(map(without_secrets, sources[:3])) + (" …" if len(sources) > 3 else "")
        raise typer.BadParameter(
            "several files are taken together if they are pictures; "
            f"for recordings use: horizon-rt batch {named} --out results"
        )
    return taken(open_pictures(sources), options.part, options.rotate)


def _outputs(out: Path | None, asked: Outputs, info: SourceInfo) -> Outputs:
    """What is asked for, and what goes into --out, or into a folder of its own if nothing is asked for."""
    from horizon_rt.pipeline.outputs import check_taken, default_outputs, free_folder
    from horizon_rt.sources.names import output_name

    if out is None and (asked.paths or asked.telemetry):
        return asked
    name = output_name(info)
    usual = default_outputs(free_folder(name) if out is None else out, name, is_image_set=info.is_image_set)
    check_taken(usual, info)
    telemetry = dict.fromkeys([*usual.telemetry, *asked.telemetry])
    return replace(asked, telemetry=tuple(telemetry), overlay=asked.overlay or usual.overlay)
