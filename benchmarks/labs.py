"""The comparisons that the first labs made, each net at a fair length, judged on frames for test alone.

    python benchmarks/labs.py fcn light segnet --json benchmarks/results/labs.json

`fcn`: FCN-8s against FCN-32s; `light`: nets of about 0.5 M parameters and lite0 against the U-Net of 31 M,
on two sets; `segnet`: SegNet beside them. Three seeds each. A net takes its learning rate from the least
loss of training after `TRIED_WINDOWS` windows. It trains and is judged at one shape, that of the set's whole
frames for the area of 256×128 px; its curves are those of the frames for validation, and the frames for test
are looked at once, at the end. Results are added one by one, so that a run can be stopped and gone on with by
the same command.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo import AREA, RATES, TRIED_WINDOWS, WEIGHTS, train, zoo_recipe

from horizon_rt.bench.machine import describe
from horizon_rt.segmentation.letterbox import input_size
from horizon_rt.system.files import write_atomic
from horizon_rt.training.losses import make_loss
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.samples.pictures import picture_sets
from horizon_rt.training.validation import Validation

SEEDS, WINDOWS, WATCHED = 3, 1_500, 32
# A step of the nets of 134 M parameters costs as much as two windows, whatever the batch.
BATCH = {"fcn32s": 8, "fcn8s": 8}
FRAMES = {"thermal-sea": (384, 288), "flight": (480, 480)}  # width and height of whole frames
LIGHT, U_NET = ("road", "unet-small", "lite0"), ("unet",)


@dataclass(frozen=True)
class Run:
    """One training of a comparison."""

    part: str
    dataset: str
    net: str
    seed: int

    def recipe(self, rate: float) -> Recipe:
        found = zoo_recipe(self.net, rate, WINDOWS, self.seed)
        return replace(found, batch=BATCH.get(self.net, found.batch), data={self.dataset: 1.0})


def wanted_runs(parts: list[str]) -> Iterator[Run]:
    """Seed by seed, so that what is there after any of them can be compared."""
    nets = {"fcn": ("fcn32s", "fcn8s"), "light": (*LIGHT, *U_NET), "segnet": ("segnet",)}
    sets = {"fcn": ("thermal-sea",), "light": ("thermal-sea", "flight"), "segnet": ("thermal-sea",)}
    for part in parts:
        for seed in range(SEEDS):
            for dataset in sets[part]:
                for net in nets[part]:
                    yield Run(part, dataset, net, seed)


def validations(dataset: str) -> tuple[Validation, Validation]:
    """Of the frames for validation, thinned, and of all frames for test."""
    sets = picture_sets({dataset: 1.0}, WEIGHTS / "split.toml", 1_000)
    few = picture_sets({dataset: 1.0}, WEIGHTS / "split.toml", WATCHED)
    loss = make_loss("bce")
    return (
        Validation(few.validation, loss, input_area_px=AREA),
        Validation(sets.test, loss, input_area_px=AREA),
    )


def known_rate(net: str, tried: list[dict[str, Any]]) -> float | None:
    """The rate with the least loss of training, once all have been tried."""
    losses = {row["rate"]: row["curves"]["training/loss"][1][-1] for row in tried if row["net"] == net}
    return min(losses, key=lambda rate: losses[rate]) if set(RATES) <= losses.keys() else None


class Results:
    """The file of results, written after each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.found: dict[str, Any] = {"machine": describe(), "tried": [], "runs": []}
        if path.exists():
            self.found = json.loads(path.read_text())

    def add(self, part: str, row: dict[str, Any]) -> None:
        self.found[part].append(row)
        print(json.dumps({name: value for name, value in row.items() if name != "curves"}), flush=True)
        write_atomic(self._path, (json.dumps(self.found, indent=1) + "\n").encode())

    def rate(self, net: str) -> float:
        """Of those tried here or for zoo.json, on thermal-sea; they are tried now where they were not."""
        zoo = json.loads((Path(__file__).parent / "results" / "zoo.json").read_text())["tried"]
        while (rate := known_rate(net, zoo + self.found["tried"])) is None:
            done = {row["rate"] for row in self.found["tried"] if row["net"] == net}
            recipe = zoo_recipe(net, next(rate for rate in RATES if rate not in done), TRIED_WINDOWS)
            self.add("tried", train(recipe))
        return rate

    def has(self, run: Run) -> bool:
        return any(
            (row["net"], row["dataset"], row["seed"]) == (run.net, run.dataset, run.seed)
            for row in self.found["runs"]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=("fcn", "light", "segnet"))
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    results = Results(options.json)
    for run in wanted_runs(options.parts):
        if results.has(run):
            continue
        watch, test = validations(run.dataset)
        shape = input_size(*FRAMES[run.dataset], AREA)
        row = train(run.recipe(results.rate(run.net)), watch, test, shape)
        results.add("runs", {"part": run.part, **row})


if __name__ == "__main__":
    main()
