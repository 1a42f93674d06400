"""Rendered half planes with a known border, and the closed form of how far two lines lie apart."""

from __future__ import annotations

import math

import cv2
import numpy as np

from horizon_rt.geometry import HorizonLine

_SUB = 4  # samples of a pixel along each side


def half_plane(
    line: HorizonLine,
    width: int,
    height: int,
    *,
    sky: float = 180.0,
    ground: float = 60.0,
    blur_px: float = 0.0,
    noise: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """Luma (height, width) uint8 of a sharp border, each pixel the mean over its area."""
    inside = (np.arange(_SUB) + 0.5) / _SUB - 0.5
    x = (np.arange(width)[:, None] + inside).ravel() - (width - 1) / 2
    y = (np.arange(height)[:, None] + inside).ravel() - (height - 1) / 2
    angle = math.radians(line.angle_deg)
    above = math.sin(angle) * x[None, :] - math.cos(angle) * y[:, None] + line.offset_px > 0
    image = ground + (sky - ground) * above.reshape(height, _SUB, width, _SUB).mean(axis=(1, 3))
    if blur_px:
        image = cv2.GaussianBlur(image, (0, 0), blur_px)
    image += np.random.default_rng(seed).normal(0, noise or 1e-9, image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def apart_px(one: HorizonLine, other: HorizonLine, width: int, height: int) -> float:
    """Largest distance of `one` from `other` where that crosses the picture; inf for opposite skies."""
    a, b = math.radians(one.angle_deg), math.radians(other.angle_deg)
    if math.cos(a - b) < 0:
        return math.inf
    reach = math.hypot(width, height)
    t = np.linspace(-reach, reach, 20001)
    x = -other.offset_px * math.sin(b) + t * math.cos(b)
    y = other.offset_px * math.cos(b) + t * math.sin(b)
    seen = (np.abs(x) <= (width - 1) / 2) & (np.abs(y) <= (height - 1) / 2)
    away = np.abs(math.sin(a) * x - math.cos(a) * y + one.offset_px)
    return float(away[seen].max())
