"""From a clean picture to what a camera delivers: optics, exposure, noise, compression.

Every effect takes and returns float32 RGB (height, width, 3), about 0..1, and leaves geometry alone, so
that the truth of the picture still holds.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Image", "jpeg", "noise", "random_sensor", "spray", "thermal", "to_uint8"]

Image = NDArray[np.float32]


def to_uint8(image: Image) -> NDArray[np.uint8]:
    """Clip to 0..1 and quantise."""
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def random_sensor(image: Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A random camera: each effect appears with its own chance; returns uint8 RGB."""
    if rng.random() < 0.22:
        image = thermal(image, rng)
    elif rng.random() < 0.12:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    image = _grade(image, rng)
    for effect, chance in ((_vignette, 0.3), (_flare, 0.12), (spray, 0.08), (_blur, 0.35), (noise, 0.6)):
        if rng.random() < chance:
            image = effect(image, rng)
    quantised = to_uint8(image)
    return jpeg(quantised, int(rng.integers(20, 95))) if rng.random() < 0.5 else quantised


def thermal(image: Image, rng: np.random.Generator) -> Image:
    """A thermal camera: grey, either polarity, little contrast, warm gradient, soft."""
    grey = image @ rng.dirichlet((2, 2, 2)).astype(np.float32)
    if rng.random() < 0.5:
        grey = 1 - grey
    grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.4, 1.2))
    rows = np.linspace(-1, 1, grey.shape[0], dtype=np.float32)[:, None]
    grey = 0.5 + (grey - grey.mean()) * rng.uniform(0.15, 0.9) + rows * rng.normal(0, 0.06)
    return np.repeat(grey[:, :, None].astype(np.float32), 3, axis=2)


def _grade(image: Image, rng: np.random.Generator) -> Image:
    """Exposure, contrast, gamma, white balance, saturation."""
    grey = image.mean(axis=2, keepdims=True)
    image = grey + (image - grey) * np.float32(rng.uniform(0.3, 1.5))
    image = image * rng.normal(1, 0.06, 3).astype(np.float32) * np.float32(np.exp2(rng.normal(0, 0.5)))
    image = np.clip(image, 0, 1) ** np.float32(np.exp2(rng.normal(0, 0.4)))
    contrast = np.float32(rng.uniform(0.35, 1.3))
    return image * contrast + (1 - contrast) * np.float32(rng.uniform(0.2, 0.8))


def _vignette(image: Image, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    fall = 1 - rng.uniform(0.1, 0.6) * ((x * x + y * y) / 2) ** rng.uniform(0.8, 2)
    return image * fall[:, :, None].astype(np.float32)


def _flare(image: Image, rng: np.random.Generator) -> Image:
    """Ghosts on a line through the centre, and veiling glare."""
    height, width = image.shape[:2]
    ghosts = np.zeros((height, width, 3), np.float32)
    source = rng.uniform(0, 1, 2) * (width, height)
    for _ in range(int(rng.integers(2, 6))):
        centre = source + (np.array([width, height]) / 2 - source) * rng.uniform(0, 2.2)
        colour = tuple(float(v) for v in rng.uniform(0, 0.35, 3))
        cv2.circle(ghosts, (int(centre[0]), int(centre[1])), int(rng.uniform(0.02, 0.15) * width), colour, -1)
    ghosts = cv2.GaussianBlur(ghosts, (0, 0), 0.012 * width)
    return image + ghosts + np.float32(rng.uniform(0, 0.15))


def spray(image: Image, rng: np.random.Generator) -> Image:
    """Drops on the lens: round patches that show a blurred picture."""
    height, width = image.shape[:2]
    blurred = cv2.GaussianBlur(image, (0, 0), 0.02 * width)
    mask = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(3, 25))):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(mask, centre, int(rng.uniform(0.005, 0.05) * width) + 1, float(rng.uniform(0.4, 1)), -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.004 * width + 0.5)[:, :, None]
    return image + (blurred * np.float32(rng.uniform(0.8, 1.2)) - image) * mask


def _blur(image: Image, rng: np.random.Generator) -> Image:
    """Defocus, or motion along a random direction."""
    if rng.random() < 0.6:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.6))
    length, angle = rng.uniform(2, 9), rng.uniform(0, np.pi)
    kernel = np.zeros((11, 11), np.float32)
    tip = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    ends = [tuple(int(v) for v in np.round((5 + s * tip) * 16)) for s in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, shift=4)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def noise(image: Image, rng: np.random.Generator) -> Image:
    """Gaussian noise, partly common to the three colours, sometimes coarse."""
    height, width = image.shape[:2]
    sigma, coarse = rng.uniform(0.003, 0.05), int(rng.integers(1, 3))
    size = (height // coarse + 1, width // coarse + 1)
    grain = rng.standard_normal((*size, 1), np.float32) + 0.5 * rng.standard_normal((*size, 3), np.float32)
    if coarse > 1:
        grain = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    return image + grain[:height, :width].astype(np.float32) * np.float32(sigma)


def jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """JPEG artefacts; uint8 RGB in and out."""
    _, coded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[:, :, ::-1])
