"""The renderer: one ray a pixel, exact at the horizon.

A pixel's colour is that of its ray in the world of `Scene`; where a ray passes within half a pixel of an
edge (horizon or profile) the two sides are mixed by the share of the pixel that each covers, so the edge is
at its true place to a small fraction of a pixel. `time_s` moves the waves and clouds.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.geometry import UpVector
from horizon_rt.synth.ground import ground_colour
from horizon_rt.synth.noise import cell, fractal1, value1, value2
from horizon_rt.synth.scene import Scene
from horizon_rt.synth.sky import sky_colour
from horizon_rt.synth.texture import texture_atlas
from horizon_rt.system.kernels import Array, Record, kernel

__all__ = ["camera_rays", "render", "without_blind", "world_axes"]


def camera_rays(camera: Camera) -> NDArray[np.float32]:
    """Unit rays of all pixels, shape (height, width, 3); NaN where the lens sees nothing."""
    shape = camera.height, camera.width, 3
    if camera.is_linear:
        rays = np.empty(shape, np.float32)
        _pinhole_rays(camera.fx, camera.fy, camera.cx, camera.cy, rays)
        return rays
    y, x = np.mgrid[: camera.height, : camera.width]
    points = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
    return camera.rays(points).reshape(shape).astype(np.float32)


@kernel()
def _pinhole_rays(fx: float, fy: float, cx: float, cy: float, rays: Array) -> None:
    for row in range(rays.shape[0]):
        for column in range(rays.shape[1]):
            x, y = (column - cx) / fx, (row - cy) / fy
            norm = math.sqrt(x * x + y * y + 1.0)
            rays[row, column, 0], rays[row, column, 1], rays[row, column, 2] = x / norm, y / norm, 1.0 / norm


def world_axes(up: UpVector, heading_deg: float) -> NDArray[np.float32]:
    """Rows east, up, north in camera axes, shape (3, 3); heading 0 looks as far north as the tilt allows."""
    u = up.as_array()
    forward = (
        np.array([0.0, 0.0, 1.0]) if abs(u[2]) < 0.99 else np.array([0.0, math.copysign(1.0, u[2]), 0.0])
    )
    ahead = forward - u * (u @ forward)
    ahead /= np.linalg.norm(ahead)
    side = np.cross(ahead, u)
    heading = math.radians(heading_deg)
    north = math.cos(heading) * ahead - math.sin(heading) * side
    return np.stack([np.cross(north, u), u, north]).astype(np.float32)


def render(
    scene: Scene,
    rays: NDArray[np.float32],
    up: UpVector,
    *,
    heading_deg: float = 0.0,
    position: tuple[float, float] = (0.0, 0.0),
    time_s: float = 0.0,
    sky: NDArray[np.float32] | None = None,
    dip: float = 0.0,
) -> NDArray[np.float32]:
    """RGB picture, shape (height, width, 3), float32 about 0..1 (the sun may exceed it).

    `rays` come from `camera_rays`, black where they are NaN; `position` is (east, north) in metres. A picture
    `sky` of the same shape takes the place of the scene's own sky. All of the scene is lowered by a `dip` in
    rad: at every azimuth the horizon lies that far below level.
    """
    axes = world_axes(up, heading_deg)
    rays, blind = without_blind(rays)
    height, width = rays.shape[:2]
    y, x = height // 2, width // 2
    pixel = float(np.linalg.norm(rays[y, x] - rays[y, max(x - 1, 0)])) if width > 1 else 1e-3
    image = np.empty(rays.shape, np.float32)
    backdrop = np.empty((0, 0, 3), np.float32) if sky is None else sky
    place = float(position[0]), float(position[1]), float(time_s)
    turn = math.sin(dip), math.cos(dip)
    _render(scene.record(), scene.layers, *texture_atlas(), rays, axes, turn, pixel, *place, backdrop, image)
    if blind is not None:
        image[blind] = 0
    return image


def without_blind(rays: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Rays (height, width, 3) without NaN, which kernels of fast arithmetic do not bear, and where they were
    (height, width); None where there were none.
    """
    blind = np.isnan(rays[..., 2])
    if not blind.any():
        return rays, None
    return np.where(blind[..., None], np.array([0, 0, 1], np.float32), rays), blind


