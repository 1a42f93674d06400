"""Fully convolutional networks: Long, Shelhamer & Darrell 2015 (arXiv 1411.4038)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.models.nets.contract import Body, initialise
from horizon_rt.models.nets.encoders import VGG16

__all__ = ["FCN8s", "FCN32s"]

_WIDE = 4096  # channels of conv6 and conv7


class FCN32s(Body):
    """Scores of the last layer at 1/32; bilinear interpolation does the rest.

    'Same' padding stands in for the paper's margin of 100 px, which serves pictures of any size.
    """

    def __init__(self, features: int = _WIDE, *, classes: int = 1) -> None:
        super().__init__(stride=32, features=features)
        self.encoder = VGG16(batch_norm=False)
        self.classifier = _classifier(features)
        self.score = _Dense(features, classes, 1)
        initialise(self)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits at 1/32 and the features of conv7; see `Body`."""
        features = self.classifier(self.encoder(picture)[4])
        return self.score(features), features


class FCN8s(Body):
    """Adds scores of pool4 and pool3 on the way up, by transposed convolutions that start bilinear."""

    def __init__(self, features: int = _WIDE, *, classes: int = 1) -> None:
        super().__init__(stride=8, features=features)
        self.encoder = VGG16(batch_norm=False)
        self.classifier = _classifier(features)
        self.score = _Dense(features, classes, 1)
        self.score_pool4 = _Dense(512, classes, 1)
        self.score_pool3 = _Dense(256, classes, 1)
        initialise(self)
        # Section 4.3: the skips start at zero, so that training starts from FCN-32s.
        nn.init.zeros_(self.score_pool4.weight)
        nn.init.zeros_(self.score_pool3.weight)
        self.double_conv7 = _bilinear_doubling(classes)
        self.double_pool4 = _bilinear_doubling(classes)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits at 1/8 and the features of conv7; see `Body`."""
        pooled = self.encoder(picture)
        features = self.classifier(pooled[4])
        sixteenth = self.double_conv7(self.score(features)) + self.score_pool4(pooled[3])
        return self.double_pool4(sixteenth) + self.score_pool3(pooled[2]), features


class _Dense(nn.Conv2d):
    """A 'same' convolution of a few cells with very many weights, as one product of matrices.

    Its gradient takes 0.1 s a picture of 64×128 on a CPU where that of the convolution takes 4 s. The scores
    are made so, too: a convolution to one channel was suspected of writing beyond its memory, in bfloat16 on
    two threads.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h, w)."""
        columns = F.unfold(x, self.kernel_size, padding=self.kernel_size[0] // 2)
        product = F.linear(columns.transpose(1, 2), self.weight.flatten(1), self.bias)
        return product.transpose(1, 2).reshape(x.shape[0], -1, x.shape[2], x.shape[3])


def _classifier(features: int) -> nn.Sequential:
    """The fully connected layers of VGG-16 as the convolutions conv6 and conv7."""
    return nn.Sequential(
        _Dense(512, features, 7, padding=3),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Conv2d(features, features, 1),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
    )


def _bilinear_doubling(classes: int) -> nn.ConvTranspose2d:
    """Of each class by itself."""
    layer = nn.ConvTranspose2d(classes, classes, 4, stride=2, padding=1, groups=classes, bias=False)
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        layer.weight.copy_(torch.outer(taps, taps).expand(classes, 1, 4, 4))
    return layer
