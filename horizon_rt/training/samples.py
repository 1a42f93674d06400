"""Training samples: small YUV pictures with the line of the horizon, from every kind of material.

A sample is a picture (3, height, width) uint8, full-range BT.709 YUV as the preprocess stage delivers it,
and a label of five numbers: the half plane nx, ny, d in px of that picture (positive in the sky, relative
to its centre), the weight of the mask, and whether a horizon is in view (1, 0, or −1 for 'do not ask').
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Pinhole
from horizon_rt.colour import yuv_from_rgb
from horizon_rt.datasets import LabelledImage
from horizon_rt.errors import DatasetError
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.synth.occluders import random_occluders
from horizon_rt.synth.panorama import Panorama, panorama_view
from horizon_rt.synth.render import camera_rays, render
from horizon_rt.synth.scene import random_scene
from horizon_rt.synth.sensor import random_sensor

__all__ = [
    "Label",
    "Sample",
    "beside_sample",
    "blank_sample",
    "labelled_sample",
    "panorama_sample",
    "rgb_to_yuv",
    "scene_sample",
]

Label = tuple[float, float, float, float, float]
Sample = tuple[NDArray[np.uint8], Label]
Size = tuple[int, int]

_YUV = yuv_from_rgb("bt709").astype(np.float32)
# A line must cross at least this share of the picture's width to count as a horizon in view.
_MIN_VISIBLE = 0.2


def rgb_to_yuv(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width, 3) RGB to (3, height, width) full-range BT.709 YUV, both uint8."""
    yuv = cv2.transform(rgb.astype(np.float32), _YUV) + np.array([0, 128, 128], np.float32)
    return np.clip(yuv + 0.5, 0, 255).astype(np.uint8).transpose(2, 0, 1)


def random_attitude(rng: np.random.Generator, hfov_deg: float, *, tame: bool) -> UpVector:
    """Mostly upright with the horizon in view; sometimes banked, inverted, or looking up or down."""
    kind = rng.random()
    roll = rng.normal(0, 4) if tame and kind < 0.6 else rng.normal(0, 25)
    if kind > 0.85:
        roll = rng.uniform(-180, 180)
    pitch = rng.normal(0, hfov_deg / 6)
    if kind > 0.96:
        pitch = rng.uniform(-90, 90)
    return UpVector.from_roll_pitch(roll, float(np.clip(pitch, -89, 89)))


def _label(up: UpVector, camera: Pinhole, mask_weight: float, presence: float | None) -> Label:
    line = up.line(camera.focal_px)
    if line is None:
        return 0.0, 0.0, 1e4 * np.sign(up.z), mask_weight, 0.0
    nx, ny = line.normal
    if presence is None:
        presence = visibility(line, camera.width, camera.height)
    return nx, ny, float(np.clip(line.offset_px, -1e4, 1e4)), mask_weight, presence


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