@kernel(fastmath=True)
def _render(
    scenes: Array, layers: Array, patterns: Array, waves: Array, rays: Array, axes: Array,
    dip: tuple[float, float], pixel: float,
    east: float, north: float, time_s: float, backdrop: Array, image: Array,
) -> None:  # fmt: skip
    scene = scenes[0]
    colour = np.empty(3, np.float32)
    other = np.empty(3, np.float32)
    for row in range(rays.shape[0]):
        for column in range(rays.shape[1]):
            a, b, c = rays[row, column, 0], rays[row, column, 1], rays[row, column, 2]
            x = axes[0, 0] * a + axes[0, 1] * b + axes[0, 2] * c
            y = axes[1, 0] * a + axes[1, 1] * b + axes[1, 2] * c
            z = axes[2, 0] * a + axes[2, 1] * b + axes[2, 2] * c
            if dip[0] != 0.0:
                level = math.sqrt(x * x + z * z)
                shrink = dip[1] - dip[0] * y / max(level, 1e-9)
                x, y, z = x * shrink, dip[1] * y + dip[0] * level, z * shrink
            share = min(max(y / pixel + 0.5, 0.0), 1.0)
            if share > 0.0:
                if backdrop.shape[0] > 0:
                    for k in range(3):
                        colour[k] = backdrop[row, column, k]
                else:
                    sky_colour(scene, patterns, x, max(y, 0.0), z, pixel, time_s, colour)
            if share < 1.0:
                ground_colour(
                    scene, patterns, waves, x, min(y, -0.25 * pixel), z, pixel, east, north, time_s, other
                )
                for k in range(3):
                    colour[k] = other[k] + (colour[k] - other[k]) * share if share > 0.0 else other[k]
            _profiles(scene, layers, x, y, z, pixel, colour)
            for k in range(3):
                image[row, column, k] = colour[k]


@kernel(fastmath=True)
def _profiles(
    scene: Record, layers: Array, x: float, y: float, z: float, pixel: float, colour: Array
) -> None:
    """Draw the standing layers, far to near, over the colour."""
    azimuth = 10.0
    for index in range(layers.shape[0]):
        kind, distance, height, cover, grain = (
            layers[index, 0], layers[index, 1], layers[index, 2], layers[index, 3],
            layers[index, 4],
        )  # fmt: skip
        base = -scene.height / distance
        if y < base - pixel or y > max(base + height / distance, 0.0) + 2 * pixel:
            continue
        if azimuth == 10.0:
            azimuth = math.atan2(x, z)
        seed = scene.seed + 100 * (index + 1)
        rise = _profile(int(kind), azimuth * grain, azimuth, cover, seed)
        if rise <= 0.0:
            continue
        top = base + height / distance * rise
        share = min(max((top - y) / pixel + 0.5, 0.0), 1.0) * min(max((y - base) / pixel + 0.5, 0.0), 1.0)
        if share <= 0.0:
            continue
        clear = math.exp(-distance / scene.visibility)
        tone = 0.75 + 0.5 * value2(azimuth * grain * 3.0, y * grain * 6.0, seed + 9)
        for k in range(3):
            shade = scene.haze[k] + (layers[index, 5 + k] * tone - scene.haze[k]) * clear
            colour[k] += (shade - colour[k]) * share


@kernel(fastmath=True)
def _profile(kind: int, t: float, azimuth: float, cover: float, seed: int) -> float:
    """Height of a layer at an azimuth as a share of its top, 0 where it has a gap."""
    gate = value1(azimuth * 4.0, seed + 5) * 0.6 + value1(azimuth * 11.0, seed + 6) * 0.4
    inside = min(max((cover - gate) * 6.0 + 0.5, 0.0), 1.0) if cover < 0.95 else 1.0
    if inside <= 0.0:
        return 0.0
    if kind == 0:
        return inside * fractal1(t, 6, seed)
    if kind == 1:
        return inside * (0.45 + 0.35 * value1(t * 0.3, seed) + 0.2 * fractal1(t * 2.0, 3, seed + 3))
    block = cell(math.floor(t), 0, seed)
    return inside * (0.25 + 0.75 * block * block) if inside > 0.4 else 0.0
