"""PSPNet: Zhao et al. 2017 (arXiv 1612.01105), on ResNet-18 and without the auxiliary loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.models.nets.contract import Body, initialise
from horizon_rt.models.nets.encoders import ResNet18
from horizon_rt.models.nets.horizon_net import conv

__all__ = ["PSPNet"]

_FEATURES = 512
_HEAD = 128
_BINS = (1, 2, 3, 6)


class PSPNet(Body):
    """Features at 1/8 with their means over 1, 2, 3 and 6 parts of the picture each way."""

    def __init__(self, *, classes: int = 1) -> None:
        super().__init__(stride=8, features=_FEATURES)
        self.encoder = ResNet18()
        self.pyramid = PyramidPooling()
        self.head = nn.Sequential(
            conv(2 * _FEATURES, _HEAD, 3),
            nn.Dropout(0.1),
            nn.Conv2d(_HEAD, classes, 1),
        )
        initialise(self)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and features at 1/8; see `Body`."""
        features = self.encoder(picture)
        return self.head(self.pyramid(features)), features


class PyramidPooling(nn.Module):
    """The features and, for each number of bins, a quarter as many channels of their means."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(bins), conv(_FEATURES, _FEATURES // len(_BINS), 1))
            for bins in _BINS
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to (n, 2 · channels, h, w)."""
        means = [_resized(level(x), x.shape[2], x.shape[3]) for level in self.levels]
        return torch.cat([x] + means, dim=1)  # noqa: RUF005 - TorchScript


def _resized(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, [height, width], mode="bilinear", align_corners=False)
