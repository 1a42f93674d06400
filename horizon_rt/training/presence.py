"""Fit the presence head again on frozen features, with many more pictures that show no horizon.

The head is one linear layer, so this is a logistic regression. Frames whose horizon cannot be seen, because
the strips on its two sides do not differ, are left out: they would teach that anything may hold a horizon.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from horizon_rt.datasets import data_root, is_set_aside, read_horizons
from horizon_rt.segmentation.net import OUTPUT_STRIDE, HorizonNet
from horizon_rt.segmentation.weights import weights_folder
from horizon_rt.training.cache import SHAPES, open_cache
from horizon_rt.training.loop import normalise, signed_distance
from horizon_rt.training.samples import Sample, Size, beside_sample, blank_sample, scene_sample

__all__ = ["fit_presence"]

_BATCH = 32
_SAMPLES_PER_STORE = 1600
_BLANKS = 300
_LEAST_CONTRAST = 3.0  # of 255, between the strips on both sides of the horizon
_PENALTY = 1e-3


def fit_presence(caches: list[Path], *, init: Path, out: Path) -> None:
    """Write the weights of `init` with a new presence head to `out`."""
    net = HorizonNet()
    state = load_file(init)
    net.load_state_dict(state, strict=False)
    features, seen = _collect(net.eval(), caches)
    weight, bias = _regress(features, seen, net.presence.weight.detach()[0], net.presence.bias.detach()[0])
    state["presence.weight"], state["presence.bias"] = weight[None].contiguous(), bias[None].contiguous()
    save_file(state, out)


@torch.no_grad()
def _collect(net: HorizonNet, caches: list[Path]) -> tuple[Tensor, Tensor]:
    """What the presence head sees for every sample that is asked, and the answers."""
    kept: list[Tensor] = []
    net.presence.register_forward_hook(lambda _module, inputs, _output: kept.append(inputs[0]))
    answers = []
    for images, labels in _batches(caches):
        net(normalise(images).contiguous(memory_format=torch.channels_last))
        asked = (labels[:, 4] == 0) | ((labels[:, 4] > 0) & (_contrast(images, labels) > _LEAST_CONTRAST))
        kept[-1] = kept[-1][asked]
        answers.append(labels[asked, 4])
    return torch.cat(kept), torch.cat(answers)


def _batches(caches: list[Path]) -> Iterator[tuple[Tensor, Tensor]]:
    rng = np.random.default_rng(0)
    for folder in caches:
        for size in SHAPES:
            images, labels = open_cache(folder, size)
            for i in range(0, min(len(labels), _SAMPLES_PER_STORE) - _BATCH + 1, _BATCH):
                yield (
                    torch.from_numpy(images[i : i + _BATCH].copy()),
                    torch.from_numpy(labels[i : i + _BATCH].copy()),
                )
    for size in SHAPES:
        made = list(_without(rng, size))
        for i in range(0, len(made), _BATCH):
            pictures, truths = zip(*made[i : i + _BATCH], strict=True)
            yield torch.from_numpy(np.stack(pictures)), torch.tensor(truths)


def _without(rng: np.random.Generator, size: Size) -> Iterator[Sample]:
    """Pictures without a horizon: of nothing, of sky or ground alone, rendered and cut out of photographs."""
    for _ in range(_BLANKS):
        yield blank_sample(rng, size)
        yield scene_sample(rng, size, in_view=False)
    root = data_root()
    if root is None:
        return
    for name in ("flight", "scenes", "sea"):
        for labelled in read_horizons(root / name):
            if not is_set_aside(weights_folder() / "split.toml", name, labelled.path.name):
                sample = beside_sample(labelled, rng, size)
                if sample is not None:
                    yield sample


def _contrast(images: Tensor, labels: Tensor) -> Tensor:
    """Difference of the strips 1 to 4 cells above and below the horizon, the largest of Y, U, V; (n,)."""
    cells = F.avg_pool2d(images.float(), OUTPUT_STRIDE)
    distance = signed_distance(labels, images.shape[2], images.shape[3]) / OUTPUT_STRIDE
    strips = []
    for side in (1, -1):
        strip = ((side * distance > 1) & (side * distance < 4)).float()
        strips.append((cells * strip).sum((2, 3)) / strip.sum((2, 3)).clamp(min=1))
    return (strips[0] - strips[1]).abs().amax(dim=1)


def _regress(features: Tensor, seen: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Logistic regression with both classes of equal weight, started at the old head."""
    mean, deviation = features.mean(0), features.std(0) + 1e-6
    x = (features - mean) / deviation
    w = (weight * deviation).clone().requires_grad_()
    b = (bias + weight @ mean).clone().requires_grad_()
    balance = torch.where(seen > 0, 0.5 / seen.mean(), 0.5 / (1 - seen.mean()))
    optimiser = torch.optim.LBFGS([w, b], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(x @ w + b, seen, weight=balance) + _PENALTY * w @ w
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    right = (((x @ w + b) > 0) == (seen > 0.5)).float()
    shares = [f"{right[seen == answer].mean():.3f}" for answer in (1, 0)]
    print(f"{len(seen)} samples; right with a horizon {shares[0]}, without {shares[1]}")
    scaled = (w / deviation).detach()
    return scaled, (b - scaled @ mean).detach()
