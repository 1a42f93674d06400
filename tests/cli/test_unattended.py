"""Running without anybody: the unit of docs/unattended.md, and signals that end a run in time."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support import ROOT
from support.cli import ENTRY, lines

from horizon_rt.cli import main

Start = Callable[..., "subprocess.Popen[str]"]
PAGE = ROOT / "docs" / "unattended.md"
GRAPH = "lavfi:testsrc2=size=48x32:rate=50"
unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")


def block(kind: str, number: int = 0) -> str:
    found = re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return str(found[number])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("broken", [False, True])
def test_systemd_takes_the_unit(tmp_path: Path, broken: bool) -> None:
    """With a program that is there; that it would see a mistake shows the broken one."""
    unit = block("ini").replace("/opt/horizon-rt/bin/horizon-rt", "/bin/true")
    path = tmp_path / "horizon-rt.service"
    path.write_text(unit.replace("Restart=always", "Restart=whenever") if broken else unit)
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if "horizon-rt.service" in line]
    assert bool(said) == broken, done.stderr


def test_the_command_of_the_unit_and_the_configuration_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site.toml").write_text(block("toml"))
    (tmp_path / "camera-url.txt").write_text("rtsp://me:hunter2@camera.local/stream\n")
    (tmp_path / "bow.toml").write_text("")
    monkeypatch.setenv("BROKER_URL", "mqtt://broker/boat")
    [start] = re.findall(r"^ExecStart=(.*)$", block("ini"), re.MULTILINE)
    words = start.replace("/etc/horizon-rt", str(tmp_path)).split()[1:]
    with pytest.raises(SystemExit) as caught:
        main([*words, "--print-config"])
    assert not caught.value.code
    printed = tomllib.loads(capsys.readouterr().out)
    assert printed["source"] == {"file": str(tmp_path / "camera-url.txt")}
    assert printed["camera-profile"] == str(tmp_path / "bow.toml")


def test_the_configuration_of_several_cameras_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(block("toml", 1))
    with pytest.raises(SystemExit) as caught:
        main(["live", "--config", str(site), "--print-config"])
    assert not caught.value.code
    printed = tomllib.loads(capsys.readouterr().out)
    assert printed["source"] == ["bow=0", "stern=/dev/video2"]
    assert printed["camera-profile"] == str(tmp_path / "lenses/{name}.toml")


@unix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("frames", [1, 60])
def test_a_signal_ends_a_live_run_with_whole_files(
    process: Start, tmp_path: Path, number: int, frames: int
) -> None:
    telemetry = tmp_path / "t.jsonl"
    site = tmp_path / "site.toml"
    site.write_text(f'source = "{GRAPH}"\ntelemetry = "t.jsonl"\nwindow = false\nmodel = "small"\n')
    child = process("live", "--config", site)
    wait_for_lines(tmp_path / "t.jsonl.partial", 1 + frames, child)
    child.send_signal(number)
    assert child.wait(timeout=30) == 0
    assert len(lines(telemetry)) > frames
    assert not list(tmp_path.glob("*.partial"))


def wait_until_it_handles(number: int, child: subprocess.Popen[str]) -> None:
    """A busy machine takes seconds to load Python."""
    status, end = Path(f"/proc/{child.pid}/status"), time.monotonic() + 30
    while status.exists() and time.monotonic() < end:
        caught = re.search(r"^SigCgt:\s*(\w+)", status.read_text(), re.MULTILINE)
        if caught is not None and int(caught[1], 16) >> (number - 1) & 1:
            return
        time.sleep(0.01)


@unix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("after_s", [0.0, 0.3, 1.0, 2.0])
def test_a_signal_ends_the_wait_for_a_source_that_says_nothing(
    process: Start, number: int, after_s: float
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        child = process("live", f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x", "--no-window")
        wait_until_it_handles(number, child)
        time.sleep(after_s)
        child.send_signal(number)
        assert child.wait(timeout=30) in (0, 130)  # 130 while it still loads


@unix
def test_a_hangup_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As nohup starts it."""
    command = ["nohup", sys.executable, "-c", ENTRY, "live", GRAPH, "--no-window", "--model", "small"]
    child = subprocess.Popen(
        [*command, "--telemetry", tmp_path / "t.jsonl"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for_lines(tmp_path / "t.jsonl.partial", 5, child)
        child.send_signal(signal.SIGHUP)
        wait_for_lines(tmp_path / "t.jsonl.partial", 60, child)
        child.terminate()
        child.communicate(timeout=30)
        assert child.returncode == 0
    finally:
        child.kill()
        child.communicate()


def wait_for_lines(path: Path, count: int, child: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not (path.exists() and path.read_bytes().count(b"\n") >= count):
        assert time.monotonic() < end, "nothing happened"
        assert child.poll() is None, child.communicate()[1]
        time.sleep(0.02)
