"""Pictures with truth for training and validation, from datasets of every format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.datasets import Dataset, Label, SplitPart, is_split, open_dataset, split_part
from horizon_rt.datasets.base import PictureSet
from horizon_rt.datasets.truth import resolve
from horizon_rt.errors import DatasetError, SourceError
from horizon_rt.geometry import HorizonLine
from horizon_rt.imaging.picture import read_picture
from horizon_rt.system.paths import data_root
from horizon_rt.training.recipe import MADE_OF_DATA, PROCEDURAL

__all__ = [
    "Loaded",
    "Parts",
    "Picture",
    "PictureSets",
    "balanced",
    "held_out_names",
    "load",
    "load_small",
    "named_datasets",
    "open_pictures",
    "picture_sets",
    "thinned",
]

_KEPT_PX = 800  # the longer side of a picture that is kept in memory
_CLIP_FRAMES = 200  # of a video, evenly spread
_WITHOUT = 0.4
_BLOCK = 0.2  # the last part of a dataset is for validation where no split says what is held out


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture file, or a frame of a video held as `image` (BGR), with its label."""

    path: Path
    label: Label
    camera: Camera | None = None
    image: NDArray[np.uint8] | None = field(default=None, repr=False)


class Loaded(NamedTuple):
    """A picture (h, w, 3) BGR uint8 with its truth; `sky` (h, w) uint8 is 255 above the horizon.

    `line` and `sky` are None where there is none of it. `seen` says whether a horizon is in view, None where
    nobody said. `classes` (h, w) uint8 are numbers of classes, `NO_CLASS` where none is known. `counted`
    (h, w) uint8 is 255 where the mask says anything, None where it does everywhere.
    """

    image: NDArray[np.uint8]
    line: HorizonLine | None
    sky: NDArray[np.uint8] | None
    seen: bool | None
    classes: NDArray[np.uint8] | None = None
    counted: NDArray[np.uint8] | None = None


def load(picture: Picture) -> Loaded:
    """Read a picture at full size; raises DatasetError."""
    image = picture.image if picture.image is not None else _read(picture.path)
    height, width = image.shape[:2]
    camera = picture.camera or Camera.assumed(width, height)
    truth = resolve(picture.label, camera.for_size(width, height))
    sky = counted = None
    if truth.line is None and truth.mask is not None:
        sky, counted = (
            None if part is None else part.astype(np.uint8) * np.uint8(255)
            for part in truth.mask.read(width, height)
        )
    classes = None if truth.mask is None else truth.mask.read_classes(width, height)
    return Loaded(image, truth.line, sky, truth.in_view, classes, counted)


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        return read_picture(path, cv2.IMREAD_COLOR)
    except SourceError as error:
        raise DatasetError(str(error)) from error


