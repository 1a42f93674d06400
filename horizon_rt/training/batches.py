"""Batches of training samples: any can be made on its own, so a run can stop, go on, and be repeated."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from horizon_rt.datasets.base import NO_CLASS
from horizon_rt.errors import DatasetError, HorizonError
from horizon_rt.system.host import lower_priority
from horizon_rt.system.interrupts import interrupts_wait, undisturbed_children
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.samples.cache import LOST, WorkerLost, cache_facts, draw, open_cache, sizes_of
from horizon_rt.training.samples.pictures import Picture, picture_sets
from horizon_rt.training.samples.sample import TAGS, InputShape, Sample
from horizon_rt.training.samples.sampler_set import samplers_of, window_spread_deg
from horizon_rt.training.samples.windows import window_sample

__all__ = [
    "Batch",
    "Batches",
    "CachedBatches",
    "EpochBatches",
    "LiveBatches",
    "load",
    "mirrored",
    "prepare_worker",
    "recoloured",
]

_SIGCHLD: signal.Signals | None = getattr(signal, "SIGCHLD", None)

_GRADED, _HUE = 0.4, 0.5  # share of pictures whose hue is turned, and the standard deviation in rad


class Batch(NamedTuple):
    """Pictures (n, 3, h, w) uint8, covers (n, h/4, w/4) uint8, weights (n,) and presences (n,) float32.

    `classes` (n, h/4, w/4) uint8 are numbers of classes, `NO_CLASS` where none is known; `counted`
    (n, h/4, w/4) uint8 as in `Sample`.
    """

    images: Tensor
    covers: Tensor
    weights: Tensor
    presences: Tensor
    classes: Tensor | None = None
    counted: Tensor | None = None


class Batches(Protocol):
    """Batch number `index` of an endless sequence, the same whenever it is asked for."""

    def __getitem__(self, index: int) -> Batch:
        """Make a batch."""
        ...


class LiveBatches(Dataset[Batch]):
    """Samples made on the fly; for use in worker processes, which read the material once each."""

    def __init__(self, recipe: Recipe, shapes: Mapping[InputShape, float] | None = None) -> None:
        self._recipe = recipe
        sizes = sizes_of(recipe) if shapes is None else {s: (p, recipe.batch) for s, p in shapes.items()}
        self._sizes = list(sizes)
        self._shares, self._batches = zip(*sizes.values(), strict=True)

    def __getitem__(self, index: int) -> Batch:
        """See `Batches`."""
        rng = np.random.default_rng((self._recipe.seed, index))
        chosen = int(rng.choice(len(self._sizes), p=self._shares))
        samples, _ = draw(rng, samplers_of(self._recipe), self._sizes[chosen], self._batches[chosen])
        return _stacked(samples, with_classes=bool(self._recipe.classes))


def _stacked(samples: Sequence[Sample], *, with_classes: bool) -> Batch:
    images, covers, weights, presences, _, classes, counted = zip(*samples, strict=True)
    shape = covers[0].shape
    return Batch(
        torch.from_numpy(np.stack(images)),
        torch.from_numpy(np.stack(covers)),
        torch.tensor(weights, dtype=torch.float32),
        torch.tensor(presences, dtype=torch.float32),
        _filled(classes, shape, NO_CLASS) if with_classes else None,
        None if all(part is None for part in counted) else _filled(counted, shape, 255),
    )


def _filled(parts: Sequence[NDArray[np.uint8] | None], shape: tuple[int, ...], value: int) -> Tensor:
    usual = np.full(shape, value, np.uint8)
    return torch.from_numpy(np.stack([usual if part is None else part for part in parts]))


class EpochBatches(Dataset[Batch]):
    """The pictures of the datasets of a recipe, pass after pass, each in an order that the seed draws.

    `count` pictures make a pass; a batch of `size` may hold the end of one and the beginning of the next. The
    last of `steps` batches goes on beyond the last pass until it is full.
    """

    def __init__(self, recipe: Recipe) -> None:
        """Raises DatasetError where there is no picture for training, and for parts of the samples."""
        if any(part != 1 for part in recipe.data.values()):
            raise DatasetError(
                "passes show each picture once, whatever its dataset; leave the parts of --data out"
            )
        sets = picture_sets(recipe.data, recipe.split).training
        self._pictures = [(p, window_spread_deg(some)) for some in sets.values() for p in some]
        self.count = len(self._pictures)
        self.size = min(recipe.batch, recipe.epochs * self.count)
        if not self.count:
            raise DatasetError("no dataset has a picture for training; epochs go through those")
        self.steps = -(-recipe.epochs * self.count // self.size)
        self._recipe = recipe

    def __getitem__(self, index: int) -> Batch:
        """See `Batches`."""
        rng = np.random.default_rng((self._recipe.seed, index, 1))
        sizes = sizes_of(self._recipe)
        shares = [share for share, _ in sizes.values()]
        size = list(sizes)[int(rng.choice(len(sizes), p=shares))]
        augmented = self._recipe.augmented
        samples = [
            window_sample(p, rng, size, spread_deg=deg, augmented=augmented) for p, deg in self._chosen(index)
        ]
        return _stacked(samples, with_classes=bool(self._recipe.classes))

    def _chosen(self, index: int) -> list[tuple[Picture, float]]:
        first, last = index * self.size, (index + 1) * self.size
        passes = range(first // self.count, -(-last // self.count))
        orders = [np.random.default_rng((self._recipe.seed, n)).permutation(self.count) for n in passes]
        start = first - passes[0] * self.count
        return [self._pictures[i] for i in np.concatenate(orders)[start : start + self.size]]


class CachedBatches(Dataset[Batch]):
    """Random samples of caches, without the samplers and tags in `without`.

    `sizes` says how many pictures of some sizes make a batch, which is otherwise `batch`.

    The caches are opened for each batch anew: a worker process would get a memory-mapped array as a copy.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        batch: int,
        seed: int,
        without: Sequence[str] = (),
        sizes: Mapping[InputShape, int] | None = None,
    ) -> None:
        """Raises DatasetError for a damaged cache, an unknown sampler, and where too few are left."""
        self._batch, self._seed, self._sizes = batch, seed, dict(sizes or {})
        self._kept = [part for part in _kept(folders, without) if len(part[2])]
        if not self._kept:
            raise DatasetError("no sample of the cache is left")
        for folder, size, numbers in self._kept:
            if len(numbers) < (needed := self._count(size)):
                many = f"{len(numbers)} samples of {size[1]}x{size[0]}, and a batch takes {needed}"
                raise DatasetError(f"{folder} holds {many}; make a larger cache")
        counts = np.array([len(numbers) for _, _, numbers in self._kept], float)
        self._shares = counts / counts.sum()

    def _count(self, size: InputShape) -> int:
        return self._sizes.get(size, self._batch)

    def __getitem__(self, index: int) -> Batch:
        """See `Batches`."""
        rng = np.random.default_rng((self._seed, index))
        folder, size, numbers = self._kept[int(rng.choice(len(self._kept), p=self._shares))]
        store = open_cache(folder, size)
        pick = np.sort(rng.choice(numbers, self._count(size), replace=False))
        return Batch(
            *(torch.from_numpy(part[pick]) for part in (store.images, store.covers)),
            *(torch.from_numpy(store.labels[pick, i]) for i in (0, 1)),
        )


