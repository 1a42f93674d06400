"""Flat scenes and the closed form of their horizon."""

from __future__ import annotations

import numpy as np

from horizon_rt.camera import Camera
from horizon_rt.synth.random_scene import random_scene
from horizon_rt.synth.scene import Scene

BLACK, WHITE = np.zeros(3, np.float32), np.ones(3, np.float32)


def flat_scene() -> Scene:
    """White sky on black ground, nothing else."""
    return random_scene(np.random.default_rng(0), "fields")._replace(
        zenith=WHITE,
        skyline=WHITE,
        sun_glow=0.0,
        cloud_cover=0.0,
        bank=0.0,
        shadows=0.0,
        stars=0.0,
        sea_level=0.0,
        ground=np.zeros((4, 3), np.float32),
        haze=BLACK,
        sand=BLACK,
        layers=np.zeros((0, 8), np.float32),
    )


def sky_areas(camera: Camera, up: np.ndarray, *, margin: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """The area of sky in each column in px, and whether the line crosses it inside the picture.

    From r·u = 0 with r = ((x − cx)/fx, (y − cy)/fy, 1); for a lens without distortion.
    """
    x = (np.arange(camera.width) - camera.cx) / camera.fx
    line = camera.cy - camera.fy * (up[0] * x + up[2]) / up[1]
    above = np.clip(line + 0.5, 0, camera.height)
    inside = (line > margin) & (line < camera.height - 1 - margin)
    return (above if up[1] < 0 else camera.height - above), inside
