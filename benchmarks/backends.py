"""Speed and accuracy of what runs the net: `python benchmarks/backends.py --json FILE`.

Every backend that is installed, in each of its precisions: milliseconds of the net alone on one thread, with
an input of 320×192, and the accuracy of frames that are held out, without a filter.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import judge_frames

from horizon_rt.bench.job import every_engine
from horizon_rt.bench.machine import describe
from horizon_rt.bench.results import Quartiles
from horizon_rt.models.weights import find_model
from horizon_rt.options import Engine
from horizon_rt.segmentation.backends import make_backend
from horizon_rt.system.paths import data_root
from horizon_rt.tracker import HorizonTracker

MODELS = ("small", "lite0")
SETS = ("flight", "thermal-sea", "scenes")
SHAPE = (1, 3, 192, 320)
WARM_UP, CALLS = 20, 200


def net_ms(model: str, engine: Engine) -> Quartiles:
    backend = make_backend(
        find_model(name=model), Engine(backend=engine.backend, device="cpu", precision=engine.precision)
    )
    picture = np.random.default_rng(0).standard_normal(SHAPE, np.float32)
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        backend(picture)
        times.append(1e3 * (time.perf_counter() - start))
    return Quartiles.of(times[WARM_UP:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    root = data_root()
    if root is None:
        parser.error("no datasets found: set HORIZON_RT_DATA to their folder")
    rows: list[dict[str, Any]] = []
    for model in MODELS:
        for engine in every_engine("cpu"):
            tracker = HorizonTracker(
                model=model, backend=engine.backend, precision=engine.precision, device="cpu"
            )
            found = {name: judge_frames(root, name, tracker)[0] for name in SETS}
            sets = {name: {key: row[key] for key in ("auc", "dphi_deg")} for name, row in found.items()}
            row = {"model": model, "backend": engine.backend, "precision": engine.precision}
            rows.append({**row, "ms": net_ms(model, engine), "sets": sets})
            print(json.dumps(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": describe(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
