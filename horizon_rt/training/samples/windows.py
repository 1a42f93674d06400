"""Random windows of pictures: rotation, scale, perspective and mirror carry the truth along exactly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.datasets.base import NO_CLASS
from horizon_rt.geometry import HorizonLine
from horizon_rt.models.sizes import OUTPUT_STRIDE
from horizon_rt.segmentation.letterbox import letterbox_of
from horizon_rt.synth.chance import log_uniform
from horizon_rt.synth.sensor import Image
from horizon_rt.training.samples.pictures import Loaded, Picture, load_small
from horizon_rt.training.samples.sample import HalfPlane, InputShape, Sample, finish
from horizon_rt.training.samples.warp import shrunk, warp

__all__ = ["Change", "negative_crop", "window_sample"]

# Of a picture with this sky: what takes its place, and its presence, None for what the plane says.
Change = Callable[[Image, HalfPlane, np.random.Generator], tuple[Image, float | None]]

_finish = partial(finish, occluders=0.3, faded=0.15)
_INVERTED = 0.06  # share of the whole pictures that stand on their heads
_PURE = 0.02  # share of the window that both sides of a mask take at least where a horizon is in view


def window_sample(
    picture: Picture,
    rng: np.random.Generator,
    size: InputShape,
    *,
    spread_deg: float = 12.0,
    change: Change | None = None,
    augmented: bool = True,
) -> Sample:
    """A random rotated, scaled and slightly tilted window of a picture, with camera effects.

    Where the horizon is given as a line, `change` may put something into the window before that. Not
    `augmented`, the window is the whole picture as the tracker sees it.
    """
    loaded = load_small(picture)
    image = loaded.image
    source = (image.shape[0], image.shape[1])
    matrix = _random_window(rng, source, size, spread_deg) if augmented else _whole(source, size)
    rgb = shrunk(image, matrix, size)[:, :, ::-1].astype(np.float32) / np.float32(255)
    if loaded.line is not None:
        plane = _window_plane(loaded.line, source, matrix, size)
        if change is not None:
            rgb, presence = change(rgb, plane, rng)
            return _finish(rgb, plane, rng, presence=presence, augmented=augmented)
        classes = _window_classes(loaded, matrix, size)
        return _finish(rgb, plane, rng, augmented=augmented, classes=classes)
    if loaded.sky is not None:
        cover, counted = _window_cover(loaded, matrix, size)
        return _finish(
            rgb, None, rng, cover=cover, presence=_presence(cover, counted, loaded.seen), augmented=augmented,
            classes=_window_classes(loaded, matrix, size), counted=counted,
            weight=0.0 if counted is not None and not counted.any() else 1.0,
        )  # fmt: skip
    presence = 0.0 if loaded.seen is False else -1.0
    return _finish(rgb, None, rng, presence=presence, augmented=augmented)


def _whole(source: InputShape, size: InputShape) -> NDArray[np.float64]:
    """(3, 3) from px of a letterbox to picture px."""
    box = letterbox_of(source[1], source[0], size[1], size[0])
    x, y = box.to_picture(np.zeros((1, 2)))[0]
    return np.array([[1 / box.scale, 0, x], [0, 1 / box.scale, y], [0, 0, 1]])


def _random_window(
    rng: np.random.Generator, source: InputShape, size: InputShape, spread_deg: float
) -> NDArray[np.float64]:
    """(3, 3) from window px to picture px.

    Half of the windows show the whole picture, as the tracker sees it: how far a hand-drawn line lies from
    the visible border depends on the scale.
    """
    (sh, sw), (h, w) = source, size
    whole = rng.random() < 0.5
    roll = rng.uniform(-np.pi, np.pi) if rng.random() < 0.1 else np.radians(rng.normal(0, spread_deg))
    if whole:
        roll = np.radians(rng.normal(0, 4)) + (np.pi if rng.random() < _INVERTED else 0.0)
    c, s = np.cos(roll), np.sin(roll)
    fit = min(sw / (abs(c) * w + abs(s) * h), sh / (abs(s) * w + abs(c) * h))  # largest window inside
    scale = fit * (rng.uniform(0.95, 1.08) if whole else log_uniform(rng, 0.45, 1.12))
    stretch, flip = np.exp(rng.normal(0, 0.08)), rng.choice([-1.0, 1.0])
    a = scale * np.array([[c * flip, -s * stretch], [s * flip, c * stretch]])
    room = np.maximum(np.array([sw, sh]) - np.abs(a) @ (w, h), 0) / 2
    centre = np.array([sw - 1, sh - 1]) / 2 + rng.uniform(-1, 1, 2) * room
    window = np.array([[1, 0, -(w - 1) / 2], [0, 1, -(h - 1) / 2], [0, 0, 1.0]])
    window[2, :2] = rng.normal(0, 0.06, 2) / (w, h)
    window[2, 2] -= window[2, :2] @ ((w - 1) / 2, (h - 1) / 2)
    return np.vstack([np.column_stack([a, centre]), [0, 0, 1]]) @ window


def _window_plane(
    line: HorizonLine, source: InputShape, matrix: NDArray[np.float64], size: InputShape
) -> HalfPlane:
    """The line in the window: lines are covectors, so it is the matrix's transpose times the line."""
    origin = line.signed_distance(0, 0, source[1], source[0])
    nx, ny, c = matrix.T @ np.array([*line.normal, origin])
    norm = float(np.hypot(nx, ny))
    middle = nx * (size[1] - 1) / 2 + ny * (size[0] - 1) / 2 + c
    return HalfPlane(float(nx / norm), float(ny / norm), float(middle / norm))