def scene_sample(rng: np.random.Generator, size: Size, *, in_view: bool = True) -> Sample:
    """A procedural scene at `size` (height, width); without `in_view` only its sky or only its ground."""
    camera = Pinhole.from_hfov(size[1], size[0], rng.uniform(25, 100))
    scene = random_scene(rng)
    up = random_attitude(rng, camera.hfov_deg, tame=scene.sea_level >= 0.999)
    if not in_view:
        corner = np.degrees(np.arctan(np.hypot(*size) / 2 / camera.focal_px))
        pitch = rng.choice([-1, 1]) * rng.uniform(min(corner + 4, 80), 85)
        up = UpVector.from_roll_pitch(rng.normal(0, 25), float(pitch))
    image = render(scene, camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
    return _finish(image, rng), _label(up, camera, 1.0, None)


def blank_sample(rng: np.random.Generator, size: Size) -> Sample:
    """A picture of nothing: a covered lens, a gradient, soft or blocky texture, with any camera effect."""
    height, width = size
    grid = (int(rng.integers(1, 12)), int(rng.integers(1, 18)))
    cells = rng.uniform(0, 1, (*grid, 3)).astype(np.float32) * np.float32(rng.choice([0.0, 0.1, 0.4, 1.0]))
    soft = rng.random() < 0.6
    method = cv2.INTER_CUBIC if soft else cv2.INTER_NEAREST
    texture = cv2.resize(cells, (width, height), interpolation=method)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    ramp = (x * np.cos(angle) + y * np.sin(angle)) * rng.choice([0.0, 0.0, 0.2])
    image = texture.reshape(height, width, 3) + ramp[:, :, None] + rng.uniform(0, 1, 3)
    return _finish(image.astype(np.float32), rng), (0.0, -1.0, 0.0, 0.0, 0.0)


def panorama_sample(panoramas: Sequence[Panorama], rng: np.random.Generator, size: Size) -> Sample:
    """A view of a random panorama; views of occluded ones teach the mask a little and to refuse."""
    panorama = panoramas[int(rng.integers(len(panoramas)))]
    if not panorama.is_open and rng.random() < 0.4:
        panorama = [p for p in panoramas if p.is_open][int(rng.integers(sum(p.is_open for p in panoramas)))]
    camera = Pinhole.from_hfov(size[1], size[0], rng.uniform(40, 100))
    up = random_attitude(rng, camera.hfov_deg, tame=False)
    image = panorama_view(panorama, camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
    label = _label(up, camera, 1.0 if panorama.is_open else 0.3, None)
    if not panorama.is_open:
        label = (*label[:4], -1.0 if panorama.terrain == "field" else 0.0)
    return _finish(image, rng), label


def _finish(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    return rgb_to_yuv(random_sensor(random_occluders(image, rng), rng))


def beside_sample(labelled: LabelledImage, rng: np.random.Generator, size: Size) -> Sample | None:
    """A part of a labelled picture that is all sky or all ground; None where both are too small."""
    if labelled.ends is None:
        return None
    image = cv2.imread(str(labelled.path), cv2.IMREAD_COLOR)
    rows = image.shape[0]
    top, bottom = min(labelled.ends[1::2]) - 0.06 * rows, max(labelled.ends[1::2]) + 0.06 * rows
    parts = {1.0: image[: max(int(top), 0)], -1.0: image[max(int(bottom), 0) :]}
    large = [side for side, part in parts.items() if part.shape[0] > 0.25 * rows]
    if not large:
        return None
    side = float(rng.choice(large))
    part = cv2.resize(parts[side], (size[1], size[0]), interpolation=cv2.INTER_AREA)
    rgb = part[:, :, ::-1].astype(np.float32) / np.float32(255)
    return rgb_to_yuv(random_sensor(rgb, rng)), (0.0, -1.0, 1e4 * side, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Crop:
    """A rotated, scaled window of a picture: `matrix` (2, 3) maps window px to picture px."""

    matrix: NDArray[np.float64]

    @classmethod
    def random(cls, rng: np.random.Generator, source: Size, size: Size, spread_deg: float) -> _Crop:
        (sh, sw), (h, w) = source, size
        # Half of the windows show the whole picture, as the tracker sees it: how far a hand-drawn line lies
        # from the visible border depends on the scale.
        whole = rng.random() < 0.5
        roll = rng.uniform(-np.pi, np.pi) if rng.random() < 0.1 else np.radians(rng.normal(0, spread_deg))
        if whole:
            roll = np.radians(rng.normal(0, 4))
        c, s = np.cos(roll), np.sin(roll)
        fit = min(sw / (abs(c) * w + abs(s) * h), sh / (abs(s) * w + abs(c) * h))  # largest window inside
        zoom = rng.uniform(0.95, 1.08) if whole else np.exp(rng.uniform(np.log(0.45), np.log(1.12)))
        scale = fit * zoom
        stretch = np.exp(rng.normal(0, 0.08))
        flip = -1.0 if rng.random() < 0.5 else 1.0
        a = scale * np.array([[c * flip, -s * stretch], [s * flip, c * stretch]])
        room = np.maximum(np.array([sw, sh]) - np.abs(a) @ (w, h), 0) / 2
        centre = np.array([sw - 1, sh - 1]) / 2 + rng.uniform(-1, 1, 2) * room
        return cls(np.column_stack([a, centre - a @ np.array([(w - 1) / 2, (h - 1) / 2])]))


def labelled_sample(
    labelled: LabelledImage, rng: np.random.Generator, size: Size, *, spread_deg: float = 12.0
) -> Sample:
    """A random rotated and scaled window of a labelled picture, with the same camera effects."""
    image = cv2.imread(str(labelled.path), cv2.IMREAD_COLOR)
    if image is None:
        raise DatasetError(f"cannot read {labelled.path}")
    shape = (int(image.shape[0]), int(image.shape[1]))
    matrix = _Crop.random(rng, shape, size, spread_deg).matrix
    shrink = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if shrink > 1.5:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 * shrink)
    window = cv2.warpAffine(
        image, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    rgb = window[:, :, ::-1].astype(np.float32) / np.float32(255)
    if rng.random() < 0.5:
        rgb = random_occluders(rgb, rng)
    return rgb_to_yuv(random_sensor(rgb, rng)), _window_label(labelled, shape, matrix, size)


def _window_label(labelled: LabelledImage, source: Size, matrix: NDArray[np.float64], size: Size) -> Label:
    if labelled.ends is None:
        return 0.0, -1.0, 0.0, 0.0, 0.0
    line = HorizonLine.from_points(*labelled.ends, source[1], source[0], sky_above=labelled.sky_above)
    gradient = np.array(line.normal) @ matrix[:, :2]
    centre = matrix[:, :2] @ ((size[1] - 1) / 2, (size[0] - 1) / 2) + matrix[:, 2]
    offset = line.signed_distance(float(centre[0]), float(centre[1]), source[1], source[0])
    norm = float(np.hypot(*gradient))
    nx, ny, d = gradient[0] / norm, gradient[1] / norm, offset / norm
    angle = float(np.degrees(np.arctan2(nx, -ny)))
    presence = visibility(HorizonLine(angle, d), size[1], size[0])
    return float(nx), float(ny), d, 1.0, presence
