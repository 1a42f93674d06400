"""Encoder-decoders without skips, batch normalisation or concatenation, as road segmentation has them.

Each level of the decoder begins with a 2×2 transposed convolution that keeps its channels.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.models.nets.contract import Body, initialise

__all__ = ["EncoderDecoder", "RoadNet"]


class EncoderDecoder(Body):
    """`convolutions` of 3×3 a level on the way down and up; logits at full resolution.

    `widths` are the channels of the levels. `head` is the kernel of the last convolution.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (64, 32, 16),
        *,
        convolutions: int = 1,
        head: int = 3,
        classes: int = 1,
    ) -> None:
        super().__init__(stride=1, features=widths[-1])
        self.down = nn.ModuleList(_level(a, b, convolutions) for a, b in pairwise((3, *widths)))
        steps = list(pairwise(widths[::-1]))
        self.doubling = nn.ModuleList(nn.ConvTranspose2d(a, a, 2, stride=2) for a, _ in steps)
        self.up = nn.ModuleList(_level(a, b, convolutions) for a, b in steps)
        self.head = nn.Conv2d(steps[-1][1], classes, head, padding=head // 2)
        initialise(self)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits at full resolution and the features of the deepest level; see `Body`."""
        x = picture
        for index, level in enumerate(self.down):
            x = level(F.max_pool2d(x, 2) if index > 0 else x)
        deepest = x
        for double, level in zip(self.doubling, self.up):  # noqa: B905 - TorchScript knows no strict
            x = level(double(x))
        return self.head(x), deepest


class RoadNet(EncoderDecoder):
    """Five levels of two convolutions, 8 to 128 channels: 529,457 parameters."""

    def __init__(self, *, classes: int = 1) -> None:
        super().__init__((8, 16, 32, 64, 128), convolutions=2, head=1, classes=classes)


def _level(inputs: int, outputs: int, convolutions: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(convolutions):
        layers += [nn.Conv2d(outputs if index else inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
