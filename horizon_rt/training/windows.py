"""Random windows of labelled pictures: rotation, scale, perspective and mirror carry the truth along exactly."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.datasets import LabelledImage
from horizon_rt.errors import DatasetError
from horizon_rt.geometry import HorizonLine
from horizon_rt.training.samples import HalfPlane, Sample, Size, finish

__all__ = ["beside_sample", "labelled_sample"]

_KEPT_PX = 800  # the longer side of a picture that is kept in memory
_FADED = 0.15


@lru_cache(maxsize=600)
def _picture(path: Path) -> tuple[NDArray[np.uint8], float]:
    """A picture (BGR) no larger than training windows need, and how much it was reduced."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DatasetError(f"cannot read {path}")
    scale = min(1.0, _KEPT_PX / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return image, scale


def labelled_sample(
    labelled: LabelledImage, rng: np.random.Generator, size: Size, *, spread_deg: float = 12.0
) -> Sample:
    """A random rotated, scaled and slightly tilted window of a labelled picture, with camera effects."""
    image, scale = _picture(labelled.path)
    shape = (int(image.shape[0]), int(image.shape[1]))
    matrix = _random_window(rng, shape, size, spread_deg)
    shrink = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    if shrink > 1.5:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 * shrink)
    rgb = _warp(image, matrix, size)[:, :, ::-1].astype(np.float32) / np.float32(255)
    plane = _window_plane(labelled, shape, scale, matrix, size)
    return finish(rgb, plane, rng, occluders=0.3, faded=_FADED)


def _warp(image: NDArray[np.uint8], matrix: NDArray[np.float64], size: Size) -> NDArray[np.uint8]:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(
        image, matrix, (size[1], size[0]), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )


def _random_window(
    rng: np.random.Generator, source: Size, size: Size, spread_deg: float
) -> NDArray[np.float64]:
    """(3, 3) from window px to picture px.

    Half of the windows show the whole picture, as the tracker sees it: how far a hand-drawn line lies from
    the visible border depends on the scale.
    """
    (sh, sw), (h, w) = source, size
    whole = rng.random() < 0.5
    roll = rng.uniform(-np.pi, np.pi) if rng.random() < 0.1 else np.radians(rng.normal(0, spread_deg))
    if whole:
        roll = np.radians(rng.normal(0, 4))
    c, s = np.cos(roll), np.sin(roll)
    fit = min(sw / (abs(c) * w + abs(s) * h), sh / (abs(s) * w + abs(c) * h))  # largest window inside
    scale = fit * (rng.uniform(0.95, 1.08) if whole else np.exp(rng.uniform(np.log(0.45), np.log(1.12))))
    stretch, flip = np.exp(rng.normal(0, 0.08)), rng.choice([-1.0, 1.0])
    a = scale * np.array([[c * flip, -s * stretch], [s * flip, c * stretch]])
    room = np.maximum(np.array([sw, sh]) - np.abs(a) @ (w, h), 0) / 2
    centre = np.array([sw - 1, sh - 1]) / 2 + rng.uniform(-1, 1, 2) * room
    window = np.array([[1, 0, -(w - 1) / 2], [0, 1, -(h - 1) / 2], [0, 0, 1.0]])
    window[2, :2] = rng.normal(0, 0.06, 2) / (w, h)
    window[2, 2] -= window[2, :2] @ ((w - 1) / 2, (h - 1) / 2)
    return np.vstack([np.column_stack([a, centre]), [0, 0, 1]]) @ window


def _window_plane(
    labelled: LabelledImage, source: Size, scale: float, matrix: NDArray[np.float64], size: Size
) -> HalfPlane | None:
    """The line in the window: lines are covectors, so it is the matrix's transpose times the line."""
    if labelled.ends is None:
        return None
    rows, columns = source
    ends = (np.array(labelled.ends) + 0.5) * scale - 0.5
    line = HorizonLine.from_points(*ends.tolist(), columns, rows, sky_above=labelled.sky_above)
    origin = line.signed_distance(0, 0, columns, rows)
    nx, ny, c = matrix.T @ np.array([*line.normal, origin])
    norm = float(np.hypot(nx, ny))
    middle = nx * (size[1] - 1) / 2 + ny * (size[0] - 1) / 2 + c
    return HalfPlane(float(nx / norm), float(ny / norm), float(middle / norm))


def beside_sample(labelled: LabelledImage, rng: np.random.Generator, size: Size) -> Sample | None:
    """A part of a labelled picture that is all sky or all ground; None where both are too small."""
    if labelled.ends is None:
        return None
    image, scale = _picture(labelled.path)
    rows, heights = image.shape[0], [scale * y for y in labelled.ends[1::2]]
    top, bottom = min(heights) - 0.06 * rows, max(heights) + 0.06 * rows
    parts = {True: image[: max(int(top), 0)], False: image[max(int(bottom), 0) :]}
    large = [above for above, part in parts.items() if part.shape[0] > 0.25 * rows]
    if not large:
        return None
    above = large[int(rng.integers(len(large)))]
    part = parts[above]
    window = part[int(rng.uniform(0, 0.4) * part.shape[0]) :, int(rng.uniform(0, 0.4) * part.shape[1]) :]
    rgb = cv2.resize(window, (size[1], size[0]), interpolation=cv2.INTER_AREA)[:, :, ::-1]
    if rng.random() < 0.5:
        rgb = rgb[:, ::-1]
    plane = HalfPlane.everywhere(sky=above == labelled.sky_above)
    return finish(rgb.astype(np.float32) / np.float32(255), plane, rng, presence=0.0)
