"""Nets as files that run without this package: TorchScript, torch.export, ONNX and OpenVINO.

Each takes a net input (1, 3, h, w) as `Preprocessor` makes it, float32 or with `half` float16, and gives the
mask logits (1, 1, h/4, w/4), of a model of several classes a score for each, and the presence logits (1,). A
file of torch.export takes the one size that it was made for, the others every size of multiples of 32 (ONNX
and OpenVINO: from 64 on).
"""

from __future__ import annotations

import io
from copy import deepcopy
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from horizon_rt.errors import OutputError
from horizon_rt.models.manifest import ModelCard
from horizon_rt.segmentation.torchscript import script_bytes
from horizon_rt.system.extras import require
from horizon_rt.system.files import write_atomic

__all__ = ["ExportFormat", "export_net", "format_of"]

ExportFormat = Literal["torchscript", "torch-export", "onnx", "openvino"]
_SUFFIXES: dict[str, ExportFormat] = {
    ".ts": "torchscript",
    ".pt": "torchscript",
    ".pt2": "torch-export",
    ".onnx": "onnx",
    ".xml": "openvino",
}


def format_of(path: Path, wanted: ExportFormat | None = None) -> ExportFormat:
    """The format that was asked for, else that of the suffix; raises OutputError for an unknown one.

    OpenVINO's weights lie beside the .xml in a .bin, so that its name must end so.
    """
    found = wanted or _SUFFIXES.get(path.suffix.lower())
    if found is None or (found == "openvino" and path.suffix.lower() != ".xml"):
        raise OutputError(
            f"{path}: a net is exported as TorchScript (.ts, .pt), by torch.export (.pt2), as ONNX (.onnx) "
            "or for OpenVINO (.xml); choose one of these suffixes"
        )
    return found


def export_net(
    net: nn.Module,
    path: Path,
    *,
    width: int,
    height: int,
    half: bool = False,
    format: ExportFormat | None = None,
    card: ModelCard | None = None,
) -> list[Path]:
    """Write a net in a format, that of the suffix if None, for pictures of `width` × `height` px; returns the
    files. ONNX and OpenVINO name the model of `card`, which the net is of, in their metadata.

    Raises OutputError, and MissingExtra where the packages of a format are not installed.
    """
    kind = format_of(path, format)
    dtype = torch.float16 if half else torch.float32
    frozen = deepcopy(net).eval().requires_grad_(False).to(dtype)
    if kind == "torchscript":
        write_atomic(path, script_bytes(frozen))
    elif kind == "torch-export":
        write_atomic(path, _exported(frozen, torch.zeros(1, 3, height, width, dtype=dtype)))
    else:
        require(kind, f"the format {kind}")
        from horizon_rt.segmentation.onnx import graph_of, onnx_bytes

        if half or card is None or card.classes:
            graph = onnx_bytes(frozen, half=half, card=card)
        else:
            graph = graph_of(card)  # the one that its backend runs
        return _write_openvino(graph, path) if kind == "openvino" else _write_onnx(graph, path)
    return [path]


def _write_onnx(graph: bytes, path: Path) -> list[Path]:
    write_atomic(path, graph)
    return [path]


def _write_openvino(graph: bytes, path: Path) -> list[Path]:
    from horizon_rt.segmentation.openvino import openvino_files

    xml, weights = openvino_files(graph)
    beside = path.with_suffix(".bin")
    write_atomic(beside, weights)
    write_atomic(path, xml)
    return [path, beside]


def _exported(net: nn.Module, picture: Tensor) -> bytes:
    buffer = io.BytesIO()
    with torch.no_grad():
        torch.export.save(torch.export.export(net, (picture,)), buffer)
    return buffer.getvalue()
