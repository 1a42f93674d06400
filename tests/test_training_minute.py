"""A net is trained from scratch on rendered scenes, and judged on new ones by independent computations."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_support import sky_share

from horizon_rt.geometry import HorizonLine
from horizon_rt.segmentation.zoo import build_net
from horizon_rt.synth.dataset import write_pictures
from horizon_rt.synth.stills import StillOptions
from horizon_rt.training.batches import CachedBatches
from horizon_rt.training.cache import build_cache
from horizon_rt.training.loop import Settings, Trainer
from horizon_rt.training.losses import make_loss
from horizon_rt.training.pictures import open_pictures
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.validation import Prediction, Validation

pytestmark = pytest.mark.timeout(1200)  # half a minute where a core is free

SIZE = (96, 160)
RECIPE = Recipe(
    net="nano",
    samples=16 * 300,
    batch=16,
    rate=5e-3,
    warm_up=0.05,
    average=0.97,
    shares={"rendered-sea": 0.4, "rendered-coast": 0.2, "rendered-land": 0.2, "out-of-view": 0.2},
)


@dataclass(frozen=True)
class Outcome:
    """The trained net, the loss after each step, and what `Validation` says of new pictures."""

    folder: Path
    net: nn.Module
    losses: list[float]
    before: dict[str, float]
    found: dict[str, float]
    predictions: list[Prediction]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    root, threads, losses = tmp_path_factory.mktemp("minute"), torch.get_num_threads(), []
    options = StillOptions(kinds=("sea", "coast", "fields"), size=SIZE[::-1], clean=True, without=0.2, seed=5)
    write_pictures(root / "new", options, count=50)
    training, held_out = open_pictures(root / "new", None)
    judge = Validation(
        {"new": [*training, *held_out]}, make_loss("edge-bce"), input_area_px=SIZE[0] * SIZE[1]
    )
    build_cache(root / "cache", RECIPE, count=1500, workers=0, shapes={SIZE: 1.0})
    torch.manual_seed(RECIPE.seed)
    settings = Settings(folder=root / "run", threads=1, workers=0, evaluate_every=10**9)
    trainer = Trainer(build_net(RECIPE.net), RECIPE, settings)
    before = judge(trainer.averaged())
    batches = CachedBatches([root / "cache"], batch=RECIPE.batch, seed=RECIPE.seed)
    trainer.run(batches, lambda net: {}, lambda step, loss: losses.append(loss))
    net = trainer.result()
    yield Outcome(root / "new", net, losses, before, *judge.report(net))
    torch.set_num_threads(threads)


def test_the_loss_falls_and_new_pictures_are_understood(outcome: Outcome) -> None:
    """A net that was not trained has a Dice of about a half, and finds nothing."""
    assert len(outcome.losses) == RECIPE.steps
    assert outcome.losses[-1] < 0.65 * outcome.losses[0]
    assert np.mean(outcome.losses[-50:]) < np.mean(outcome.losses[150:200]) < np.mean(outcome.losses[50:100])
    assert outcome.found["loss"] < 0.6 * outcome.before["loss"]
    assert outcome.found["new/dice"] > max(0.85, outcome.before["new/dice"] + 0.1)
    assert outcome.found["new/auc"] > max(50.0, outcome.before["new/auc"] + 20)
    assert outcome.found["new/refused"] >= 50.0


def _truths(folder: Path) -> dict[str, HorizonLine | None]:
    with (folder / "horizon.csv").open(newline="") as rows:
        return {row["file"]: _line(row) for row in csv.DictReader(rows)}


def _line(row: dict[str, str]) -> HorizonLine | None:
    if not row["x1"]:
        return None
    ends = (float(row[name]) for name in ("x1", "y1", "x2", "y2"))
    return HorizonLine.from_points(*ends, SIZE[1], SIZE[0], sky_above=row["sky_side"] == "above")


def _logits(net: nn.Module, path: Path) -> Tensor:
    """Straight from the file: BT.709 luma of zero mean and unit spread, four times the chroma."""
    b, g, r = (torch.from_numpy(cv2.imread(str(path)).astype(np.float32) / 255).permute(2, 0, 1)).unbind()
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    luma = (y - y.mean()) / (y.std(correction=0) + 0.02)
    picture = torch.stack([luma, 4 * (b - y) / 1.8556, 4 * (r - y) / 1.5748])[None]
    with torch.no_grad():
        return net(picture)[0][0, 0]


def test_dice_is_that_of_torchmetrics_on_masks_of_our_own(outcome: Outcome) -> None:
    f1 = pytest.importorskip("torchmetrics.functional.classification").binary_f1_score
    scores = {}
    for name, line in _truths(outcome.folder).items():
        if line is not None:
            truth = torch.from_numpy(sky_share(line, SIZE, 4) > 0.5)
            logits = _logits(outcome.net, outcome.folder / "images" / name)
            scores[name] = float(f1(logits > 0, truth.int()))
    told = {p.picture.path.name: p.dice for p in outcome.predictions if p.dice is not None}
    assert told.keys() == scores.keys()
    assert len(told) == 40
    # The frame that the tracker sees has whole numbers of luma and chroma, which turns over a few cells.
    assert [told[name] for name in scores] == pytest.approx(list(scores.values()), abs=0.03)
    assert outcome.found["new/dice"] == pytest.approx(np.mean(list(scores.values())), abs=0.003)


def _error(found: HorizonLine | None, truth: HorizonLine) -> float:
    """The horizon error of docs/conventions.md written out, from the normals of the lines."""
    height, width = SIZE
    if found is None or np.dot(found.normal, truth.normal) < 0:
        return 1.0
    steep = abs(truth.normal[0]) > abs(truth.normal[1])
    along, across = (1, 0) if steep else (0, 1)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    gaps = []
    for edge in (0, (width, height)[along] - 1):
        places = []
        for line in (found, truth):
            offset = line.offset_px + line.normal[along] * (edge - middle[along])
            places.append(middle[across] - offset / line.normal[across])
        gaps.append(abs(places[0] - places[1]))
    return min(max(gaps) / (width if steep else height), 1.0)


def test_horizon_errors_and_their_auc_are_those_written_out(outcome: Outcome) -> None:
    truths = _truths(outcome.folder)
    errors = []
    for prediction in outcome.predictions:
        truth = truths[prediction.picture.path.name]
        assert (truth is None) is (prediction.error is None)
        if truth is not None and prediction.error is not None:
            errors.append(_error(prediction.line, truth))
            assert prediction.error.e == pytest.approx(errors[-1], abs=1e-4)
    assert outcome.found["new/auc"] == pytest.approx(
        100 * np.mean([max(0.0, 0.25 - e) for e in errors]) / 0.25, abs=0.02
    )
    refused = [p.line is None for p in outcome.predictions if truths[p.picture.path.name] is None]
    assert outcome.found["new/refused"] == pytest.approx(100 * np.mean(refused))
    assert outcome.found["new/found"] == pytest.approx(
        100 * np.mean([p.line is not None for p in outcome.predictions if p.error is not None])
    )


def test_auc_is_the_area_that_torchmetrics_finds(outcome: Outcome) -> None:
    """Below the share of pictures whose error is at most x, from 0 to 0.25, a staircase."""
    area = pytest.importorskip("torchmetrics.utilities.compute").auc
    errors = sorted(p.error.e for p in outcome.predictions if p.error is not None)
    inside = [e for e in errors if e < 0.25]
    x = [0.0, *(e for e in inside for _ in (0, 1)), 0.25]
    y = [0.0, *(k / len(errors) for n in range(len(inside)) for k in (n, n + 1)), len(inside) / len(errors)]
    found = float(area(torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)))
    assert outcome.found["new/auc"] == pytest.approx(100 * found / 0.25, abs=0.01)


def test_lines_are_those_of_the_logits(outcome: Outcome) -> None:
    """Against the median slope (Theil 1950) through the zeros of each column, for horizons near level."""
    gaps = []
    for prediction in outcome.predictions:
        line, truth = prediction.line, prediction.truth
        if line is not None and truth is not None and abs(math.sin(math.radians(truth.angle_deg))) < 0.5:
            zeros = _zeros(_logits(outcome.net, outcome.folder / "images" / prediction.picture.path.name))
            if len(zeros) > 25:
                slope, height = _theil(zeros)
                ends = [height + slope * x - line.y_at(x, SIZE[1], SIZE[0]) for x in (0, SIZE[1] - 1)]
                gaps.append(max(map(abs, ends)))
    assert len(gaps) > 12
    assert np.median(gaps) < 1.0
    assert np.percentile(gaps, 80) < 4.0


def _zeros(logits: Tensor) -> np.ndarray:
    """(n, 2) px, of the columns of cells with one change of sign."""
    values, points = logits.numpy(), []
    for column in range(values.shape[1]):
        v = values[:, column]
        turns = np.flatnonzero((v[:-1] > 0) != (v[1:] > 0))
        if len(turns) == 1:
            row = turns[0] + v[turns[0]] / (v[turns[0]] - v[turns[0] + 1])
            points.append((4 * column + 1.5, 4 * row + 1.5))
    return np.array(points).reshape(-1, 2)


def _theil(points: np.ndarray) -> tuple[float, float]:
    """Slope and height at x = 0."""
    i, j = np.triu_indices(len(points), 1)
    slope = float(np.median((points[j, 1] - points[i, 1]) / (points[j, 0] - points[i, 0])))
    return slope, float(np.median(points[:, 1] - slope * points[:, 0]))
