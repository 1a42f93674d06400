"""The training loop of the default net: AdamW, warm-up and cosine, an exponential average of the weights."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from horizon_rt.segmentation.net import OUTPUT_STRIDE, HorizonNet
from horizon_rt.training.cache import SHAPES, open_cache

__all__ = ["loss_function", "normalise", "target_mask", "train"]

_WARM_UP = 0.03
_AVERAGE = 0.998
_BAND_PX = 10.0


def normalise(yuv: Tensor) -> Tensor:
    """uint8 YUV (n, 3, h, w) to net input, the same as `preprocess` computes for a frame."""
    x = yuv.float() / 255
    luma = x[:, :1]
    deviation, mean = torch.std_mean(luma, dim=(1, 2, 3), keepdim=True, correction=0)
    return torch.cat([(luma - mean) / (deviation + 0.02), 4 * (x[:, 1:] - 128 / 255)], dim=1)


def signed_distance(labels: Tensor, height: int, width: int) -> Tensor:
    """Distance in px of every output cell's centre from the horizon, positive in the sky."""
    half = (OUTPUT_STRIDE - 1) / 2
    y = torch.arange(height // OUTPUT_STRIDE) * OUTPUT_STRIDE + half - (height - 1) / 2
    x = torch.arange(width // OUTPUT_STRIDE) * OUTPUT_STRIDE + half - (width - 1) / 2
    nx, ny, d = (labels[:, i, None, None, None] for i in range(3))
    return nx * x[None, None, None, :] + ny * y[None, None, :, None] + d


def target_mask(distance: Tensor) -> Tensor:
    """Share of an output cell that lies above the horizon, from its centre's distance in px."""
    return (distance / OUTPUT_STRIDE + 0.5).clamp(0, 1)


def loss_function(mask: Tensor, presence: Tensor, labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Weighted cross-entropy of the mask, heavier near the horizon, plus that of the presence."""
    distance = signed_distance(labels, *size)
    weight = labels[:, 3, None, None, None] * (1 + 3 * torch.exp(-((distance / _BAND_PX) ** 2)))
    pixel = F.binary_cross_entropy_with_logits(mask, target_mask(distance), reduction="none")
    asked = (labels[:, 4] >= 0).float()
    seen = F.binary_cross_entropy_with_logits(presence, labels[:, 4].clamp(0, 1), reduction="none")
    return (pixel * weight).sum() / weight.sum().clamp(min=1) + 0.1 * (seen * asked).mean()


def augment(images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mirror, gamma and colour of a normalised-to-be uint8 batch; the truth follows the mirror."""
    if torch.rand((), generator=generator) < 0.5:
        images = images.flip(3)
        labels = labels * torch.tensor([-1.0, 1, 1, 1, 1])
    n = images.shape[0]
    x = images.float() / 255
    gamma = torch.exp2(0.5 * torch.randn(n, 1, 1, 1, generator=generator))
    colour = (
        torch.rand(n, 2, 1, 1, generator=generator)
        * 1.6
        * (torch.rand(n, 1, 1, 1, generator=generator) > 0.15)
    )
    luma = x[:, :1].clamp(0, 1) ** gamma
    chroma = (x[:, 1:] - 128 / 255) * colour + 128 / 255
    return (torch.cat([luma, chroma], dim=1) * 255).clamp(0, 255), labels


def batches(folders: list[Path], size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless random batches, each of one picture shape; shapes in proportion to their samples."""
    rng = np.random.default_rng(seed)
    stores = [open_cache(folder, shape) for folder in folders for shape in SHAPES]
    shares = np.array([len(labels) for _, labels in stores], float)
    while True:
        images, labels = stores[rng.choice(len(stores), p=shares / shares.sum())]
        pick = np.sort(rng.choice(len(labels), size, replace=False))
        yield torch.from_numpy(images[pick]), torch.from_numpy(labels[pick])


def _rate(progress: float) -> float:
    if progress < _WARM_UP:
        return progress / _WARM_UP
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP)))


def train(
    caches: list[Path],
    *,
    out: Path,
    init: Path | None = None,
    samples: int,
    batch: int,
    rate: float,
    threads: int,
    seed: int = 0,
) -> None:
    """Train the default net and write its averaged weights to `out` (safetensors), a log beside it."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    net = HorizonNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if init is not None:
        net.load_state_dict(load_file(init))
    average = {k: v.clone().float() for k, v in net.state_dict().items()}
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.02)
    generator = torch.Generator().manual_seed(seed)
    stream, steps, start, running = batches(caches, batch, seed), samples // batch, time.monotonic(), 0.0
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".jsonl").open("a") as log:
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = rate * _rate(step / steps)
            images, labels = augment(*next(stream), generator)
            loss = _step(net, optimiser, images, labels)
            _follow(average, net, min(_AVERAGE, (1 + step) / (10 + step)))
            running = loss if step == 0 else 0.98 * running + 0.02 * loss
            if step % 50 == 0 or step == steps - 1:
                seconds = time.monotonic() - start
                print(
                    json.dumps({"step": step, "of": steps, "loss": running, "s": seconds}),
                    file=log,
                    flush=True,
                )
            if step % 500 == 499 or step == steps - 1:
                save_file({k: v.contiguous() for k, v in average.items()}, out)


def _step(net: HorizonNet, optimiser: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> float:
    net.train()
    x = normalise(images).contiguous(memory_format=torch.channels_last)
    mask, presence = net(x)
    loss = loss_function(mask, presence, labels, (images.shape[2], images.shape[3]))
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


@torch.no_grad()
def _follow(average: dict[str, Tensor], net: HorizonNet, decay: float) -> None:
    for name, value in net.state_dict().items():
        average[name].lerp_(value.float(), 1 - decay)
