"""Cameras with distortion in one call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from horizon_rt.camera import BrownConrady, Camera

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
