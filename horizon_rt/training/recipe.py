"""What a training run is made of: net, samplers, loss, optimiser, schedule; a TOML file holds it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from horizon_rt.datasets.text import read_text, read_toml
from horizon_rt.errors import DatasetError
from horizon_rt.models.manifest import class_names

__all__ = ["MADE_OF_DATA", "PRESENCE_WEIGHT", "PROCEDURAL", "Recipe", "read_recipe"]

# Samplers that need no data, and their shares of a run without any.
PROCEDURAL = {
    "rendered-sea": 0.3,
    "rendered-coast": 0.2,
    "rendered-land": 0.25,
    "out-of-view": 0.12,
    "closed-in": 0.05,
    "patchwork": 0.02,
    "room": 0.04,
    "blank": 0.04,
}
# Further samplers of panoramas and of pictures: `real_sky`, `covered`, `collage` and `beside` of a recipe.
MADE_OF_DATA = ("real-sky", "covered", "collage", "beside")
PRESENCE_WEIGHT = 0.15
"""Of the loss of presence beside that of the mask, in training and in validation."""
_LARGEST = 1e12
_LEAST_AREA, _MOST_AREA = 0.25, 4.0
_SIDE, _LONGEST = 32, 2048  # of a net input, px
_MOST = {"warm_up": 1.0, "average": 1.0, "batch": 65536, "teacher_share": 1.0, "kept": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train a net.

    `shares` gives the parts of the samplers without data (`PROCEDURAL`), `data` those of dataset folders
    (a path, or a name below the data root), `real_sky` that of scenes under the skies of the panoramas,
    `covered` that of pictures partly hidden by the ground of others, `collage` that of pictures with the sky
    or the ground of others, and `beside` that of labelled pictures cut to their sky or ground alone. Parts
    need not add up to 1.
    `split` names the files of the datasets that are kept for validation and for test. `warm_up` is a share of
    the run, `average` the decay of the mean of the weights that is kept. `frozen_norm` keeps the means and
    variances of batch norm as they are, for a net that has good ones already. `pretrained` starts the encoder
    of the net lite0 from ImageNet, unless the run starts from a model, and keeps its statistics and first
    stages.
    `input_areas` are the sizes of the pictures, each as likely, as multiples of the area that a net usually
    gets; a batch of larger pictures has fewer of them.
    `teacher` is a model, by name or path, whose answers make up `teacher_share` of what the net learns, and
    all of it where a sample has no truth; `student_areas` are the sizes in which the net gets a sample, each
    as likely, as multiples of that in which the teacher gets it.
    `input_size` (width, height) takes the place of the usual shapes. Not `augmented`, a picture of a dataset
    is shown as the tracker sees it, whole, and nothing is changed in it. With `epochs` the run goes through
    the pictures of its datasets so many times, in random order, each once a time, and `samples` follows; the
    parts of `data` are then 1.
    `anchor` draws the weights back to those that the run started from: with each step by this share of the
    rate of their distance; anchor times rate lies below 1. `kept` is the share of the starting weights in
    those that come out.
    `classes` names what masks of several classes tell apart (`[classes]` of a dataset), the first of which
    lies above the horizon; the net gets a score for each.
    """

    net: str = "small"
    loss: str = "edge-bce"
    presence_weight: float = PRESENCE_WEIGHT
    optimiser: str = "adamw"
    rate: float = 2e-3
    weight_decay: float = 0.02
    schedule: str = "cosine"
    warm_up: float = 0.03
    samples: int = 400_000
    batch: int = 32
    average: float = 0.998
    frozen_norm: bool = False
    pretrained: bool = False
    seed: int = 0
    shares: dict[str, float] = field(default_factory=lambda: dict(PROCEDURAL))
    data: dict[str, float] = field(default_factory=dict)
    real_sky: float = 0.0
    covered: float = 0.0
    collage: float = 0.0
    beside: float = 0.0
    split: Path | None = None
    input_areas: tuple[float, ...] = (1.0,)
    teacher: str = ""
    teacher_share: float = 0.5
    student_areas: tuple[float, ...] = (1.0,)
    input_size: tuple[float, ...] = ()
    augmented: bool = True
    epochs: int = 0
    anchor: float = 0.0
    kept: float = 0.0
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises DatasetError for a value that is of another type or out of range."""
        self._check_values()
        unknown = self.shares.keys() - PROCEDURAL.keys()
        if unknown:
            raise DatasetError(f"no sampler '{sorted(unknown)[0]}'; there are: {', '.join(PROCEDURAL)}")
        parts = [*self.shares.values(), *self.data.values(), *self._made_of_data().values()]
        if sum(parts) <= 0:
            raise DatasetError("the parts of a recipe are all 0; give shares or data")
        for name in ("input_areas", "student_areas"):
            areas = getattr(self, name)
            if not areas or not all(_LEAST_AREA <= a <= _MOST_AREA for a in areas):
                raise DatasetError(f"{name} lie between {_LEAST_AREA:g} and {_MOST_AREA:g}")
        sides = self.input_size
        if sides and not (len(sides) == 2 and all(s in range(_SIDE, _LONGEST + 1, _SIDE) for s in sides)):
            raise DatasetError(f"input_size is a width and a height, multiples of {_SIDE}, got {sides}")
        if len(self.classes) == 1 or (self.classes and self.teacher):
            raise DatasetError("classes are two or more, and learn from no teacher")
        try:
            class_names(list(self.classes))  # or the model could not be written after the training
        except ValueError as error:
            raise DatasetError(str(error)) from error
        if self.anchor * self.rate >= 1:
            raise DatasetError(
                f"anchor times rate lies below 1, got {self.anchor:g} times {self.rate:g}; lower the rate or "
                "the anchor (--anchor 0 turns it off)"
            )
        if self.epochs and (sum(self.shares.values()) > 0 or not self.data):
            raise DatasetError("epochs are passes over datasets alone; give data, and no shares")
        if self.samples < 1 or self.batch < 1:
            raise DatasetError(f"samples and batch are 1 or more, got {self.samples} and {self.batch}")

    def _check_values(self) -> None:
        hints = get_type_hints(Recipe)
        for f in fields(self):
            value = getattr(self, f.name)
            if not _is_a(value, hints[f.name]):
                raise DatasetError(f"{f.name} of a recipe is {f.type}, got {value!r}")
            if isinstance(value, dict):
                for name, part in value.items():
                    _check_number(f"the part of {name}", part, _LARGEST)
            elif isinstance(value, (int, float)):
                _check_number(f.name, value, _MOST.get(f.name, _LARGEST))

    def material(self) -> dict[str, object]:
        """What the samples are made of, as JSON holds it; the split by its text."""
        split = None if self.split is None else read_text(self.split)
        parts = {"shares": self.shares, "data": self.data, **self._made_of_data()}
        shapes = {"input_areas": list(self.input_areas), "input_size": list(self.input_size)}
        return {**parts, "seed": self.seed, "split": split, "augmented": self.augmented, **shapes}

    def _made_of_data(self) -> dict[str, float]:
        return {
            "real_sky": self.real_sky,
            "covered": self.covered,
            "collage": self.collage,
            "beside": self.beside,
        }

    @property
    def steps(self) -> int:
        """Batches of the run."""
        return max(1, self.samples // self.batch)


def _is_a(value: object, hint: Any) -> bool:
    """Whether a value of a TOML file can stand for a field of this type; an integer can for a float."""
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_is_a(part, get_args(hint)[0]) for part in value)
    kinds = {float: int | float}.get(hint, dict if get_origin(hint) is dict else hint)
    return isinstance(value, kinds) and isinstance(value, bool) == (hint is bool)


def _check_number(name: str, value: object, most: float) -> None:
    if not (isinstance(value, (int, float)) and 0 <= value <= most):
        raise DatasetError(f"{name} lies between 0 and {most:g}, got {value!r}")


def read_recipe(path: Path) -> Recipe:
    """A recipe from a TOML file whose keys are the fields of `Recipe`; raises DatasetError."""
    table = read_toml(path)
    try:
        lists = {name: tuple(value) for name, value in table.items() if isinstance(value, list)}
        table |= lists
        if "split" in table:
            table["split"] = path.parent / table["split"]
        return Recipe(**table)
    except (DatasetError, TypeError) as error:
        names = ", ".join(f.name for f in fields(Recipe))
        raise DatasetError(f"{path} is no usable recipe: {error}; its keys are {names}") from error
