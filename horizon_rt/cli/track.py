"""`horizon-rt track`: a recording, from the first frame to the last."""

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
    print_summary,
    progress,
    say,
    say_first_use,
    say_lens,
)

__all__ = ["track"]


def track(
    source: Annotated[
        str, typer.Argument(help="Video file, folder or glob of pictures, synth:SCENE, or - for a pipe.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for NAME.jsonl and NAME.overlay.mp4.")] = None,
    overlay: Annotated[
        Path | None, typer.Option(help="Overlay video to write; a folder when the source is pictures.")
    ] = None,
    telemetry: Annotated[
        list[str] | None,
        typer.Option(help="Telemetry to write: .jsonl or .csv, or - for stdout; repeatable."),
    ] = None,
    smooth: Smooth = Smoothing.causal,
    camera_profile: Profile = None,
    hfov: Hfov = None,
    model: Model = None,
    device: Device = DeviceChoice.auto,
    backend: Backend = BackendChoice.auto,
    precision: Precision = PrecisionChoice.auto,
    decoder: Decoder = DeviceChoice.auto,
) -> None:
    """Track the horizon through a recording and write what is asked for."""
    from rich.console import Console

    from horizon_rt.run import Outputs, check_taken, default_outputs, open_in_background, run
    from horizon_rt.sources import open_source
    from horizon_rt.sources.names import output_name

    options = options_from(camera_profile, hfov, model, smooth, device, backend, decoder, precision)
    console = Console(stderr=True)
    opened = open_in_background(lambda: open_source(source, decoder=options.source_decoder))
    outputs = Outputs(telemetry=tuple(telemetry or ()), overlay=overlay)
    if out is not None:
        usual = default_outputs(out, output_name(opened.info), still=opened.info.still)
        check_taken(usual, opened.info)
        outputs = Outputs(telemetry=outputs.telemetry or usual.telemetry, overlay=overlay or usual.overlay)
    if not (outputs.paths or outputs.telemetry):
        say(console, "nothing will be written; add --out DIR, --overlay FILE or --telemetry FILE")
    if smooth is Smoothing.offline and opened.info.still:
        say(console, "pictures stand alone: nothing is smoothed")
    say_first_use(console)
    twice = smooth is Smoothing.offline and outputs.shows_pictures and not opened.info.still
    with progress(opened.info, console, times=2 if twice else 1) as on_frame:
        summary = run(opened, options, outputs, on_frame=on_frame, on_look=on_frame)
    print_summary(summary, outputs.paths, console)
    say_lens(options, outputs, console)
    if summary.interrupted and twice and outputs.overlay is not None and not outputs.overlay.exists():
        say(console, "no overlay: it is made in a second look, after all of the recording was seen")
    if summary.interrupted:
        raise typer.Exit(130)
