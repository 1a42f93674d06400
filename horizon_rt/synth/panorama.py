"""Perspective views of levelled 360° photographs, with exact attitude."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import DatasetError
from horizon_rt.geometry import UpVector
from horizon_rt.synth.render import world_axes

__all__ = ["Panorama", "load_panoramas", "panorama_view"]


@dataclass(frozen=True, slots=True)
class Panorama:
    """An equirectangular picture whose middle row is the horizon; uint8 RGB (height, 2·height, 3)."""

    name: str
    terrain: str
    is_open: bool
    image: NDArray[np.uint8]


def load_panoramas(folder: Path) -> list[Panorama]:
    """Read a folder with panoramas.csv (file, terrain, horizon = open|occluded); raises DatasetError."""
    table = folder / "panoramas.csv"
    if not table.is_file():
        raise DatasetError(f"{folder} has no panoramas.csv")
    with table.open(newline="") as rows:
        listed = list(csv.DictReader(rows))
    try:
        return [_load(folder, row) for row in listed]
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{table} needs the columns file, terrain and horizon: {error!r}") from error


def _load(folder: Path, row: dict[str, str]) -> Panorama:
    image = cv2.imread(str(folder / "images" / row["file"]), cv2.IMREAD_COLOR)
    if image is None:
        raise DatasetError(f"cannot read {folder / 'images' / row['file']}")
    rgb = np.ascontiguousarray(image[:, :, ::-1])
    return Panorama(Path(row["file"]).stem, row["terrain"], row["horizon"] == "open", rgb)


def panorama_view(
    panorama: Panorama, rays: NDArray[np.float32], up: UpVector, *, heading_deg: float = 0.0
) -> NDArray[np.float32]:
    """The view along `rays` (height, width, 3) of a camera with this up vector; float32 RGB 0..1."""
    height, width = panorama.image.shape[:2]
    world = rays @ world_axes(up, heading_deg).T
    azimuth = np.arctan2(world[..., 0], world[..., 2])
    elevation = np.arcsin(np.clip(world[..., 1], -1, 1))
    x = (azimuth / (2 * np.pi) + 0.5) * width - 0.5
    y = (0.5 - elevation / np.pi) * height - 0.5
    wrapped = np.concatenate([panorama.image[:, -2:], panorama.image, panorama.image[:, :2]], axis=1)
    view = cv2.remap(
        wrapped,
        (x + 2).astype(np.float32),
        y.astype(np.float32),
        cv2.INTER_LINEAR,
        None,
        cv2.BORDER_REPLICATE,
    )
    return view.astype(np.float32) / np.float32(255)
