"""Small clips, and the command line in this process and in one of its own."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

# Of two processes of tests with two threads each, threads of OpenMP that wait by spinning take the cores from
# those that work: trainings took two and a half times as long. PyTorch looks once, when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # those of NumPy, too

import cv2
import numpy as np
import pytest
from filelock import FileLock
from hypothesis import settings
from support.cli import ENTRY, Done, RunCli, horizon_luma, write_horizon

import horizon_rt
from horizon_rt.cli import main
from horizon_rt.geometry import sphere
from horizon_rt.models.weights import find_model
from horizon_rt.segmentation.backends import installed_backends
from horizon_rt.segmentation.onnx import graph_of
from horizon_rt.system.paths import data_root as find_data_root

PACKAGE = Path(horizon_rt.__file__).parent

# Kernels are compiled at their first use, so no deadlines. `make fuzz` searches with new examples.
settings.register_profile("search", deadline=None)
settings.register_profile("same", settings.get_profile("search"), derandomize=True)
settings.load_profile("same")

if hasattr(signal, "SIGHUP"):  # which nohup leaves ignored, in the programs that tests start, too
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _nets_are_converted(pytestconfig: pytest.Config) -> None:
    """Before the first test, as a line tells of it; kept for the next run, for all of its processes."""
    if len(installed_backends()) > 1:
        made_by = (*PACKAGE.glob("models/nets/*.py"), PACKAGE / "segmentation" / "onnx.py")
        code = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(made_by))).hexdigest()[:16]
        folder = pytestconfig.cache.mkdir(f"graphs-{code}")  # type: ignore[union-attr]
        os.environ["HORIZON_RT_CACHE"] = str(folder)
        names = ("lite0", "small", "nano")
        second = os.environ.get("PYTEST_XDIST_WORKER") == "gw1"  # begins at the end: two share the work
        for name in names[::-1] if second else names:
            with FileLock(folder / f"{name}.lock"):
                graph_of(find_model(name=name))


@pytest.fixture(scope="session", autouse=True)
def _a_kernel_is_kept() -> None:
    """Before the first test, as a line tells of it, too."""
    sphere.tangent_basis(np.array([0.0, 0.0, 1.0]))


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
