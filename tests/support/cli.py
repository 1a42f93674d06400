"""The command line as a test runs it, and clips with a horizon for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from support.sources import av_frame, chroma_size, write_clip

ENTRY = "from horizon_rt.cli import main; main()"


LENS = "lens assumed: horizontal field of view 70°; give --hfov or --camera-profile"
VERBS = (
    "live", "track", "batch", "annotate", "demo", "train", "label", "eval", "inspect", "export", "synth",
    "calibrate",
    "cameras", "doctor", "bench", "mount", "level", "straighten", "convert",
)  # fmt: skip


@dataclass(frozen=True)
class Done:
    """How a command ended; `errors` are the lines of stderr."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return self.err.splitlines()


RunCli = Callable[..., Done]


def horizon_luma(width: int, height: int, tilt: float = 0.0) -> np.ndarray:
    """Bright above, dark below, split through the middle; `tilt` in rows per column."""
    rows, columns = np.mgrid[:height, :width]
    above = rows < height / 2 + tilt * (columns - width / 2)
    return np.where(above, 190, 50).astype(np.uint8)


def write_horizon(
    path: Path, count: int = 12, width: int = 96, height: int = 64, codec: str = "ffv1", **options: object
) -> Path:
    """A clip whose horizon swings gently."""
    chroma = [np.full(chroma_size(width, height, "420"), 128, np.uint8)] * 2
    lumas = [horizon_luma(width, height, 0.1 * np.sin(i / 8)) for i in range(count)]
    frames = [av_frame("yuv420p", (luma, *chroma)) for luma in lumas]
    return write_clip(path, frames, codec=codec, **options)  # type: ignore[arg-type]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def pictures_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes: a part of a write goes through, and then it fails."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
