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
from horizon_rt.training.batches import EpochBatches, LiveBatches, mirrored
from horizon_rt.training.job import classes_of, recipe_for
from horizon_rt.training.losses import cross_entropy, make_loss, mask_loss
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.run import check_classes
from horizon_rt.training.samples.pictures import load, open_pictures
from horizon_rt.training.samples.windows import window_sample
from horizon_rt.training.teacher import Targets
from horizon_rt.training.validation import Validation

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


def test_a_colour_that_no_mask_has_is_told(tmp_path: Path) -> None:
    folder = _write(tmp_path / "own", 3)
    (folder / "dataset.toml").write_text(TOML.replace(str(list(COLOURS["sky"])), "[1, 2, 3]"))
    pictures = {"own": open_pictures(folder, None).training}
    with pytest.raises(DatasetError, match=r"no mask .* has a pixel of sky; look at the colours"):
        check_classes(tuple(COLOURS), pictures)
    check_classes((), pictures)


def test_a_class_in_one_mask_of_many_is_found(tmp_path: Path) -> None:
    folder = _write(tmp_path / "own", 30)
    (folder / "dataset.toml").write_text(TOML + "ship = [[1, 2, 3]]\n")
    path = folder / "masks" / "007.png"
    mask = cv2.imread(str(path))
    mask[40, 40] = 3, 2, 1
    cv2.imwrite(str(path), mask)
    several = {"a": [], "b": open_pictures(folder, None).training * 40}
    check_classes((*COLOURS, "ship"), several)


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


def test_colours_of_masks_beside_lines_are_those_of_the_classes(tmp_path: Path) -> None:
    folder = _write(tmp_path / "own", 1)
    (folder / "horizon.csv").write_text("file,x1,y1,x2,y2,sky_side\n000.png,0,23.5,95,23.5,above\n")
    picture = open_pictures(folder, None).training[0]
    assert picture.label.mask is not None
    sky, counted = picture.label.mask.read(SIZE[1], SIZE[0])
    assert counted is not None
    assert (sky[2:24].all(), sky[24:].any(), counted[:2].any(), counted[2:].all()) == (
        True,
        False,
        False,
        True,
    )
    sample = window_sample(picture, np.random.default_rng(0), SIZE, augmented=False)
    assert sample.classes is not None
    assert set(np.unique(sample.classes[1:6])) == {0}
    assert set(np.unique(sample.classes[7:])) == {1, 2}


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


def _write_void(folder: Path, sky_rows: int, ground_rows: int) -> Path:
    """One picture of 64×96 px: sky above, then ground, the rest of no class; all of one grey."""
    folder = _write(folder, 1)
    mask = np.zeros((*SIZE, 3), np.uint8)
    mask[:sky_rows] = COLOURS["sky"]
    mask[sky_rows : sky_rows + ground_rows] = COLOURS["land"]
    cv2.imwrite(str(folder / "masks" / "000.png"), mask[:, :, ::-1])
    return folder


@pytest.mark.parametrize(
    ("rows", "presence", "weight", "seen"),
    [
        ((32, 0), -1.0, 1.0, None),
        ((32, 16), 1.0, 1.0, True),
        ((0, 0), -1.0, 0.0, None),
        ((64, 0), 0.0, 1.0, False),
    ],
)
def test_what_is_of_no_class_is_neither_trained_on_nor_judged(
    tmp_path: Path, rows: tuple[int, int], presence: float, weight: float, seen: bool | None
) -> None:
    """Unchanged windows of the size of the picture: rows of cells of 4 px."""
    picture = open_pictures(_write_void(tmp_path / "own", *rows), None).training[0]
    sample = window_sample(picture, np.random.default_rng(0), SIZE, augmented=False)
    known = sum(rows) // 4
    assert (sample.presence, sample.weight) in {
        (presence, weight),
        (-1.0 if presence > 0 else presence, weight),
    }
    assert sample.counted is not None
    assert (sample.counted[: max(known - 1, 0)] == 255).all()
    assert (sample.counted[known + 1 :] == 0).all()
    assert (sample.cover[: max(rows[0] // 4 - 1, 0)] == 255).all()
    validation = Validation({"own": [picture]}, make_loss("bce"), presence_weight=0.0, input_area_px=64 * 96)
    found = [validation.report(_Says(known, below)) for below in (-9.0, 9.0)]
    assert found[0][0] == found[1][0]  # whatever is answered where nothing is known
    assert found[0][1][0].seen is seen
    assert (found[0][1][0].overlap is None) == (weight == 0)


class _Says(torch.nn.Module):
    """Sky in the first rows of cells, and a logit of one's choice below."""

    def __init__(self, rows: int, below: float) -> None:
        super().__init__()
        self.rows, self.below = rows, torch.nn.Parameter(torch.tensor(below))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mask = torch.full((len(x), 1, x.shape[2] // 4, x.shape[3] // 4), 9.0)
        mask[:, :, self.rows :] = self.below.detach()
        return mask, torch.zeros(len(x))


def test_the_loss_leaves_out_what_is_of_no_class() -> None:
    generator = torch.Generator().manual_seed(2)
    logits, covers = torch.randn(2, 1, 4, 6, generator=generator), torch.rand(2, 1, 4, 6, generator=generator)
    counted = torch.ones(2, 1, 4, 6)
    counted[:, :, 2:] = 0
    targets = Targets(covers, torch.ones(2), torch.ones(2), counted=counted)
    expected = F.binary_cross_entropy_with_logits(logits[:, :, :2], covers[:, :, :2])
    assert float(mask_loss(make_loss("bce"), logits, targets)) == pytest.approx(float(expected), rel=1e-5)


def test_batches_know_what_counts_mirrored_too(tmp_path: Path) -> None:
    recipe = Recipe(
        shares={"blank": 1.0}, data={str(_write(tmp_path / "own")): 1.0}, batch=8, input_size=(96, 64),
        augmented=False,
    )  # fmt: skip
    batch = LiveBatches(recipe)[0]
    assert batch.counted is not None
    assert batch.counted.shape == batch.covers.shape
    assert {int(counted.min()) == 255 for counted in batch.counted} == {True, False}
    turned = next(
        m for s in range(9) if (m := mirrored(batch, torch.Generator().manual_seed(s))) is not batch
    )
    assert turned.counted is not None
    assert (turned.counted == batch.counted.flip(2)).all()


def test_a_cache_is_refused_for_masks_of_several_classes(tmp_path: Path, cli: RunCli) -> None:
    words = ("--data", _write(tmp_path / "own"), "--cache", tmp_path / "cache", "--out", tmp_path / "out")
    done = cli("train", "--net", "nano", "--workers", "0", "--device", "cpu", *words)
    assert done.code == 1
    assert "a cache holds no masks of several classes" in done.err.replace("\n", " ")


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
    last = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()][-2]["evaluation"]
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
    words = ("--backend", "torchscript", "--telemetry", tmp_path / "t.csv")
    assert cli("track", clip, "--model", out, *words).code == 0
    small = ("--source", "synth:sea?size=96x64&seconds=1&fps=1", "--size", "96x64", "--unit", "down.4:3")
    looked = cli("inspect", out, *small)
    assert looked.code == 0, looked.err
    other = cli("train", "--init", "nano", "--data", folder, "--classes", "--out", tmp_path / "no")
    assert other.code == 1
    assert "tells above and below the horizon apart" in other.err.replace("\n", " ")
