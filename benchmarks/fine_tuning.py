"""What fine-tuning gains, and what it costs: `python benchmarks/fine_tuning.py --json FILE`.

A shipped model learns from 50 frames of a meadow closed in by trees, a place that it has never seen. Its
weights are then mixed with those of the start in several shares (`kept` of a recipe), and runs with anchors
(`anchor`) stand beside. Each outcome is calibrated as `train` does, and judged on the frames of flight for
test and on frames of the meadow that nothing has watched. Results are added one by one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accuracy import SPLIT, judge_frames
from torch import Tensor, nn

from horizon_rt.bench.machine import describe
from horizon_rt.datasets.rendered import write_clip
from horizon_rt.models.weights import ModelCard, SigmaCalibration, find_model, load_net, write_manifest
from horizon_rt.sources.synthetic import SyntheticOptions
from horizon_rt.system.files import write_atomic
from horizon_rt.system.paths import data_root
from horizon_rt.tracker import HorizonTracker
from horizon_rt.training.batches import LiveBatches
from horizon_rt.training.calibration import calibrate
from horizon_rt.training.job import recipe_for
from horizon_rt.training.loop import Settings, Trainer
from horizon_rt.training.losses import make_loss
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.samples.pictures import PictureSets, picture_sets
from horizon_rt.training.validation import Validation

CLIP = SyntheticOptions(size="640x360", fps=5, seconds=12.4, seed=4, motion="flight")
KEPT, ANCHORS = (0.0, 0.25, 0.5, 0.75), (30.0,)


def meadow(folder: Path) -> Path:
    """The clip of docs/training.md."""
    root = data_root()
    if root is None:
        raise SystemExit("no datasets found: set HORIZON_RT_DATA to their folder")
    target = folder / "meadow"
    if not target.exists():
        write_clip(target, CLIP, panorama=root / "panorama" / "images" / "evening_meadow.jpg")
    return target


def tuned(card: ModelCard, recipe: Recipe, folder: Path) -> tuple[dict[str, Tensor], float]:
    """The mean weights of a run, and its CPU time in s."""
    torch.manual_seed(recipe.seed)
    settings = Settings(folder=folder, threads=1, workers=0, evaluate_every=10**9, checkpoints=False)
    trainer = Trainer(load_net(card), recipe, settings)
    start = time.process_time()
    trainer.run(LiveBatches(recipe), lambda net: {})
    return trainer.average, time.process_time() - start


def mixed(card: ModelCard, weights: Mapping[str, Tensor], kept: float) -> nn.Module:
    """The net of `weights` with this share of the weights of the start."""
    net = load_net(card).eval()
    start = {name: value.float() for name, value in net.state_dict().items()}
    net.load_state_dict({name: value.lerp(start[name], kept) for name, value in weights.items()})
    return net


def judged(net: nn.Module, card: ModelCard, sigma: SigmaCalibration, sets: PictureSets) -> dict[str, Any]:
    """Flight by the tracker, and the meadow's last frames by its net."""
    root = data_root()
    assert root is not None
    with tempfile.TemporaryDirectory() as folder:
        area = card.input_area_px
        write_manifest(Path(folder), "tuned", card.net, net.state_dict(), sigma, {}, input_area_px=area)
        flight, _ = judge_frames(root, "flight", HorizonTracker(model=folder, backend="torchscript"))
    own = Validation(sets.test, make_loss("edge-bce"), input_area_px=area)(net)
    return {
        "sigma": [sigma.scale, sigma.boundary_width],
        "flight": {key: flight[key] for key in ("frames", "auc", "within_1_sigma", "within_2_sigma")},
        "own": {key.rpartition("/")[2]: value for key, value in own.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["small", "lite0"])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    data = meadow(options.folder)
    sets = picture_sets({str(data): 1.0}, None, 150)
    result: dict[str, Any] = {"machine": describe(), "split": SPLIT.name, "runs": []}
    if options.json.exists():
        result = json.loads(options.json.read_text())
    done = {(row["model"], row["anchor"], row["kept"]) for row in result["runs"]}

    def add(row: dict[str, Any]) -> None:
        result["runs"].append(row)
        print(json.dumps(row), flush=True)
        write_atomic(options.json, (json.dumps(result, indent=1) + "\n").encode())

    for name in options.models:
        card = find_model(name=name)
        if (name, 0.0, 1.0) not in done:
            row = judged(load_net(card).eval(), card, card.sigma, sets)
            add({"model": name, "anchor": 0.0, "kept": 1.0, **row})
        usual = recipe_for(None, [str(data)], fine_tuning=True, changes={"net": str(card.net)})
        for anchor, shares in ((0.0, KEPT), *((anchor, (0.0,)) for anchor in ANCHORS)):
            if {(name, anchor, kept) for kept in shares} <= done:
                continue
            with tempfile.TemporaryDirectory() as folder:
                weights, seconds = tuned(card, replace(usual, anchor=anchor, kept=0.0), Path(folder))
            for kept in shares:
                net = mixed(card, weights, kept)
                area = card.input_area_px
                sigma = calibrate(net, sets.validation, card.sigma, input_area_px=area)
                before = judged(net, card, card.sigma, sets)["flight"]["within_2_sigma"]
                row = judged(net, card, sigma, sets) | {"uncalibrated_within_2_sigma": before}
                add({"model": name, "anchor": anchor, "kept": kept, "cpu_s": round(seconds, 1), **row})


if __name__ == "__main__":
    main()
