"""DeepLabv3+: Chen et al. 2018 (arXiv 1802.02611), on MobileNetV2 with atrous separable convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.models.nets.contract import Body, initialise
from horizon_rt.models.nets.encoders import MobileNetV2
from horizon_rt.models.nets.horizon_net import conv

__all__ = ["DeepLabV3Plus"]

_WIDE = 256
_LOW = 48
# Half of the paper's, whose pictures of 513 px are twice as large as the inputs here.
_RATES = (3, 6, 9)


class DeepLabV3Plus(Body):
    """Context at 1/16 from atrous spatial pyramid pooling, refined with features at 1/4."""

    def __init__(self, *, classes: int = 1) -> None:
        super().__init__(stride=4, features=_WIDE)
        self.encoder = MobileNetV2()
        self.context = ASPP(320)
        self.low = conv(24, _LOW, 1)
        self.refine = nn.Sequential(_separable(_WIDE + _LOW, _WIDE, 1), _separable(_WIDE, _WIDE, 1))
        self.head = nn.Conv2d(_WIDE, classes, 1)
        initialise(self)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits at 1/4 and the context at 1/16; see `Body`."""
        low, high = self.encoder(picture)
        context = self.context(high)
        fine = F.interpolate(context, scale_factor=4.0, mode="bilinear", align_corners=False)
        return self.head(self.refine(torch.cat([fine, self.low(low)], dim=1))), context


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: a pointwise, three atrous and an image-level branch, mixed."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.pointwise = conv(inputs, _WIDE, 1)
        self.atrous = nn.ModuleList(_separable(inputs, _WIDE, rate) for rate in _RATES)
        self.image = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv(inputs, _WIDE, 1))
        self.mix = nn.Sequential(conv((2 + len(_RATES)) * _WIDE, _WIDE, 1), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, 256, h, w)."""
        image = self.image(x).expand(-1, -1, x.shape[2], x.shape[3])
        atrous = [branch(x) for branch in self.atrous]
        return self.mix(torch.cat([self.pointwise(x), image] + atrous, dim=1))  # noqa: RUF005 - TorchScript


def _separable(inputs: int, outputs: int, dilation: int) -> nn.Sequential:
    """Depthwise 3×3 and pointwise, each with batch normalisation and ReLU."""
    return nn.Sequential(conv(inputs, inputs, 3, 1, inputs, dilation), conv(inputs, outputs, 1))
