"""From a recipe to the ingredients of its run: procedural ones, and those made of dataset folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from horizon_rt.datasets import LabelledImage, data_root, is_set_aside, read_horizons
from horizon_rt.errors import DatasetError
from horizon_rt.synth.panorama import Panorama, load_panoramas
from horizon_rt.training import ingredients as making
from horizon_rt.training.ingredients import Ingredient
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.samples import Sample, Size
from horizon_rt.training.windows import beside_sample, labelled_sample

__all__ = ["dataset_folder", "labelled_pictures", "make_ingredients"]

_PROCEDURAL: dict[str, Ingredient] = {
    "rendered-sea": making.scenes_of(("sea", "sea", "storm")),
    "rendered-coast": making.scenes_of(("coast",)),
    "rendered-land": making.scenes_of(("fields", "fields", "town", "desert", "snow", "mountains")),
    "out-of-view": making.out_of_view,
    "closed-in": making.closed_in,
    "room": making.room,
    "blank": making.blank,
}
_AIRBORNE_DEG, _LEVEL_DEG = 40.0, 15.0  # spread of the roll given to windows


def dataset_folder(name: str) -> Path:
    """A dataset folder by path, or by name below the data root; raises DatasetError."""
    root = data_root()
    for folder in (Path(name), *([] if root is None else [root / name])):
        if folder.is_dir():
            return folder
    raise DatasetError(f"no dataset '{name}'; give the path of its folder, or set HORIZON_RT_DATA")


def labelled_pictures(folder: Path, split: Path | None, *, set_aside: bool = False) -> list[LabelledImage]:
    """The labelled pictures of a dataset that are for training, or those that are set aside."""
    return [
        labelled
        for labelled in read_horizons(folder)
        if (split is not None and is_set_aside(split, folder.name, labelled.path.name)) == set_aside
    ]


def make_ingredients(recipe: Recipe) -> dict[str, tuple[Ingredient, float]]:
    """Every ingredient of the recipe with its share; shares add up to 1. Raises DatasetError."""
    made = {name: (_PROCEDURAL[name], share) for name, share in recipe.shares.items()}
    panoramas: list[Panorama] = []
    pictures: list[LabelledImage] = []
    for name, share in recipe.data.items():
        folder = dataset_folder(name)
        if (folder / "panoramas.csv").is_file():
            panoramas += _panoramas(folder, recipe.split)
            made[folder.name] = making.panorama_view_sample(panoramas), share
        else:
            labelled = labelled_pictures(folder, recipe.split)
            if not labelled:
                raise DatasetError(
                    f"{folder} has no picture for training: all are set aside by {recipe.split}"
                )
            pictures += labelled
            made[folder.name] = _windows(labelled, _spread_deg(labelled)), share
    if panoramas:
        made["real-sky"] = making.real_sky(panoramas, ("sea", "sea", "storm", "coast")), recipe.real_sky
    if pictures:
        made["beside"] = _beside(pictures), recipe.beside
    total = sum(share for _, share in made.values())
    return {name: (make, share / total) for name, (make, share) in made.items() if share > 0}


def _panoramas(folder: Path, split: Path | None) -> list[Panorama]:
    every = load_panoramas(folder)
    return [p for p in every if split is None or not is_set_aside(split, folder.name, p.name)]


def _spread_deg(labelled: list[LabelledImage]) -> float:
    """Flights bank: their windows are turned farther than those of level cameras."""
    tilts = [
        abs(np.degrees(np.arctan2(y2 - y1, x2 - x1)))
        for x1, y1, x2, y2 in (picture.ends for picture in labelled if picture.ends is not None)
    ]
    return _AIRBORNE_DEG if tilts and np.percentile(tilts, 90) > 10 else _LEVEL_DEG


def _windows(labelled: list[LabelledImage], spread_deg: float) -> Ingredient:
    def make(rng: np.random.Generator, size: Size) -> list[Sample]:
        chosen = labelled[int(rng.integers(len(labelled)))]
        return [labelled_sample(chosen, rng, size, spread_deg=spread_deg)]

    return make


def _beside(labelled: list[LabelledImage]) -> Ingredient:
    def make(rng: np.random.Generator, size: Size) -> list[Sample]:
        sample = beside_sample(labelled[int(rng.integers(len(labelled)))], rng, size)
        return [] if sample is None else [sample]

    return make
