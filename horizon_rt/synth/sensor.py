"""From a clean picture to what a camera delivers: optics, exposure, noise, compression.

Every effect takes float32 RGB (height, width, 3), about 0..1, and leaves geometry alone, so that the truth of
the picture still holds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.system.kernels import Array, kernel

__all__ = ["THERMAL_SHARE", "Development", "Image", "develop", "jpeg", "random_sensor", "to_uint8"]

Image = NDArray[np.float32]
_CURVE = 1024  # steps of a tone curve
_NOISE = 1 << 18
THERMAL_SHARE = 0.22  # of random cameras


def to_uint8(image: Image) -> NDArray[np.uint8]:
    """Clip to 0..1 and quantise."""
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def random_sensor(image: Image, rng: np.random.Generator, *, thermal: bool = False) -> NDArray[np.uint8]:
    """A random camera: each effect appears with its own chance; returns uint8 RGB."""
    for effect, chance in ((_flare, 0.12), (_spray, 0.08), (_blur, 0.8 if thermal else 0.35)):
        if rng.random() < chance:
            image = effect(image, rng)
    film = _thermal if thermal else _grey if rng.random() < 0.12 else _colour
    quantised = develop(image, film(rng))
    return jpeg(quantised, int(rng.integers(20, 95))) if rng.random() < 0.5 else quantised


class Development(NamedTuple):
    """How light becomes numbers, in this order.

    `mix` (3, 3) turns RGB into RGB; `vignette` darkens the corners by this share; `curve` (1024,) maps 0..1;
    `slope` is added from the middle row to the bottom one; `noise` and `noise_colour` are standard deviations
    common to the three channels and apart, in squares of `coarse` px, beginning at `start` of a fixed store.
    """

    mix: NDArray[np.float32]
    vignette: float
    curve: NDArray[np.float32]
    slope: float
    noise: float
    noise_colour: float
    coarse: int
    start: int


def develop(image: Image, how: Development) -> NDArray[np.uint8]:
    """Float32 RGB to uint8 RGB in one pass."""
    out = np.empty(image.shape, np.uint8)
    _develop(image, *how, _noise_store(), out)
    return out


@lru_cache(maxsize=1)
def _noise_store() -> NDArray[np.float32]:
    return np.random.default_rng(3).standard_normal(_NOISE).astype(np.float32)


@kernel(fastmath=True)
def _develop(
    image: Array, mix: Array, vignette: float, curve: Array, slope: float, noise: float, noise_colour: float,
    coarse: int, start: int, store: Array, out: Array,
) -> None:  # fmt: skip
    height, width = image.shape[:2]
    for row in range(height):
        v = 2.0 * row / height - 1.0
        for column in range(width):
            u = 2.0 * column / width - 1.0
            radius = 0.5 * (u * u + v * v)
            light = (1.0 - vignette * radius * radius) * (_CURVE - 1)
            index = (start + 4 * ((row // coarse) * width + column // coarse)) & (_NOISE - 4)
            common = slope * v + noise * store[index]
            r, g, b = image[row, column, 0], image[row, column, 1], image[row, column, 2]
            for k in range(3):
                value = (mix[k, 0] * r + mix[k, 1] * g + mix[k, 2] * b) * light
                tone = curve[int(min(max(value, 0.0), _CURVE - 1.0))] + common
                tone += noise_colour * store[index + 1 + k]
                out[row, column, k] = int(min(max(tone * 255.0 + 0.5, 0.0), 255.0))


def _random_development(
    rng: np.random.Generator, mix: NDArray[np.floating[Any]], curve: NDArray[np.floating[Any]], slope: float
) -> Development:
    noise = 10 ** rng.uniform(-2.7, -1.4) if rng.random() < 0.6 else 0.0
    return Development(
        mix=mix.astype(np.float32),
        vignette=rng.uniform(0.1, 0.7) if rng.random() < 0.3 else 0.0,
        curve=curve.astype(np.float32),
        slope=slope,
        noise=noise,
        noise_colour=0.4 * noise,
        coarse=int(rng.integers(1, 3)),
        start=4 * int(rng.integers(_NOISE // 4)),
    )


def _ramp() -> NDArray[np.float64]:
    return np.linspace(0, 1, _CURVE)


def _colour(rng: np.random.Generator) -> Development:
    """Exposure, saturation, white balance, gamma, contrast."""
    saturation = rng.uniform(0.3, 1.6)
    mix = saturation * np.eye(3) + (1 - saturation) / 3
    balance = rng.normal(1, 0.06 if rng.random() < 0.7 else 0.2, 3)
    mix = mix * (np.maximum(balance, 0.3) * np.exp2(rng.normal(0, 0.5)))[:, None]
    return _random_development(rng, mix, _tones(rng), 0.0)


def _grey(rng: np.random.Generator) -> Development:
    """A monochrome camera."""
    weights = rng.dirichlet((2, 2, 2)) * np.exp2(rng.normal(0, 0.5))
    return _random_development(rng, np.tile(weights, (3, 1)), _tones(rng), 0.0)


def _tones(rng: np.random.Generator) -> NDArray[np.float64]:
    contrast = rng.uniform(0.35, 1.3)
    return _ramp() ** np.exp2(rng.normal(0, 0.4)) * contrast + (1 - contrast) * rng.uniform(0.2, 0.8)


def _thermal(rng: np.random.Generator) -> Development:
    """A thermal camera: grey, either polarity, little contrast, warmer towards one edge."""
    weights = rng.dirichlet((2, 2, 2))
    contrast = rng.uniform(0.15, 0.9) * rng.choice([-1, 1])
    curve = 0.5 + (_ramp() - rng.uniform(0.3, 0.7)) * contrast
    return _random_development(rng, np.tile(weights, (3, 1)), curve, float(rng.normal(0, 0.06)))


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


def _spray(image: Image, rng: np.random.Generator) -> Image:
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


def jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """JPEG artefacts; uint8 RGB in and out."""
    _, coded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[:, :, ::-1])
