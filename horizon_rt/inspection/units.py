"""One unit of a net: which pictures and places excite it most, and what of the picture it needs.

Zeiler & Fergus 2014 (arXiv 1311.2901) look at units so: the places that excite one most, each with the part
of the picture that the unit sees, and how much of the excitation is left while a grey patch hides a part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from horizon_rt.errors import WeightsError
from horizon_rt.inspection.attribution import STEP_PX, Map, Picture, patch_slice

__all__ = ["Excitation", "Unit", "excitation", "find_unit", "peak"]

_BATCH = 16
_SHOWN = 40  # layers that an error names


@dataclass(frozen=True, slots=True)
class Unit:
    """A channel of the output of a module of a net, by the module's name."""

    layer: str
    channel: int

    def __str__(self) -> str:
        return f"{self.layer}:{self.channel}"


@dataclass(frozen=True, slots=True)
class Excitation:
    """What excites a unit in one picture.

    `activation` (rows, columns) is that of the unit, largest at `cell`, where it is `value`. The unit sees
    `box` there: left, top, right and bottom of the net input, px. `loss` (rows, columns) has a value for
    each step of `STEP_PX`: how far the activation at that place falls when a patch of `PATCH_PX` centred
    there is grey, as a share of the size of `value`; below 0 the unit is excited more.
    """

    activation: Map
    cell: tuple[int, int]
    value: float
    box: tuple[int, int, int, int]
    loss: Map


def find_unit(net: nn.Module, text: str) -> Unit:
    """The unit of LAYER:CHANNEL; the layer may be named without the `body.` of an architecture.

    Raises WeightsError for a layer that is not there, has no channels, or fewer.
    """
    name, _, number = text.rpartition(":")
    names = {prefix + name for prefix in ("", "body.", "net.", "net.body.")}
    found = {layer: count for layer, count in _layers(net).items() if layer in names}
    if not found or not number.isdecimal():
        known = ", ".join(list(_layers(net))[:_SHOWN])
        wrong = (
            f"there is no layer {name!a}" if name and not found else f"a unit is LAYER:CHANNEL, got {text!a}"
        )
        raise WeightsError(f"{wrong}; layers: {known}")
    layer, count = next(iter(found.items()))
    if int(number) >= count:
        raise WeightsError(f"{layer} has the units 0 to {count - 1}, got {number}")
    return Unit(layer, int(number))


@torch.no_grad()
def _layers(net: nn.Module) -> dict[str, int]:
    """Modules whose output has channels over a grid, and how many."""
    found: dict[str, int] = {}

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.ndim == 4:
                found[name] = output.shape[1]

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in net.named_modules() if name]
    try:
        net.eval()(next(net.parameters()).new_zeros(1, 3, 64, 64))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _activation(net: nn.Module, unit: Unit, pictures: Tensor) -> Tensor:
    """Of pictures (n, 3, h, w), (n, rows, columns)."""
    kept: list[Tensor] = []
    # What follows may work in place, so that the output is copied.
    handle = net.get_submodule(unit.layer).register_forward_hook(
        lambda _module, _inputs, output: kept.append(output[:, unit.channel].clone())
    )
    try:
        net.eval()(pictures)
    finally:
        handle.remove()
    return kept[0]


@torch.inference_mode()
def peak(net: nn.Module, unit: Unit, picture: Picture) -> float:
    """The largest activation of the unit in a net input (1, 3, h, w)."""
    return float(_activation(net, unit, torch.from_numpy(picture)).max())


def excitation(net: nn.Module, unit: Unit, picture: Picture) -> Excitation:
    """The unit's strongest place in a net input (1, 3, h, w)."""
    tensor = torch.from_numpy(picture.copy()).requires_grad_()
    found = _activation(net, unit, tensor)[0]
    row, column = divmod(int(found.argmax()), found.shape[1])
    (gradient,) = torch.autograd.grad(found[row, column], tensor)
    value = float(found[row, column].detach())
    return Excitation(
        activation=found.detach().double().numpy(),
        cell=(row, column),
        value=value,
        box=_box(gradient[0].abs().sum(dim=0).numpy()),
        loss=_loss_under_patches(net, unit, picture, (row, column), value),
    )


def _box(gradient: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Around all that changes the unit at all; the whole picture where nothing does."""
    rows, columns = (np.flatnonzero(gradient.any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        return 0, 0, gradient.shape[1], gradient.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _loss_under_patches(
    net: nn.Module, unit: Unit, picture: Picture, cell: tuple[int, int], value: float
) -> Map:
    rows, columns = (side // STEP_PX for side in picture.shape[2:])
    loss = np.zeros((rows, columns))
    every = list(np.ndindex(rows, columns))
    for places in (every[start : start + _BATCH] for start in range(0, len(every), _BATCH)):
        hidden = np.repeat(picture, len(places), axis=0)
        for index, (row, column) in enumerate(places):
            hidden[index, :, patch_slice(row), patch_slice(column)] = 0.0
        with torch.inference_mode():
            left = _activation(net, unit, torch.from_numpy(hidden))[:, cell[0], cell[1]].double().numpy()
        for place, activation in zip(places, left, strict=True):
            loss[place] = (value - activation) / abs(value) if value else 0.0
    return loss