def _window_cover(
    loaded: Loaded, matrix: NDArray[np.float64], size: InputShape
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The mask in the window as `Sample.cover`, of what counts, and `Sample.counted`."""
    assert loaded.sky is not None
    sky = _cells(loaded.sky, matrix, size)
    if loaded.counted is None:
        return sky, None
    counted = _cells(loaded.counted, matrix, size)
    cover = 255 * sky.astype(np.float32) / np.maximum(counted, 1)
    return (np.minimum(cover, 255) + np.float32(0.5)).astype(np.uint8), counted


def _cells(part: NDArray[np.uint8], matrix: NDArray[np.float64], size: InputShape) -> NDArray[np.uint8]:
    """The mean of each cell of the window."""
    cells = (size[1] // OUTPUT_STRIDE, size[0] // OUTPUT_STRIDE)
    return np.asarray(cv2.resize(warp(part, matrix, size), cells, interpolation=cv2.INTER_AREA), np.uint8)


def _presence(cover: NDArray[np.uint8], counted: NDArray[np.uint8] | None, seen: bool | None) -> float:
    """Of a border of the mask in a window: where only one side counts, what does not may hide one."""
    if seen is False:
        return 0.0
    weights = np.ones(cover.shape) if counted is None else counted / 255
    known = float(weights.mean())
    share = float(np.average(cover, weights=weights)) / 255 if known else 0.5
    if known and 0 < share < 1:
        return 1.0 if _PURE < share < 1 - _PURE else -1.0
    return 0.0 if known > 1 - _PURE else -1.0


def _window_classes(
    loaded: Loaded, matrix: NDArray[np.float64], size: InputShape
) -> NDArray[np.uint8] | None:
    """The class in the middle of each cell of the window; none beyond the picture."""
    if loaded.classes is None:
        return None
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    window = cv2.warpPerspective(
        loaded.classes, matrix, (size[1], size[0]), flags=flags, borderMode=cv2.BORDER_CONSTANT,
        borderValue=NO_CLASS,
    )  # fmt: skip
    middle = OUTPUT_STRIDE // 2
    return np.ascontiguousarray(window[middle::OUTPUT_STRIDE, middle::OUTPUT_STRIDE], np.uint8)


def negative_crop(picture: Picture, rng: np.random.Generator, size: InputShape) -> Sample | None:
    """A part of a picture that is all sky or all ground; None where both are too small."""
    image, line, *_ = load_small(picture)
    if line is None:
        return None
    rows, columns = image.shape[:2]
    heights = [line.y_at(x, columns, rows) for x in (0, columns - 1)]
    if not np.isfinite(heights).all():
        return None
    top, bottom = min(heights) - 0.06 * rows, max(heights) + 0.06 * rows
    parts = {True: image[: int(np.clip(top, 0, rows))], False: image[int(np.clip(bottom, 0, rows)) :]}
    large = [above for above, part in parts.items() if part.shape[0] > 0.25 * rows]
    if not large:
        return None
    above = large[int(rng.integers(len(large)))]
    part = parts[above]
    window = part[int(rng.uniform(0, 0.4) * part.shape[0]) :, int(rng.uniform(0, 0.4) * part.shape[1]) :]
    rgb = cv2.resize(window, (size[1], size[0]), interpolation=cv2.INTER_AREA)[:, :, ::-1]
    if rng.random() < 0.5:
        rgb = rgb[:, ::-1]
    plane = HalfPlane.everywhere(sky=above == (abs(line.angle_deg) < 90))
    return finish(rgb.astype(np.float32) / np.float32(255), plane, rng, presence=0.0)
