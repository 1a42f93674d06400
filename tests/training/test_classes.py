"""Masks of several classes: from the colours of a dataset to a net that tells them apart and tracks."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from support.cli import RunCli
from torch.nn import functional as F

from horizon_rt.datasets.base import NO_CLASS
from horizon_rt.datasets.folder import read_classes
from horizon_rt.errors import DatasetError
from horizon_rt.models.sizes import MOST_CLASSES
from horizon_rt.models.weights import find_model, load_net
from horizon_rt.training.batches import EpochBatches, mirrored
from horizon_rt.training.losses import cross_entropy, make_loss, mask_loss
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.run import classes_of, recipe_for
from horizon_rt.training.samples.pictures import load, open_pictures
from horizon_rt.training.teacher import Targets

COLOURS = {"sky": (250, 250, 250), "water": (0, 60, 200), "land": (90, 120, 20)}
TOML = "[classes]\n" + "".join(f"{name} = [{list(rgb)}]\n" for name, rgb in COLOURS.items())
SIZE = (64, 96)


def _write(folder: Path, count: int = 15) -> Path:
    """Sky over water, land at the right; a black frame around the mask is of no class."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        numbers = np.ones(SIZE, np.uint8)
        numbers[: 24 + number] = 0
        numbers[24 + number :, 60 + number :] = 2
        picture = np.array(list(COLOURS.values()), np.uint8)[numbers]
        mask = picture.copy()
        mask[:2] = 0
        cv2.imwrite(str(folder / "images" / f"{number:03d}.png"), picture[:, :, ::-1])
        cv2.imwrite(str(folder / "masks" / f"{number:03d}.png"), mask[:, :, ::-1])
    (folder / "dataset.toml").write_text(f'name = "{folder.name}"\n' + TOML)
    return folder


def test_colours_become_numbers(tmp_path: Path) -> None:
    folder = _write(tmp_path / "own", 1)
    assert read_classes(folder) == {name: (rgb,) for name, rgb in COLOURS.items()}
    loaded = load(open_pictures(folder, None).training[0])
    assert loaded.classes is not None
    assert set(np.unique(loaded.classes)) == {0, 1, 2, NO_CLASS}
    assert (loaded.classes[:2] == NO_CLASS).all()
    assert (loaded.classes[40, :60] == 1).all()
    assert (loaded.classes[40, 60:] == 2).all()
    assert loaded.sky is not None
    assert loaded.sky[10, 10] == 255


@pytest.mark.parametrize("text", ["classes = 3", "[classes]\nsky = [[0, 0, 0]]", "[classes]\na = 1\nb = 2"])
def test_colours_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    folder = _write(tmp_path / "own", 1)
    (folder / "dataset.toml").write_text(text)
    with pytest.raises(DatasetError, match=r"\[classes\] are NAME"):
        read_classes(folder)


def test_datasets_share_one_list(tmp_path: Path) -> None:
    one, other = _write(tmp_path / "a", 1), _write(tmp_path / "b", 1)
    assert classes_of([str(one), str(other)]) == tuple(COLOURS)
    (other / "dataset.toml").write_text(TOML.replace("land", "ship"))
    with pytest.raises(DatasetError, match="the datasets have other classes"):
        classes_of([str(one), str(other)])
    with pytest.raises(DatasetError, match="two or more"):
        Recipe(classes=("sky",))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["sky", "low vegetation"], "names of letters, digits"),
        ([f"c{number}" for number in range(MOST_CLASSES + 1)], "classes are 2 to 64"),
        ([f"c{number:099d}" for number in range(MOST_CLASSES)], "longer together than 4096"),
    ],
)
def test_names_that_no_model_can_hold_are_refused_before_the_training(
    tmp_path: Path, names: list[str], message: str
) -> None:
    folder = _write(tmp_path / "own", 1)
    rows = [f'"{name}" = [[{number}, 0, 0]]' for number, name in enumerate(names)]
    (folder / "dataset.toml").write_text("\n".join(["[classes]", *rows]))
    with pytest.raises(DatasetError, match=message):
        recipe_for(None, [str(folder)], fine_tuning=False, changes={}, alone=True, classes=True)


