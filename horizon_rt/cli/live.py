"""`horizon-rt live`: the overlay of a camera or stream, in a window."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from horizon_rt.cli.config import configured
from horizon_rt.cli.console import (
    hide_secrets,
    print_advice,
    print_first_use,
    print_lens,
    print_line,
    print_summary,
    print_warning,
)
from horizon_rt.cli.options import PART, parse_size, takes
from horizon_rt.cli.progress import status_line
from horizon_rt.cli.style import make_console
from horizon_rt.options import LiveOptions
from horizon_rt.recording.options import RecordOptions
from horizon_rt.system.files import free_name

if TYPE_CHECKING:
    from rich.console import Console

    from horizon_rt.pipeline.run import Outputs

__all__ = ["live"]


@configured
@takes(options=LiveOptions, recording=RecordOptions, omit=PART)
def live(
    source: Annotated[
        str,
        typer.Argument(
            help="Camera index, /dev/video0, rtsp://… or another address, file, synth:SCENE, or - for a pipe."
        ),
        "source",
    ],
    telemetry: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="Telemetry to write: .jsonl, .csv or .mcap, or - for stdout; repeatable."
        ),
        "file",
    ] = None,
    overlay: Annotated[Path | None, typer.Option(help="Overlay video to write.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that exist, in place of writing NAME-2.")
    ] = False,
    rerun: Annotated[
        Path | None, typer.Option(metavar="FILE.rrd", help="Recording for the Rerun viewer to write.")
    ] = None,
    link: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Send telemetry: mavlink://, nmea://, json:// or mqtt://HOST…; repeatable.",
        ),
    ] = None,
    web: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Serve a live page, such as 127.0.0.1:8700 or 0.0.0.0:8700."),
    ] = None,
    window: Annotated[bool, typer.Option(help="Show a window where there is a display.")] = True,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Picture size to ask a camera for.")] = None,
    fps: Annotated[float | None, typer.Option(min=1, help="Frame rate to ask a camera for.")] = None,
    *,
    options: LiveOptions,
    recording: RecordOptions,
) -> None:
    """Show the horizon of a camera or stream live; q or Esc ends it, s saves a picture, h shows all keys.

    A slow machine drops frames rather than fall behind. A stream that breaks off is opened anew until it is
    back. Ctrl-C ends it too, with all files whole. A recording plays at its own speed; to get all of its
    frames use `track`.
    """
    from horizon_rt.pipeline.inputs import VIDEO_SUFFIXES
    from horizon_rt.pipeline.run import Outputs, open_in_background, run
    from horizon_rt.sinks import display_available
    from horizon_rt.sources import open_source

    if recording.record is not None and Path(recording.record).suffix.lower() in VIDEO_SUFFIXES:
        raise typer.BadParameter("--record takes a folder; --overlay FILE writes one video")
    requested = None if size is None else parse_size(size)
    console = make_console()
    hide_secrets(console)
    with suppress(KeyboardInterrupt):  # the usual end, even before the first picture
        opened = open_in_background(
            lambda: open_source(source, size=requested, frame_rate=fps, decoder=options.source_decoder)
        )
        if window and not display_available():
            idle = not (telemetry or overlay or recording.record or rerun or link or web)
            hint = "; add --telemetry FILE or --record FOLDER to keep something" if idle else ""
            print_warning(console, f"no display: going on without a window{hint}")
            window = False
        if (size or fps) and opened.info.kind != "device":
            print_warning(console, "--size and --fps are for cameras; this source has its own")
        outputs = Outputs(
            telemetry=tuple(telemetry or ()),
            overlay=overlay,
            rerun=rerun,
            window=window,
            links=tuple(link or ()),
            web=web,
            recording=recording,
        )
        if not overwrite:
            outputs = _beside(outputs, console)
        print_first_use(console)
        with status_line(console, opened, quiet=window) as on_frame:
            summary = run(
                opened,
                options,
                outputs,
                real_time=True,
                on_frame=on_frame,
                on_page=partial(print_warning, console),
                on_line=partial(print_line, console),
            )
        print_summary(summary, outputs.paths, console)
        print_lens(options, outputs, console)
        if opened.info.kind == "stdin" and summary.dropped > summary.frames:
            print_warning(
                console, "the pipe brought more than was shown: `track -` takes every frame of a recording"
            )
        print_advice(summary, options, console)


def _beside(outputs: Outputs, console: Console) -> Outputs:
    """The same under names that no file bears; a line tells of each that is another."""

    def free(target: str) -> str:
        path = Path(target)
        if target == "-" or (name := free_name(path)) == path:
            return target
        print_warning(console, f"{path} exists, writing {name}; --overwrite replaces it")
        return str(name)

    overlay = None if outputs.overlay is None else Path(free(str(outputs.overlay)))
    return replace(outputs, telemetry=tuple(map(free, outputs.telemetry)), overlay=overlay)
