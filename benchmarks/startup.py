"""Seconds until the first estimate of a 1080p file: `python benchmarks/startup.py [--json FILE]`.

Whole processes of the command line, with the kernels of an earlier run (warm) and without (cold).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from horizon_rt.bench.clips import write_clip
from horizon_rt.bench.machine import describe
from horizon_rt.segmentation.backends import installed_backends

PROGRAM = [sys.executable, "-c", "from horizon_rt.cli import main; main()"]


def until_estimate_s(clip: Path, backend: str, environment: dict[str, str]) -> float:
    command = [*PROGRAM, "track", str(clip), "--telemetry", "-", "--backend", backend]
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        while '"roll_deg":' not in (line := process.stdout.readline()):
            if not line:
                raise RuntimeError(f"{backend}: no estimate")
        taken = time.perf_counter() - start
        process.kill()
    return taken


def help_s() -> float:
    start = time.perf_counter()
    subprocess.run([*PROGRAM, "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = {"machine": describe(), "help_s": float(np.median([help_s() for _ in range(5)])), "backends": {}}
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, (1920, 1080), 30)
        for backend in installed_backends():
            warm = [until_estimate_s(clip, backend, dict(os.environ)) for _ in range(4)][1:]
            with tempfile.TemporaryDirectory() as empty:
                cold = until_estimate_s(
                    clip, backend, {**os.environ, "NUMBA_CACHE_DIR": empty, "HORIZON_RT_CACHE": empty}
                )
            result["backends"][backend] = {"warm_s": float(np.median(warm)), "cold_s": cold}
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
