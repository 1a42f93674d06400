"""U-Net: Ronneberger, Fischer & Brox 2015 (arXiv 1505.04597), with 'same' padding and batch normalisation."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.models.nets.contract import Body, initialise
from horizon_rt.models.nets.horizon_net import conv

__all__ = ["UNet"]


class UNet(Body):
    """Two convolutions a level on the way down and up, joined by skips; logits at full resolution.

    `widths` are the channels of the levels, 64 to 1024 in the paper.
    """

    def __init__(self, widths: tuple[int, ...], *, classes: int = 1) -> None:
        super().__init__(stride=1, features=widths[-1])
        steps = list(pairwise(widths))
        self.first = _twice(3, widths[0])
        self.down = nn.ModuleList(_twice(fine, coarse) for fine, coarse in steps)
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in steps[::-1])
        self.merge = nn.ModuleList(_twice(2 * fine, fine) for fine, _ in steps[::-1])
        self.head = nn.Conv2d(widths[0], classes, 1)
        initialise(self)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits at full resolution and the features of the deepest level; see `Body`."""
        levels = [self.first(picture)]
        for block in self.down:
            levels.append(block(F.max_pool2d(levels[-1], 2)))
        deepest = levels.pop()
        x = deepest
        for up, merge in zip(self.up, self.merge):  # noqa: B905 - TorchScript knows no strict
            x = merge(torch.cat([levels.pop(), up(x)], dim=1))
        return self.head(x), deepest


def _twice(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(conv(inputs, outputs, 3), conv(outputs, outputs, 3))
