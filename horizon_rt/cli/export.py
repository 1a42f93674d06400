"""`horizon-rt export`: a model as a file that runs without this program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horizon_rt.cli.common import net_input_size, say

__all__ = ["export"]


def export(
    model: Annotated[str, typer.Argument(help="A shipped model, or the folder of a trained one.")],
    out: Annotated[Path, typer.Argument(help="File: .ts or .pt for TorchScript, .pt2 for torch.export.")],
    size: Annotated[
        str, typer.Option(metavar="WxH", help="Net input of a .pt2; TorchScript takes every size.")
    ] = "320x192",
    half: Annotated[bool, typer.Option("--half", help="Half precision, in weights and pictures.")] = False,
) -> None:
    """Write a model for programs that have PyTorch or libtorch but not horizon-rt."""
    from rich.console import Console

    from horizon_rt.segmentation.export import check_suffix, export_net
    from horizon_rt.segmentation.weights import default_model, load_net

    width, height = net_input_size(size)
    check_suffix(out)
    export_net(load_net(default_model(name=model)), out, width=width, height=height, half=half)
    say(Console(stderr=True), f"written: {out}")
