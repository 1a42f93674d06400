"""A cache of training samples on disk: memory-mapped arrays, one set for each picture shape.

CACHE/cache.json           names of the samplers, seed
CACHE/192x320.images.npy   (n, 3, 192, 320) uint8, YUV
CACHE/192x320.covers.npy   (n, 48, 80) uint8, see `Sample`
CACHE/192x320.labels.npy   (n, 4) float32: weight, presence, sampler, tags
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import DatasetError, TrainingError
from horizon_rt.models.sizes import OUTPUT_STRIDE
from horizon_rt.system.files import output_error, own_folder, write_atomic
from horizon_rt.system.interrupts import interrupts_wait, undisturbed_children
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.samples.sample import InputShape, Sample
from horizon_rt.training.samples.sampler_set import samplers_of
from horizon_rt.training.samples.samplers import Sampler

__all__ = [
    "CHUNK_SAMPLES",
    "LOST",
    "SHAPES",
    "Store",
    "WorkerLost",
    "build_cache",
    "cache_facts",
    "check_material",
    "draw",
    "open_cache",
    "sizes_of",
]

# Picture shapes (height, width) and their shares: 16:9, 4:3 and square sources at the same cost.
SHAPES: dict[InputShape, float] = {(192, 320): 0.6, (224, 288): 0.2, (256, 256): 0.2}
_SIDE = 32  # what the sides of a net's input are multiples of
CHUNK_SAMPLES = 250
LOST = "a process that makes samples was killed, maybe for want of memory; try again with fewer --workers"


class WorkerLost(TrainingError):
    """A process that makes samples was killed."""


def sizes_of(recipe: Recipe) -> dict[InputShape, tuple[float, int]]:
    """`SHAPES` in all sizes that a recipe asks for, or the one that it names: the share of each, and how many
    pictures make a batch.
    """
    if recipe.input_size:
        width, height = (int(side) for side in recipe.input_size)
        return {(height, width): (1.0, recipe.batch)}
    found: dict[InputShape, tuple[float, int]] = {}
    for area in recipe.input_areas:
        for shape, share in SHAPES.items():
            h, w = (max(2, round(side * area**0.5 / _SIDE)) * _SIDE for side in shape)
            before, _ = found.get((h, w), (0.0, 0))
            batch = max(2, round(recipe.batch / area))
            found[h, w] = before + share / len(recipe.input_areas), batch
    return found


class Store(NamedTuple):
    """The samples of one shape, memory-mapped; see the module."""

    images: NDArray[np.uint8]
    covers: NDArray[np.uint8]
    labels: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Chunk:
    folder: Path
    recipe: Recipe
    size: InputShape
    start: int
    count: int
    seed: int


def _paths(folder: Path, size: InputShape) -> list[Path]:
    return [folder / f"{size[0]}x{size[1]}.{part}.npy" for part in Store._fields]


def open_cache(folder: Path, size: InputShape, *, writable: bool = False) -> Store:
    """The samples of one shape; raises DatasetError where there is no cache, or a damaged one."""
    mode: Literal["r", "r+"] = "r+" if writable else "r"
    try:
        store = Store(*(np.lib.format.open_memmap(path, mode) for path in _paths(folder, size)))
    except Exception as error:  # whatever a damaged header makes NumPy and Python's tokeniser raise
        raise _damaged(folder, error) from error
    found = [(part.shape, part.dtype) for part in store]
    if found != _layout(size, len(store.images) if store.images.ndim else 0):
        raise _damaged(folder, f"the arrays of {size[0]}x{size[1]} do not fit each other")
    return store


def _layout(size: InputShape, count: int) -> list[tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shapes and types of the arrays of a `Store`."""
    cells = (size[0] // OUTPUT_STRIDE, size[1] // OUTPUT_STRIDE)
    byte, real = np.dtype(np.uint8), np.dtype(np.float32)
    return [((count, 3, *size), byte), ((count, *cells), byte), ((count, 4), real)]


def _damaged(folder: Path, reason: object) -> DatasetError:
    return DatasetError(f"{folder} is no complete cache of samples: {reason}; delete it to make a new one")


def cache_facts(folder: Path) -> tuple[list[str], list[InputShape]]:
    """Names of the samplers in the order of their numbers, and the shapes; raises DatasetError."""
    try:
        facts = json.loads((folder / "cache.json").read_text(encoding="utf-8"))
        return list(facts["ingredients"]), [(int(h), int(w)) for h, w in facts["shapes"]]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise _damaged(folder, error) from error


def check_material(folder: Path, recipe: Recipe) -> None:
    """Raises DatasetError for a cache that was made from something else: it may hold what is held out."""
    try:
        found = json.loads((folder / "cache.json").read_text(encoding="utf-8"))["material"]
        usual = Recipe().material()  # what a cache does not name yet
        other = [n for n, value in recipe.material().items() if found.get(n, usual[n]) != value]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(folder, error) from error
    if other:
        raise DatasetError(f"{folder} holds samples of another recipe ({other[0]}); give another --cache")


def draw(
    rng: np.random.Generator, made: dict[str, tuple[Sampler, float]], size: InputShape, count: int
) -> tuple[list[Sample], list[int]]:
    """`count` random samples and the numbers of their samplers."""
    makers, shares = zip(*made.values(), strict=True)
    kinds = [int(kind) for kind in rng.choice(len(makers), count, p=shares)]
    spare: defaultdict[int, list[Sample]] = defaultdict(list)
    samples = []
    for kind in kinds:
        while not spare[kind]:
            spare[kind] = makers[kind](rng, size)
        samples.append(spare[kind].pop())
    return samples, kinds


def _fill(chunk: _Chunk) -> int:
    store = open_cache(chunk.folder, chunk.size, writable=True)
    samples, kinds = draw(
        np.random.default_rng(chunk.seed), samplers_of(chunk.recipe), chunk.size, chunk.count
    )
    for i, (sample, kind) in enumerate(zip(samples, kinds, strict=True), chunk.start):
        store.images[i], store.covers[i] = sample.image, sample.cover
        store.labels[i] = sample.weight, sample.presence, kind, sample.tags
    return chunk.count


def build_cache(
    folder: Path,
    recipe: Recipe,
    *,
    count: int,
    workers: int = 2,
    shapes: Mapping[InputShape, float] | None = None,
    on_progress: Callable[[int, int], None] = lambda done, count: None,
) -> None:
    """Fill `folder` with about `count` samples of these shapes, in these shares; those of the recipe if None.

    The same recipe, seed, count and shapes give the same samples, however many worker processes make them
    (0: this one does). Raises DatasetError for material that cannot be read, OutputError for a folder that
    cannot be written, and WorkerLost.
    """
    shapes = shapes or {size: share for size, (share, _) in sizes_of(recipe).items()}
    with own_folder(folder):
        done = 0
        with closing(_fill_all(_empty(folder, recipe, count, shapes), workers)) as parts:
            for filled in parts:
                done += filled
                on_progress(done, count)
        _write_facts(folder, recipe, done, shapes)


def _write_facts(folder: Path, recipe: Recipe, done: int, shapes: Mapping[InputShape, float]) -> None:
    names = list(samplers_of(recipe))
    facts = {"ingredients": names, "shapes": list(shapes), "count": done, "material": recipe.material()}
    write_atomic(folder / "cache.json", (json.dumps(facts, indent=2) + "\n").encode())


def _empty(folder: Path, recipe: Recipe, count: int, shapes: Mapping[InputShape, float]) -> list[_Chunk]:
    """Make the arrays; the parts that are to be filled."""
    chunks: list[_Chunk] = []
    for size, share in shapes.items():
        n = max(1, round(count * share))
        for path, (shape, dtype) in zip(_paths(folder, size), _layout(size, n), strict=True):
            _make_array(path, shape, dtype)
        for start in range(0, n, CHUNK_SAMPLES):
            seed = recipe.seed * 1_000_003 + 7919 * len(chunks)
            chunks.append(_Chunk(folder, recipe, size, start, min(CHUNK_SAMPLES, n - start), seed))
    return chunks


def _make_array(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    try:
        np.lib.format.open_memmap(path, "w+", dtype, shape).flush()
    except OSError as error:
        raise output_error(path, error) from error


def _fill_all(chunks: list[_Chunk], workers: int) -> Generator[int]:
    if workers == 0:
        yield from map(_fill, chunks)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        with undisturbed_children() as processes:
            parts = [pool.submit(_fill, chunk) for chunk in chunks]
        try:
            yield from (part.result() for part in parts)
        except BrokenProcessPool as error:
            raise WorkerLost(LOST) from error
        except BaseException:
            with interrupts_wait():
                for process in processes:  # or they would fill all that is left
                    process.kill()
            raise
