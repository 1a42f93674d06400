"""A `horizon-rt live` process to be measured: its rows as they come, its memory, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from memory import private_mb

from horizon_rt.bench.machine import describe

__all__ = ["Live", "Row", "longest_gap_s", "machine", "quantiles_ms", "seen"]

Row = tuple[float, dict[str, Any]]
"""A row of telemetry and when it was read (`time.monotonic`)."""
LOOK_S = 0.005


def machine() -> dict[str, Any]:
    """The machine, with what ran on it already; to be asked before anything is measured."""
    load, cores = os.getloadavg()[1], os.cpu_count() or 1
    note = "other programs ran beside; times are longer than on a machine of one's own"
    return describe() | {"load_before": round(load, 1)} | ({"note": note} if load > cores / 2 else {})


def quantiles_ms(seconds: list[float]) -> dict[str, float]:
    """Median, 99th percentile and maximum in ms."""
    found = np.quantile(seconds, [0.5, 0.99, 1.0])
    return {name: round(1e3 * value, 1) for name, value in zip(("p50", "p99", "max"), found, strict=True)}


def longest_gap_s(rows: list[Row]) -> float:
    """The longest time between two rows, to the millisecond."""
    return round(max(after[0] - before[0] for before, after in pairwise(rows)), 3)


class Live:
    """`horizon-rt live SOURCE` with its telemetry in `folder`; ends it at the end of a `with` block.

    Every row that it writes is in `rows`. `feed` is what its standard input reads from.
    """

    def __init__(
        self,
        source: str,
        folder: Path,
        *options: str | Path,
        env: Mapping[str, str] | None = None,
        feed: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.telemetry, self._log = folder / "telemetry.jsonl", folder / "stderr.txt"
        command = [sys.executable, "-m", "horizon_rt", "live", source, "--no-window"]
        command += ["--telemetry", str(self.telemetry), *map(str, options)]
        self.rows: list[Row] = []
        self._changed, self._ended = threading.Condition(), threading.Event()
        self.started_s = time.monotonic()
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                stdin=feed or subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "PYTHONFAULTHANDLER": "1", **(env or {})},
            )
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        if self.alive:
            self.end()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def said(self) -> str:
        """What it wrote to standard error."""
        return self._log.read_text()

    @property
    def page(self) -> str:
        """The address of its page, with a slash at its end."""
        self.wait(lambda: "the page is at" in self.said, 60)
        found = re.search(r"the page is at\s+(\S+/)", self.said)
        assert found is not None, self.said
        return found[1]

    def metric(self, name: str) -> float:
        """The sum of a metric of /metrics over its labels."""
        with urllib.request.urlopen(self.page + "metrics", timeout=10) as answer:
            text = answer.read().decode()
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))

    def _lines(self) -> Iterator[bytes]:
        partial, rest = self.telemetry.with_name(self.telemetry.name + ".partial"), b""
        while not partial.exists():
            if self._ended.wait(LOOK_S):
                return
        with partial.open("rb") as file:
            while True:
                ended = self._ended.is_set()
                *whole, rest = (rest + file.read()).split(b"\n")
                yield from whole
                if ended:
                    return
                self._ended.wait(LOOK_S)

    def _follow(self) -> None:
        for line in self._lines():
            row = json.loads(line)
            if "frame" in row:
                with self._changed:
                    self.rows.append((time.monotonic(), row))
                    self._changed.notify_all()

    def wait(self, true: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something holds, at most so long or until the process ends; whether it does."""
        deadline_s = time.monotonic() + timeout_s
        while not true():
            if time.monotonic() > deadline_s or not self.alive:
                return False
            with self._changed:
                self._changed.wait(0.05)
        return True

    def since(self, moment_s: float) -> list[Row]:
        """The rows that came after a moment."""
        return [row for row in self.rows if row[0] > moment_s]

    def tracking_after(self, moment_s: float, timeout_s: float = 30.0) -> float | None:
        """When the first row of a picture with the state 'tracking' came after a moment; None if late."""

        def found() -> float | None:
            good = (t for t, row in self.since(moment_s) if row["state"] == "tracking" and seen(row))
            return next(good, None)

        self.wait(lambda: found() is not None, timeout_s)
        return found()

    def usage(self) -> dict[str, float]:
        """Memory in MB (all of it, and without pages of files), file descriptors and threads."""
        folder = Path(f"/proc/{self.process.pid}")
        resident = int((folder / "statm").read_text().split()[1])
        return {
            "rss_mb": round(resident * os.sysconf("SC_PAGESIZE") / 2**20, 1),
            "private_mb": round(private_mb(self.process.pid), 1),
            "files": len(list((folder / "fd").iterdir())),
            "threads": len(list((folder / "task").iterdir())),
        }

    def end(self, number: int = signal.SIGTERM, timeout_s: float = 60.0) -> tuple[float, int]:
        """Seconds from a signal to the end, and the exit code; that of SIGKILL where it does not end."""
        start_s = time.monotonic()
        self.process.send_signal(number)
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        took_s = time.monotonic() - start_s
        self._ended.set()
        self._thread.join()
        return took_s, code


def seen(row: dict[str, Any]) -> bool:
    """Whether the row is of a picture that came, not of what stands in for one."""
    return row["view"] != "unknown"
