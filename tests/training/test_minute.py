"""A tiny net trained for real: its loss falls, and its metrics are those of an independent computation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.functional.segmentation import dice_score
from torchmetrics.utilities.compute import auc

from horizon_rt.camera import Camera
from horizon_rt.datasets.rendered import write_pictures
from horizon_rt.fitting import HorizonFitter
from horizon_rt.frame import Frame
from horizon_rt.models.nets import build_net
from horizon_rt.models.weights import SigmaCalibration
from horizon_rt.segmentation import Segmentation
from horizon_rt.segmentation.preprocess import Preprocessor
from horizon_rt.synth.stills import StillOptions
from horizon_rt.training.batches import CachedBatches
from horizon_rt.training.loop import Settings, Trainer
from horizon_rt.training.losses import make_loss
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.samples.cache import build_cache
from horizon_rt.training.samples.pictures import Picture, load, open_pictures
from horizon_rt.training.validation import Validation

SIZE = (96, 160)
AREA = SIZE[0] * SIZE[1]
RECIPE = Recipe(
    net="nano",
    samples=4800,
    batch=16,
    rate=6e-3,
    warm_up=0.05,
    average=0.97,
    shares={"rendered-sea": 0.5, "rendered-coast": 0.2, "rendered-land": 0.2, "out-of-view": 0.1},
)


@dataclass(frozen=True)
class Trained:
    """The net, the losses of its steps, and pictures that it has not seen."""

    net: nn.Module
    losses: list[float]
    pictures: list[Picture]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("minute")
    options = StillOptions(kinds=("sea", "coast", "fields"), size=(160, 96), without=0.2, seed=77, clean=True)
    write_pictures(folder / "new", options, count=40)
    new = open_pictures(folder / "new", None)
    build_cache(folder / "cache", RECIPE, count=1500, workers=0, shapes={SIZE: 1.0})
    torch.manual_seed(0)
    settings = Settings(folder=folder / "run", threads=1, workers=0, evaluate_every=10**6)
    trainer, losses = Trainer(build_net("nano"), RECIPE, settings), []
    batches = CachedBatches([folder / "cache"], batch=RECIPE.batch, seed=0)
    trainer.run(batches, lambda net: {"loss": 0.0}, lambda step, loss: losses.append(loss))
    return Trained(trainer.averaged(), losses, new.training + new.held_out)


def test_the_loss_falls(trained: Trained) -> None:
    assert np.mean(trained.losses[-20:]) < 0.6 * np.mean(trained.losses[:5])


def _horizon_error(
    estimate: tuple[float, float, float], truth: tuple[float, float, float], width: int, height: int
) -> float:
    """Of half planes nx·x + ny·y + d > 0 around the middle of the picture; docs/conventions.md, Metrics."""
    if estimate[0] * truth[0] + estimate[1] * truth[1] < 0:
        return 1.0
    steep = abs(truth[0]) > abs(truth[1])
    along, across, side = (1, 0, width) if steep else (0, 1, height)
    ends = np.array([-1, 1]) * ((height if steep else width) - 1) / 2
    places = [-(plane[along] * ends + plane[2]) / plane[across] for plane in (estimate, truth)]
    return min(float(np.abs(places[0] - places[1]).max()) / side, 1.0)


def test_the_metrics_are_those_of_an_independent_computation(trained: Trained) -> None:
    found = _validation(trained)(trained.net)
    dices, errors, refused = [], [], []
    for picture in trained.pictures:
        image, line, _, seen, *_ = load(picture)
        height, width = image.shape[:2]
        preprocess = Preprocessor(AREA)
        letterbox = preprocess(Frame.from_bgr(image))
        assert preprocess.input.shape[2:] == (height, width)  # so that cells are found without the letterbox
        with torch.inference_mode():
            mask, presence = trained.net(torch.from_numpy(preprocess.input))
        camera = Camera.from_hfov(width, height, 70)
        segmentation = Segmentation(mask[0, 0].numpy(), float(torch.sigmoid(presence)), letterbox)
        measured = HorizonFitter(camera, SigmaCalibration(1.0, 0.1)).fit(segmentation).measurement
        if not seen or line is None:
            refused.append(measured is None)
            continue
        y, x = np.mgrid[: height // 4, : width // 4] * 4 + 1.5
        above = line.signed_distance(0, 0, width, height) + x * line.normal[0] + y * line.normal[1] > 0
        sky = mask[0, 0] > 0
        dices.append(
            float(
                dice_score(
                    sky[None, None].long(),
                    torch.from_numpy(above)[None, None].long(),
                    num_classes=1,
                    input_format="one-hot",
                )
            )
        )
        if measured is None:
            errors.append(1.0)
            continue
        estimate = (measured.up.x, measured.up.y, measured.up.z * camera.focal_px)
        errors.append(_horizon_error(estimate, (*line.normal, line.offset_px), width, height))
    assert len(dices) > 25
    assert found["new/dice"] == pytest.approx(np.mean(dices), abs=2e-3)
    assert found["new/auc"] == pytest.approx(
        100 * np.mean(np.maximum(0.25 - np.array(errors), 0)) / 0.25, abs=0.05
    )
    assert found["new/refused"] == pytest.approx(100 * np.mean(refused))
    assert found["new/dice"] > 0.85


def test_auc_is_the_area_that_torchmetrics_finds(trained: Trained) -> None:
    """Below the share of pictures whose error is at most x, from 0 to 0.25: a staircase."""
    found, predictions = _validation(trained).report(trained.net)
    errors = sorted(p.error.e for p in predictions if p.error is not None)
    inside = [e for e in errors if e < 0.25]
    x = [0.0, *(e for e in inside for _ in (0, 1)), 0.25]
    y = [0, *(k for n in range(len(inside)) for k in (n, n + 1)), len(inside)]
    area = float(auc(torch.tensor(x).double(), torch.tensor(y) / len(errors)))
    assert found["new/auc"] == pytest.approx(100 * area / 0.25, abs=0.01)
    assert found["new/auc"] > 50


def test_lines_are_those_of_the_logits(trained: Trained) -> None:
    """Straight from the files, without preprocess and fit: the median slope (Theil 1950) of the zeros."""
    gaps = []
    for prediction in _validation(trained).report(trained.net)[1]:
        line, truth = prediction.line, prediction.truth
        if line is not None and truth is not None and abs(truth.normal[0]) < 0.5:
            zeros = _zeros(_logits(trained.net, prediction.picture.path))
            if len(zeros) > 25:
                i, j = np.triu_indices(len(zeros), 1)
                slope = np.median((zeros[j, 1] - zeros[i, 1]) / (zeros[j, 0] - zeros[i, 0]))
                height = np.median(zeros[:, 1] - slope * zeros[:, 0])
                ends = [height + slope * x - line.y_at(x, SIZE[1], SIZE[0]) for x in (0, SIZE[1] - 1)]
                gaps.append(max(map(abs, ends)))
    assert len(gaps) > 10
    assert np.median(gaps) < 1.5


def _validation(trained: Trained) -> Validation:
    return Validation({"new": trained.pictures}, make_loss("bce"), input_area_px=AREA)


def _logits(net: nn.Module, path: Path) -> np.ndarray:
    """BT.709 luma of zero mean and unit spread, and four times the chroma."""
    b, g, r = torch.from_numpy(cv2.imread(str(path)).astype(np.float32) / 255).permute(2, 0, 1).unbind()
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    luma = (y - y.mean()) / (y.std(correction=0) + 0.02)
    with torch.inference_mode():
        return net(torch.stack([luma, 4 * (b - y) / 1.8556, 4 * (r - y) / 1.5748])[None])[0][0, 0].numpy()


def _zeros(logits: np.ndarray) -> np.ndarray:
    """(n, 2) px, of the columns of cells with one change of sign."""
    points = []
    for column, v in enumerate(logits.T):
        turns = np.flatnonzero((v[:-1] > 0) != (v[1:] > 0))
        if len(turns) == 1:
            row = turns[0] + v[turns[0]] / (v[turns[0]] - v[turns[0] + 1])
            points.append((4 * column + 1.5, 4 * row + 1.5))
    return np.array(points).reshape(-1, 2)


def test_the_trained_net_beats_an_untrained_one(trained: Trained) -> None:
    validation = _validation(trained)
    torch.manual_seed(1)
    assert validation(trained.net)["loss"] < 0.6 * validation(build_net("nano").eval())["loss"]
