"""A watched folder."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from support.cli import RunCli, write_horizon

from horizon_rt.batches.inputs import find_inputs
from horizon_rt.batches.options import BatchOptions
from horizon_rt.batches.plan import Planned, make_items
from horizon_rt.batches.run import run_batch
from horizon_rt.batches.watching import items_of
from horizon_rt.batches.work import Item, Result, Work
from horizon_rt.errors import OutputError
from horizon_rt.options import RunOptions

Start = Callable[..., "subprocess.Popen[str]"]


def test_finished_files_are_tracked_until_ctrl_c(process: Start, clip: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    words = ("--out", out, "--write=telemetry", "--model=nano", "--settle=1s")
    run = process("batch", "--watch", folder, *words)
    data = clip.read_bytes()
    (folder / "growing.mkv").write_bytes(data[: len(data) // 2])
    write_horizon(folder / "whole.mkv", 6)
    end = time.monotonic() + 90
    while not (out / "whole.jsonl").exists():
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < end
        with (folder / "growing.mkv").open("ab") as file:  # it is written on
            file.write(b"\0")
        time.sleep(0.2)
    assert not (out / "growing.jsonl").exists()
    (folder / "growing.mkv").write_bytes(data)
    while not (out / "growing.jsonl").exists():
        assert time.monotonic() < end
        time.sleep(0.2)
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 0, errors
    assert sum(line.startswith("done: ") for line in errors.splitlines()) == 2


def test_what_cannot_be_watched(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    assert cli("batch", "--out", tmp_path / "out").code == 2
    for more in (("--watch", clip), ("--watch", tmp_path, "--dry-run"), ("--watch", tmp_path, "--settle=x")):
        assert cli("batch", "--out", tmp_path / "out", *more).code == 2


class Slow:
    """An engine whose work ends when a test says so."""

    def __init__(self, *_: object) -> None:
        self.futures: list[Future[Result]] = []
        ENGINES.append(self)

    def submit(self, _key: str, _function: object, work: Work) -> Future[Result]:
        assert all(future.done() for future in self.futures), "two write the same outputs"
        self.futures.append(Future())
        self.works = [*getattr(self, "works", []), work]
        return self.futures[-1]

    def end(self) -> None:
        self.futures[-1].set_result(Result(self.works[-1].item, "done"))

    def stop(self) -> None: ...

    def cancel(self) -> None: ...

    def __enter__(self) -> Slow:
        return self

    def __exit__(self, *_: object) -> None: ...


ENGINES: list[Slow] = []


def test_a_file_that_changes_while_it_is_tracked_waits_for_its_turn(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("horizon_rt.batches.run.Processes", Slow)
    how = BatchOptions(jobs=2, write="telemetry")
    one = Planned(make_items(find_inputs([str(clip)]), tmp_path, how)[0], "it is new")

    def coming() -> Iterator[Planned | None]:
        yield one
        yield one  # it was replaced meanwhile
        assert len(ENGINES[-1].futures) == 1
        ENGINES[-1].end()
        yield None
        assert len(ENGINES[-1].futures) == 2
        ENGINES[-1].end()

    results = run_batch(coming(), RunOptions(), {}, how)
    assert [result.status for result in results] == ["done", "done"]


def test_what_comes_never_replaces_what_another_one_wrote(tmp_path: Path) -> None:
    how, out = BatchOptions(write="telemetry"), tmp_path / "out"
    files = [tmp_path / name for name in ("card/Flight.mp4", "in/FLIGHT.mp4", "in/b.mp4", "in/sub/B.mov")]
    first, *others = (find_inputs([str(file)])[0] for file in files)
    before = make_items([first], out, how)
    given = list(items_of(iter([*others, None, others[1]]), before, out, how))
    assert [item.name if isinstance(item, Item) else type(item) for item in given] == [
        OutputError,
        "b",
        OutputError,
        type(None),
        "b",
    ]
    assert str(given[0]) == f"{files[1]} ({files[0]} has the same name)"


def test_a_watch_ends_with_a_page_and_tells_of_failures(
    cli: RunCli, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    came = iter(find_inputs([str(clip), str(tmp_path / "bad.mp4")]))
    monkeypatch.setattr("horizon_rt.batches.watching.watch_folder", lambda *_: came)
    words = ("--watch", tmp_path, "--write=report", "--model=nano", "--out", tmp_path / "out")
    done = cli("batch", *words)
    assert done.code == 1, done.err
    page = (tmp_path / "out" / "batch.html").read_text()
    assert f"{clip.stem}.html" in page
    assert "bad" in page
