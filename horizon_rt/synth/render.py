"""The renderer: one ray a pixel, exact at the horizon.

A pixel's colour is that of its ray in the world of `Scene`; where a ray passes within half a pixel of an
edge (horizon or profile) the two sides are mixed by the share of the pixel that each covers, so the edge is
at its true place to a small fraction of a pixel. `time_s` moves the waves and clouds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from horizon_rt.camera import CameraModel
from horizon_rt.geometry import UpVector
from horizon_rt.synth.noise import cell, fractal1, fractal2, value1, value2
from horizon_rt.synth.scene import Scene

__all__ = ["camera_rays", "render", "world_axes"]


def camera_rays(camera: CameraModel) -> NDArray[np.float32]:
    """Unit rays of all pixels, shape (height, width, 3)."""
    y, x = np.mgrid[: camera.height, : camera.width]
    points = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
    return camera.rays(points).reshape(camera.height, camera.width, 3).astype(np.float32)


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
) -> NDArray[np.float32]:
    """RGB picture, shape (height, width, 3), float32 about 0..1 (the sun may exceed it).

    `rays` come from `camera_rays`; `position` is (east, north) in metres.
    """
    axes = world_axes(up, heading_deg)
    height, width = rays.shape[:2]
    y, x = height // 2, width // 2
    pixel = float(np.linalg.norm(rays[y, x] - rays[y, max(x - 1, 0)])) if width > 1 else 1e-3
    image = np.empty(rays.shape, np.float32)
    _render(scene, rays, axes, pixel, position[0], position[1], time_s, image)
    return image


@njit(cache=True, nogil=True, fastmath=True)
def _render(
    scene: Any, rays: Any, axes: Any, pixel: float, east: float, north: float, time_s: float, image: Any
) -> None:
    colour = np.empty(3, np.float32)
    other = np.empty(3, np.float32)
    for row in range(rays.shape[0]):
        for column in range(rays.shape[1]):
            a, b, c = rays[row, column, 0], rays[row, column, 1], rays[row, column, 2]
            x = axes[0, 0] * a + axes[0, 1] * b + axes[0, 2] * c
            y = axes[1, 0] * a + axes[1, 1] * b + axes[1, 2] * c
            z = axes[2, 0] * a + axes[2, 1] * b + axes[2, 2] * c
            share = min(max(y / pixel + 0.5, 0.0), 1.0)
            if share > 0.0:
                _sky(scene, x, max(y, 0.0), z, pixel, time_s, colour)
            if share < 1.0:
                _ground(scene, x, min(y, -0.25 * pixel), z, pixel, east, north, time_s, other)
                for k in range(3):
                    colour[k] = other[k] + (colour[k] - other[k]) * share if share > 0.0 else other[k]
            _profiles(scene, x, y, z, pixel, colour)
            for k in range(3):
                image[row, column, k] = colour[k]


@njit(cache=True, nogil=True, fastmath=True)
def _sky(scene: Any, x: float, y: float, z: float, pixel: float, time_s: float, colour: Any) -> None:
    blend = 1.0 - math.exp(-y * scene.sky_falloff)
    for k in range(3):
        colour[k] = scene.skyline[k] + (scene.zenith[k] - scene.skyline[k]) * blend
    if scene.cloud_cover > 0.02:
        reach = 1.0 / (y + 0.06)
        u, v = x * reach * scene.cloud_scale + 0.01 * time_s, z * reach * scene.cloud_scale
        density = fractal2(u, v, pixel * reach * reach * scene.cloud_scale, 5, scene.seed + 11)
        amount = min(max((density - 0.75 + 0.6 * scene.cloud_cover) * 5.0, 0.0), 1.0)
        amount *= min(1.0, 0.25 + 6.0 * y)
        shade = min(max((density - 0.35) * 2.2, 0.0), 1.0)
        for k in range(3):
            cloud = scene.cloud_colour[k] + (scene.cloud_shade[k] - scene.cloud_colour[k]) * shade
            colour[k] += (cloud - colour[k]) * amount
    if scene.stars > 0.0 and cell(int(x * 400), int(z * 400) + 7919 * int(y * 400), scene.seed) > 0.9985:
        for k in range(3):
            colour[k] += scene.stars * 0.6
    toward = x * scene.sun[0] + y * scene.sun[1] + z * scene.sun[2]
    if scene.sun_glow > 0.0 and toward > 0.0:
        glow = scene.sun_glow * (0.35 * toward**8 + 0.6 * toward**64) + (2.0 if toward > 0.9997 else 0.0)
        for k in range(3):
            colour[k] += scene.sun_colour[k] * glow


@njit(cache=True, nogil=True, fastmath=True)
def _ground(
    scene: Any,
    x: float,
    y: float,
    z: float,
    pixel: float,
    east: float,
    north: float,
    time_s: float,
    colour: Any,
) -> None:
    distance = scene.height / -y
    gx, gz = x * distance + east, z * distance + north
    along = (
        pixel * distance * distance / scene.height
    )  # length of a pixel on the ground, away from the viewer
    wet = scene.sea_level >= 0.999
    if 0.0 < scene.sea_level < 0.999:
        s = scene.coast_scale
        coast = fractal2(gx / s, gz / s, math.sqrt(along * pixel * distance) / s, 4, scene.seed + 21)
        wet = coast < 0.3 + 0.35 * scene.sea_level
    if wet:
        _water(scene, gx, gz, x, y, z, along, pixel * distance, time_s, colour)
    else:
        _land(scene, gx, gz, math.sqrt(along * pixel * distance), colour)
    clear = math.exp(-distance / scene.visibility)
    for k in range(3):
        colour[k] = scene.haze[k] + (colour[k] - scene.haze[k]) * clear


@njit(cache=True, nogil=True, fastmath=True)
def _water(
    scene: Any, gx: float, gz: float, x: float, y: float, z: float, along: float, across: float,
    time_s: float, colour: Any,
) -> None:  # fmt: skip
    length = scene.wave_length
    footprint = math.sqrt(along * across) / length
    drift = 0.35 * time_s * math.sqrt(length)
    swell = (
        fractal2((gx + drift) / length, (gz * 0.45 + 0.3 * gx) / length, footprint, 5, scene.seed + 31) - 0.5
    )
    cross = (
        fractal2(gx * 0.8 / length - 3.1, (gz - drift) * 0.9 / length, footprint, 3, scene.seed + 41) - 0.44
    )
    wave = scene.wave_contrast * (swell * 1.6 + cross * 0.8)
    mirror = 0.05 + 0.75 * math.exp(9.0 * y)  # grazing rays reflect the sky (Schlick, by eye)
    for k in range(3):
        base = (
            scene.water[k]
            + (0.55 * scene.skyline[k] + 0.45 * scene.zenith[k] - scene.water[k]) * mirror * 0.5
        )
        colour[k] = base * (1.0 + wave * 1.6)
    if scene.foam > 0.0:
        crest = swell + 0.25 * (value2(gx * 3 / length, gz * 3 / length, scene.seed + 51) - 0.5)
        foam = min(max((crest - 0.36 + 0.35 * scene.foam) * 6.0, 0.0), 1.0) * math.exp(-footprint)
        for k in range(3):
            colour[k] += (0.9 * min(1.0, 0.3 + scene.skyline[k]) - colour[k]) * foam * 0.8
    if scene.glitter > 0.0:
        flat = math.sqrt(x * x + z * z) * math.sqrt(scene.sun[0] ** 2 + scene.sun[2] ** 2) + 1e-6
        toward = (x * scene.sun[0] + z * scene.sun[2]) / flat
        if toward > 0.7:
            path = math.exp((toward - 1.0) * 60.0)
            spark = (
                0.35
                + 1.8 * max(0.0, cross + swell)
                + (1.0 if cell(int(gx * 9 / length), int(gz * 9 / length), 3) > 0.9 else 0.0)
                * math.exp(-footprint)
            )
            for k in range(3):
                colour[k] += scene.sun_colour[k] * scene.glitter * path * spark


@njit(cache=True, nogil=True, fastmath=True)
def _land(scene: Any, gx: float, gz: float, footprint: float, colour: Any) -> None:
    p = scene.patch
    fade = min(max(2.0 - 2.0 * footprint / p, 0.0), 1.0)
    if scene.patch_kind == 0:  # parcels in rows, each row shifted
        i = math.floor(gz / p)
        shift = cell(int(i), 5, scene.seed)
        j = math.floor(gx / (p * (0.6 + shift)) + shift * 7.0)
        pick = cell(int(i), int(j), scene.seed + 61)
        edge = min(gz / p - i, 1.0 - (gz / p - i))
    else:  # patches with curved borders
        warp = 0.8 * p * value2(gx / p * 0.7, gz / p * 0.7, scene.seed + 71)
        pick = (
            fractal2((gx + warp) / p * 0.6, (gz - warp) / p * 0.6, footprint / p, 4, scene.seed + 81) * 1.6
            - 0.25
        )
        edge = 1.0
    pick = min(max(0.45 + (pick - 0.45) * fade, 0.0), 0.999) * 3.0
    i0 = int(pick)
    part = pick - i0
    if scene.patch_kind != 2:
        part = part * part * (3.0 - 2.0 * part)
    texture = fractal2(gx / scene.grain, gz / scene.grain, footprint / scene.grain, 4, scene.seed + 91)
    tone = 0.6 + 0.8 * texture
    if edge < 0.04 and fade > 0.5:
        tone *= 1.35
    for k in range(3):
        colour[k] = (scene.ground[i0, k] * (1.0 - part) + scene.ground[i0 + 1, k] * part) * tone


@njit(cache=True, nogil=True, fastmath=True)
def _profiles(scene: Any, x: float, y: float, z: float, pixel: float, colour: Any) -> None:
    """Draw the standing layers, far to near, over the colour."""
    azimuth = 10.0
    index = 0
    for layer in scene.layers:
        index += 1
        if layer.cover <= 0.0:
            continue
        base = -scene.height / layer.distance
        limit = (layer.top - scene.height) / layer.distance
        if y < base - pixel or y > max(limit, 0.0) + 2 * pixel:
            continue
        if azimuth == 10.0:
            azimuth = math.atan2(x, z)
        seed = scene.seed + 100 * index
        rise = _profile(layer.kind, azimuth * layer.grain, azimuth, layer.cover, seed)
        if rise <= 0.0:
            continue
        top = base + (layer.top / layer.distance) * rise
        share = min(max((top - y) / pixel + 0.5, 0.0), 1.0) * min(max((y - base) / pixel + 0.5, 0.0), 1.0)
        if share <= 0.0:
            continue
        clear = math.exp(-layer.distance / scene.visibility)
        tone = 0.75 + 0.5 * value2(azimuth * layer.grain * 3.0, y * layer.grain * 6.0, seed + 9)
        for k in range(3):
            shade = scene.haze[k] + (layer.colour[k] * tone - scene.haze[k]) * clear
            colour[k] += (shade - colour[k]) * share


@njit(cache=True, nogil=True, fastmath=True)
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
