"""Dataset folders of this project.

NAME/dataset.toml   name, scene (sea|land|air|…), optional hfov_deg, or in [lens] (that of a video)
NAME/horizon.csv    file,x1,y1,x2,y2,sky_side and optional scene; pictures in images/, masks in masks/
NAME/attitude.csv   frame,time_s,roll_deg,pitch_deg of video/clip.mp4
NAME/masks/         255 above the horizon, one for each picture of images/; or with [classes] in dataset.toml,
                    NAME = [[R, G, B], …], the colours of several classes, the first of which is the sky
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from horizon_rt.datasets.base import (
    NO_CLASS,
    Colours,
    Dataset,
    Example,
    Label,
    MaskFile,
    PictureSet,
    Recording,
    VideoSet,
)
from horizon_rt.datasets.masks import mask_examples
from horizon_rt.datasets.text import LARGEST_ANGLES, finite, parse_rows, read_toml
from horizon_rt.errors import DatasetError
from horizon_rt.geometry import UpVector

__all__ = ["LabelledImage", "open_folder", "read_classes", "read_horizons"]

_SIDES = {"above": True, "below": False}


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A picture with the end points of its horizon in px, or None where it shows no horizon.

    `scene` is that of the picture, where its table has one.
    """

    path: Path
    ends: tuple[float, float, float, float] | None
    sky_above: bool = True
    scene: str | None = None


def read_horizons(folder: Path) -> list[LabelledImage]:
    """The labelled pictures of a dataset folder, in the order of its table; raises DatasetError."""
    table = folder / "horizon.csv"
    if not table.is_file():
        raise DatasetError(f"{folder} is no line dataset: it has no horizon.csv")
    return parse_rows(table, lambda row: _labelled(folder, row))


def _labelled(folder: Path, row: dict[str, Any]) -> LabelledImage:
    path = folder / "images" / row["file"]
    scene = (row.get("scene") or "").strip() or None
    values = [row[name].strip() for name in ("x1", "y1", "x2", "y2")]
    if not any(values):
        return LabelledImage(path, None, scene=scene)
    return LabelledImage(path, _ends(values), _SIDES[row["sky_side"].strip()], scene)


def _ends(values: list[str]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (finite(value) for value in values)
    if (x1, y1) == (x2, y2):
        raise ValueError(f"two distinct points are needed, got {', '.join(values)}")
    return x1, y1, x2, y2


def read_attitudes(table: Path) -> dict[int, Label]:
    """Labels by frame index of an attitude.csv; rows without angles are left out. Raises DatasetError."""
    return {frame: label for frame, label in parse_rows(table, _attitude) if label is not None}


def _attitude(row: dict[str, Any]) -> tuple[int, Label | None]:
    frame = int(row["frame"])
    if not (row["roll_deg"].strip() or row["pitch_deg"].strip()):
        return frame, None
    angles = {name: finite(row[name], largest) for name, largest in LARGEST_ANGLES.items()}
    return frame, Label(up=UpVector.from_roll_pitch(angles["roll_deg"], angles["pitch_deg"]))


def open_folder(folder: Path) -> Dataset:
    """A dataset folder of this project, whatever truth it has; raises DatasetError."""
    about = read_toml(folder / "dataset.toml") if (folder / "dataset.toml").exists() else {}
    name, scene = (str(about.get(key, default)) for key, default in (("name", folder.name), ("scene", "any")))
    if (folder / "horizon.csv").exists():
        return PictureSet(_line_examples(folder, scene), name=name, truth="line")
    if (folder / "attitude.csv").exists():
        labels = read_attitudes(folder / "attitude.csv")
        clip = Recording(path=_video(folder), labels=labels)
        lens = about.get("lens")
        hfov_deg = about.get("hfov_deg", lens.get("hfov_deg") if isinstance(lens, dict) else None)
        return _attitude_set(clip, folder, name, scene, hfov_deg)
    if (folder / "masks").is_dir():
        classes = tuple(read_classes(folder).values())
        examples = mask_examples(
            folder / "images",
            folder / "masks",
            scene=scene,
            sky=classes[0] if classes else (),
            classes=classes,
        )
        return PictureSet(examples, name=name, truth="mask")
    raise DatasetError(f"{folder} is no dataset: it has no horizon.csv, no attitude.csv and no masks/")


def read_classes(folder: Path) -> dict[str, Colours]:
    """Colours of the classes of a dataset's masks by name, in their order; empty where they have none.

    Raises DatasetError.
    """
    about = read_toml(folder / "dataset.toml") if (folder / "dataset.toml").exists() else {}
    try:
        found = {name: tuple(map(_colour, colours)) for name, colours in about.get("classes", {}).items()}
        if found and not (2 <= len(found) < NO_CLASS and all(found.values())):
            raise ValueError(f"2 classes or more, each with a colour, got {', '.join(found)}")
    except (AttributeError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{folder / 'dataset.toml'}: [classes] are NAME = [[R, G, B], …]: {error}"
        ) from error
    return found


def _colour(given: Any) -> tuple[int, int, int]:
    values = given if isinstance(given, list) else [given]
    if len(values) != 3 or not all(type(value) is int and 0 <= value <= 255 for value in values):
        raise ValueError(f"a colour is three numbers 0..255, got {given}")
    r, g, b = values
    return r, g, b


def _line_examples(folder: Path, scene: str) -> list[Example]:
    examples, classes = [], tuple(read_classes(folder).values())
    for image in read_horizons(folder):
        mask = folder / "masks" / f"{image.path.stem}.png"
        known = MaskFile(path=mask, sky=classes[0] if classes else (), classes=classes)
        label = Label(
            in_view=image.ends is not None,
            ends=image.ends,
            sky_above=image.sky_above,
            mask=known if os.path.exists(mask) else None,
        )
        examples.append(Example(path=image.path, label=label, scene=image.scene or scene))
    return examples


def _video(folder: Path) -> Path:
    found = sorted((folder / "video").glob("clip.*"))
    if len(found) != 1:
        raise DatasetError(f"{folder}/video must hold one clip, such as clip.mp4; it holds {len(found)}")
    return found[0]


def _attitude_set(clip: Recording, folder: Path, name: str, scene: str, hfov_deg: Any) -> VideoSet:
    if hfov_deg is None:
        return VideoSet([clip], name=name, truth="attitude", scene=scene)
    from horizon_rt.camera import Camera
    from horizon_rt.sources import open_source

    if not (isinstance(hfov_deg, (int, float)) and 0 < hfov_deg < 180):
        raise DatasetError(f"{folder / 'dataset.toml'}: hfov_deg lies between 0 and 180, got {hfov_deg!r}")
    with open_source(clip.path) as source:
        camera = Camera.from_hfov(source.info.width, source.info.height, hfov_deg)
    return VideoSet([clip], name=name, truth="attitude", scene=scene, camera=camera)
