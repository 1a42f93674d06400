"""Things between the camera and the scene: wings, masts, bows, propellers, captions.

They are drawn over the picture in image space and do not move the truth.
"""

from __future__ import annotations

import cv2
import numpy as np

from horizon_rt.synth.chance import log_uniform
from horizon_rt.synth.sensor import Image

__all__ = ["random_occluders"]


def random_occluders(image: Image, rng: np.random.Generator) -> Image:
    """Draw none, one or several random occluders; float32 RGB in and out."""
    image = np.array(image, order="C")
    for draw, chance in (
        (_near_body, 0.16),
        (_bars, 0.14),
        (_objects, 0.18),
        (_propeller, 0.05),
        (_span, 0.06),
        (_caption, 0.12),
        (_frame, 0.05),
    ):
        if rng.random() < chance:
            draw(image, rng)
    return image


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    tone = rng.uniform(0.02, 1.0)
    r, g, b = (float(np.clip(tone * v, 0, 1)) for v in rng.normal(1, 0.15, 3))
    return r, g, b


def _near_body(image: Image, rng: np.random.Generator) -> None:
    """A bow, wing or deck that reaches in from an edge of the picture."""
    height, width = image.shape[:2]
    corners, size = int(rng.integers(3, 6)), np.array([width, height])
    edge = int(rng.choice(4, p=[0.55, 0.15, 0.15, 0.15]))  # bottom, left, right, top
    along = np.sort(rng.uniform(-0.2, 1.2, corners))
    depth = rng.uniform(-0.1, 0.4, corners)
    depth[[0, -1]] = -0.2
    frames = {
        0: np.stack([along, 1 - depth], 1),
        1: np.stack([depth, along], 1),
        2: np.stack([1 - depth, along], 1),
        3: np.stack([along, depth], 1),
    }
    cv2.fillPoly(image, [(frames[edge] * size * 16).astype(np.int32)], _colour(rng), cv2.LINE_AA, shift=4)


def _bars(image: Image, rng: np.random.Generator) -> None:
    """Masts, stays, railings, wires: straight bars across the picture."""
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(1, 5))):
        ends = rng.uniform(-0.1, 1.1, (2, 2)) * (width, height)
        if rng.random() < 0.6:
            ends[1, 0] = ends[0, 0] + rng.normal(0, 0.05) * width
        thickness = int(rng.choice([1, 1, 2, 3, 6, 10]))
        start, end = (tuple(int(v) for v in p * 16) for p in ends)
        cv2.line(image, start, end, _colour(rng), thickness, cv2.LINE_AA, shift=4)


def _objects(image: Image, rng: np.random.Generator) -> None:
    """Boats, people, birds, buoys: small solid shapes anywhere."""
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        centre = rng.uniform(0, 1, 2) * (width, height)
        spread = log_uniform(rng, 0.01, 0.25) * width
        points = centre + rng.normal(0, 1, (int(rng.integers(3, 8)), 2)) * (
            spread,
            spread * rng.uniform(0.3, 1.5),
        )
        hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 2)
        cv2.fillPoly(image, [(hull * 16).astype(np.int32)], _colour(rng), cv2.LINE_AA, shift=4)


def _propeller(image: Image, rng: np.random.Generator) -> None:
    """Smeared blades around a hub, half transparent."""
    height, width = image.shape[:2]
    layer, hub = image.copy(), rng.uniform(0.2, 0.8, 2) * (width, height)
    for angle in rng.uniform(0, 360, int(rng.integers(2, 4))):
        size = (int(0.7 * width), int(rng.uniform(0.01, 0.06) * width))
        cv2.ellipse(layer, (int(hub[0]), int(hub[1])), size, angle, 0, 360, _colour(rng), -1, cv2.LINE_AA)
    image += (layer - image) * np.float32(rng.uniform(0.1, 0.6))


def _span(image: Image, rng: np.random.Generator) -> None:
    """A bridge, pier or railing: a straight deck across the picture, with posts."""
    height, width = image.shape[:2]
    colour, thickness = _colour(rng), int(log_uniform(rng, 2, 0.12 * height))
    ends = np.array([[-0.1 * width, 0], [rng.uniform(0.3, 1.1) * width, 0]])
    ends[:, 1] = rng.uniform(0.2, 0.9) * height + rng.normal(0, 0.08, 2) * height
    if rng.random() < 0.5:
        ends[:, 0] = width - ends[:, 0]
    start, end = (tuple(int(v) for v in p * 16) for p in ends)
    cv2.line(image, start, end, colour, thickness, cv2.LINE_AA, shift=4)
    down, wide = rng.uniform(0.05, 0.6) * height, max(1, int(thickness * rng.uniform(0.2, 1.2)))
    for share in np.linspace(0, 1, int(rng.integers(1, 9))):
        x, y = ends[0] + (ends[1] - ends[0]) * share
        cv2.line(image, (int(x), int(y)), (int(x), int(y + down)), colour, wide, cv2.LINE_AA)


def _caption(image: Image, rng: np.random.Generator) -> None:
    """Burnt-in text, as recorders and flight displays write it."""
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(1, 7))):
        text = "".join(rng.choice(list("0123456789:.-ABCDEFHKMNRST "), int(rng.integers(3, 24))))
        place = (int(rng.uniform(-0.1, 0.8) * width), int(rng.uniform(0.05, 1) * height))
        mask = np.zeros((height, width), np.uint8)
        cv2.putText(mask, text, place, 0, width / 320 * rng.uniform(0.2, 0.6), 255, 1, cv2.LINE_AA)
        cover = mask[:, :, None].astype(np.float32) / 255
        image += (np.array(_colour(rng), np.float32) - image) * cover


def _frame(image: Image, rng: np.random.Generator) -> None:
    """Black borders of a letterboxed recording."""
    height, width = image.shape[:2]
    rows, columns = int(rng.uniform(0, 0.12) * height), int(rng.uniform(0, 0.12) * width)
    if rng.random() < 0.5:
        image[:rows] = image[height - rows :] = 0
    else:
        image[:, :columns] = image[:, width - columns :] = 0
