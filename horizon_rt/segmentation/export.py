"""Nets as files that run without this package: TorchScript (.ts, .pt) and torch.export (.pt2).

Either takes a net input (1, 3, h, w) as `Preprocessor` makes it, float32 or with `half` float16, and gives
the mask logits (1, 1, h/4, w/4) and the presence logits (1,). TorchScript takes every size of multiples
of 32, a .pt2 the one that it was made for.
"""

from __future__ import annotations

import io
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn

from horizon_rt.errors import OutputError
from horizon_rt.files import write_whole
from horizon_rt.segmentation.compile import script_bytes

__all__ = ["check_suffix", "export_net"]

_SUFFIXES = (".ts", ".pt", ".pt2")


def check_suffix(path: Path) -> None:
    """Raise OutputError for a name whose suffix stands for no format."""
    if path.suffix.lower() not in _SUFFIXES:
        raise OutputError(
            f"{path}: a net is exported as TorchScript (.ts, .pt) or by torch.export (.pt2); "
            "choose one of these suffixes"
        )


def export_net(net: nn.Module, path: Path, *, width: int, height: int, half: bool = False) -> None:
    """Write a net in the format of the suffix, for pictures of `width` × `height` px; raises OutputError."""
    check_suffix(path)
    kind = torch.float16 if half else torch.float32
    frozen = deepcopy(net).eval().requires_grad_(False).to(kind)
    if path.suffix.lower() == ".pt2":
        data = _exported(frozen, torch.zeros(1, 3, height, width, dtype=kind))
    else:
        data = script_bytes(frozen)
    write_whole(path, data)


def _exported(net: nn.Module, picture: Tensor) -> bytes:
    buffer = io.BytesIO()
    with torch.no_grad():
        torch.export.save(torch.export.export(net, (picture,)), buffer)
    return buffer.getvalue()
