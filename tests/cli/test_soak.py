"""A live run with a page that is watched and a link holds no more than before; longer: benchmarks/soak.py."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.streams import free_port

Start = Callable[..., "subprocess.Popen[str]"]
GRAPH = "lavfi:testsrc2=size=320x240:rate=30"
LOADS_S, SETTLES_S, LASTS_S, GROWS_MB = 60.0, 3.0, 6.0, 30.0


def held(process: int) -> tuple[int, int, float]:
    """File descriptors, threads and memory in MB without pages of files."""
    folder = Path(f"/proc/{process}")
    resident, shared = (int(pages) for pages in (folder / "statm").read_text().split()[1:3])
    counts = [len(list((folder / name).iterdir())) for name in ("fd", "task")]
    return counts[0], counts[1], (resident - shared) * os.sysconf("SC_PAGESIZE") / 2**20


@contextmanager
def watched(port: int, path: str) -> Iterator[Callable[[], int]]:
    """A client that reads an endless answer; gives how many bytes have come."""
    end = time.monotonic() + LOADS_S
    while True:
        try:
            one = socket.create_connection(("127.0.0.1", port), timeout=5)
            break
        except OSError:
            assert time.monotonic() < end, "no page"
            time.sleep(0.1)
    count = 0

    def read() -> None:
        nonlocal count
        while data := one.recv(65536):
            count += len(data)

    with closing(one):
        one.sendall(f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        thread = threading.Thread(target=read)
        thread.start()
        yield lambda: count
        one.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_files_threads_and_memory_stay_the_same(process: Start, tmp_path: Path) -> None:
    port = free_port()
    link = f"json://127.0.0.1:{free_port()}"
    child = process(
        "live", GRAPH, "--no-window", "--web", f"127.0.0.1:{port}", "--link", link,
        "--telemetry", tmp_path / "t.jsonl", "--model", "small",
    )  # fmt: skip
    with watched(port, "picture.mjpg") as pictures, watched(port, "telemetry") as rows:
        end = time.monotonic() + LOADS_S
        while not (pictures() and rows()):
            assert time.monotonic() < end, "nothing came"
            time.sleep(0.1)
        time.sleep(SETTLES_S)
        before, came = held(child.pid), pictures()
        samples = []
        for _ in range(int(LASTS_S)):
            time.sleep(1.0)
            samples.append(held(child.pid))
        assert pictures() > came
    first, last = samples[: len(samples) // 2], samples[len(samples) // 2 :]
    for count in (0, 1):  # threads of a pool may come late, but do not go on coming
        assert min(sample[count] for sample in last) <= max(sample[count] for sample in (before, *first))
    assert min(sample[2] for sample in last) < before[2] + GROWS_MB
    child.terminate()
    assert child.wait(timeout=30) == 0
