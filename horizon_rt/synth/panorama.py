"""Perspective views of levelled 360° photographs, with exact attitude."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import DatasetError, SourceError
from horizon_rt.geometry import UpVector
from horizon_rt.imaging.picture import read_picture
from horizon_rt.imaging.suffixes import IMAGE_SUFFIXES
from horizon_rt.synth.render import without_blind, world_axes
from horizon_rt.system.kernels import Array, kernel

__all__ = ["Panorama", "find_panoramas", "load_panoramas", "panorama_view", "read_panorama"]


_NOT_LEVEL = "not levelled"


@dataclass(frozen=True, slots=True)
class Panorama:
    """An equirectangular picture whose middle row is the horizon, but where it is not level; uint8 RGB
    (height, 2·height, 3).
    """

    name: str
    terrain: str
    is_open: bool
    image: NDArray[np.uint8]
    is_level: bool = True


def load_panoramas(folder: Path) -> list[Panorama]:
    """Read a folder with panoramas.csv (file, terrain, horizon = open|occluded, and optionally level, which
    begins with 'not levelled' where it is not); raises DatasetError.
    """
    found = []
    for row in _listed(folder, ("file", "terrain", "horizon")):
        path, is_open = folder / "images" / row["file"], row["horizon"] == "open"
        panorama = read_panorama(path, terrain=row["terrain"], is_open=is_open)
        is_level = not (row.get("level") or "").startswith(_NOT_LEVEL)
        found.append(replace(panorama, is_level=is_level))
    return found


def find_panoramas(path: Path) -> tuple[Path, ...]:
    """A panorama file, the pictures of a folder, or those of a panorama dataset whose horizon is open.

    Raises DatasetError where there is none.
    """
    if path.is_file():
        return (path,)
    if (path / "panoramas.csv").is_file():
        found = [
            path / "images" / row["file"]
            for row in _listed(path, ("file", "horizon"))
            if row["horizon"] == "open"
        ]
    else:
        try:
            found = sorted(path.iterdir())
        except OSError as error:
            raise DatasetError(f"cannot look for panoramas in {path}: {error}") from error
    pictures = tuple(p for p in found if p.suffix.lower() in IMAGE_SUFFIXES)
    if not pictures:
        raise DatasetError(
            f"no panoramas in {path}; give a levelled equirectangular picture or a folder of them"
        )
    return pictures


def _listed(folder: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    table = folder / "panoramas.csv"
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except FileNotFoundError as error:
        raise DatasetError(f"{folder} has no panoramas.csv") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"cannot look for panoramas in {folder}: {error}") from error
    if any(not row.get(name) for row in rows for name in columns):
        raise DatasetError(
            f"cannot look for panoramas in {folder}: {table.name} needs the columns {', '.join(columns)}"
        )
    return rows


@lru_cache(maxsize=4)
def read_panorama(path: Path, *, terrain: str = "", is_open: bool = True) -> Panorama:
    """A levelled equirectangular picture, twice as wide as high; raises DatasetError for any other."""
    try:
        image = read_picture(path, cv2.IMREAD_COLOR)
    except SourceError as error:
        raise DatasetError(str(error)) from error
    height, width = image.shape[:2]
    if abs(width - 2 * height) > 0.01 * width:
        raise DatasetError(
            f"{path} is {width}x{height}; an equirectangular panorama is twice as wide as high"
        )
    return Panorama(path.stem, terrain, is_open, np.ascontiguousarray(image[:, :, ::-1]))


def panorama_view(
    panorama: Panorama,
    rays: NDArray[np.float32],
    up: UpVector,
    *,
    heading_deg: float = 0.0,
    lift_deg: float = 0.0,
) -> NDArray[np.float32]:
    """The view along `rays` (height, width, 3) of a camera with this up vector; float32 RGB 0..1.

    `lift_deg` squeezes the sky: the horizon shows what stands at this elevation, the zenith stays. Thus the
    sky over a skyline becomes one that reaches down to the horizon.
    """
    rows, columns = panorama.image.shape[:2]
    rays, blind = without_blind(rays)
    x, y = np.empty(rays.shape[:2], np.float32), np.empty(rays.shape[:2], np.float32)
    lift = math.radians(lift_deg)
    _equirectangular(rays, world_axes(up, heading_deg), lift, rows, columns, x, y)
    view = cv2.remap(panorama.image, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
    picture = view.astype(np.float32) / np.float32(255)
    if blind is not None:
        picture[blind] = 0
    return picture


@kernel()
def _equirectangular(
    rays: Array, axes: Array, lift: float, rows: int, columns: int, out_x: Array, out_y: Array
) -> None:
    """Column and row in the panorama of every ray."""
    for i in range(rays.shape[0]):
        for j in range(rays.shape[1]):
            a, b, c = rays[i, j, 0], rays[i, j, 1], rays[i, j, 2]
            x = axes[0, 0] * a + axes[0, 1] * b + axes[0, 2] * c
            y = axes[1, 0] * a + axes[1, 1] * b + axes[1, 2] * c
            z = axes[2, 0] * a + axes[2, 1] * b + axes[2, 2] * c
            elevation = math.asin(min(max(y, -1.0), 1.0))
            elevation = lift + elevation * (1.0 - 2.0 * lift / math.pi)
            out_x[i, j] = (math.atan2(x, z) / (2.0 * math.pi) + 0.5) * columns - 0.5
            row = (0.5 - elevation / math.pi) * rows - 0.5
            out_y[i, j] = min(max(row, 0.0), rows - 1.0)
