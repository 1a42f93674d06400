"""What signals to the processes of a training run leave behind, and what they print."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch
from support.cli import RunCli
from support.training import PaintedBatches

from horizon_rt.errors import TrainingError
from horizon_rt.system.locks import lock_folder
from horizon_rt.training.batches import load
from horizon_rt.training.recipe import Recipe

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux to find the workers"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
]
Child = subprocess.Popen[str]
Start = Callable[..., Child]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A run of a minute or more, without an evaluation on its way."""
    path = tmp_path / "recipe.toml"
    path.write_text('net = "nano"\nsamples = 800\nbatch = 4\n[shares]\nroom = 0.5\nblank = 0.5\n')
    return path


@pytest.fixture
def train(process: Start, recipe: Path, tmp_path: Path) -> Callable[..., Child]:
    """Starts a run in a process group of its own."""

    def start(*words: object) -> Child:
        out = ("--out", tmp_path / "out", "--evaluate-every", "1000", "--workers", "2", "--device", "cpu")
        return process("train", "--recipe", recipe, *out, *words, start_new_session=True)

    return start


def workers_of(child: Child) -> list[int]:
    """The spawned processes that make samples."""
    listed = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in listed}
    return [pid for pid, line in lines.items() if b"spawn_main" in line]


def wait(condition: Callable[[], object], child: Child) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert child.poll() is None, child.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.005)


def lines_of(child: Child) -> Iterator[str]:
    assert child.stderr is not None
    return iter(child.stderr.readline, "")


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def after_first_steps(child: Child) -> list[int]:
    """Waits until some of the run is done; the workers."""
    assert any(line.startswith("training ") for line in lines_of(child))
    return workers_of(child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_of_a_run_keeps_what_was_learnt(
    train: Callable[..., Child], tmp_path: Path, number: int
) -> None:
    child = train()
    workers = after_first_steps(child)
    assert len(workers) == 2
    os.killpg(child.pid, number)
    os.kill(child.pid, number)  # as from a wrapper that passes it on
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 130, errors
    *steps, last = errors.splitlines()
    assert all(step.startswith("training ") for step in steps), errors
    assert "with --resume goes on" in last
    assert torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)["step"] >= 10
    assert all(is_gone(pid) for pid in workers)


@pytest.mark.parametrize("delay_s", [0.0, 1.0])
def test_ctrl_c_while_workers_start_prints_no_traceback(train: Callable[..., Child], delay_s: float) -> None:
    child = train()
    wait(lambda: workers_of(child), child)
    time.sleep(delay_s)
    workers = workers_of(child)
    os.killpg(child.pid, signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 130, errors
    assert "Traceback" not in errors
    assert all(is_gone(pid) for pid in workers)


def test_a_worker_that_is_killed_ends_the_run_in_one_line_and_a_checkpoint(
    train: Callable[..., Child], tmp_path: Path
) -> None:
    child = train()
    os.kill(after_first_steps(child)[0], signal.SIGKILL)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 1
    last = errors.splitlines()[-1]
    assert last.startswith("error: a process that makes samples was killed")
    assert "Traceback" not in errors
    assert torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)["step"] >= 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_cache_is_filled_ends_it_quietly(
    train: Callable[..., Child], tmp_path: Path, number: int
) -> None:
    child = train("--cache", tmp_path / "cache", "--cache-samples", "20000")
    wait(lambda: len(workers_of(child)) == 2, child)
    time.sleep(1.0)
    workers = workers_of(child)
    os.killpg(child.pid, number)
    _, errors = child.communicate(timeout=30)
    assert (child.returncode, errors) == (130, "")
    assert all(is_gone(pid) for pid in workers)
    assert not (tmp_path / "cache" / "cache.json").exists()


def test_a_run_without_end_is_not_counted_first() -> None:
    steps = Recipe(samples=10**12, batch=1).steps
    with closing(load(PaintedBatches(2), range(steps), workers=1)) as batches:
        first = next(batches)
    assert torch.equal(first.images, PaintedBatches(2)[0].images)


def test_loading_leaves_the_signals_of_the_process_as_they_are() -> None:
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
    before = [signal.getsignal(number) for number in watched], signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with closing(load(PaintedBatches(2), range(4), workers=1)) as batches:
        next(batches)
        found = [signal.getsignal(number) for number in watched], signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert found == before


def test_loading_works_in_another_thread() -> None:
    found: list[int] = []

    def work() -> None:
        with closing(load(PaintedBatches(2), range(2), workers=1)) as batches:
            found.append(len(list(batches)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert found == [2]


def test_two_runs_into_one_folder_do_not_meet(cli: RunCli, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with lock_folder(out):
        done = cli("train", "--recipe", recipe, "--out", out)
    assert (done.code, len(done.errors)) == (1, 1)
    assert f"cannot write {out}: another run is writing it" in done.err
    assert not list(out.iterdir())


def test_an_error_of_a_batch_is_none_of_a_lost_worker() -> None:
    with pytest.raises(IndexError), closing(load(Broken(), range(2), workers=1)) as batches:
        next(batches)
    assert not issubclass(IndexError, TrainingError)


class Broken:
    """Batches that cannot be made."""

    def __getitem__(self, index: int) -> object:
        raise IndexError(index)
