"""Every net trained from scratch on thermal-sea, at the size at which it is judged, as far as it pays.

The curves are those of the frames for validation; the frames for test are looked at once, at the end.

    python benchmarks/zoo.py --json benchmarks/results/zoo.json

Each net first tries `RATES` for a few windows and takes the one with the least training loss. Light nets
then get `LIGHT_WINDOWS` with three seeds, heavy ones `HEAVY_WINDOWS`, in bfloat16 where that is faster.
Results are added one by one, so that a run can be stopped and gone on with.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from horizon_rt.bench.machine import describe
from horizon_rt.models.nets import build_net
from horizon_rt.models.sizes import NETS
from horizon_rt.system.files import write_atomic
from horizon_rt.system.processor import has_bfloat16
from horizon_rt.training.batches import LiveBatches
from horizon_rt.training.log import read_log
from horizon_rt.training.loop import Settings, Trainer
from horizon_rt.training.losses import make_loss
from horizon_rt.training.recipe import Recipe, read_recipe
from horizon_rt.training.samples.pictures import picture_sets
from horizon_rt.training.validation import Validation

WEIGHTS = Path(__file__).parents[1] / "weights"
# The input that the set's 384×288 frames get for the area of the 256×128 px that the literature trains on.
SIZE, AREA = (160, 192), 256 * 128
HEAVY = ("fcn32s", "fcn8s", "unet", "segnet", "pspnet")  # on whose runs bfloat16 gains a factor of 2 to 3
LIGHT_WINDOWS, HEAVY_WINDOWS, SEEDS = 3_000, 600, 3
RATES, TRIED_WINDOWS, EVALUATIONS = (1e-4, 3e-4, 1e-3, 3e-3), 80, 3


def zoo_recipe(net: str, rate: float, samples: int, seed: int = 0) -> Recipe:
    """Batches of 4 and binary cross-entropy, as the first lab trained its U-Net."""
    return replace(
        read_recipe(WEIGHTS / "recipe.toml"), net=net, rate=rate, samples=samples, seed=seed, loss="bce",
        batch=4, warm_up=0.1, average=0.98, data={"thermal-sea": 1.0}, shares={}, real_sky=0.0, beside=0.0,
        covered=0.0, collage=0.0,
    )  # fmt: skip


def train(
    recipe: Recipe,
    watch: Validation | None = None,
    test: Validation | None = None,
    shape: tuple[int, int] = SIZE,
) -> dict[str, Any]:
    """Train on one thread; what `watch` said on the way, and what `test` says of the outcome."""
    torch.manual_seed(recipe.seed)
    (dataset,) = recipe.data
    precision = "bfloat16" if recipe.net in HEAVY and has_bfloat16() else "float32"
    every = 10**9 if watch is None else max(1, recipe.steps // EVALUATIONS)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            folder=Path(folder), precision=precision, threads=1, workers=0, evaluate_every=every,
            checkpoints=False,
        )  # fmt: skip
        trainer = Trainer(build_net(recipe.net), recipe, settings)
        start = time.process_time()
        trainer.run(LiveBatches(recipe, {shape: 1.0}), watch or (lambda net: {}))
        seconds = time.process_time() - start
        curves = read_log(Path(folder) / "log.jsonl")
    names = [n for n in curves if n in ("training/loss", "loss") or n.startswith(f"{dataset}/")]
    row = {
        "net": recipe.net,
        "dataset": dataset,
        "rate": recipe.rate,
        "seed": recipe.seed,
        "windows": recipe.steps * recipe.batch,
        "batch": recipe.batch,
        "shape": list(shape),
        "precision": precision,
        "cpu_s": round(seconds, 1),
        "curves": {name: [list(part) for part in curves[name]] for name in names},
    }
    if test is None:
        return row
    figures = {name.rpartition("/")[2]: value for name, value in test(trainer.averaged()).items()}
    return row | {"test_frames": len(test), "test": figures}


def best_rate(net: str, tried: list[dict[str, Any]]) -> float:
    rows = [row for row in tried if row["net"] == net]
    return float(min(rows, key=lambda row: row["curves"]["training/loss"][1][-1])["rate"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--nets", nargs="+", default=NETS, choices=NETS)
    options = parser.parse_args()
    target = options.json
    result = {"machine": describe(), "tried": [], "runs": []}
    if target.exists():
        result = json.loads(target.read_text())
    sets = picture_sets({"thermal-sea": 1.0}, WEIGHTS / "split.toml", 100)
    judge, test = (
        Validation(pictures, make_loss("bce"), input_area_px=AREA)
        for pictures in (sets.validation, sets.test)
    )

    def carry_out(part: str, recipe: Recipe, *by: Validation) -> None:
        key = (recipe.net, recipe.rate, recipe.seed)
        if key in {(row["net"], row["rate"], row["seed"]) for row in result[part]}:
            return
        row = train(recipe, *by)
        result[part].append(row)
        print(json.dumps({name: value for name, value in row.items() if name != "curves"}), flush=True)
        write_atomic(target, (json.dumps(result, indent=1) + "\n").encode())

    for net in options.nets:
        for rate in RATES:
            carry_out("tried", zoo_recipe(net, rate, TRIED_WINDOWS))
        rate = best_rate(net, result["tried"])
        windows, seeds = (HEAVY_WINDOWS, 1) if net in HEAVY else (LIGHT_WINDOWS, SEEDS)
        for seed in range(seeds):
            carry_out("runs", zoo_recipe(net, rate, windows, seed), judge, test)


if __name__ == "__main__":
    main()
