"""Training samples: small YUV pictures with the share of sky in every cell of the net's output."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.frame.colour import yuv_from_rgb
from horizon_rt.geometry import HorizonLine
from horizon_rt.models.sizes import OUTPUT_STRIDE
from horizon_rt.synth.chance import log_uniform
from horizon_rt.synth.occluders import random_occluders
from horizon_rt.synth.sensor import THERMAL_SHARE, Image, random_sensor, to_uint8
from horizon_rt.training.samples.contour import mask_distance

__all__ = ["TAGS", "HalfPlane", "InputShape", "Sample", "fade_border", "finish", "rgb_to_yuv", "visibility"]

InputShape = tuple[int, int]
_YUV = yuv_from_rgb("bt709").astype(np.float32)
# A line must cross at least this share of the picture's width to count as a horizon in view.
_MIN_VISIBLE = 0.2
_LEAST_CONTRAST = 3.0  # of 255, between the strips on both sides of the horizon

TAGS = {"occluders": 1, "thermal": 2, "faded": 4}


class Sample(NamedTuple):
    """A picture and its truth.

    `image` (3, h, w) uint8 is full-range BT.709 YUV as the preprocess stage delivers it; `cover` (h/4, w/4)
    uint8 the share of each output cell that lies above the horizon, in 255ths; `weight` that of the mask in
    the loss; `presence` whether a horizon is in view: 1, 0, or −1 for 'do not ask'; `tags` what was done to
    the picture, a sum of `TAGS`.
    `classes` (h/4, w/4) are numbers of classes of a mask, `NO_CLASS` where none is known; `counted`
    (h/4, w/4) uint8 the share of each cell of which the mask says anything, in 255ths, None where all counts.
    """

    image: NDArray[np.uint8]
    cover: NDArray[np.uint8]
    weight: float
    presence: float
    tags: int = 0
    classes: NDArray[np.uint8] | None = None
    counted: NDArray[np.uint8] | None = None


class HalfPlane(NamedTuple):
    """Sky where nx·x + ny·y + d > 0, x and y in px from the picture's centre, (nx, ny) of unit length."""

    nx: float
    ny: float
    d: float

    @classmethod
    def of(cls, line: HorizonLine) -> HalfPlane:
        """The half plane above a line."""
        return cls(*line.normal, line.offset_px)

    @classmethod
    def everywhere(cls, *, sky: bool) -> HalfPlane:
        """Only sky, or only ground."""
        return cls(0.0, -1.0, 1e4 if sky else -1e4)

    def distance(self, size: InputShape, stride: int = 1) -> NDArray[np.float32]:
        """Distance in px of the centres of stride × stride cells, positive in the sky."""
        rows, columns = size[0] // stride, size[1] // stride
        y = np.arange(rows, dtype=np.float32) * stride + (stride - 1) / 2 - (size[0] - 1) / 2
        x = np.arange(columns, dtype=np.float32) * stride + (stride - 1) / 2 - (size[1] - 1) / 2
        return np.float32(self.nx) * x[None, :] + (np.float32(self.ny) * y + np.float32(self.d))[:, None]

    def cover(self, size: InputShape) -> NDArray[np.uint8]:
        """`Sample.cover` of the half plane, linear over the width of a cell."""
        share = self.distance(size, OUTPUT_STRIDE) / OUTPUT_STRIDE + 0.5
        return (np.clip(share, 0, 1) * 255 + 0.5).astype(np.uint8)

    def presence(self, size: InputShape) -> float:
        """`visibility` of its border."""
        return visibility(
            HorizonLine(float(np.degrees(np.arctan2(self.nx, -self.ny))), self.d), size[1], size[0]
        )


def visibility(line: HorizonLine, width: int, height: int) -> float:
    """1 if the line crosses enough of the picture, 0 if it misses it, −1 in between."""
    nx, ny = line.normal
    inside = []
    for shrink in (1.0, 0.94):
        half = np.array([width, height]) / 2 * shrink
        t = np.linspace(-1, 1, 401) * float(np.hypot(*half))
        x, y = -line.offset_px * nx - ny * t, -line.offset_px * ny + nx * t
        seen = (np.abs(x) <= half[0]) & (np.abs(y) <= half[1])
        inside.append(seen.mean() * 2 * float(np.hypot(*half)) / width)
    if inside[0] == 0:
        return 0.0
    return 1.0 if inside[1] > _MIN_VISIBLE else -1.0


