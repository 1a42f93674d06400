"""Cameras with distortion in one call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from horizon_rt.camera import BrownConrady, Camera
from horizon_rt.geometry import UpVector

SHAPE = ("width", "height", "fx", "fy", "cx", "cy")


def brown(**values: float) -> Camera:
    """A camera of `SHAPE` with coefficients k1, k2, p1, p2, k3."""
    own = {name: values.pop(name) for name in SHAPE}
    return Camera(**own, distortion=BrownConrady(**values))  # type: ignore[arg-type]


def coefficients(camera: Camera) -> np.ndarray:
    """(k1, k2, p1, p2, k3) as OpenCV takes them."""
    assert isinstance(camera.distortion, BrownConrady)
    return np.array(camera.distortion.coefficients)


def changed(camera: Camera, **values: float) -> Camera:
    """The camera with other numbers, of its own or of its distortion."""
    own = {name: values.pop(name) for name in SHAPE if name in values}
    return replace(camera, **own, distortion=replace(camera.distortion, **values))  # type: ignore


def painted(
    camera: Camera, up: UpVector, *, blur_px: float = 1.0, seed: int = 0, lift_rad: float = 0.0
) -> np.ndarray:
    """A bright sky over darker, rougher ground, with noise; the edge is `blur_px` wide, and lies `lift_rad`
    above the horizon.
    """
    y, x = np.mgrid[: camera.height, : camera.width].astype(float)
    rays = camera.rays(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(camera.height, camera.width, 3)
    distance = (np.arcsin(rays @ up.as_array()) - lift_rad) * camera.focal_px / blur_px
    sky = 0.5 + 0.5 * np.tanh(2 * distance)
    rng = np.random.default_rng(seed)
    rough = rng.normal(0, 6, (camera.height, camera.width))
    noise = rng.normal(0, 1.5, (camera.height, camera.width))
    return np.clip(90 + 70 * sky + (1 - sky) * rough + noise, 0, 255).astype(np.uint8)
