"""Memory against the number of files in one process: `python benchmarks/memory.py --json FILE`.

A batch tracks many short clips to telemetry and overlays, and the memory of its process is read after each of
them (from /proc, so on Linux). The first files count apart: they compile, convert and warm up.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from horizon_rt.batches.inputs import find_inputs
from horizon_rt.batches.options import BatchOptions
from horizon_rt.batches.plan import make_items, plan, settings_of
from horizon_rt.batches.run import run_batch
from horizon_rt.bench.clips import write_clip
from horizon_rt.bench.machine import describe
from horizon_rt.options import BackendChoice, Engine, RunOptions

FIRST = 10
POINTS = 20


def private_mb(process: int | str = "self") -> float:
    """Memory of a process without pages of files, which other processes can have dropped."""
    resident, shared = (int(pages) for pages in Path(f"/proc/{process}/statm").read_text().split()[1:3])
    return (resident - shared) * os.sysconf("SC_PAGESIZE") / 2**20


def clips(folder: Path, count: int, frames: int) -> None:
    """One short clip under so many names."""
    folder.mkdir()
    write_clip(folder / "0000.mp4", (320, 192), frames)
    for number in range(1, count):
        os.link(folder / "0000.mp4", folder / f"{number:04}.mp4")


def batch(folder: Path, out: Path, backend: BackendChoice) -> list[float]:
    """Memory in MB after each file; to be called in a process of its own."""
    found: list[float] = []
    how, options = BatchOptions(), RunOptions(engine=Engine(backend=backend))
    settings = settings_of(options, how)
    planned = plan(make_items(find_inputs([str(folder)]), out, how), options, settings, resume=False)
    results = run_batch(planned, options, settings, how, on_result=lambda result: found.append(private_mb()))
    if {result.status for result in results} != {"done"}:
        raise RuntimeError(f"not all of {len(results)} files are done")
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
            with get_context("spawn").Pool(1) as pool:
                found = pool.apply(batch, (Path(name, "clips"), Path(name, backend), backend))
            rows.append(summary(backend, found))
            print(json.dumps(rows[-1]), flush=True)
    result = {"machine": describe(), "frames": options.frames, "rows": rows}
    options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
