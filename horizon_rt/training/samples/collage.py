"""The sky of one picture over the ground of another: every pair of pictures with a line makes a new place."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import HorizonLine
from horizon_rt.synth.chance import log_uniform
from horizon_rt.synth.sensor import Image
from horizon_rt.training.samples.pictures import Picture, load_small
from horizon_rt.training.samples.sample import HalfPlane, InputShape
from horizon_rt.training.samples.warp import shrunk, warp

__all__ = ["replace_side"]

_SEAM_PX = 0.7, 4.0  # width of the border between both


def replace_side(
    image: Image, plane: HalfPlane, pictures: Sequence[Picture], rng: np.random.Generator
) -> Image:
    """Float32 RGB whose sky, or whose ground, is that of one of these pictures; all of them have a line.

    The border stays where the plane says: the other picture is laid with its line onto it.
    """
    size = (image.shape[0], image.shape[1])
    picture, line, *_ = load_small(pictures[int(rng.integers(len(pictures)))])
    if line is None:
        return image
    matrix = _onto(line, (picture.shape[0], picture.shape[1]), plane, size, rng)
    other = shrunk(picture, matrix, size)[:, :, ::-1].astype(np.float32) / np.float32(255)
    # Beyond its frame nobody knows the other picture; the first one is right there, too.
    frame = np.full(picture.shape[:2], 255, np.uint8)
    inside = warp(frame, matrix, size, border=cv2.BORDER_CONSTANT) == 255
    distance = plane.distance(size) / np.float32(log_uniform(rng, *_SEAM_PX))
    share = np.clip((distance if rng.random() < 0.5 else -distance) + 0.5, 0, 1) * inside
    if not inside.any():
        return image
    return image + (_in_light_of(other, inside, image, rng) - image) * share[:, :, None]


def _onto(
    line: HorizonLine, source: InputShape, plane: HalfPlane, size: InputShape, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(3, 3) from window px to picture px that takes the plane's border to the line: a random similarity."""
    (rows, columns), (height, width) = source, size
    scale = columns / width * log_uniform(rng, 0.45, 1.0)
    normal, border = np.array([plane.nx, plane.ny]), np.array(line.normal)
    mirror = rng.choice([-1.0, 1.0])
    along, other_along = np.array([-normal[1], normal[0]]), mirror * np.array([-border[1], border[0]])
    turn = scale * (np.outer(other_along, along) + np.outer(border, normal))
    room = max(0.0, columns - scale * width) / 2
    middle = (scale * plane.d - line.offset_px) * border + rng.uniform(-room, room) * other_along
    centre = np.array([columns - 1, rows - 1]) / 2 + middle - turn @ ((width - 1) / 2, (height - 1) / 2)
    return np.vstack([np.column_stack([turn, centre]), [0, 0, 1]])


def _in_light_of(image: Image, inside: NDArray[np.bool_], model: Image, rng: np.random.Generator) -> Image:
    """The picture, some way towards the brightness and colour of another; `inside` is where it is known."""
    towards = rng.uniform(0, 0.8)
    ratio = (model.mean(axis=(0, 1)) + 0.02) / (image[inside].mean(axis=0) + 0.02)
    return image * (ratio**towards).astype(np.float32)