def _kept(folders: Sequence[Path], without: Sequence[str]) -> list[tuple[Path, InputShape, NDArray[np.intp]]]:
    """Folder, shape and numbers of the samples that are left."""
    facts = [(folder, *cache_facts(folder)) for folder in folders]
    known = {*TAGS, *(name for _, names, _ in facts for name in names)}
    for name in without:
        if name not in known:
            raise DatasetError(f"no sampler or tag '{name}'; there are: {', '.join(sorted(known))}")
    tags = sum(TAGS[name] for name in without if name in TAGS)
    kept = []
    for folder, names, shapes in facts:
        barred = [names.index(name) for name in without if name in names]
        for size in shapes:
            labels = open_cache(folder, size).labels
            left = ~np.isin(labels[:, 2], barred) & ((labels[:, 3].astype(int) & tags) == 0)
            kept.append((folder, size, np.flatnonzero(left)))
    return kept


def load(batches: Batches, steps: range, *, workers: int) -> Generator[Batch]:
    """Batches of these numbers in their order, made ahead by worker processes (0: in this one).

    Close it, or read to the end, to end these. Raises WorkerLost where one was killed.
    """
    if workers == 0:
        yield from (batches[i] for i in steps)
        return
    processes: list[BaseProcess] = []
    made, others = iter(()), set(threading.enumerate())
    try:
        with _sigchld_kept(), undisturbed_children() as processes:
            made = iter(_loader(batches, steps, workers))
        while (batch := _next(made)) is not None:
            if isinstance(batch, HorizonError):
                raise batch
            yield batch
    finally:
        with interrupts_wait():
            for process in processes:  # at once, as they may be in the midst of a batch
                process.kill()
            feeders = set(threading.enumerate()) - others
            del made  # closes its queues
            # Python speaks of leaked semaphores where it ends while these give theirs back.
            for thread in feeders:
                if thread.name == "QueueFeederThread":
                    thread.join(timeout=1.0)


