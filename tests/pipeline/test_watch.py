"""Stages that hang, as the log, the page and a service manager at a real socket are told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from support.sinks import horizon

from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.pipeline.stages import Analysis, run_pipeline
from horizon_rt.pipeline.watch import Watch, reporting
from horizon_rt.sinks import Sink
from horizon_rt.sources import Source, SourceInfo, SourceKind
from horizon_rt.system.service import notify, watchdog_s

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such sockets"),
    pytest.mark.usefixtures("no_leaks"),
]
LIMIT_S, HANGS_AT = 0.4, 10


class Gate:
    """Holds up whoever comes with frame `HANGS_AT` of the named stage, until it is opened."""

    def __init__(self, stage: str) -> None:
        self._stage, self._open = stage, threading.Event()
        self.reached = threading.Event()

    def pass_by(self, stage: str, index: int) -> None:
        if stage == self._stage and index >= HANGS_AT and not self._open.is_set():
            self.reached.set()
            self._open.wait(30)

    def open(self) -> None:
        self._open.set()


class Camera(Source):
    def __init__(self, gate: Gate, kind: SourceKind = "device") -> None:
        super().__init__()
        self.info = SourceInfo(name="camera", kind=kind, width=8, height=8, frame_rate=50.0, live=True)
        self._gate, self._count = gate, 0

    def _next_frame(self) -> Frame | None:
        self._gate.pass_by("reader", self._count)
        if self._closing.wait(0.01):
            return None
        self._count += 1
        plane = np.full((8, 8), 60, np.uint8)
        return Frame((plane,), self._count, self._count / 100, decoded_at_s=time.perf_counter())


class Tracker(Analysis):
    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def update(self, frame: Frame) -> Horizon:
        self._gate.pass_by("analysis", frame.index)
        return horizon(frame.index)


class Shown(Sink):
    def __init__(self, gate: Gate) -> None:
        self.stop, self._gate = False, gate

    @property
    def wants_stop(self) -> bool:
        return self.stop

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self._gate.pass_by("sinks", frame.index)

    def _finish(self) -> None: ...


class Manager:
    """A service manager's end of the socket."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)

    def said(self, seconds: float, until: str | None = None) -> list[str]:
        """What comes in so many seconds, or until something does."""
        found, end = list[str](), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and until not in found:
            self.socket.settimeout(left)
            with suppress(TimeoutError):
                found.append(self.socket.recv(4096).decode())
        return found


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    manager = Manager(path)
    yield manager
    manager.socket.close()


def started(watch: Watch, source: Source, tracker: Analysis, sinks: list[Sink]) -> threading.Thread:
    def work() -> None:
        with reporting([watch]):
            run_pipeline(source, tracker, sinks, watch=watch)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def until(test: Callable[[], object], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not test() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(test())


@pytest.mark.parametrize("stage", ["reader", "analysis", "sinks"])
def test_a_stage_that_hangs_is_told_once_and_the_manager_hears_no_more(
    stage: str, manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    gate, watch = Gate(stage), Watch("bow", LIMIT_S)
    sink = Shown(gate)
    thread = started(watch, Camera(gate), Tracker(gate), [sink])
    try:
        assert "READY=1" in manager.said(20, until="READY=1")
        assert gate.reached.wait(20)
        assert until(lambda: watch.hanging)
        assert list(watch.hanging) == [stage]
        time.sleep(0.2)  # for what was sent before
        manager.said(0.05)
        assert manager.said(1.0) == []
        gate.open()
        assert "WATCHDOG=1" in manager.said(20, until="WATCHDOG=1")
        assert until(lambda: not watch.hanging)
    finally:
        gate.open()
        sink.stop = True
        thread.join(20)
    assert manager.said(20, until="STOPPING=1")[-1] == "STOPPING=1"
    told = [record.getMessage() for record in caplog.records if "watch" in record.name]
    assert [text.partition(" has")[0] for text in told] == [
        f"the {stage} of bow",
        f"the {stage} of bow goes on",
    ]


def test_a_stream_that_is_silent_does_not_hang(manager: Manager) -> None:
    gate, watch = Gate("reader"), Watch("bow", LIMIT_S)
    sink = Shown(Gate(""))
    source = Camera(gate, "network")
    thread = started(watch, source, Tracker(gate), [sink])
    try:
        assert gate.reached.wait(20)
        time.sleep(LIMIT_S + source.patience_s + 0.5)
        assert not watch.hanging
        manager.said(0.05)
        assert "WATCHDOG=1" in manager.said(20, until="WATCHDOG=1")
    finally:
        gate.open()
        sink.stop = True
        thread.join(20)


def test_a_live_run_tells_its_manager(
    manager: Manager, process: Callable[..., subprocess.Popen[str]]
) -> None:
    graph = "lavfi:testsrc2=size=48x32:rate=50"
    child = process(
        "live", graph, "--no-window", "--model", "small",
        before="import os; os.environ['WATCHDOG_PID'] = str(os.getpid())",
    )  # fmt: skip
    assert "READY=1" in manager.said(60, until="READY=1")
    assert manager.said(1.5).count("WATCHDOG=1") >= 3
    child.send_signal(signal.SIGTERM)
    assert manager.said(20, until="STOPPING=1")[-1] == "STOPPING=1"
    assert child.wait(20) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has names that are no files")
def test_a_name_that_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"horizon-rt-test-{os.getpid()}"
    manager = Manager(f"\0{name}")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    notify("READY=1")
    assert manager.said(5, until="READY=1") == ["READY=1"]
    manager.socket.close()


@pytest.mark.parametrize("name", ["", "/nowhere/notify", "vsock:2:3"])
def test_nobody_to_tell(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    notify("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("2500000", None, 2.5),
        ("2500000", "1", None),
        ("", None, None),
        ("0", None, None),
        ("soon", None, None),
    ],
)
def test_how_often_the_manager_wants_to_hear(
    usec: str, pid: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid or str(os.getpid()))
    assert watchdog_s() == seconds
