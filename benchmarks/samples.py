"""How fast training samples are made on one core: `python benchmarks/samples.py --json FILE`."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

from horizon_rt.bench.machine import describe
from horizon_rt.training.recipe import read_recipe
from horizon_rt.training.samples.cache import draw
from horizon_rt.training.samples.sampler_set import make_samplers

SIZE, WARM_UP = (192, 320), 4
RECIPE = Path(__file__).parents[1] / "weights" / "recipe.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--count", type=int, default=60, help="samples of each sampler")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    made, rows, total = make_samplers(read_recipe(RECIPE)), {}, 0.0
    for name, (sampler, share) in made.items():
        rng, alone = np.random.default_rng(0), {name: (sampler, 1.0)}
        draw(rng, alone, SIZE, WARM_UP)
        start = time.process_time()
        draw(rng, alone, SIZE, options.count)
        milliseconds = 1e3 * (time.process_time() - start) / options.count
        rows[name] = {"share": round(share, 4), "cpu_ms": round(milliseconds, 2)}
        total += share * milliseconds
    result = {
        "machine": describe(),
        "size": SIZE,
        "samplers": rows,
        "samples_per_s": round(1e3 / total, 1),
    }
    print(json.dumps(result, indent=2))
    options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
