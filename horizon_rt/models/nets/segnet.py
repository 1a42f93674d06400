"""SegNet: Badrinarayanan, Kendall & Cipolla 2017 (arXiv 1511.00561)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.models.nets.contract import Body, initialise
from horizon_rt.models.nets.encoders import VGG16, VGG_STAGES
from horizon_rt.models.nets.horizon_net import conv

__all__ = ["SegNet"]


class SegNet(Body):
    """VGG-16 and its mirror image; the decoder puts values back where the encoder's pooling found them."""

    def __init__(self, *, classes: int = 1) -> None:
        super().__init__(stride=1, features=512)
        self.encoder = VGG16(batch_norm=True)
        self.decoder = nn.ModuleList(_mirrored(*stage, classes) for stage in VGG_STAGES[::-1])
        initialise(self)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits at full resolution and the features at 1/32; see `Body`."""
        x, places = picture, []
        for stage in self.encoder.stages:
            x, place = F.max_pool2d_with_indices(stage(x), [2, 2])
            places.append(place)
        deepest = x
        for stage in self.decoder:
            x = stage(F.max_unpool2d(x, places.pop(), [2, 2]))
        return x, deepest


def _mirrored(inputs: int, outputs: int, count: int, classes: int) -> nn.Sequential:
    """The decoder's stage for one of VGG-16; the last convolution of all gives the logits."""
    last = nn.Conv2d(outputs, classes, 3, padding=1) if inputs == 3 else conv(outputs, inputs, 3)
    return nn.Sequential(*(conv(outputs, outputs, 3) for _ in range(count - 1)), last)
