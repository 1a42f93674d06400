"""Perspective views of levelled 360° photographs, with exact attitude."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numba import njit
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
    x, y = np.empty(rays.shape[:2], np.float32), np.empty(rays.shape[:2], np.float32)
    lift = math.radians(lift_deg)
    _equirectangular(rays, world_axes(up, heading_deg), lift, rows, columns, x, y)
    view = cv2.remap(panorama.image, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
    return view.astype(np.float32) / np.float32(255)


@njit(cache=True, nogil=True)
def _equirectangular(
    rays: Any, axes: Any, lift: float, rows: int, columns: int, out_x: Any, out_y: Any
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
