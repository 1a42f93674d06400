"""`horizon-rt eval`: how accurate models, or finished runs, are on datasets with truth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from horizon_rt.cli.common import (
    Backend,
    BackendChoice,
    Device,
    DeviceChoice,
    Hfov,
    Precision,
    PrecisionChoice,
    Profile,
    Smooth,
    Smoothing,
    print_table,
    say,
)

__all__ = ["evaluate"]


class DatasetFormat(StrEnum):
    """Choices of --format."""

    folder = "folder"
    smd = "smd"
    hlw = "hlw"
    kitti = "kitti"


class Part(StrEnum):
    """Choices of --part."""

    set_aside = "set-aside"
    training = "training"
    all = "all"


def evaluate(
    datasets: Annotated[
        list[Path] | None, typer.Argument(help="Dataset folders, or truth files of foreign formats.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Model to judge, by its name or path; repeatable."),
    ] = None,
    telemetry: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Telemetry (.jsonl) of a finished run to judge instead; repeatable."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.html, report.md and report.json.")
    ] = None,
    split: Annotated[Path | None, typer.Option(help="Split file: what is set aside from training.")] = None,
    part: Annotated[Part, typer.Option(help="Which part of the split to judge.")] = Part.set_aside,
    format: Annotated[
        DatasetFormat | None, typer.Option(help="Format of the datasets, where it cannot be told.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Pictures of a mask dataset; with --masks.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Masks of the same names as the --images.")] = None,
    palette: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=R,G,B", help="Mask colour of sky or void; repeatable. Grey if none."),
    ] = None,
    smooth: Smooth = Smoothing.causal,
    camera_profile: Profile = None,
    hfov: Hfov = None,
    device: Device = DeviceChoice.auto,
    backend: Backend = BackendChoice.auto,
    precision: Precision = PrecisionChoice.auto,
) -> None:
    """Judge models or finished runs on data with truth: lines, masks, attitude, sigma, refusal."""
    from rich.console import Console

    from horizon_rt.evaluation.job import EvalJob

    if camera_profile is not None and hfov is not None:
        raise typer.BadParameter("--camera-profile and --hfov both describe the lens; give one")
    if (images is None) != (masks is None) or (palette and masks is None):
        raise typer.BadParameter("--images, --masks and --palette describe one dataset; give both folders")
    if part is not Part.set_aside and split is None:
        raise typer.BadParameter("--part needs --split, which says what is set aside")
    if not datasets and images is None:
        raise typer.BadParameter("give at least one dataset")
    console = Console(stderr=True)
    job = EvalJob(
        datasets=tuple(datasets or ()),
        out=out,
        models=tuple(model or ()),
        telemetry=tuple(telemetry or ()),
        split=split,
        part=part.value,
        format=None if format is None else format.value,
        mask_folders=None if images is None or masks is None else (images, masks),
        palette=tuple(palette or ()),
        smooth=smooth.value,
        camera_profile=camera_profile,
        hfov_deg=hfov,
        device=device.value,
        backend=backend.value,
        precision=precision.value,
    )
    report = job.run(console)
    for table in report.tables():
        print_table(table)
    for path in report.files:
        say(console, f"written: {path}")
