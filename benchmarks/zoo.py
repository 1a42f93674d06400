"""Size and speed of every net of the zoo: `python benchmarks/zoo.py [--json FILE]`.

Each net runs as TorchScript with one thread on random pictures. The nets take turns, so that a busy machine
slows all of them; times are medians with quartiles.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe

from horizon_rt.inspection.complexity import count_flops, count_parameters
from horizon_rt.segmentation.compile import TorchScript
from horizon_rt.segmentation.zoo import NETS, build_net

SIZES = ((256, 128), (320, 192))
# From this many operations a picture on, a net runs once a round, others ten times.
LARGE_FLOPS = 2e9


def measure(rounds: int) -> dict[str, Any]:
    """A row for each net."""
    rows: dict[str, Any] = {}
    backends, times = {}, {}
    for name in NETS:
        net = build_net(name)
        flops = {f"{w}x{h}": count_flops(net, h, w) for w, h in SIZES}
        rows[name] = {"parameters": count_parameters(net), "flops": flops, "ms": {}}
        backends[name] = TorchScript(net)
        times |= {(name, size): [] for size in SIZES}
    for (name, size), kept in [*times.items()] * rounds:
        picture = np.random.default_rng(0).standard_normal((1, 3, size[1], size[0]), np.float32)
        backends[name](picture)
        large = rows[name]["flops"][f"{size[0]}x{size[1]}"] > LARGE_FLOPS
        for _ in range(1 if large else 10):
            start = time.perf_counter()
            backends[name](picture)
            kept.append(1e3 * (time.perf_counter() - start))
    for (name, (width, height)), kept in times.items():
        quartiles = np.percentile(kept, [25, 50, 75])
        rows[name]["ms"][f"{width}x{height}"] = [round(float(value), 3) for value in quartiles]
    return rows


def print_rows(rows: dict[str, Any]) -> None:
    sizes = [f"{w}x{h}" for w, h in SIZES]
    print("| net | parameters, M |", " | ".join(f"{s}: GFLOP | ms" for s in sizes), "|")
    print("|---|" + "---|" * (1 + 2 * len(sizes)))
    for name, row in rows.items():
        cells = [f"{row['flops'][s] / 1e9:.3g} | {row['ms'][s][1]:.3g}" for s in sizes]
        print(f"| {name} | {row['parameters'] / 1e6:.3g} |", " | ".join(cells), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rows = measure(options.rounds)
    print_rows(rows)
    if options.json is not None:
        options.json.write_text(json.dumps({"machine": describe(), "nets": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
