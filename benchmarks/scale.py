"""Memory against length, and speed against parallel streams: `python benchmarks/scale.py --json FILE`.

A small clip of many frames is tracked to telemetry while the memory of the process is read; then one to four
processes track a 720p clip side by side, each with one decoder thread.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from horizon_rt.bench.clips import write_clip
from horizon_rt.bench.machine import describe
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.options import BackendChoice, Engine, RunOptions
from horizon_rt.pipeline.outputs import Outputs
from horizon_rt.pipeline.run import run
from horizon_rt.sources import open_source

POINTS = 20
STREAM = """
import sys, time
from horizon_rt.options import Engine, RunOptions
from horizon_rt.pipeline.outputs import Outputs
from horizon_rt.pipeline.run import run
from horizon_rt.sources import open_source
source = open_source(sys.argv[1], threads=1)
print("ready", flush=True)
sys.stdin.readline()
summary = run(source, RunOptions(engine=Engine(backend=sys.argv[2])), Outputs(telemetry=(sys.argv[3],)))
print(summary.fps)
"""


def memory_mb() -> float:
    """What this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def length(folder: Path, frames: int, backend: BackendChoice) -> list[dict[str, float]]:
    """Memory after so many frames."""
    clip, points = folder / "long.mp4", []
    write_clip(clip, (320, 192), frames)

    def note(frame: Frame, horizon: Horizon) -> None:
        if frame.index % max(1, frames // POINTS) == frames // POINTS - 1:
            points.append({"frames": frame.index + 1, "memory_mb": round(memory_mb(), 1)})

    outputs = Outputs(telemetry=(str(folder / "long.jsonl"),))
    run(open_source(clip), RunOptions(engine=Engine(backend=backend)), outputs, on_frame=note)
    return points


def streams(folder: Path, counts: tuple[int, ...], backend: str) -> list[dict[str, Any]]:
    """Frames per second of each of so many processes that start together."""
    clip, rows = folder / "stream.mp4", []
    write_clip(clip, (1280, 720), 300)
    for count in counts:
        command = [sys.executable, "-c", STREAM, str(clip), backend]
        workers = [
            subprocess.Popen(
                [*command, str(folder / f"{i}.jsonl")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for i in range(count)
        ]
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.readline()
        start = time.perf_counter()
        for worker in workers:
            assert worker.stdin is not None
            print(file=worker.stdin, flush=True)
        speeds = [float(worker.communicate()[0]) for worker in workers]
        rows.append({"streams": count, "fps": speeds, "wall_s": time.perf_counter() - start})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--backend", default="torchscript")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = {
            "machine": describe(),
            "backend": options.backend,
            "streams": streams(folder, (1, 2, 4), options.backend),
            "length": length(folder, options.frames, options.backend),
        }
    print(json.dumps(result["length"]))
    options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