def test_batches_carry_classes_that_lie_where_the_picture_has_them(tmp_path: Path) -> None:
    """Unchanged pictures of the size of the net input: the class in the middle of each 4×4 cell."""
    folder = _write(tmp_path / "own")
    recipe = Recipe(
        shares={}, data={str(folder): 1.0}, batch=4, epochs=1, augmented=False, input_size=(96, 64),
        classes=tuple(COLOURS),
    )  # fmt: skip
    batch = EpochBatches(recipe)[0]
    assert batch.classes is not None
    for image, classes in zip(batch.images, batch.classes, strict=True):
        luma = image[0, 2::4, 2::4].float()
        for number, rgb in enumerate(COLOURS.values()):
            expected = float(np.dot(rgb, (0.2126, 0.7152, 0.0722)))
            inner = classes == number
            assert inner.any()
            assert (luma[inner] - expected).abs().median() < 2
    flipped = next(
        m for s in range(9) if (m := mirrored(batch, torch.Generator().manual_seed(s))) is not batch
    )
    assert flipped.classes is not None
    assert (flipped.classes == batch.classes.flip(2)).all()


def test_the_loss_of_classes_is_that_of_torch() -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(2, 3, 4, 6, generator=generator)
    truth = torch.randint(0, 3, (2, 4, 6), generator=generator)
    assert float(cross_entropy(scores, truth.to(torch.uint8))) == pytest.approx(
        float(F.cross_entropy(scores, truth))
    )
    part = truth.to(torch.uint8)
    part[1] = NO_CLASS
    assert float(cross_entropy(scores, part)) == pytest.approx(float(F.cross_entropy(scores[:1], truth[:1])))
    # The second picture has a line alone: the first class of the softmax against all others.
    covers = torch.rand(2, 1, 4, 6, generator=generator)
    targets = Targets(covers, torch.ones(2), torch.ones(2), part)
    sky = F.binary_cross_entropy(scores[1].softmax(dim=0)[:1], covers[1])
    expected = 0.5 * F.cross_entropy(scores[:1], truth[:1]) + 0.5 * sky
    assert float(mask_loss(make_loss("bce"), scores, targets)) == pytest.approx(float(expected), rel=1e-5)
    nothing = torch.full_like(part, NO_CLASS)
    assert float(cross_entropy(scores, nothing)) == 0.0


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_net_learns_classes_goes_on_tracks_and_is_exported(tmp_path: Path, clip: Path, cli: RunCli) -> None:
    folder, out = _write(tmp_path / "own"), tmp_path / "out"
    words = (
        "train",
        "--workers",
        "0",
        "--device",
        "cpu",
        "--data",
        folder,
        "--alone",
        "--classes",
        "--no-augment",
    )
    options = ("--net", "road", "--epochs", "40", "--batch", "6", "--size", "96x64", "--rate", "0.003")
    done = cli(*words, *options, "--no-calibrate", "--out", out)
    assert done.code == 0, done.err
    card = find_model(name=str(out))
    assert card.classes == tuple(COLOURS)
    last = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()][-1]["evaluation"]
    assert last["own/class_miou"] > 0.6
    assert last["own/class_accuracy_percent"] > 85
    assert cli(*words, *options, "--no-calibrate", "--out", out, "--resume").code == 0
    picture = torch.randn(1, 3, 64, 96)
    scores = load_net(card, all_classes=True).eval()(picture)[0]
    above = load_net(card).eval()(picture)[0]
    probability = scores.softmax(dim=1)[:, :1]
    assert torch.allclose(above.sigmoid(), probability, atol=1e-5)
    exported = cli("export", out, tmp_path / "net.ts")
    assert exported.code == 0, exported.err
    assert torch.allclose(torch.jit.load(tmp_path / "net.ts")(picture)[0], scores, atol=1e-4)
    assert cli("track", clip, "--model", out, "--telemetry", tmp_path / "t.csv").code == 0
    small = ("--source", "synth:sea?size=96x64&seconds=1&fps=1", "--size", "96x64", "--unit", "down.4:3")
    looked = cli("inspect", out, *small)
    assert looked.code == 0, looked.err
    other = cli("train", "--init", "nano", "--data", folder, "--classes", "--out", tmp_path / "no")
    assert other.code == 1
    assert "tells above and below the horizon apart" in other.err.replace("\n", " ")
