"""What makes a net of any architecture one that the rest of the program can run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from horizon_rt.models.nets.horizon_net import pooled
from horizon_rt.models.sizes import OUTPUT_STRIDE

__all__ = ["AboveHorizon", "Body", "MaskAndPresence", "above_horizon", "initialise"]


class Body(nn.Module):
    """An architecture: a picture (n, 3, h, w) to mask logits and its deepest features.

    `forward` returns (n, classes, h/stride, w/stride) and (n, features, any, any), with one class where the
    mask is that of 'above the horizon' alone.
    """

    def __init__(self, *, stride: int, features: int) -> None:
        super().__init__()
        self.stride = stride
        self.features = features


class MaskAndPresence(nn.Module):
    """Brings a body's logits to 1/4 of the picture and puts a presence head on its deepest features."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.body = body
        self.resample = _resample(body.stride)
        self.presence = nn.Linear(2 * body.features, 1)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of a picture batch; see `HorizonNet.forward`."""
        logits, features = self.body(picture)
        summary = pooled(features)
        return self.resample(logits), self.presence(summary).squeeze(1)


class AboveHorizon(nn.Module):
    """A net of several classes as one of 'above the horizon', which is the first of them."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of a picture batch; see `HorizonNet.forward`."""
        scores, presence = self.net(picture)
        return above_horizon(scores), presence


def above_horizon(scores: Tensor) -> Tensor:
    """The logit (n, 1, h, w) of the first class under a softmax over all, of their scores (n, classes, h, w).

    log p/(1 − p) of a softmax is the score less the log of the sum of exponentials of the others.
    """
    return scores[:, :1] - torch.logsumexp(scores[:, 1:], dim=1, keepdim=True)


def _resample(stride: int) -> nn.Module:
    """From logits at 1/stride to 1/4: the mean of the cells within, or bilinear interpolation."""
    if stride < OUTPUT_STRIDE:
        return nn.AvgPool2d(OUTPUT_STRIDE // stride)
    if stride == OUTPUT_STRIDE:
        return nn.Identity()
    return nn.Upsample(scale_factor=stride / OUTPUT_STRIDE, mode="bilinear", align_corners=False)


def initialise(net: nn.Module) -> None:
    """He et al. 2015 (arXiv 1502.01852), eq. 10, for all convolutions: variance 2/fan-in, no bias."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
