"""Size, work, receptive field and speed of every net: `python benchmarks/nets.py --json FILE`.

Speed is that of TorchScript on one thread of the CPU, and where a GPU answers that of PyTorch on it, in half
precision and without a graph.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from horizon_rt.bench.machine import describe
from horizon_rt.inspection.complexity import count_flops, count_parameters, receptive_field
from horizon_rt.models.nets import build_net
from horizon_rt.models.sizes import NETS
from horizon_rt.segmentation.cuda import DeviceNet
from horizon_rt.segmentation.torchscript import Device, TorchScript

SIZE, SPEED_SIZES = (128, 256), ((128, 256), (192, 320))
LARGE_FLOPS = 2e9  # from here on a net runs once in its turn, others ten times


def describe_net(name: str) -> dict[str, Any]:
    net = build_net(name)
    field = receptive_field(net, 512, 512)
    return {
        "name": name,
        "parameters": count_parameters(net),
        "flops": count_flops(net, *SIZE),
        "field_px": None if field.whole or field.clipped else max(field.width, field.height),
    }


def latencies_ms(rows: list[dict[str, Any]], device: Device, rounds: int) -> dict[str, list[list[float]]]:
    """Quartiles for each of SPEED_SIZES; the nets take turns, so that a busy machine slows all of them."""
    make = TorchScript if device == "cpu" else DeviceNet
    backends = {row["name"]: make(build_net(row["name"])) for row in rows}
    times: dict[tuple[str, tuple[int, int]], list[float]] = {}
    for row, size in [(row, size) for _ in range(rounds) for row in rows for size in SPEED_SIZES]:
        picture = np.random.default_rng(0).standard_normal((1, 3, *size), np.float32)
        backends[row["name"]](picture)
        for _ in range(1 if row["flops"] > LARGE_FLOPS else 10):
            start = time.perf_counter()
            backends[row["name"]](picture)
            times.setdefault((row["name"], size), []).append(1e3 * (time.perf_counter() - start))
    quartiles = {key: np.percentile(kept, [25, 50, 75]).round(3).tolist() for key, kept in times.items()}
    return {row["name"]: [quartiles[row["name"], size] for size in SPEED_SIZES] for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rows = [describe_net(name) for name in NETS]
    devices: list[Device] = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for device in devices:
        for name, quartiles in latencies_ms(rows, device, options.rounds).items():
            next(row for row in rows if row["name"] == name)[f"{device}_ms"] = quartiles
    print(json.dumps(rows, indent=2))
    options.json.write_text(json.dumps({"machine": describe(), "nets": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