def _loader(batches: Batches, steps: range, workers: int) -> DataLoader[Batch | HorizonError]:
    return DataLoader(
        _Told(batches),
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        multiprocessing_context="spawn",
        worker_init_fn=prepare_worker,
        prefetch_factor=4,
    )


def _next(made: Iterator[Batch | HorizonError]) -> Batch | HorizonError | None:
    """The next batch, or what it is to raise; None at the end."""
    try:
        return next(made, None)
    except (RuntimeError, EOFError, ConnectionError, FileNotFoundError) as error:
        # What a worker itself raises begins with "Caught"; there are RuntimeErrors of other kinds, too.
        said = str(error)
        lost = (
            said.startswith("DataLoader worker") if isinstance(error, RuntimeError) else "Caught" not in said
        )
        if lost:
            return WorkerLost(LOST)  # without the traceback, which would keep the queues
        raise


@contextmanager
def _sigchld_kept() -> Iterator[None]:
    """Without what torch has SIGCHLD do: raise wherever the program is, be it in the midst of a step."""
    if _SIGCHLD is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(_SIGCHLD)
    try:
        yield
    finally:
        signal.signal(_SIGCHLD, before)


class _Told(Dataset[Batch | HorizonError]):
    """Batches, and errors as what they are: a loader would raise them with the worker's traceback as text."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __getitem__(self, index: int) -> Batch | HorizonError:
        try:
            return self._batches[index]
        except HorizonError as error:
            return error


def prepare_worker(_number: int) -> None:
    """Keep a process that makes samples quiet, single-threaded and behind the training step."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asked for them ends them
    sys.excepthook = lambda *_: None  # or it would tell that its reader went away, as on Ctrl-C
    lower_priority()  # the step that consumes the batches comes first
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def mirrored(batch: Batch, generator: torch.Generator) -> Batch:
    """Left and right exchanged, in half of the batches at random."""
    if torch.rand((), generator=generator) >= 0.5:
        return batch
    classes, counted = (None if part is None else part.flip(2) for part in (batch.classes, batch.counted))
    return Batch(batch.images.flip(3), batch.covers.flip(2), batch.weights, batch.presences, classes, counted)


def recoloured(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (n, 3, h, w) uint8 with another gamma, saturation and hue, 0..255 float32."""
    n = images.shape[0]
    x = images.float() / 255
    gamma = torch.exp2(0.5 * torch.randn(n, 1, 1, 1, generator=generator))
    kept = torch.rand(n, 1, 1, 1, generator=generator) > 0.15
    colour = torch.rand(n, 2, 1, 1, generator=generator) * 1.6 * kept
    luma = x[:, :1].clamp(0, 1) ** gamma
    chroma = _turned((x[:, 1:] - 128 / 255) * colour, generator) + 128 / 255
    return (torch.cat([luma, chroma], dim=1) * 255).clamp(0, 255)


def _turned(chroma: Tensor, generator: torch.Generator) -> Tensor:
    """Chroma (n, 2, h, w) with another hue in some pictures, as after colour grading."""
    n = chroma.shape[0]
    graded = torch.rand(n, generator=generator) < _GRADED
    turn = _HUE * torch.randn(n, generator=generator) * graded
    c, s = turn.cos(), turn.sin()
    return torch.einsum("nij,njhw->nihw", torch.stack([c, -s, s, c], dim=1).view(n, 2, 2), chroma)