def rgb_to_yuv(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width, 3) RGB to (3, height, width) full-range BT.709 YUV, both uint8."""
    yuv = cv2.transform(rgb.astype(np.float32), _YUV) + np.array([0, 128, 128], np.float32)
    return np.clip(yuv + 0.5, 0, 255).astype(np.uint8).transpose(2, 0, 1)


def finish(
    image: Image,
    plane: HalfPlane | None,
    rng: np.random.Generator,
    *,
    cover: NDArray[np.uint8] | None = None,
    weight: float = 1.0,
    presence: float | None = None,
    occluders: float = 0.6,
    faded: float = 0.0,
    augmented: bool = True,
    classes: NDArray[np.uint8] | None = None,
    counted: NDArray[np.uint8] | None = None,
) -> Sample:
    """Float32 RGB (h, w, 3) seen by a random camera, with the truth: a plane, a cover, or neither.

    Occluders and `fade_border` come with these chances; not `augmented`, the picture is left as it is.
    `presence` is that of the plane where it is not given, −1 of a cover alone, and 0 without truth. A horizon
    whose two sides look the same is not asked for: it would teach that anything may hold one.
    """
    if augmented:
        yuv, tags = _taken(image, plane, rng, occluders, faded)
    else:
        yuv, tags = rgb_to_yuv(to_uint8(image)), 0
    size = (image.shape[0], image.shape[1])
    if plane is not None:
        distance = plane.distance(size, OUTPUT_STRIDE) / np.float32(OUTPUT_STRIDE)
        cover = plane.cover(size)
        presence = plane.presence(size) if presence is None else presence
    elif cover is not None:
        distance = mask_distance((cover >= 128).astype(np.uint8))
    else:
        return Sample(yuv, HalfPlane(0.0, -1.0, 0.0).cover(size), 0.0, presence or 0.0, tags)
    if presence is None or (presence > 0 and _contrast(yuv, distance) < _LEAST_CONTRAST):
        presence = -1.0
    return Sample(yuv, cover, weight, presence, tags, classes, counted)


def _taken(
    image: Image, plane: HalfPlane | None, rng: np.random.Generator, occluders: float, faded: float
) -> tuple[NDArray[np.uint8], int]:
    """The picture as YUV, and its tags."""
    tags = 0
    if plane is not None and rng.random() < faded:
        image, tags = fade_border(image, plane, rng), TAGS["faded"]
    if rng.random() < occluders:
        image, tags = random_occluders(image, rng), tags | TAGS["occluders"]
    thermal = rng.random() < THERMAL_SHARE
    yuv = rgb_to_yuv(random_sensor(image, rng, thermal=thermal))
    return yuv, tags | TAGS["thermal"] * thermal


def _contrast(yuv: NDArray[np.uint8], distance: NDArray[np.float32]) -> float:
    """Difference of the strips 1 to 4 cells above and below the horizon, the largest of Y, U, V."""
    cells = (distance.shape[1], distance.shape[0])
    above, below = (distance > 1) & (distance < 4), (distance < -1) & (distance > -4)
    if not (above.any() and below.any()):
        return 255.0
    planes = [cv2.resize(p, cells, interpolation=cv2.INTER_AREA) for p in yuv]
    return max(abs(float(p[above].mean()) - float(p[below].mean())) for p in planes)


def fade_border(image: Image, plane: HalfPlane, rng: np.random.Generator) -> Image:
    """Take most of the step in tone at the horizon away, as where the sea is as warm as the sky.

    What is left to go by is the texture on both sides.
    """
    distance = plane.distance((image.shape[0], image.shape[1]))
    above, below = (distance > 0.5) & (distance < 6), (distance < -0.5) & (distance > -6)
    if not (above.any() and below.any()):
        return image
    step = image[above].mean(axis=0) - image[below].mean(axis=0)
    reach = np.float32(log_uniform(rng, 8, 120))
    side = np.clip(distance, -0.5, 0.5) * np.exp(-np.abs(distance) / reach)
    return image - np.float32(rng.uniform(0.5, 1.0)) * side[:, :, None] * step.astype(np.float32)
