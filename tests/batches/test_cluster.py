"""The work of a batch on a Dask cluster, and in processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.cli import RunCli, write_horizon

from horizon_rt.batches.options import BatchOptions
from horizon_rt.batches.run import run_batch
from horizon_rt.errors import SourceError
from horizon_rt.options import RunOptions

psutil = pytest.importorskip("psutil")
distributed = pytest.importorskip("distributed")

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in "abc":
        write_horizon(folder / f"{name}.mkv", 30 if name != "b" else 1000, codec="mpeg4")
    (folder / "bad.mp4").write_bytes(b"no video")
    return folder


def same(one: Path, two: Path) -> bool:
    names = {path.name for path in one.glob("*.jsonl")} | {path.name for path in two.glob("*.jsonl")}
    return bool(names) and all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


@pytest.mark.parametrize("engine", ["local", "dask"])
def test_a_worker_that_is_killed_costs_its_piece_of_work_alone(
    cli: RunCli, process: Start, clips: Path, tmp_path: Path, engine: str
) -> None:
    words = ("batch", clips, "--write=telemetry", "--model=nano")
    assert cli(*words, "--out", tmp_path / "calm").code == 1
    out = tmp_path / "out"
    run = process(*words, "--out", out, "--jobs=2", f"--engine={engine}")
    end, killed = time.monotonic() + 120, None
    while killed is None:
        assert run.poll() is None
        assert time.monotonic() < end
        for child in psutil.Process(run.pid).children(recursive=True):
            opened = [file.path for file in _files(child)]
            if any(path.endswith("b.jsonl.partial") for path in opened):
                killed = child.pid
                os.kill(killed, signal.SIGKILL)
                break
        time.sleep(0.02)
    told, errors = run.communicate(timeout=150)
    assert run.returncode == 1, errors
    assert sum(line.startswith("done: ") for line in errors.splitlines()) == 3, errors
    assert same(tmp_path / "calm", out)
    assert "4 inputs\t3 whole" in told


def _files(child: object) -> list[object]:
    try:
        return child.open_files()  # type: ignore[attr-defined]
    except psutil.Error:
        return []


def test_nobody_answers(cli: RunCli, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("horizon_rt.batches.cluster.CONNECT_S", 0.5)
    done = cli("batch", clips, "--out", tmp_path / "o", "--engine=dask", "--scheduler=tcp://127.0.0.1:9")
    assert done.code == 1
    assert "error: no Dask scheduler answers at tcp://127.0.0.1:9" in done.errors[-1]
    assert cli("batch", clips, "--out", tmp_path / "o", "--scheduler=tcp://127.0.0.1:9").code == 2


def test_ctrl_c_ends_all_jobs_with_what_is_done_whole(process: Start, clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = process("batch", clips, "--out", out, "--jobs=2", "--model=nano", "--write=telemetry")
    end = time.monotonic() + 120
    while not ((b := out / "b.jsonl.partial").exists() and b.stat().st_size > 2000):
        assert run.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    children = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130, errors
    assert not (out / "b.jsonl").exists()
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_work_that_ends_early_leaves_its_worker_alive_and_is_tried_once(tmp_path: Path) -> None:
    from horizon_rt.batches.cluster import Cluster

    tries = tmp_path / "tries"

    def raising(error: BaseException, _signals: object) -> None:
        with tries.open("a") as file:
            file.write(f"{error!r}\n")
        raise error

    def process(_value: object, _signals: object) -> int:
        return os.getpid()

    with Cluster(None, 1, 1, lambda _key, _count: None) as cluster:
        before = cluster.submit("a", process, None).result(60)
        for error in (KeyboardInterrupt(), SourceError("its times are damaged")):
            raised = cluster.submit("a", raising, error).exception(60)
            assert repr(raised) == repr(error)
        assert cluster.submit("a", process, None).result(60) == before
    assert len(tries.read_text().splitlines()) == 2


def test_threads_of_workers_are_limited_while_a_batch_runs() -> None:
    from horizon_rt.batches.cluster import Cluster

    def threads(*_: object) -> tuple[int, int]:
        """As a new thread sees them, such as those of a run: to an old one PyTorch's number stays."""
        import concurrent.futures

        import cv2
        import torch

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return cv2.getNumThreads(), pool.submit(torch.get_num_threads).result()

    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as workers,
        distributed.Client(workers) as client,
    ):
        before = client.submit(threads, pure=False).result(60)
        plugins = set(workers.scheduler.worker_plugins)
        with Cluster(workers.scheduler_address, 1, 3, lambda _key, _count: None) as cluster:
            assert cluster.submit("a", threads, None).result(60) == (3, 3)
        assert set(workers.scheduler.worker_plugins) == plugins
        assert client.submit(threads, pure=False).result(60) == before


def test_cores_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("horizon_rt.batches.options.usable_cores", lambda: 8)
    assert BatchOptions().threads_each == 0
    assert BatchOptions(threads=3).threads_each == 3
    assert BatchOptions(jobs=2).threads_each == 4
    assert BatchOptions(engine="dask").threads_each == 8
    assert BatchOptions(engine="dask", scheduler="tcp://head:8786").threads_each == 1


def test_one_job_has_the_threads_it_is_given() -> None:
    import cv2
    import torch

    def coming() -> Iterator[None]:
        given.append((cv2.getNumThreads(), torch.get_num_threads()))
        yield None

    given: list[tuple[int, int]] = []
    before = cv2.getNumThreads(), torch.get_num_threads()
    run_batch(coming(), RunOptions(), {}, BatchOptions(threads=3))
    assert given == [(3, 3)]
    assert (cv2.getNumThreads(), torch.get_num_threads()) == before
