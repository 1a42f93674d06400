"""The default net: which pixels lie above the horizon, and whether a horizon is in view at all.

An encoder of depthwise-separable blocks at 1/4, 1/8 and 1/16 of the picture, self-attention over the 1/32
grid as the global-context branch, and a light decoder back to 1/4. Blocks were chosen by measured time on
one CPU core (docs/performance.md), not by FLOPs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.models.sizes import NetSize

__all__ = ["Attention", "HorizonNet", "Separable", "conv", "double", "pooled"]


def conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; 'same' padding."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Separable(nn.Module):
    """Depthwise 5×5 then pointwise, with a residual."""

    def __init__(self, channels: int, kernel: int = 5) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(channels, channels, kernel, groups=channels),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to the same."""
        return F.relu(x + self.body(x))


class Attention(nn.Module):
    """A pre-norm transformer block over all cells of a coarse grid; positions come as two input channels."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels cannot be shared by {heads} attention heads")
        self.heads = heads
        self.position = nn.Linear(2, channels)
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, 2 * channels),
            nn.ReLU(inplace=True),
            nn.Linear(2 * channels, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to the same."""
        n, c, h, w = x.shape
        y = _spread(h, x)[:, None].repeat(1, w)
        z = _spread(w, x)[None, :].repeat(h, 1)
        cells = x.flatten(2).transpose(1, 2) + self.position(torch.stack([y, z], 2).view(1, h * w, 2))
        qkv = self.qkv(self.norm(cells)).view(n, h * w, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, h * w, c)
        cells = cells + self.out(mixed)
        cells = cells + self.mlp(cells)
        return cells.transpose(1, 2).reshape(n, c, h, w)


def _spread(n: int, like: Tensor) -> Tensor:
    """Coordinates of n cells from -1 to 1, of the type of another tensor."""
    # Not linspace and expand: exported to ONNX these know only the size that they were traced with.
    return torch.arange(n, dtype=like.dtype, device=like.device) * (2.0 / max(n - 1, 1)) - 1.0


class HorizonNet(nn.Module):
    """Picture to logits: 'above the horizon' for each 4×4 block, and 'a horizon is in view'."""

    def __init__(self, size: NetSize | None = None, *, classes: int = 1) -> None:
        super().__init__()
        size = size or NetSize()
        c4, c8, c16, c32 = size.channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, c4, 7, 4, 3, bias=False), nn.BatchNorm2d(c4), nn.ReLU(inplace=True)
        )
        self.eighth = nn.Sequential(conv(c4, c8, 3, 2), *(Separable(c8) for _ in range(size.blocks[0])))
        self.sixteenth = nn.Sequential(conv(c8, c16, 3, 2), *(Separable(c16) for _ in range(size.blocks[1])))
        self.context = nn.Sequential(
            conv(c16, c32, 3, 2), *(Attention(c32, size.heads) for _ in range(size.attention))
        )
        self.presence = nn.Linear(2 * c32, 1)
        self.from_context = nn.Conv2d(c32, c8, 1)
        self.from_sixteenth = nn.Conv2d(c16, c8, 1)
        self.mix_eighth = Separable(c8)
        self.from_eighth = nn.Conv2d(c8, c4, 1)
        self.mix_quarter = Separable(c4, 3)
        self.head = nn.Conv2d(c4, classes, 1)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of a picture batch.

        `picture` is (n, 3, h, w) as `preprocess` makes it, h and w multiples of 32. Returns the mask logits
        (n, 1, h/4, w/4), or the scores of several classes in their place, and the presence logits (n,).
        """
        quarter = self.stem(picture)
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        context = self.context(sixteenth)
        summary = pooled(context)
        coarse = double(self.from_context(context)) + self.from_sixteenth(sixteenth)
        middle = self.mix_eighth(F.relu(double(coarse) + eighth))
        fine = self.mix_quarter(F.relu(double(self.from_eighth(middle)) + quarter))
        return self.head(fine), self.presence(summary).squeeze(1)


def pooled(x: Tensor) -> Tensor:
    """Means, then maxima, of all channels over the grid: (n, c, h, w) to (n, 2 c)."""
    return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)


def double(x: Tensor) -> Tensor:
    """Twice the rows and columns, bilinear."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
