"""Runs on own pictures alone: each once an epoch, whole and unchanged, at a size of one's choice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import training as made
from support.cli import RunCli

from horizon_rt.errors import DatasetError
from horizon_rt.frame import Frame
from horizon_rt.geometry import HorizonLine
from horizon_rt.models.weights import find_model
from horizon_rt.segmentation.preprocess import Preprocessor
from horizon_rt.training.batches import EpochBatches
from horizon_rt.training.job import recipe_for
from horizon_rt.training.log import read_log
from horizon_rt.training.loop import normalise
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.samples.pictures import load, open_pictures
from horizon_rt.training.samples.windows import window_sample

# As many tilts as pictures, so that each is known by its mask.
LINES = [HorizonLine(angle, 3.0) for angle in np.linspace(-40, 40, 15)]
SIZE = (96, 160)


def _recipe(folder: Path, **changes: object) -> Recipe:
    values = {"shares": {}, "data": {str(folder): 1.0}, "batch": 4, "augmented": False, "epochs": 2}
    return Recipe(**(values | {"input_size": (160, 96)} | changes))  # type: ignore[arg-type]


def _shown(batches: EpochBatches, first: int, count: int) -> list[bytes]:
    return [cover.numpy().tobytes() for i in range(first, first + count) for cover in batches[i].covers]


def test_every_picture_is_shown_once_a_pass(tmp_path: Path) -> None:
    """12 of the 15 are for training, which are three batches of 4."""
    recipe = _recipe(made.write_line_set(tmp_path / "own", LINES))
    batches = EpochBatches(recipe)
    assert (batches.count, batches.size, batches.steps) == (12, 4, 6)
    passes = [_shown(batches, first, 3) for first in (0, 3)]
    assert [len(set(shown)) for shown in passes] == [12, 12]
    assert set(passes[0]) == set(passes[1])
    assert passes[0] != passes[1]
    assert (batches[4].images == EpochBatches(recipe)[4].images).all()


@pytest.mark.parametrize(("batch", "steps"), [(5, 5), (8, 3), (32, 1)])
def test_batches_go_on_over_the_end_of_a_pass(tmp_path: Path, batch: int, steps: int) -> None:
    """Two passes of 12 pictures in batches that do not divide them: none is left out, of either. A batch of
    more than these holds them once.
    """
    batches = EpochBatches(_recipe(made.write_line_set(tmp_path / "own", LINES), batch=batch))
    assert batches.steps == steps
    shown = _shown(batches, 0, steps)
    assert len(shown) == steps * batches.size >= 24
    assert batches.size == min(batch, 24)
    assert len(set(shown[:12])) == 12
    assert set(shown[:12]) == set(shown[12:24])


def test_the_samples_of_a_run_follow_from_its_passes(tmp_path: Path) -> None:
    folder = made.write_line_set(tmp_path / "own", LINES)
    recipe = recipe_for(None, [str(folder)], fine_tuning=False, changes={"epochs": 5}, alone=True)
    assert (recipe.batch, recipe.steps, recipe.samples, recipe.shares) == (32, 2, 64, {})
    with pytest.raises(DatasetError, match="epochs are passes over datasets alone"):
        Recipe(epochs=1)
    for given in ([f"{folder}=0.5"], [str(folder), f"{tmp_path}=0"]):
        with pytest.raises(DatasetError, match="leave the parts of --data out"):
            recipe_for(None, given, fine_tuning=False, changes={"epochs": 5}, alone=True)


def test_an_unchanged_picture_is_what_the_tracker_sees(tmp_path: Path) -> None:
    """Against the preprocessing of frames, which knows nothing of windows."""
    folder = made.write_line_set(tmp_path / "own", [HorizonLine(12, -7.0)])
    picture = open_pictures(folder, None).training[0]
    sample = window_sample(picture, np.random.default_rng(0), SIZE, augmented=False)
    again = window_sample(picture, np.random.default_rng(9), SIZE, augmented=False)
    assert (sample.image == again.image).all()
    preprocess = Preprocessor(SIZE[0] * SIZE[1])
    box = preprocess(Frame.from_bgr(load(picture).image))
    assert preprocess.input.shape[2:] == SIZE
    batch_image = normalise(made.batch_of([sample]).images).numpy()
    assert np.abs(batch_image - preprocess.input).mean() < 0.05
    points = box.cell_centres(SIZE[0] // 4, SIZE[1] // 4)
    line = load(picture).line
    assert line is not None
    height, width = load(picture).image.shape[:2]
    distance = points @ np.array(line.normal) + line.signed_distance(0, 0, width, height)
    expected = np.clip(distance * box.scale / 4 + 0.5, 0, 1).reshape(sample.cover.shape)
    assert np.abs(sample.cover / 255 - expected).max() < 0.01


@pytest.mark.parametrize("sides", [(160.0,), (160.0, 90.0), (0.0, 96.0), (160.0, 4096.0)])
def test_an_input_that_no_net_takes_is_refused(sides: tuple[float, ...]) -> None:
    with pytest.raises(DatasetError, match="input_size is a width and a height, multiples of 32"):
        Recipe(input_size=sides)


def test_a_recipe_of_epochs_takes_no_samples_and_no_cache(tmp_path: Path, cli: RunCli) -> None:
    folder, recipe = made.write_line_set(tmp_path / "own", LINES), tmp_path / "recipe.toml"
    recipe.write_text(f'epochs = 2\nshares = {{}}\n[data]\n"{folder}" = 1.0\n')
    words = ("train", "--recipe", recipe, "--out", tmp_path / "out", "--alone", "--data", folder)
    for more, message in (
        (("--samples", "9"), "give one"),
        (("--cache", tmp_path / "c"), "leave --cache out"),
    ):
        done = cli(*words, *more)
        assert done.code == 2
        assert message in done.err


def test_own_data_alone_as_the_labs_trained(tmp_path: Path, cli: RunCli) -> None:
    folder, out = made.write_line_set(tmp_path / "own", LINES), tmp_path / "out"
    words = ("train", "--workers", "0", "--device", "cpu", "--net", "encoder-decoder", "--alone")
    options = ("--epochs", "2", "--no-augment", "--size", "160x96", "--batch", "6", "--evaluate-every", "1")
    done = cli(*words, "--data", folder, *options, "--out", out)
    assert done.code == 0, done.err
    card = find_model(name=str(out))
    assert (card.net, card.input_area_px) == ("encoder-decoder", 160 * 96)
    curves = read_log(out / "log.jsonl")
    assert curves["loss"][0] == curves["training pictures/loss"][0] == [1, 2, 3, 4]
    assert any(line.startswith("test, own/auc: ") for line in done.errors)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epochs", "2", "--data", "x"), "give --alone"),
        (("--epochs", "2", "--alone", "--data", "x", "--samples", "9"), "give one"),
        (("--alone",), "needs --data"),
    ],
)
def test_options_that_do_not_go_together(cli: RunCli, words: tuple[str, ...], message: str) -> None:
    done = cli("train", *words)
    assert done.code == 2
    assert message in done.err
