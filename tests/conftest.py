"""Small clips, and the command line in this process and in one of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from sources_support import av_frame, chroma_size, write_clip

from horizon_rt.cli import main
from horizon_rt.datasets import data_root as find_data_root
from horizon_rt.segmentation.backends import installed_backends
from horizon_rt.segmentation.onnx import graph_of
from horizon_rt.segmentation.weights import default_model

MakeClip = Callable[..., Path]
ENTRY = "from horizon_rt.cli import main; main()"


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


@pytest.fixture(scope="session", autouse=True)
def _nets_are_converted() -> None:
    """Before the first test, as a line tells of it, once on a machine."""
    if len(installed_backends()) > 1:
        for name in (None, "nano"):
            graph_of(default_model(name=name))


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> RunCli:
    """The command line in this process; what libraries print on their own is captured, too."""

    def run(*arguments: str | Path) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        code = caught.value.code
        return Done(code if isinstance(code, int) else 0, *capfd.readouterr())

    return run


@pytest.fixture
def process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command line in a process of its own; `before` is code that it runs first."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path, before: str = "", **options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", f"{before}\n{ENTRY}", *map(str, arguments)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, text=True, **{**pipes, **options}))  # type: ignore[call-overload]
        return started[-1]

    yield start
    for child in started:
        with suppress(ProcessLookupError):
            child.kill()
        child.communicate()


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


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip of 12 frames, 96x64."""
    return write_horizon(tmp_path / "flight.mkv")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.jpg", "c.png"):
        cv2.imwrite(str(folder / name), horizon_luma(96, 64))
    return folder


@pytest.fixture
def data_root() -> Path:
    """The folder of the datasets."""
    root = find_data_root()
    if root is None:
        pytest.skip("needs the datasets; set HORIZON_RT_DATA to their folder")
    return root


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fails a test that leaves threads behind."""
    before = set(threading.enumerate())
    yield
    left = [t.name for t in set(threading.enumerate()) - before if not _ends(t)]
    assert left == []


def _ends(thread: threading.Thread) -> bool:
    thread.join(timeout=2.0)
    return not thread.is_alive()


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
