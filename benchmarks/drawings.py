"""Drawn pictures without a horizon, full of edges: stairs, blinds, shelves, facades, desks, pages."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import av
import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWINGS", "test_picture"]

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
WIDTH, HEIGHT = 1280, 720
WORDS = ("the", "light", "and", "value", "measured", "along", "a", "line", "between", "points", "is", "given")


def colour(rng: np.random.Generator, low: float = 30, high: float = 230) -> Colour:
    tone = rng.uniform(low, high)
    red, green, blue = (int(v) for v in (tone * rng.normal(1, 0.08, 3)).clip(0, 255))
    return red, green, blue


def blank(tone: Colour) -> Image:
    return np.full((HEIGHT, WIDTH, 3), tone, np.uint8)


def box(image: Image, left: float, top: float, right: float, bottom: float, tone: Colour) -> None:
    cv2.rectangle(image, (int(left), int(top)), (int(right), int(bottom)), tone, -1)


def stairs(rng: np.random.Generator) -> Image:
    """Treads and risers that grow towards the camera, between two walls."""
    image, tread, riser = blank(colour(rng)), colour(rng, 120), colour(rng, 20, 120)
    y, depth, growth = 0.0, rng.uniform(14, 26), rng.uniform(1.1, 1.2)
    while y < HEIGHT:
        reach = 0.3 * WIDTH + 0.25 * y
        box(image, WIDTH / 2 - reach, y, WIDTH / 2 + reach, y + depth, riser)
        box(image, WIDTH / 2 - reach, y + 0.6 * depth, WIDTH / 2 + reach, y + depth, tread)
        y, depth = y + depth, depth * growth
    return image


def blinds(rng: np.random.Generator) -> Image:
    """Slats before a bright window in a dark wall."""
    image, slat = blank(colour(rng, 20, 90)), colour(rng, 90, 180)
    left, right, gap = rng.uniform(-200, 250), WIDTH - rng.uniform(-200, 250), rng.uniform(22, 60)
    box(image, left, 60, right, 680, colour(rng, 210, 250))
    for y in np.arange(60, 680, gap):
        box(image, left, y, right, y + rng.uniform(0.45, 0.65) * gap, slat)
    return image


def shelves(rng: np.random.Generator) -> Image:
    """Boards with books."""
    image, board = blank(colour(rng, 40, 110)), colour(rng, 130, 220)
    gap = rng.uniform(150, 230)
    for y in np.arange(gap, HEIGHT + gap, gap):
        x = 0.0
        while x < WIDTH:
            x += rng.uniform(14, 44)
            if rng.random() < 0.85:
                box(image, x, y - gap * rng.uniform(0.5, 0.85), x + rng.uniform(12, 40), y, colour(rng))
        box(image, 0, y, WIDTH, y + 16, board)
    return image


def facade(rng: np.random.Generator) -> Image:
    """Windows in rows, ledges between the floors."""
    image, ledge, glass = blank(colour(rng, 120, 220)), colour(rng), colour(rng, 20, 110)
    across, floor = rng.uniform(90, 170), rng.uniform(110, 200)
    for y in np.arange(-rng.uniform(0, floor), HEIGHT, floor):
        box(image, 0, y, WIDTH, y + rng.uniform(6, 16), ledge)
        for x in np.arange(-40, WIDTH, across):
            box(image, x, y + 0.3 * floor, x + 0.5 * across, y + 0.85 * floor, glass)
    return image


def desk(rng: np.random.Generator) -> Image:
    """A desk against a wall: one long straight edge, with a screen, papers and a cup."""
    image, edge = blank(colour(rng, 150, 240)), rng.uniform(330, 430)
    box(image, 0, edge, WIDTH, HEIGHT, colour(rng, 50, 150))
    left = rng.uniform(300, 700)
    box(image, left, edge - 210, left + 330, edge + 30, colour(rng, 15, 50))
    box(image, left + 10, edge - 200, left + 320, edge + 5, colour(rng, 60, 250))
    for _ in range(4):
        centre = rng.uniform(100, 1180), rng.uniform(edge + 60, 700)
        sheet = cv2.boxPoints((centre, (170, 100), rng.uniform(-40, 40))).astype(np.int32)
        cv2.fillPoly(image, [sheet], colour(rng, 190, 250))
    cv2.circle(image, (int(rng.uniform(100, 1180)), int(edge + 60)), 45, colour(rng), -1)
    return image


def page(rng: np.random.Generator) -> Image:
    """A printed page."""
    image, ink = blank(colour(rng, 215, 250)), colour(rng, 10, 60)
    for y in np.arange(40, HEIGHT, rng.uniform(26, 40)):
        if rng.random() < 0.9:
            line = " ".join(rng.choice(WORDS, 14))
            cv2.putText(image, line, (60, int(y)), cv2.FONT_HERSHEY_COMPLEX, 0.75, ink, 1, cv2.LINE_AA)
    return image


def bands(rng: np.random.Generator) -> Image:
    """Bands of any width and tone across the picture."""
    image, y = blank(colour(rng)), 0.0
    while y < HEIGHT:
        deep = rng.uniform(20, 160)
        box(image, 0, y, WIDTH, y + deep, colour(rng, 10, 245))
        y += deep
    return image


def texture(rng: np.random.Generator) -> Image:
    """Noise of all scales, along one direction or none, as of plaster, wood or cloth."""
    stretch, total = float(rng.choice([1, 1, 6])), np.zeros((HEIGHT, WIDTH), np.float32)
    for octave in range(1, 8):
        rows, columns = 2**octave * 9 // 8 + 1, max(2, round(2**octave * 2 / stretch))
        part = rng.standard_normal((rows, columns)).astype(np.float32)
        total += cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) / octave
    grey = 128 + 22 * total
    return (grey[:, :, None] * rng.normal(1, 0.06, 3)).clip(0, 255).astype(np.uint8)


DRAWINGS: dict[str, tuple[Callable[[np.random.Generator], Image], int]] = {
    "stairs": (stairs, 3),
    "blinds": (blinds, 2),
    "shelves": (shelves, 2),
    "facade": (facade, 3),
    "desk": (desk, 3),
    "page": (page, 2),
    "bands": (bands, 2),
    "texture": (texture, 3),
}
"""Each kind's painter, and how many clips it gives."""


def test_picture(name: str, count: int) -> list[Image]:
    """Frames of a test picture of FFmpeg's lavfi, RGB (720, 1280, 3)."""
    with av.open(f"{name}=size={WIDTH}x{HEIGHT}:rate=25", format="lavfi") as container:
        return [f.to_ndarray(format="rgb24") for f in islice(container.decode(video=0), count)]
