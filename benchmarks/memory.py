"""Memory against the number of files in one process: `python benchmarks/memory.py --json FILE`.

`horizon-rt batch` tracks many short clips to telemetry and overlays while the private memory of its process
is read from /proc after each of them. The first files count apart: they compile, convert and warm up.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from horizon_rt.bench.clips import write_clip
from horizon_rt.bench.machine import describe

PROGRAM = [sys.executable, "-m", "horizon_rt"]
FIRST = 10
POINTS = 20


def private_mb(process: int) -> float:
    """What a process holds in memory now, without pages of files, which others can have dropped."""
    resident, shared = (int(pages) for pages in Path(f"/proc/{process}/statm").read_text().split()[1:3])
    return (resident - shared) * os.sysconf("SC_PAGESIZE") / 2**20


def clips(folder: Path, count: int, frames: int) -> None:
    """One short clip under so many names."""
    folder.mkdir()
    write_clip(folder / "0000.mp4", (320, 192), frames)
    for number in range(1, count):
        os.link(folder / "0000.mp4", folder / f"{number:04}.mp4")


def batch(folder: Path, out: Path, backend: str) -> list[float]:
    """Memory in MB after each file."""
    command = [
        sys.executable,
        "-m",
        "horizon_rt",
        "batch",
        str(folder),
        "--out",
        str(out),
        "--backend",
        backend,
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = [private_mb(process.pid) for line in process.stderr if line.startswith("done: ")]
    if process.returncode:
        raise RuntimeError(f"batch ended with {process.returncode} after {len(found)} files")
    return found


def summary(backend: str, found: list[float]) -> dict[str, Any]:
    """After the first files, at the end, how far above the first it ever was, and some points on the way."""
    settled, step = found[FIRST - 1 :], max(1, len(found) // POINTS)
    points = range(step - 1, len(found), step)
    return {
        "backend": backend,
        "files": len(found),
        "memory_mb": {"first": round(settled[0], 1), "last": round(settled[-1], 1)},
        "most_above_first_mb": round(max(settled) - settled[0], 1),
        "points": [{"files": i + 1, "memory_mb": round(found[i], 1)} for i in points],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--backend", nargs="+", default=["torchscript", "onnx"])
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        clips(Path(name, "clips"), options.files, options.frames)
        for backend in options.backend:
            rows.append(summary(backend, batch(Path(name, "clips"), Path(name, backend), backend)))
            print(json.dumps(rows[-1]), flush=True)
    result = {"machine": describe(), "frames": options.frames, "rows": rows}
    options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
