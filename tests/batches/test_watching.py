"""A watched folder."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from support.cli import RunCli, write_horizon

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
