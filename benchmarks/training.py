"""Short training runs that compare one thing at a time: losses, or samplers.

    python benchmarks/training.py losses --json benchmarks/results/losses.json
    python benchmarks/training.py samplers --json benchmarks/results/samplers.json

All runs of a comparison see the same samples in the same order, from the shipped recipe or a part of it.
Results are added one by one, so that a comparison can be stopped and gone on with.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from horizon_rt.bench.machine import describe
from horizon_rt.models.nets import build_net
from horizon_rt.system.files import write_atomic
from horizon_rt.training.batches import Batches, CachedBatches
from horizon_rt.training.loop import Settings, Trainer
from horizon_rt.training.losses import make_loss
from horizon_rt.training.recipe import Recipe, read_recipe
from horizon_rt.training.samples.cache import build_cache, cache_facts
from horizon_rt.training.samples.pictures import picture_sets
from horizon_rt.training.validation import Validation

RECIPE = read_recipe(Path(__file__).parents[1] / "weights" / "recipe.toml")
# What twenty runs of the smallest net can afford.
SIZE, SAMPLES, CACHED = (96, 160), 5_000, 10_000
LOSSES = (
    "bce", "weighted-bce", "edge-bce", "focal", "dice", "iou", "lovasz", "boundary", "bce+dice",
    "bce+iou", "edge-bce+0.5*lovasz", "edge-bce+boundary",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One training run of a comparison."""

    name: str
    recipe: Recipe
    batches: Batches
    area_px: int


def validation(area_px: int) -> Validation:
    """At most 100 pictures of each dataset that are for validation."""
    sets = picture_sets(RECIPE.data, RECIPE.split, 100).validation
    return Validation(sets, make_loss("edge-bce"), input_area_px=area_px)


def train(run: Run, judge: Validation) -> dict[str, Any]:
    """Train from scratch on one thread; the figures at the end, and how long it took."""
    torch.manual_seed(run.recipe.seed)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(folder=Path(folder), threads=1, workers=0, evaluate_every=10**9)
        trainer = Trainer(build_net(run.recipe.net), run.recipe, settings)
        start = time.process_time()
        trainer.run(run.batches, lambda net: {"loss": 0.0})
        seconds = time.process_time() - start
        figures = judge(trainer.averaged())
    return {"name": run.name, "cpu_s": round(seconds, 1), "figures": figures}


def small_recipe() -> Recipe:
    return replace(RECIPE, net="nano", samples=SAMPLES, rate=3e-3, warm_up=0.05, average=0.99)


def cached(cache: Path) -> Path:
    if not (cache / "cache.json").exists():
        build_cache(cache, small_recipe(), count=CACHED, workers=1, shapes={SIZE: 1.0})
    return cache


def losses(cache: Path) -> list[Run]:
    recipe, area = small_recipe(), SIZE[0] * SIZE[1]
    batches = CachedBatches([cached(cache)], batch=recipe.batch, seed=0)
    return [Run(loss, replace(recipe, loss=loss), batches, area) for loss in LOSSES]


def samplers(cache: Path) -> list[Run]:
    recipe, area = small_recipe(), SIZE[0] * SIZE[1]
    names, _ = cache_facts(cached(cache))
    rendered = [n for n in names if n.startswith("rendered-") or n == "real-sky"]
    without: dict[str, list[str]] = {
        "nothing": [],
        **{name: [name] for name in names},
        "all rendered scenes": rendered,
        "all pictures without a horizon": [
            "out-of-view",
            "closed-in",
            "patchwork",
            "room",
            "blank",
            "beside",
        ],
        **{tag: [tag] for tag in ("occluders", "thermal", "faded")},
    }
    # The spread of what is run again with other seeds tells how much of a difference is chance.
    again = [
        Run(
            f"nothing, seed {seed}",
            replace(recipe, seed=seed),
            CachedBatches([cache], batch=32, seed=seed),
            area,
        )
        for seed in (1, 2)
    ]
    return again + [
        Run(name, recipe, CachedBatches([cache], batch=recipe.batch, seed=0, without=left), area)
        for name, left in without.items()
    ]


def carry_out(runs: list[Run], target: Path) -> None:
    """The runs that the result does not hold yet."""
    result = json.loads(target.read_text()) if target.exists() else {"machine": describe(), "runs": []}
    done = {row["name"] for row in result["runs"]}
    judge = validation(runs[0].area_px)
    for run in runs:
        if run.name not in done:
            row = train(run, judge)
            result["runs"].append(row)
            print(json.dumps(row), flush=True)
            write_atomic(target, (json.dumps(result, indent=2) + "\n").encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("comparison", choices=["losses", "samplers"])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("runs/small-cache"))
    options = parser.parse_args()
    made: dict[str, Callable[[], list[Run]]] = {
        "losses": lambda: losses(options.cache),
        "samplers": lambda: samplers(options.cache),
    }
    carry_out(made[options.comparison](), options.json)


if __name__ == "__main__":
    main()