@lru_cache(maxsize=600)
def load_small(picture: Picture) -> Loaded:
    """A picture no larger than training windows need, kept in memory."""
    loaded = load(picture)
    image, line, sky, seen, classes, counted = loaded
    scale = min(1.0, _KEPT_PX / max(image.shape[:2]))
    if scale == 1:
        return loaded
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    small, sky, counted = (
        None if part is None else np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        for part in (image, sky, counted)
    )
    assert small is not None
    if classes is not None:
        classes = np.asarray(cv2.resize(classes, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    line = line and HorizonLine(line.angle_deg, line.offset_px * scale)
    return Loaded(small, line, sky, seen, classes, counted)


def dataset_path(name: str) -> Path:
    """A dataset by path, or by name below the data root; raises DatasetError."""
    root = data_root()
    for path in (Path(name), *([] if root is None else [root / name])):
        if path.exists():
            return path
    raise DatasetError(f"no dataset '{name}'; give the path of its folder, or set HORIZON_RT_DATA")


def named_datasets(names: Iterable[str]) -> list[tuple[str, Path]]:
    """What to call each dataset, and its path; raises DatasetError.

    The last part of the path without suffix, or all of the path where that is taken.
    """
    paths = [dataset_path(name) for name in names]
    taken = Counter([*PROCEDURAL, *MADE_OF_DATA, *(path.stem for path in paths)])
    return [(path.stem if taken[path.stem] == 1 else str(path.resolve()), path) for path in paths]


class Parts(NamedTuple):
    """The pictures of a dataset by what they are for."""

    training: list[Picture]
    validation: list[Picture]
    test: list[Picture]

    @property
    def held_out(self) -> list[Picture]:
        """Those that are not trained on."""
        return [*self.validation, *self.test]


def open_pictures(path: Path, split: Path | None) -> Parts:
    """The pictures of a dataset for training, validation and test; raises DatasetError.

    By `split`; where it does not name the dataset the last fifth is held out, a block of time, since
    neighbours are nearly equal: the first half of it is for validation, the second for test.
    """
    dataset = open_dataset(path)
    pictures = _pictures(dataset)
    if split is None or not is_split(split, dataset.name):
        cut = max(1, round((1 - _BLOCK) * len(pictures)))
        middle = cut + (len(pictures) - cut + 1) // 2
        return Parts(pictures[:cut], pictures[cut:middle], pictures[middle:])
    found: dict[SplitPart, list[Picture]] = {"training": [], "validation": [], "test": []}
    for picture in pictures:
        found[split_part(split, dataset.name, picture.path.name)].append(picture)
    return Parts(**found)


def _pictures(dataset: Dataset) -> list[Picture]:
    if isinstance(dataset, PictureSet):
        known = [e for e in dataset.examples if e.label is not None]
        return [Picture(e.path, e.label, dataset.camera) for e in known if e.label is not None]
    step, pictures = max(1, -(-dataset.count() // _CLIP_FRAMES)), []
    labelled = (frame for frame in dataset.frames() if frame.label is not None)
    for index, frame in enumerate(labelled):
        if index % step == 0 and frame.label is not None:
            image = frame.frame.to_bgr()
            pictures.append(Picture(Path(frame.file), frame.label, dataset.camera, image.copy()))
    return pictures


def held_out_names(names: Iterable[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Files that are held out where no split says so, and those of them for test.

    By the names of the datasets of pictures; none where names are not enough to tell them.
    """
    found: dict[str, list[str]] = {}
    test: dict[str, list[str]] = {}
    for _, path in named_datasets(names):
        dataset = None if (path / "panoramas.csv").is_file() else open_dataset(path)
        if not isinstance(dataset, PictureSet):
            continue
        trained, watched, last = ({p.path.name for p in part} for part in open_pictures(path, None))
        if dataset.name in found or trained & (watched | last) or watched & last:
            return {}, {}  # names cannot tell what is held out from what is not
        found[dataset.name], test[dataset.name] = sorted(watched | last), sorted(last)
    return found, test


class PictureSets(NamedTuple):
    """Pictures by what they are for, and by dataset; without datasets that have none."""

    training: dict[str, list[Picture]]
    validation: dict[str, list[Picture]]
    test: dict[str, list[Picture]]


def picture_sets(
    names: Iterable[str], split: Path | None, count: int = 2**31, *, has_test: bool = True
) -> PictureSets:
    """At most `count` pictures of each part of each dataset, evenly spread; raises DatasetError.

    Without `has_test`, what is for test is for validation.
    """
    parts = {
        name: open_pictures(path, split)
        for name, path in named_datasets(names)
        if not (path / "panoramas.csv").is_file()
    }
    if not has_test:
        parts = {name: Parts(part.training, part.held_out, []) for name, part in parts.items()}
    return PictureSets(
        *(
            {name: thinned(part[index], count) for name, part in parts.items() if part[index]}
            for index in range(len(Parts._fields))
        )
    )


def balanced(pictures: Sequence[Picture]) -> NDArray[np.float64]:
    """The chance of each picture to be drawn, (n,), summing up to 1.

    Sources (the first part of a file name) count by the square root of their pictures, and pictures without a
    horizon together at most `_WITHOUT`, so that no large source decides what is learnt and the rest teaches
    no refusal.
    """
    kinds = [(_source(picture), picture.label.in_view is False) for picture in pictures]
    count = Counter(kinds)
    chances = np.array([count[kind] ** -0.5 for kind in kinds])
    without = np.array([refused for _, refused in kinds])
    share = chances[without].sum() / chances.sum()
    if _WITHOUT < share < 1:
        chances[without] *= _WITHOUT / share
        chances[~without] *= (1 - _WITHOUT) / (1 - share)
    return np.asarray(chances / chances.sum())


def _source(picture: Picture) -> str:
    return re.split("__|_", picture.path.name, maxsplit=1)[0]


def thinned(pictures: Sequence[Picture], count: int) -> list[Picture]:
    """At most `count` pictures, evenly spread."""
    if len(pictures) <= count:
        return list(pictures)
    return [pictures[int(i)] for i in np.linspace(0, len(pictures) - 1, count)]
