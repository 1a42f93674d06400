"""Rooms seen from inside: pictures full of straight edges between light and dark, and no horizon."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import UpVector
from horizon_rt.synth.noise import cell
from horizon_rt.synth.render import world_axes
from horizon_rt.system.kernels import Array, kernel

__all__ = ["random_room"]

_FURNITURE = 7


def random_room(
    rng: np.random.Generator, rays: NDArray[np.float32], up: UpVector, *, heading_deg: float = 0.0
) -> NDArray[np.float32]:
    """A box with furniture, pictures and windows around the camera; float32 RGB like `render`."""
    size = rng.uniform([2, 2.2, 2], [9, 4, 9])
    boxes = np.concatenate([[_walls(rng, size)], [_furniture(rng, size) for _ in range(_FURNITURE)]])
    tones = rng.uniform(0.1, 0.95, (_FURNITURE + 1, 6, 1)) * rng.normal(1, 0.12, (_FURNITURE + 1, 6, 3))
    image = np.empty(rays.shape, np.float32)
    pixel = float(np.linalg.norm(rays[1, 1] - rays[1, 0])) if rays.shape[1] > 1 else 1e-3
    axes = world_axes(up, heading_deg)
    _trace(
        rays, axes, boxes, tones.clip(0, 1.2), rng.uniform(0.2, 1.5), pixel, int(rng.integers(1 << 20)), image
    )
    return image


def _walls(rng: np.random.Generator, size: NDArray[np.float64]) -> NDArray[np.float64]:
    """The room as (low, high) corners relative to the camera."""
    low = -size * rng.uniform(0.15, 0.85, 3)
    return np.stack([low, low + size])


def _furniture(rng: np.random.Generator, size: NDArray[np.float64]) -> NDArray[np.float64]:
    """A box that keeps clear of the camera."""
    extent = np.exp(rng.uniform(np.log(0.2), np.log(1.6), 3))
    bearing, distance = rng.uniform(-np.pi, np.pi), rng.uniform(1.3, 0.6 * size.max() + 1.4)
    centre = np.array([distance * np.sin(bearing), rng.normal(-0.6, 0.6), distance * np.cos(bearing)])
    return np.stack([centre - extent / 2, centre + extent / 2])


@kernel()
def _trace(
    rays: Array, axes: Array, boxes: Array, tones: Array, detail: float, pixel: float, seed: int, image: Array
) -> None:
    ray = np.empty(3)
    for row in range(rays.shape[0]):
        for column in range(rays.shape[1]):
            for k in range(3):
                ray[k] = (
                    axes[k, 0] * rays[row, column, 0]
                    + axes[k, 1] * rays[row, column, 1]
                    + axes[k, 2] * rays[row, column, 2]
                )
            distance, face = _leave(ray, boxes[0])
            index = 0
            for box in range(1, boxes.shape[0]):
                near, hit = _enter(ray, boxes[box])
                if near < distance:
                    distance, face, index = near, hit, box
            u, v = ray[(face // 2 + 1) % 3] * distance, ray[(face // 2 + 2) % 3] * distance
            light = 0.65 + 0.35 * math.cos(0.9 * u + seed) * math.cos(0.7 * v)
            i, j = math.floor(u / detail), math.floor(v / detail)
            mark = cell(int(i) * 7 + face, int(j), seed + index)
            tone = 0.35 + mark if mark > 0.7 and detail > 4.0 * pixel * distance else 1.0
            for k in range(3):
                image[row, column, k] = tones[index, face, k] * light * tone


@kernel()
def _leave(ray: Array, box: Array) -> tuple[float, int]:
    """Distance and face (2·axis + side) where a ray from inside leaves a box."""
    best, face = 1e9, 0
    for k in range(3):
        side = 1 if ray[k] > 0 else 0
        if ray[k] != 0.0 and box[side, k] / ray[k] < best:
            best, face = box[side, k] / ray[k], 2 * k + side
    return best, face


@kernel()
def _enter(ray: Array, box: Array) -> tuple[float, int]:
    """Distance and face where a ray from outside enters a box; 1e9 where it passes by."""
    near, far, face = 0.0, 1e9, 0
    for k in range(3):
        if ray[k] == 0.0:
            continue
        side = 0 if ray[k] > 0 else 1
        first, last = box[side, k] / ray[k], box[1 - side, k] / ray[k]
        if first > near:
            near, face = first, 2 * k + side
        far = min(far, last)
    return (near, face) if 0.0 < near < far else (1e9, 0)
