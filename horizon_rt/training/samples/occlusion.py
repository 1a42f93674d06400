"""Pictures whose horizon is partly hidden by things with the texture of real ground: cliffs, rocks, trees."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.synth.sensor import Image
from horizon_rt.training.samples.pictures import Picture, load_small
from horizon_rt.training.samples.sample import HalfPlane, InputShape

__all__ = ["hide_part"]

_POINTS = 96
_HIDDEN = 0.75  # share of the horizon; above, nobody could tell where it is


def hide_part(
    image: Image, plane: HalfPlane, pictures: Sequence[Picture], rng: np.random.Generator
) -> tuple[Image, float | None]:
    """One to three textured shapes over float32 RGB; and the presence, None for what the plane says."""
    size = (image.shape[0], image.shape[1])
    hidden = np.zeros(size, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        draw = (_headland, _foreground, _clump)[int(rng.choice(3, p=[0.5, 0.25, 0.25]))]
        cover = _filled(draw(size, rng), plane, size)
        texture = _texture(pictures[int(rng.integers(len(pictures)))], size, rng)
        image = image + (texture - image) * cover[:, :, None]
        hidden = np.maximum(hidden, cover)
    border = np.abs(plane.distance(size)) < 1
    seen = not border.any() or float(hidden[border].mean()) < _HIDDEN
    return image, None if seen else -1.0


def _profile(rng: np.random.Generator) -> NDArray[np.float64]:
    """A ragged outline, 0..1."""
    octaves = sum(
        0.62**k * np.interp(np.linspace(0, 2**k, _POINTS), np.arange(2**k + 2), rng.uniform(0, 1, 2**k + 2))
        for k in range(1, 7)
    )
    return np.asarray(octaves) / 1.5


def _headland(size: InputShape, rng: np.random.Generator) -> NDArray[np.float64]:
    """Land that reaches in from one side along the horizon; (n, 2) along and above it, px."""
    height, width = size
    along = np.linspace(-0.8, rng.uniform(-0.3, 0.35), _POINTS)
    taper = np.linspace(1, 0, _POINTS) ** rng.uniform(0.2, 1.5)
    top = _profile(rng) * taper * rng.uniform(0.04, 0.6) * height
    bottom = -_profile(rng) * taper * rng.uniform(0.0, 0.8) * height
    side = rng.choice([-1.0, 1.0])
    return np.concatenate(
        [np.stack([side * along * width, top], 1), np.stack([side * along * width, bottom], 1)[::-1]]
    )


def _foreground(size: InputShape, rng: np.random.Generator) -> NDArray[np.float64]:
    """Ground right before the camera, which may rise over the horizon."""
    height, width = size
    along = np.linspace(-0.9, 0.9, _POINTS) * width
    slope = rng.normal(0, 0.25) * along
    top = _profile(rng) * rng.uniform(0.05, 0.4) * height - rng.uniform(0.0, 0.5) * height + slope
    ends = np.array([[along[-1], -3.0 * height], [along[0], -3.0 * height]])
    return np.concatenate([np.stack([along, top], 1), ends])


def _clump(size: InputShape, rng: np.random.Generator) -> NDArray[np.float64]:
    """A rock, tree, person or building that stands before the horizon."""
    height, width = size
    angle = np.linspace(0, 2 * np.pi, _POINTS, endpoint=False)
    radius = 0.6 + 0.6 * _profile(rng)
    wide, tall = np.exp(rng.uniform(np.log(0.02), np.log(0.3), 2)) * (width, 1.5 * height)
    centre = rng.uniform(-0.5, 0.5) * width, rng.uniform(-0.6, 0.4) * tall
    return np.stack([centre[0] + wide * radius * np.cos(angle), centre[1] + tall * radius * np.sin(angle)], 1)


def _filled(shape: NDArray[np.float64], plane: HalfPlane, size: InputShape) -> NDArray[np.float32]:
    """Cover 0..1 of a shape given along and above the horizon."""
    normal = np.array([plane.nx, plane.ny])
    foot = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2]) - plane.d * normal
    points = foot + shape[:, :1] * [-plane.ny, plane.nx] + shape[:, 1:] * normal
    cover = np.zeros(size, np.float32)
    limited = np.clip(points, -8 * max(size), 8 * max(size))
    cv2.fillPoly(cover, [(limited * 16).astype(np.int32)], 1.0, cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(cover, (0, 0), 0.6)


def _texture(picture: Picture, size: InputShape, rng: np.random.Generator) -> Image:
    """A random part of a picture's ground, of the whole of one without a horizon; float32 RGB."""
    image, line, *_ = load_small(picture)
    rows, columns = image.shape[:2]
    top = 0
    if line is not None:
        ends = [line.y_at(x, columns, rows) for x in (0, columns - 1)]
        top = int(np.clip(np.nanmax(ends), 0, 0.7 * rows)) if np.isfinite(ends).all() else 0
    h, w = rng.uniform(0.3, 1.0) * (rows - top), rng.uniform(0.3, 1.0) * columns
    y, x = top + rng.uniform(0, 1) * (rows - top - h), rng.uniform(0, 1) * (columns - w)
    part = image[int(y) : int(y + h) + 1, int(x) : int(x + w) + 1, ::-1]
    rgb = cv2.resize(part, (size[1], size[0]), interpolation=cv2.INTER_AREA).astype(np.float32)
    return rgb * np.float32(rng.uniform(0.5, 1.2) / 255)
