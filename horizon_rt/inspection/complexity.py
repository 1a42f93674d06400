"""Parameters, floating-point operations and theoretical receptive field of a net."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["ReceptiveField", "count_flops", "count_parameters", "receptive_field"]


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The input px that a cell of the mask in the middle of the picture can depend on.

    `clipped` means that the field reaches the border of the picture, so that it may be larger than that;
    `whole` that the cell depends on every px. Attention and pooling over the whole picture make it so.
    """

    width: int
    height: int
    clipped: bool
    whole: bool


def count_parameters(net: nn.Module) -> int:
    """Trainable numbers."""
    return sum(parameter.numel() for parameter in net.parameters())


def count_flops(net: nn.Module, height: int, width: int) -> int:
    """Floating-point operations of one picture, two for each multiply-add.

    Convolutions, matrix products and attention count, as in `torch.utils.flop_counter`; normalisation,
    activations, pooling and interpolation do not.
    """
    # Without values, so that attention is counted as the matrix products it is on any device.
    ghost = deepcopy(net).eval().to("meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        ghost(torch.empty(1, 3, height, width, device="meta"))
    return counter.get_total_flops()


def receptive_field(net: nn.Module, height: int, width: int) -> ReceptiveField:
    """Where the gradient of a cell in the middle is not zero, on a copy of the net that lets all of it pass.

    The copy has positive weights, no rectification and mean for maximum pooling, so that the gradient is a
    sum of positive terms over all ways from the cell to a px; Araujo et al. 2019 (distill.pub/2019/
    computing-receptive-fields) give the closed form for a chain of layers.
    """
    twin = _with_positive_weights(net)
    picture = torch.rand(1, 3, height, width).requires_grad_()
    with _Linear():
        mask = twin(picture)[0]
        mask[0, 0, mask.shape[2] // 2, mask.shape[3] // 2].backward()
    assert picture.grad is not None
    seen = picture.grad[0].ne(0).any(dim=0)
    rows, columns = seen.any(dim=1).nonzero(), seen.any(dim=0).nonzero()
    top, bottom, left, right = (int(v) for v in (rows.min(), rows.max(), columns.min(), columns.max()))
    return ReceptiveField(
        width=right - left + 1,
        height=bottom - top + 1,
        clipped=top == 0 or left == 0 or bottom == height - 1 or right == width - 1,
        whole=bool(seen.all()),
    )


def _with_positive_weights(net: nn.Module) -> nn.Module:
    twin = deepcopy(net).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in twin.parameters():
            # The mean of what comes in, roughly, so that nothing grows or vanishes over many layers.
            terms = parameter[0].numel() if parameter.dim() > 1 else 1
            parameter.uniform_(0.5, 1.5, generator=generator).div_(terms)
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    return twin


class _Linear(TorchFunctionMode):
    """Rectifiers become the identity, maximum pooling the mean, unpooling a copy to the whole window."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        options = kwargs or {}
        if func in (F.relu, F.hardtanh):
            return args[0]
        if func is F.max_pool2d:
            return _mean(*args, **options)
        if func is F.max_pool2d_with_indices:
            return _mean(*args, **options), func(*args, **options)[1]
        if func is F.max_unpool2d:
            return _copied(*args[:3])
        return func(*args, **options)


def _mean(x: Tensor, window: int, stride: int | None = None, padding: int = 0, **_options: Any) -> Tensor:
    return F.avg_pool2d(x, window, stride, padding)


def _copied(x: Tensor, _places: Tensor, window: list[int]) -> Tensor:
    return F.interpolate(x, scale_factor=[float(side) for side in window])
