"""`horizon-rt annotate`: boxes of a detector, judged by the horizon."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from horizon_rt.detections.judging import Judgement

from horizon_rt.cli.console import (
    hide_secrets,
    print_first_use,
    print_lens,
    print_line,
    print_summary,
    print_warning,
)
from horizon_rt.cli.options import PART, takes
from horizon_rt.cli.progress import progress
from horizon_rt.cli.style import make_console
from horizon_rt.options import RunOptions
from horizon_rt.sinks.drawing import DrawOptions

__all__ = ["annotate"]


@takes(options=RunOptions, drawing=DrawOptions, omit=PART)
def annotate(
    source: Annotated[str, typer.Argument(help="Video file, or a folder or glob of pictures.")],
    boxes: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Boxes of a detector: .csv, .json, .jsonl, COCO .json, YOLO .txt or a folder of those.",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Boxes with what is found: .csv, .json, .jsonl; without it CSV on stdout."
        ),
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(help="Overlay video to write; a folder when the source is pictures.")
    ] = None,
    *,
    options: RunOptions,
    drawing: DrawOptions,
) -> None:
    """Say of boxes whether they lie in the sky or on the sea, and with --height how far off they are.

    `side` is sky, sea, or horizon for a box that crosses it; `range_m` and `range_sd_m` are the distance of
    the middle of its bottom edge, the waterline, and one standard deviation.
    """
    from horizon_rt.detections import read_boxes
    from horizon_rt.detections.judging import AnnotationSink
    from horizon_rt.pipeline.outputs import Outputs, check_targets
    from horizon_rt.pipeline.run import open_in_background, reads_twice, run
    from horizon_rt.sources import open_source

    console = make_console()
    hide_secrets(console)
    target = "-" if out is None and overlay is None else out
    if target is not None and Path(target).exists() and boxes.exists() and boxes.samefile(target):
        raise typer.BadParameter(f"{target} holds the boxes, which would be lost; give --out another name")
    found = read_boxes(boxes)
    sink = AnnotationSink(target, found)
    opened = open_in_background(lambda: open_source(source, **options.source_fields))
    outputs = Outputs(overlay=overlay, boxes=found, drawing=drawing)
    if target is not None:
        check_targets(replace(outputs, telemetry=(target,)), opened.info)
    print_first_use(console)
    times = 2 if reads_twice(options, outputs, opened.info) else 1
    with progress(opened.info, console, times=times) as on_frame:
        summary = run(opened, options, outputs, also=[sink], on_frame=on_frame, on_first_pass=on_frame)
    written = [Path(place) for place in (target, overlay) if place not in (None, "-")]
    print_summary(summary, written, console)
    _print_found(sink.found, len(found.all), console, has_height=options.lens.height_m is not None)
    print_lens(summary.assumed, outputs, console, always=True)
    if summary.interrupted:
        raise typer.Exit(130)


def _print_found(found: list[Judgement], count: int, console: Console, *, has_height: bool) -> None:
    sides = Counter(one.side or "nothing told" for one in found)
    parts = [f"{sides[side]} {side}" for side in ("sky", "sea", "horizon", "nothing told") if sides[side]]
    ranged = sum(one.range is not None for one in found)
    ranges = f"; {ranged} with a range" if has_height else "; --height METRES gives ranges"
    print_line(console, f"{len(found)} boxes: {', '.join(parts) or 'none'}{ranges}")
    if len(found) < count:
        print_warning(
            console,
            f"{count - len(found)} of {count} boxes belong to no frame that was read; frames count from 0 "
            "(YOLO's NAME_1.txt is the first), pictures go by their names",
        )
