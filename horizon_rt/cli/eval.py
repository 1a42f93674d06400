"""`horizon-rt eval`: how accurate models, or finished runs, are on datasets with truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from horizon_rt.cli.console import print_line, print_table
from horizon_rt.cli.options import PART, takes
from horizon_rt.cli.progress import bars
from horizon_rt.cli.style import make_console
from horizon_rt.options import RunOptions

__all__ = ["evaluate"]

_Format = Literal["folder", "smd", "hlw", "kitti"]


@takes(options=RunOptions, omit=("model", "mount", "height_m", "decoder", "rotate", *PART))
def evaluate(
    datasets: Annotated[
        list[Path] | None, typer.Argument(help="Dataset folders, or truth files of foreign formats.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Model to evaluate, by its name or path; repeatable."),
    ] = None,
    telemetry: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Telemetry (.jsonl) of a finished run to evaluate instead; repeatable."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.html, report.md and report.json.")
    ] = None,
    split: Annotated[Path | None, typer.Option(help="Split file: what is held out from training.")] = None,
    part: Annotated[
        Literal["set-aside", "training", "validation", "test", "all"],
        typer.Option(help="Which part of the split to evaluate; set-aside: validation and test."),
    ] = "set-aside",
    format: Annotated[
        Literal["folder", "smd", "hlw", "kitti"] | None,
        typer.Option(help="Format of the datasets, where it cannot be told."),
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Pictures of a mask dataset; with --masks.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Masks of the same names as the --images.")] = None,
    palette: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=R,G,B", help="Mask colour of sky or void; repeatable. Grey if none."),
    ] = None,
    *,
    options: RunOptions,
) -> None:
    """Evaluate models or finished runs on data with truth: lines, masks, attitude, sigma, refusal."""
    from horizon_rt.evaluation.job import EvalJob

    if (images is None) != (masks is None) or (palette and masks is None):
        raise typer.BadParameter("--images, --masks and --palette describe one dataset; give both folders")
    if part != "set-aside" and split is None:
        raise typer.BadParameter("--part needs --split, which says what is held out")
    if not datasets and images is None:
        raise typer.BadParameter("give at least one dataset")
    console = make_console()
    job = EvalJob(
        datasets=tuple(datasets or ()),
        out=out,
        models=tuple(model or ()),
        telemetry=tuple(telemetry or ()),
        split=split,
        part=part,
        format=format,
        mask_folders=None if images is None or masks is None else (images, masks),
        palette=tuple(palette or ()),
        options=options,
    )
    with bars(console) as progress:
        report = job.run(progress)
    for table in report.tables():
        print_table(table)
    for path in report.files:
        print_line(console, f"written: {path}")
