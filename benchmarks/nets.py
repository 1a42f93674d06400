"""Size, work, receptive field and speed of every net: `python benchmarks/nets.py --json FILE`.

Speed is the median of TorchScript on one thread of the CPU, and on a GPU in half precision where one answers.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import describe

from horizon_rt.inspection.complexity import count_flops, count_parameters, receptive_field
from horizon_rt.segmentation.compile import TorchScript
from horizon_rt.segmentation.zoo import NETS, build_net

SIZE, SPEED_SIZES = (128, 256), ((128, 256), (192, 320))
LEAST_S, LEAST_RUNS = 1.5, 5


def latency_ms(backend: TorchScript, size: tuple[int, int]) -> float:
    """Median time of a picture."""
    picture, times = np.zeros((1, 3, *size), np.float32), []
    for _ in range(2):
        backend(picture)
    end = time.perf_counter() + LEAST_S
    while time.perf_counter() < end or len(times) < LEAST_RUNS:
        start = time.perf_counter()
        backend(picture)
        times.append(1e3 * (time.perf_counter() - start))
    return float(np.median(times))


def measure(name: str) -> dict[str, Any]:
    net = build_net(name).eval()
    field = receptive_field(net, 512, 512)
    cpu = TorchScript(net, "cpu", threads=1)
    gpu = TorchScript(net, "cuda") if torch.cuda.is_available() else None
    return {
        "name": name,
        "parameters": count_parameters(net),
        "flops": count_flops(net, *SIZE),
        "field_px": None if field.whole or field.clipped else max(field.width, field.height),
        "cpu_ms": [round(latency_ms(cpu, size), 3) for size in SPEED_SIZES],
        "gpu_ms": None if gpu is None else [round(latency_ms(gpu, size), 3) for size in SPEED_SIZES],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    rows = []
    for name in NETS:
        rows.append(measure(name))
        print(json.dumps(rows[-1]), flush=True)
    options.json.write_text(json.dumps({"machine": describe(), "nets": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
