"""`horizon-rt export`: a model as a file that runs without this program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from horizon_rt.cli.console import print_line
from horizon_rt.cli.options import net_input_size
from horizon_rt.cli.style import make_console

__all__ = ["export"]

_Format = Literal["torchscript", "torch-export", "onnx", "openvino"]


def export(
    model: Annotated[str, typer.Argument(help="A shipped model, or the folder of a trained one.")],
    out: Annotated[
        Path,
        typer.Argument(
            help="File: .ts or .pt for TorchScript, .pt2 for torch.export, .onnx, or .xml for OpenVINO."
        ),
    ],
    format: Annotated[
        Literal["torchscript", "torch-export", "onnx", "openvino"] | None,
        typer.Option(help="Format, if not that of the suffix."),
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="WxH", help="Net input of a .pt2; the others take every size.")
    ] = "320x192",
    half: Annotated[bool, typer.Option("--half", help="Half precision, in weights and pictures.")] = False,
) -> None:
    """Write a model for programs that have PyTorch, ONNX Runtime or OpenVINO but not horizon-rt."""
    from horizon_rt.models.weights import find_model, load_net
    from horizon_rt.segmentation.export import export_net, format_of

    width, height = net_input_size(size)
    kind = format_of(out, format)
    card = find_model(name=model)
    net = load_net(card, all_classes=True)
    console = make_console()
    for path in export_net(net, out, width=width, height=height, half=half, format=kind, card=card):
        print_line(console, f"written: {path}")
