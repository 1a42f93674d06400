"""`horizon-rt live`: the overlay of a camera or stream, in a window."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from horizon_rt.cli.options import PART, parse_exposure, parse_size, takes
from horizon_rt.cli.progress import status_line
from horizon_rt.cli.several import show_several
from horizon_rt.cli.style import make_console
from horizon_rt.errors import OptionsError
from horizon_rt.options import EncodeOptions, LiveOptions
from horizon_rt.recording.options import RecordOptions
from horizon_rt.sinks.drawing import DrawOptions
from horizon_rt.system.address import split_name
from horizon_rt.system.files import free_name

if TYPE_CHECKING:
    from rich.console import Console

    from horizon_rt.pipeline.outputs import Outputs
    from horizon_rt.pipeline.several import Feed

__all__ = ["live"]

_LONG_ENOUGH_S = 5.0  # for a run to say whether it saw a horizon


@configured
@takes(options=LiveOptions, recording=RecordOptions, drawing=DrawOptions, coding=EncodeOptions, omit=PART)
def live(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Camera index, /dev/video0, rtsp://… or another address, file, synth:SCENE, or - for a "
            "pipe; several, each as SOURCE or NAME=SOURCE, share one net.",
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
    level: Annotated[
        bool,
        typer.Option("--level", help="Turn what window, page and overlay show level, with black corners."),
    ] = False,
    window: Annotated[bool, typer.Option(help="Show a window where there is a display.")] = True,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Picture size to ask a camera for.")] = None,
    fps: Annotated[float | None, typer.Option(min=1, help="Frame rate to ask a camera for.")] = None,
    pixel_format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Pixel format to ask a camera for: mjpeg, yuyv422, …; see `doctor`."
        ),
    ] = None,
    exposure: Annotated[
        str | None,
        typer.Option(
            metavar="auto|locked|MS",
            help="Exposure of a camera: its own, kept as it is after two seconds, or a time in ms.",
        ),
    ] = None,
    *,
    options: LiveOptions,
    recording: RecordOptions,
    drawing: DrawOptions,
    coding: EncodeOptions,
) -> None:
    """Show the horizon of a camera or stream live; q or Esc ends it, s saves a picture, h shows all keys.

    A slow machine drops frames rather than fall behind. A stream that breaks off is opened anew until it is
    back. Ctrl-C ends it too, with all files whole. A recording plays at its own speed; to get all of its
    frames use `track`. {name} and {number} in an output or camera profile are those of the camera.
    """
    from horizon_rt.imaging.suffixes import VIDEO_SUFFIXES
    from horizon_rt.pipeline.outputs import Outputs
    from horizon_rt.pipeline.several import feeds_of
    from horizon_rt.sinks import display_available
    from horizon_rt.sources import open_source

    if recording.record is not None and Path(recording.record).suffix.lower() in VIDEO_SUFFIXES:
        raise typer.BadParameter("--record takes a folder; --overlay FILE writes one video")
    request: dict[str, Any] = {
        "size": None if size is None else parse_size(size),
        "frame_rate": fps,
        "pixel_format": pixel_format,
        "exposure": None if exposure is None else parse_exposure(exposure),
    }
    console = make_console()
    hide_secrets(console)
    outputs = Outputs(
        telemetry=tuple(telemetry or ()),
        overlay=overlay,
        rerun=rerun,
        window=window and len(source) == 1 and display_available(),
        level=level,
        links=tuple(link or ()),
        web=web,
        recording=recording,
        drawing=drawing,
        coding=coding,
    )
    if recording.record_on_demand and not (outputs.web or outputs.window):
        raise typer.BadParameter("--record-on-demand needs --web or a window, which start the recording")
    opener = partial(open_source, **options.source_fields, **request)
    named = [("", text) if os.path.exists(text) else split_name(text) for text in source]
    try:
        feeds = feeds_of([(name, partial(opener, text)) for name, text in named], options, outputs)
    except OptionsError as error:
        raise typer.BadParameter(str(error)) from None
    if not overwrite:
        feeds = [replace(feed, outputs=_beside(feed.outputs, console)) for feed in feeds]
    with suppress(KeyboardInterrupt):  # the usual end, even before the first picture
        if len(feeds) > 1:
            _tell_of_window(console, feeds[0].outputs, "several cameras" if window else "")
            print_first_use(console)
            show_several(feeds, console)
        else:
            _show(feeds[0], console, window=window, asks=any(value is not None for value in request.values()))


def _tell_of_window(console: Console, outputs: Outputs, reason: str) -> None:
    """Say for which reason there is no window, where one was wanted."""
    if reason:
        hint = "" if outputs.places else "; add --telemetry FILE or --record FOLDER to keep something"
        print_warning(console, f"{reason}: going on without a window{hint}")


def _show(feed: Feed, console: Console, *, window: bool, asks: bool) -> None:
    """Track one camera, in a `window` where it can have one; it `asks` for what cameras alone can give."""
    from horizon_rt.pipeline.run import assumed_lens, open_in_background, run

    opened = open_in_background(feed.open)
    _tell_of_window(console, feed.outputs, "no display" if window and not feed.outputs.window else "")
    if asks and opened.info.kind != "device":
        print_warning(
            console, "--size, --fps, --pixel-format and --exposure are for cameras; this source has its own"
        )
    print_first_use(console)
    assumed = assumed_lens(feed.options, opened.info)
    print_lens(assumed, feed.outputs, console, always=bool(feed.outputs.links or feed.outputs.web))
    with status_line(console, opened, quiet=feed.outputs.window) as on_frame:
        summary = run(
            opened,
            feed.options,
            feed.outputs,
            real_time=True,
            on_frame=on_frame,
            on_page=partial(print_warning, console),
            on_line=partial(print_line, console),
        )
    print_summary(summary, feed.outputs.paths, console)
    if opened.info.kind == "stdin" and summary.dropped > summary.frames:
        print_warning(
            console, "the pipe brought more than was shown: `track -` takes every frame of a recording"
        )
    if summary.seconds > _LONG_ENOUGH_S:
        print_advice(summary, feed.options, console)


def _beside(outputs: Outputs, console: Console) -> Outputs:
    """The same under names that no file bears; a line tells of each that is another."""

    def free(target: str) -> str:
        path = Path(target)
        if target == "-" or (name := free_name(path)) == path:
            return target
        print_warning(console, f"{path} exists, writing {name}; --overwrite replaces it")
        return str(name)

    def free_path(target: Path | None) -> Path | None:
        return None if target is None else Path(free(str(target)))

    return replace(
        outputs,
        telemetry=tuple(map(free, outputs.telemetry)),
        overlay=free_path(outputs.overlay),
        rerun=free_path(outputs.rerun),
    )
