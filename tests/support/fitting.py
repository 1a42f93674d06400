"""Ideal masks in closed form, made without the code under test."""

from __future__ import annotations

import math

import numpy as np

from horizon_rt.camera import Camera
from horizon_rt.segmentation import Letterbox, Segmentation

STRIDE = 4


def letterbox(width: int, height: int, columns: int, rows: int) -> Letterbox:
    scale = min(columns / width, rows / height)
    return Letterbox(scale, (columns - width * scale) / 2, (rows - height * scale) / 2)


def cell_rays(camera: Camera, box: Letterbox, columns: int, rows: int) -> np.ndarray:
    """Rays of the centres of the 4×4 blocks; unit length; (rows, columns, 3)."""
    x, y = np.meshgrid(
        (np.arange(columns // STRIDE) + 0.5) * STRIDE, (np.arange(rows // STRIDE) + 0.5) * STRIDE
    )
    points = np.stack([(x - box.left) / box.scale - 0.5, (y - box.top) / box.scale - 0.5], axis=-1)
    return camera.rays(points.reshape(-1, 2)).reshape(rows // STRIDE, columns // STRIDE, 3)


def up_vector(roll_deg: float, pitch_deg: float) -> np.ndarray:
    r, p = math.radians(roll_deg), math.radians(pitch_deg)
    return np.array([-math.cos(p) * math.sin(r), -math.cos(p) * math.cos(r), math.sin(p)])


def cell_angle(camera: Camera, box: Letterbox) -> float:
    return STRIDE / box.scale / camera.focal_px


def ideal(
    camera: Camera, up: np.ndarray, columns: int = 320, rows: int = 192, *, slope: float = 4.0
) -> Segmentation:
    """The mask of a half plane: the logit grows by `slope` for each cell away from the horizon."""
    box = letterbox(camera.width, camera.height, columns, rows)
    rays = cell_rays(camera, box, columns, rows)
    logits = slope * np.nan_to_num(rays @ up) / cell_angle(camera, box)
    return Segmentation(logits.astype(np.float32), 0.99, box)


def degrees_between(a: np.ndarray, b: np.ndarray) -> float:
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b)))
