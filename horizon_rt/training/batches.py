"""Batches of training samples: any can be made on its own, so a run can stop, go on, and be repeated."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from horizon_rt.training.cache import SHAPES, Store, cache_facts, draw, open_cache
from horizon_rt.training.ingredients import Ingredient
from horizon_rt.training.materials import make_ingredients
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.samples import TAGS, Size

__all__ = ["Batch", "Batches", "CachedBatches", "LiveBatches", "augment", "load"]


class Batch(NamedTuple):
    """Pictures (n, 3, h, w) uint8, covers (n, h/4, w/4) uint8, weights (n,) and presences (n,) float32."""

    images: Tensor
    covers: Tensor
    weights: Tensor
    presences: Tensor


class Batches(Protocol):
    """Batch number `index` of an endless sequence, the same whenever it is asked for."""

    def __getitem__(self, index: int) -> Batch:
        """Make a batch."""
        ...


class LiveBatches(Dataset[Batch]):
    """Samples made on the fly; for use in worker processes, which read the material once each."""

    def __init__(self, recipe: Recipe, shapes: Mapping[Size, float] = SHAPES) -> None:
        self._recipe, self._shapes = recipe, dict(shapes)
        self._made: dict[str, tuple[Ingredient, float]] | None = None

    def __getitem__(self, index: int) -> Batch:
        """See `Batches`."""
        if self._made is None:
            self._made = make_ingredients(self._recipe)
        rng = np.random.default_rng((self._recipe.seed, index))
        size = list(self._shapes)[int(rng.choice(len(self._shapes), p=list(self._shapes.values())))]
        samples, _ = draw(rng, self._made, size, self._recipe.batch)
        images, covers, weights, presences, _ = zip(*samples, strict=True)
        return Batch(
            torch.from_numpy(np.stack(images)),
            torch.from_numpy(np.stack(covers)),
            torch.tensor(weights, dtype=torch.float32),
            torch.tensor(presences, dtype=torch.float32),
        )


class CachedBatches(Dataset[Batch]):
    """Random samples of caches, without the ingredients and tags in `without`."""

    def __init__(
        self, folders: Sequence[Path], *, batch: int, seed: int, without: Sequence[str] = ()
    ) -> None:
        self._batch, self._seed = batch, seed
        self._stores: list[tuple[Store, np.ndarray]] = []
        for folder in folders:
            names, shapes = cache_facts(folder)
            barred = [names.index(n) for n in without if n not in TAGS]
            tags = sum(TAGS[name] for name in without if name in TAGS)
            for size in shapes:
                store = open_cache(folder, size)
                kept = ~np.isin(store.labels[:, 2], barred) & ((store.labels[:, 3].astype(int) & tags) == 0)
                if kept.sum() >= batch:
                    self._stores.append((store, np.flatnonzero(kept)))
        counts = np.array([len(kept) for _, kept in self._stores], float)
        self._shares = counts / counts.sum()

    def __getitem__(self, index: int) -> Batch:
        """See `Batches`."""
        rng = np.random.default_rng((self._seed, index))
        store, kept = self._stores[int(rng.choice(len(self._stores), p=self._shares))]
        pick = np.sort(rng.choice(kept, self._batch, replace=False))
        return Batch(
            *(torch.from_numpy(part[pick]) for part in (store.images, store.covers)),
            *(torch.from_numpy(store.labels[pick, i]) for i in (0, 1)),
        )


def load(batches: Batches, steps: range, *, workers: int) -> Iterator[Batch]:
    """Batches of these numbers in their order, made ahead by worker processes (0: in this one)."""
    if workers == 0:
        yield from (batches[i] for i in steps)
        return
    yield from DataLoader(
        batches,  # type: ignore[arg-type]
        batch_size=None,
        sampler=list(steps),
        num_workers=workers,
        multiprocessing_context="spawn",
        worker_init_fn=_quiet_worker,
        prefetch_factor=4,
    )


def _quiet_worker(_number: int) -> None:
    import cv2

    os.nice(5)  # the step that consumes the batches comes first
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def augment(batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mirror, gamma and colour: pictures 0..255 (n, 3, h, w) and covers 0..1 (n, 1, h/4, w/4), float32."""
    images, covers = batch.images, batch.covers
    if torch.rand((), generator=generator) < 0.5:
        images, covers = images.flip(3), covers.flip(2)
    n = images.shape[0]
    x = images.float() / 255
    gamma = torch.exp2(0.5 * torch.randn(n, 1, 1, 1, generator=generator))
    kept = torch.rand(n, 1, 1, 1, generator=generator) > 0.15
    colour = torch.rand(n, 2, 1, 1, generator=generator) * 1.6 * kept
    luma = x[:, :1].clamp(0, 1) ** gamma
    chroma = (x[:, 1:] - 128 / 255) * colour + 128 / 255
    return (torch.cat([luma, chroma], dim=1) * 255).clamp(0, 255), covers[:, None].float() / 255
