"""`horizon-rt train`: train a net, or improve one with one's own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horizon_rt.options import DeviceChoice, Precision

__all__ = ["train"]


def train(
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET[=PART]", help="Dataset, and its part of the samples; repeatable."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the model, the log and the report.")] = Path(
        "runs/train"
    ),
    init: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Start from this model, by its name or path.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Recipe (TOML), such as that of the shipped models.")
    ] = None,
    net: Annotated[
        str | None,
        typer.Option(
            help="Net: nano, small, base, lite0, encoder-decoder, road, fcn32s, fcn8s, unet-small, unet, "
            "segnet, pspnet, deeplabv3plus."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model; that of the folder unless given.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Samples of the run; 400000, with --init 6000.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the data, in place of --samples; with --alone.")
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Train on --data and nothing else, without rendered scenes.")
    ] = False,
    classes: Annotated[
        bool, typer.Option("--classes", help="Tell the classes apart that the masks of --data have.")
    ] = False,
    augment: Annotated[
        bool, typer.Option(help="Change the pictures at random; without, each is whole and as it is.")
    ] = True,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Input of the net; pictures of about 256x256 px unless given."),
    ] = None,
    batch: Annotated[int | None, typer.Option(min=2, help="Samples of a step; 32.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="Highest learning rate; 0.002, with --init 0.00015.")
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="Loss of the mask, such as edge-bce (the usual) or bce+dice.")
    ] = None,
    optimiser: Annotated[str | None, typer.Option(help="sgd, nesterov, adam or adamw (the usual).")] = None,
    anchor: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Pull to the weights of --init, in rates a step; 30 with adam and adamw, 0 turns it off.",
        ),
    ] = None,
    schedule: Annotated[str | None, typer.Option(help="cosine (the usual), step or plateau.")] = None,
    split: Annotated[
        Path | None,
        typer.Option(help="Split file of what is for validation and for test; else the last fifth is."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same run.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of samples made once; filled where it is empty.")
    ] = None,
    cache_samples: Annotated[int, typer.Option(min=100, help="Samples of a new cache.")] = 20_000,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop after this many evaluations without a better one; 0 never.")
    ] = 0,
    evaluate_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between evaluations; an eighth of the run, at most 250.")
    ] = None,
    evaluated: Annotated[
        int, typer.Option(min=1, help="Pictures of each dataset that an evaluation looks at, at most.")
    ] = 150,
    calibrate: Annotated[
        bool, typer.Option(help="Set sigma anew at the end, on pictures for validation and rendered ones.")
    ] = True,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that make samples; one for each core left over.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads of the training step on a CPU; 1, or with --workers what is left."),
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="float16 on a GPU unless given, else float32.")
    ] = None,
    device: Annotated[DeviceChoice, typer.Option(help="Where to train.")] = "auto",
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard events, too.")
    ] = False,
) -> None:
    """Train a net on datasets, rendered scenes and panoramas, or fine-tune a model on your own pictures."""
    from horizon_rt.cli.console import print_line
    from horizon_rt.cli.options import net_input_size
    from horizon_rt.cli.progress import training_progress
    from horizon_rt.cli.style import make_console
    from horizon_rt.models.manifest import usable_name
    from horizon_rt.system.host import spare_cores
    from horizon_rt.training.job import make_job

    if init is not None and net is not None:
        raise typer.BadParameter("--init decides the net; leave --net out")
    if epochs is not None and not alone:
        raise typer.BadParameter("--epochs are passes over the data: give --alone")
    if alone and not data:
        raise typer.BadParameter("--alone needs --data")
    changes = {
        "net": net, "samples": samples, "epochs": epochs, "batch": batch, "rate": rate, "loss": loss,
        "optimiser": optimiser, "anchor": anchor, "schedule": schedule, "split": split, "seed": seed,
        "augmented": None if augment else False, "input_size": None if size is None else net_input_size(size),
    }  # fmt: skip
    job = make_job(
        out=out, name=name or usable_name(out), data=data or [], init=init, recipe_file=recipe,
        changes=changes, cache=cache, cache_samples=cache_samples, patience=patience,
        evaluate_every=evaluate_every, resume=resume,
        workers=spare_cores(threads or 1) if workers is None else workers,
        threads=threads or (1 if workers is None else spare_cores(workers)),
        precision=precision,
        device=device, tensorboard=tensorboard, alone=alone, evaluated=evaluated, calibrated=calibrate,
        classes=classes,
    )  # fmt: skip
    console = make_console()
    try:
        with training_progress(console) as on_step:
            outcome = job.run(on_step)
    except KeyboardInterrupt:
        if (out / "checkpoint.pt").exists():
            print_line(
                console, f"interrupted; the same command with --resume goes on from {out / 'checkpoint.pt'}"
            )
        raise
    for line in outcome.lines():
        print_line(console, line)
