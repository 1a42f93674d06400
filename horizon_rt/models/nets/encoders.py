"""Encoders that several architectures share, as in their papers but for the dilation at the end."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.models.nets.horizon_net import conv

__all__ = [
    "VGG16",
    "VGG_STAGES",
    "InvertedResidual",
    "MobileNetV2",
    "ResNet18",
    "bounded",
    "inverted_residuals",
]

# Channels in, channels out and convolutions of each stage; Simonyan & Zisserman 2015, configuration D.
VGG_STAGES = ((3, 64, 2), (64, 128, 2), (128, 256, 3), (256, 512, 3), (512, 512, 3))
# Expansion, channels, blocks, stride, dilation, kernel; Sandler et al. 2018, table 2.
_MOBILE_LOW = ((1, 16, 1, 1, 1, 3), (6, 24, 2, 2, 1, 3))
_MOBILE_HIGH = (
    *((6, 32, 3, 2, 1, 3), (6, 64, 4, 2, 1, 3), (6, 96, 3, 1, 1, 3)),
    *((6, 160, 3, 1, 2, 3), (6, 320, 1, 1, 2, 3)),
)


class VGG16(nn.Module):
    """The convolutions of VGG-16 (arXiv 1409.1556); `batch_norm` puts batch normalisation behind each."""

    def __init__(self, *, batch_norm: bool) -> None:
        super().__init__()
        layer = _normalised if batch_norm else _plain
        self.stages = nn.ModuleList(
            nn.Sequential(*(layer(inputs if i == 0 else outputs, outputs) for i in range(count)))
            for inputs, outputs, count in VGG_STAGES
        )

    def forward(self, picture: Tensor) -> list[Tensor]:
        """The max-pooled output of each stage, at 1/2 to 1/32 of the picture."""
        pooled = []
        x = picture
        for stage in self.stages:
            x = F.max_pool2d(stage(x), 2)
            pooled.append(x)
        return pooled


def _plain(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True))


def _normalised(inputs: int, outputs: int) -> nn.Sequential:
    return conv(inputs, outputs, 3)


class ResNet18(nn.Module):
    """ResNet-18 (arXiv 1512.03385) with the strides of its last two stages turned into dilation.

    Its output is (n, 512, h/8, w/8).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1))
        self.stages = nn.Sequential(
            *(BasicBlock(64, 64, 1, 1), BasicBlock(64, 64, 1, 1)),
            *(BasicBlock(64, 128, 2, 1), BasicBlock(128, 128, 1, 1)),
            *(BasicBlock(128, 256, 1, 2), BasicBlock(256, 256, 1, 2)),
            *(BasicBlock(256, 512, 1, 4), BasicBlock(512, 512, 1, 4)),
        )

    def forward(self, picture: Tensor) -> Tensor:
        """(n, 3, h, w) to (n, 512, h/8, w/8)."""
        return self.stages(self.stem(picture))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut, a projection where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.first = conv(inputs, outputs, 3, stride, dilation=dilation)
        self.second = _linear(conv(outputs, outputs, 3, dilation=dilation))
        projected = stride != 1 or inputs != outputs
        self.shortcut = _linear(conv(inputs, outputs, 1, stride)) if projected else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h/stride, w/stride)."""
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class MobileNetV2(nn.Module):
    """MobileNetV2 (arXiv 1801.04381) up to its 320 channels, at output stride 16 by dilation.

    Its outputs are (n, 24, h/4, w/4) and (n, 320, h/16, w/16).
    """

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Sequential(bounded(conv(3, 32, 3, 2)), *inverted_residuals(32, _MOBILE_LOW))
        self.high = nn.Sequential(*inverted_residuals(24, _MOBILE_HIGH))

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Features at 1/4 and at 1/16 of the picture (n, 3, h, w)."""
        low = self.low(picture)
        return low, self.high(low)


class InvertedResidual(nn.Module):
    """Pointwise expansion, depthwise, linear pointwise projection; a residual where the shape allows."""

    def __init__(
        self, inputs: int, outputs: int, expansion: int, stride: int, dilation: int, kernel: int
    ) -> None:
        super().__init__()
        wide = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            *([bounded(conv(inputs, wide, 1))] if expansion > 1 else []),
            bounded(conv(wide, wide, kernel, stride, wide, dilation)),
            _linear(conv(wide, outputs, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h/stride, w/stride)."""
        return x + self.body(x) if self.residual else self.body(x)


def inverted_residuals(inputs: int, table: tuple[tuple[int, ...], ...]) -> list[nn.Module]:
    """The blocks of rows of expansion, channels, blocks, stride of the first, dilation and kernel."""
    blocks: list[nn.Module] = []
    for expansion, outputs, count, stride, dilation, kernel in table:
        for k in range(count):
            step = stride if k == 0 else 1
            blocks.append(InvertedResidual(inputs, outputs, expansion, step, dilation, kernel))
            inputs = outputs
    return blocks


def _linear(layer: nn.Sequential) -> nn.Sequential:
    """Without the ReLU."""
    return nn.Sequential(layer[0], layer[1])


def bounded(layer: nn.Sequential) -> nn.Sequential:
    """With ReLU6 in place of the ReLU."""
    return nn.Sequential(layer[0], layer[1], nn.ReLU6(inplace=True))
