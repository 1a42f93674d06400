"""From a recipe to the samplers of its run: procedural ones, and those made of dataset folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from horizon_rt.datasets import is_held_out
from horizon_rt.errors import DatasetError
from horizon_rt.synth.panorama import Panorama, load_panoramas
from horizon_rt.synth.scene import SceneKind
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.samples import samplers as making
from horizon_rt.training.samples.collage import replace_side
from horizon_rt.training.samples.occlusion import hide_part
from horizon_rt.training.samples.pictures import Picture, balanced, named_datasets, open_pictures, thinned
from horizon_rt.training.samples.sample import InputShape, Sample, finish
from horizon_rt.training.samples.samplers import Sampler
from horizon_rt.training.samples.windows import Change, negative_crop, window_sample

__all__ = ["make_samplers", "samplers_of", "window_spread_deg"]

_PROCEDURAL: dict[str, Sampler] = {
    "rendered-sea": making.scenes_of(("sea", "sea", "storm")),
    "rendered-coast": making.scenes_of(("coast",)),
    "rendered-land": making.scenes_of(("fields", "fields", "town", "desert", "snow", "mountains")),
    "out-of-view": making.out_of_view,
    "closed-in": making.closed_in,
    "patchwork": making.patchwork,
    "room": making.room,
    "blank": making.blank,
}
# Rendered scenes that get something of a picture.
_KINDS: tuple[SceneKind, ...] = ("sea", "sea", "coast", "fields", "town", "mountains")
_GROUNDS = 40  # pictures of each dataset whose ground hides horizons, or that lend their sky or ground
# Spread of the roll given to windows of data whose larger tilts exceed the last number, and of other data.
_AIRBORNE_DEG, _LEVEL_DEG, _BANKED_DEG = 40.0, 15.0, 10.0


def make_samplers(recipe: Recipe) -> dict[str, tuple[Sampler, float]]:
    """Every sampler of the recipe with its share; shares add up to 1. Raises DatasetError."""
    made = {name: (_PROCEDURAL[name], share) for name, share in recipe.shares.items()}
    panoramas: list[Panorama] = []
    pictures: list[Picture] = []
    grounds: list[Picture] = []
    lined: list[Picture] = []
    for (name, path), share in zip(named_datasets(recipe.data), recipe.data.values(), strict=True):
        if (path / "panoramas.csv").is_file():
            some = _panoramas(path, recipe.split)
            panoramas += some
            made[name] = making.panorama_view_sample(some), share
        else:
            training = _training(path, recipe.split)
            pictures += training
            grounds += thinned([p for p in training if _shows_ground(p)], _GROUNDS)
            lined += thinned([p for p in training if p.label.ends is not None], _GROUNDS)
            made[name] = _windows(training, recipe.augmented), share
    if panoramas:
        made["real-sky"] = making.real_sky(panoramas, ("sea", "sea", "storm", "coast")), recipe.real_sky
    if grounds:
        made["covered"] = _covered(grounds), recipe.covered
    if lined:
        made["collage"] = _collage(lined), recipe.collage
    if pictures:
        made["beside"] = _beside(pictures), recipe.beside
    total = sum(share for _, share in made.values())
    if total <= 0:
        raise DatasetError("real-sky needs panoramas and beside labelled pictures; give them as data")
    return {name: (make, share / total) for name, (make, share) in made.items() if share > 0}


_made: tuple[Recipe, dict[str, tuple[Sampler, float]]] | None = None


def samplers_of(recipe: Recipe) -> dict[str, tuple[Sampler, float]]:
    """`make_samplers`, once in each process as long as the recipe stays the same."""
    global _made
    if _made is None or _made[0] != recipe:
        _made = recipe, make_samplers(recipe)
    return _made[1]


def _panoramas(folder: Path, split: Path | None) -> list[Panorama]:
    every = load_panoramas(folder)
    kept = [p for p in every if split is None or not is_held_out(split, folder.name, p.name)]
    if not kept:
        raise _nothing_left(folder, split)
    return kept


def _training(path: Path, split: Path | None) -> list[Picture]:
    training = open_pictures(path, split).training
    if not training:
        raise _nothing_left(path, split)
    return training


def _nothing_left(path: Path, split: Path | None) -> DatasetError:
    aside = "it is empty" if split is None else f"all are held out by {split}"
    return DatasetError(f"{path} has no picture for training: {aside}")


def _shows_ground(picture: Picture) -> bool:
    """Whether it is known where its ground is."""
    upright = picture.label.ends is not None and picture.label.sky_above
    return upright or picture.label.in_view is False


def window_spread_deg(pictures: Sequence[Picture]) -> float:
    """Of the roll that windows of pictures get: flights bank, and are turned farther than level cameras."""
    tilts = []
    for label in (picture.label for picture in pictures):
        if label.ends is not None:
            x1, y1, x2, y2 = label.ends
            tilts.append(float(np.degrees(np.arctan2(abs(y2 - y1), abs(x2 - x1)))))
        elif label.up is not None:
            tilts.append(abs(label.up.roll_deg))
    return _AIRBORNE_DEG if tilts and np.percentile(tilts, 90) > _BANKED_DEG else _LEVEL_DEG


def _windows(pictures: list[Picture], augmented: bool) -> Sampler:
    chances, spread_deg = balanced(pictures), window_spread_deg(pictures)

    def make(rng: np.random.Generator, size: InputShape) -> list[Sample]:
        chosen = pictures[int(rng.choice(len(pictures), p=chances))]
        return [window_sample(chosen, rng, size, spread_deg=spread_deg, augmented=augmented)]

    return make


def _changed(lined: list[Picture], change: Change) -> Sampler:
    """Rendered scenes, or windows of pictures with a line, with something of other pictures in them."""

    def make(rng: np.random.Generator, size: InputShape) -> list[Sample]:
        if lined and rng.random() < 0.5:
            chosen = lined[int(rng.integers(len(lined)))]
            return [window_sample(chosen, rng, size, spread_deg=_LEVEL_DEG, change=change)]
        image, plane = making.scene_picture(_KINDS, rng, size)
        changed, presence = change(image, plane, rng)
        return [finish(changed, plane, rng, presence=presence)]

    return make


def _covered(grounds: list[Picture]) -> Sampler:
    """Horizons behind the ground of other pictures."""
    lined = [picture for picture in grounds if picture.label.ends is not None]
    return _changed(lined, lambda image, plane, rng: hide_part(image, plane, grounds, rng))


def _collage(lined: list[Picture]) -> Sampler:
    """Horizons with the sky or the ground of other pictures."""
    return _changed(lined, lambda image, plane, rng: (replace_side(image, plane, lined, rng), None))


def _beside(pictures: list[Picture]) -> Sampler:
    def make(rng: np.random.Generator, size: InputShape) -> list[Sample]:
        sample = negative_crop(pictures[int(rng.integers(len(pictures)))], rng, size)
        return [] if sample is None else [sample]

    return make
