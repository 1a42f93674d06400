"""A training run by what a user can ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Literal

import torch

from horizon_rt.datasets.folder import read_classes
from horizon_rt.errors import DatasetError, OptionsError, TrainingError
from horizon_rt.system.processor import NO_BFLOAT16, has_bfloat16
from horizon_rt.training.batches import EpochBatches
from horizon_rt.training.loop import Precision, Settings
from horizon_rt.training.recipe import Recipe, read_recipe
from horizon_rt.training.run import EVALUATED, TrainingJob
from horizon_rt.training.samples.pictures import named_datasets

__all__ = ["classes_of", "make_job", "recipe_for"]

# A short run that starts from trained weights, and the part of it that the user's own data gets.
_FINE_TUNING = {
    "samples": 6000,
    "rate": 1.5e-4,
    "warm_up": 0.1,
    "average": 0.98,
    "frozen_norm": True,
    "anchor": 30.0,
}
# The anchor was measured with Adam, whose steps are as long as the rate; other steps have no such length.
_UNANCHORED = ("sgd", "nesterov")
_OWN_SHARE = 1.0
# Samplers that mix something rendered, or of other pictures, into the data.
_RENDERED = ("real_sky", "covered", "collage", "beside")


def recipe_for(
    file: Path | None,
    data: list[str],
    *,
    fine_tuning: bool,
    changes: Mapping[str, object],
    alone: bool = False,
    classes: bool = False,
) -> Recipe:
    """The recipe of a file, or the usual one; with datasets (PATH or PATH=PART) and changed fields.

    `alone`, of these datasets and no others, without what is rendered. With epochs the number of samples is
    that of so many passes; with `classes` those of the datasets are told apart. Raises DatasetError, and
    OptionsError for passes with what they do not go with.
    """
    recipe = read_recipe(file) if file is not None else Recipe()
    if file is None and fine_tuning:
        free = {"anchor": 0.0} if changes.get("optimiser") in _UNANCHORED else {}
        recipe = replace(recipe, **(_FINE_TUNING | free))  # type: ignore[arg-type]
    own = dict(_part(text) for text in data)
    known = {f.name for f in fields(Recipe)}
    given = {name: value for name, value in changes.items() if value is not None and name in known}
    if alone:
        recipe = replace(recipe, data=own, **dict.fromkeys(_RENDERED, 0.0), shares={})  # type: ignore[arg-type]
    recipe = replace(recipe, data=recipe.data | own, **given)  # type: ignore[arg-type]
    if classes:
        recipe = replace(recipe, classes=classes_of(recipe.data))
    if not recipe.epochs:
        return recipe
    if "samples" in given:
        raise OptionsError("epochs and --samples both say how long to train; give one")
    passes = EpochBatches(recipe)
    return replace(recipe, samples=passes.steps * passes.size, batch=passes.size)


def _part(text: str) -> tuple[str, float]:
    path, _, part = text.rpartition("=")
    try:
        return (path, float(part)) if path and not Path(text).exists() else (text, _OWN_SHARE)
    except ValueError:
        raise DatasetError(f"--data takes PATH or PATH=PART, such as footage=0.5, got '{text}'") from None


def classes_of(names: Iterable[str]) -> tuple[str, ...]:
    """The classes of the masks of datasets; raises DatasetError where none has such, or two have others."""
    found = {tuple(read_classes(path)) for _, path in named_datasets(names)} - {()}
    if len(found) != 1:
        what = (
            "no dataset has [classes] in its dataset.toml" if not found else "the datasets have other classes"
        )
        raise DatasetError(f"{what}; one list for all is needed")
    return found.pop()


def make_job(
    *,
    out: Path,
    name: str,
    data: list[str],
    init: str | None,
    recipe_file: Path | None,
    changes: Mapping[str, object],
    device: Literal["auto", "cpu", "cuda"],
    precision: Precision | None,
    evaluate_every: int | None,
    patience: int,
    resume: bool,
    workers: int,
    threads: int,
    cache: Path | None,
    cache_samples: int,
    tensorboard: bool,
    alone: bool = False,
    evaluated: int = EVALUATED,
    calibrated: bool = True,
    classes: bool = False,
) -> TrainingJob:
    """A job from what a user can say; raises DatasetError, OptionsError, or TrainingError where there is no
    such device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("no CUDA device answers; use --device cpu")
    where: Literal["cpu", "cuda"] = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    if precision == "bfloat16" and where == "cpu" and not has_bfloat16():
        raise TrainingError(f"{NO_BFLOAT16}; leave out --precision bfloat16")
    recipe = recipe_for(
        recipe_file, data, fine_tuning=init is not None, changes=changes, alone=alone, classes=classes
    )
    if recipe.epochs and cache is not None:
        raise OptionsError("epochs take the pictures themselves; leave --cache out")
    settings = Settings(
        folder=out,
        device=where,
        precision=precision or ("float16" if where == "cuda" else "float32"),
        threads=threads,
        workers=workers,
        evaluate_every=min(evaluate_every or max(1, min(250, recipe.steps // 8)), recipe.steps),
        patience=patience,
        resume=resume,
    )
    return TrainingJob(
        recipe=recipe,
        settings=settings,
        name=name,
        init=init,
        cache=cache,
        cache_samples=cache_samples,
        tensorboard=tensorboard,
        evaluated=evaluated,
        calibrated=calibrated,
    )
