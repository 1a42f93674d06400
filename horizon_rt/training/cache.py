"""A cache of training samples on disk: memory-mapped arrays, one pair a picture shape.

CACHE/192x320.images.npy   (n, 3, 192, 320) uint8, YUV
CACHE/192x320.labels.npy   (n, 5) float32, see `samples`
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from horizon_rt.datasets import is_set_aside, read_horizons
from horizon_rt.synth.panorama import load_panoramas
from horizon_rt.training.samples import (
    Sample,
    Size,
    blank_sample,
    labelled_sample,
    panorama_sample,
    scene_sample,
)

__all__ = ["SHAPES", "build_cache", "open_cache"]

# Picture shapes (height, width) and their shares: 16:9, 4:3 and square sources at the same cost.
SHAPES: dict[Size, float] = {(192, 320): 0.6, (224, 288): 0.2, (256, 256): 0.2}
# Shares of the material that is not rendered; `scenes` and `sea` are photographs.
SHARES = {"panorama": 0.37, "flight": 0.2, "thermal-sea": 0.16, "scenes": 0.17, "sea": 0.06, "blank": 0.04}
_CHUNK = 250

Maker = Callable[[np.random.Generator, Size], Sample]


@dataclass(frozen=True, slots=True)
class _Chunk:
    root: Path
    split: Path
    folder: Path
    size: Size
    start: int
    count: int
    seed: int
    rendered: float


def _makers(root: Path, split: Path) -> dict[str, Maker]:
    panoramas = [p for p in load_panoramas(root / "panorama") if not is_set_aside(split, "panorama", p.name)]
    makers: dict[str, Maker] = {
        "rendered": scene_sample,
        "blank": blank_sample,
        "panorama": lambda rng, size: panorama_sample(panoramas, rng, size),
    }
    for name in SHARES.keys() - makers.keys():
        labelled = [i for i in read_horizons(root / name) if not is_set_aside(split, name, i.path.name)]
        spread = 40.0 if name == "flight" else 15.0

        def make(rng: np.random.Generator, size: Size, labelled=labelled, spread=spread) -> Sample:  # type: ignore[no-untyped-def]
            return labelled_sample(labelled[rng.integers(len(labelled))], rng, size, spread_deg=spread)

        makers[name] = make
    return makers


def _fill(chunk: _Chunk) -> int:
    import cv2

    cv2.setNumThreads(1)
    images, labels = open_cache(chunk.folder, chunk.size, writable=True)
    makers = _makers(chunk.root, chunk.split)
    rng = np.random.default_rng(chunk.seed)
    shares = [chunk.rendered, *((1 - chunk.rendered) * share for share in SHARES.values())]
    kinds = rng.choice(["rendered", *SHARES], chunk.count, p=shares)
    for i, kind in enumerate(kinds, chunk.start):
        images[i], labels[i] = makers[kind](rng, chunk.size)
    return chunk.count


def _paths(folder: Path, size: Size) -> tuple[Path, Path]:
    stem = f"{size[0]}x{size[1]}"
    return folder / f"{stem}.images.npy", folder / f"{stem}.labels.npy"


def open_cache(
    folder: Path, size: Size, *, writable: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The images and labels of one shape, memory-mapped."""
    mode: Literal["r+", "r"] = "r+" if writable else "r"
    images, labels = (np.load(path, mmap_mode=mode) for path in _paths(folder, size))
    return images, labels


def build_cache(
    folder: Path,
    *,
    root: Path,
    split: Path,
    count: int,
    seed: int = 0,
    workers: int = 2,
    rendered: float = 0.47,
) -> None:
    """Render and crop `count` samples into `folder`; `rendered` is the share of procedural scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    chunks: list[_Chunk] = []
    for size, share in SHAPES.items():
        n = round(count * share)
        for path, shape, dtype in zip(
            _paths(folder, size), ((n, 3, *size), (n, 5)), (np.uint8, np.float32), strict=True
        ):
            np.lib.format.open_memmap(path, "w+", dtype, shape).flush()
        for start in range(0, n, _CHUNK):
            chunk_seed = seed * 1_000_003 + 7919 * len(chunks)
            chunks.append(
                _Chunk(root, split, folder, size, start, min(_CHUNK, n - start), chunk_seed, rendered)
            )
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        done = 0
        for filled in pool.map(_fill, chunks):
            done += filled
            print(f"{done}/{count} samples", flush=True)
