"""Kernels: the colour of water and land along a ray below the horizon."""

from __future__ import annotations

import math

from horizon_rt.synth.noise import cell
from horizon_rt.synth.sky import toward_zenith
from horizon_rt.synth.texture import CELLS, CLOUDS, ROUGH, WAVES, look_up, waves_at
from horizon_rt.system.kernels import Array, Record, kernel

__all__ = ["ground_colour"]


@kernel(fastmath=True)
def ground_colour(
    scene: Record, patterns: Array, waves: Array, x: float, y: float, z: float, pixel: float, east: float,
    north: float, time_s: float, colour: Array,
) -> None:  # fmt: skip
    """Fill `colour` for the ray (x east, y up, z north), y < 0, from `scene.height` above (east, north)."""
    distance = scene.height / -y
    gx, gz = x * distance + east, z * distance + north
    across = pixel * distance
    along = across * distance / scene.height
    footprint = math.sqrt(along * across)
    depth = 1e3  # in widths of the surf, negative on land
    if 0.0 < scene.sea_level < 0.999:
        tile = 6.0 * scene.coast_scale
        u, v = gx / tile + scene.offset[0], gz / tile + scene.offset[1]
        coast = 0.85 * look_up(patterns, CLOUDS, u, v, footprint / tile)
        coast += 0.15 * look_up(patterns, ROUGH, 2.7 * u, 2.7 * v, 2.7 * footprint / tile)
        coast += min(max(scene.shore[0] * gx + scene.shore[1] * gz, -1.0), 1.0)
        depth = (scene.sea_level - coast) * scene.shelf
    elif scene.sea_level <= 0.0:
        depth = -1e3
    if depth > 0.0:
        _water(scene, patterns, waves, gx, gz, x, y, z, footprint, depth, time_s, colour)
    else:
        _land(scene, patterns, gx, gz, footprint, depth, colour)
    _light(scene, patterns, gx, gz, footprint, distance, colour)


@kernel(fastmath=True)
def _light(
    scene: Record, patterns: Array, gx: float, gz: float, footprint: float, distance: float, colour: Array
) -> None:
    """Shadows of clouds, then the haze up to the distance where the earth curves away."""
    tone = 1.0
    if scene.shadows > 0.0:
        tile = 40.0 * scene.height + 400.0
        shade = look_up(patterns, CLOUDS, gx / tile + scene.offset[1], gz / tile, footprint / tile)
        tone -= scene.shadows * min(max(3.0 * (shade - 0.45), 0.0), 1.0)
    clear = math.exp(-min(distance, scene.reach) / scene.visibility)
    for k in range(3):
        colour[k] = scene.haze[k] + (colour[k] * tone - scene.haze[k]) * clear


@kernel(fastmath=True)
def _water(
    scene: Record, patterns: Array, waves: Array, gx: float, gz: float, x: float, y: float, z: float,
    footprint: float, depth: float, time_s: float, colour: Array,
) -> None:  # fmt: skip
    """Facets mirror the sky by Schlick's Fresnel term (1994); the rest is light out of the water."""
    tile = WAVES * scene.wave_length
    c, s = scene.wind[0], scene.wind[1]
    drift = 0.09 * time_s * math.sqrt(scene.wave_length) / WAVES / scene.wave_length
    u, v = (gx * c + gz * s) / tile + drift, (gz * c - gx * s) / tile
    swell, du, dv = waves_at(waves, u, v, footprint / tile)
    ripple, eu, ev = waves_at(
        waves, 5.7 * (0.8 * u + 0.6 * v) + drift, 5.7 * (0.8 * v - 0.6 * u), 5.7 * footprint / tile
    )
    du, dv = scene.steepness * (du + 0.6 * eu), scene.steepness * (dv + 0.6 * ev)
    sx, sz = du * c - dv * s, du * s + dv * c
    norm = math.sqrt(1.0 + sx * sx + sz * sz)
    # Waves too fine to be seen still tilt the facets that are.
    rough = scene.steepness * min(1.0, 0.25 + footprint / (0.25 * scene.wave_length))
    facing = max((sx * x - y + sz * z) / norm, 0.0) + 0.4 * rough
    grazing = max(1.0 - facing, 0.0)
    mirror = 0.02 + 0.98 * grazing * grazing * grazing * grazing * grazing
    up = min(max(y + 2.0 * facing / norm, 0.0) + 0.3 * rough, 1.0)
    shallow = math.exp(-0.25 * depth) if scene.sea_level < 0.999 else 0.0
    blend = toward_zenith(scene, up)
    for k in range(3):
        mirrored = (scene.skyline[k] + (scene.zenith[k] - scene.skyline[k]) * blend) * scene.reflected
        body = scene.water[k] + (scene.shallow[k] - scene.water[k]) * shallow
        body *= 1.0 + 0.25 * swell * min(1.0, 4.0 * scene.steepness)
        colour[k] = body + (mirrored - body) * mirror
    if scene.glitter > 0.0:
        _glitter(scene, x, y, z, sx, sz, norm, facing, rough, colour)
    _foam(scene, patterns, gx, gz, swell + 0.5 * ripple, footprint, depth, time_s, colour)


@kernel(fastmath=True)
def _glitter(
    scene: Record, x: float, y: float, z: float, sx: float, sz: float, norm: float, facing: float,
    rough: float, colour: Array,
) -> None:  # fmt: skip
    """The sun in every facet, spread by the waves that are too fine to be seen."""
    rx, ry, rz = x - 2.0 * facing * sx / norm, y + 2.0 * facing / norm, z - 2.0 * facing * sz / norm
    toward = rx * scene.sun[0] + ry * max(scene.sun[1], 0.03) + rz * scene.sun[2]
    width = 0.004 + 0.5 * rough * rough
    # Facets are not of unit length: their rays may exceed the sun's.
    spark = math.exp(min(max((toward - 1.0) / width, -30.0), 0.0)) * min(1.0, 0.02 / width + 0.3)
    for k in range(3):
        colour[k] += scene.sun_colour[k] * scene.glitter * spark * 2.0


@kernel(fastmath=True)
def _foam(
    scene: Record, patterns: Array, gx: float, gz: float, crest: float, footprint: float, depth: float,
    time_s: float, colour: Array,
) -> None:  # fmt: skip
    """White caps on the crests, and lines of surf before a shore."""
    surf = scene.sea_level < 0.999 and depth < 6.0
    if scene.foam <= 0.0 and not surf:
        return
    tile = 2.2 * scene.wave_length
    torn = look_up(patterns, ROUGH, gx / tile, gz / tile, footprint / tile)
    amount = 0.0
    if scene.foam > 0.0:
        amount = min(max((0.35 * crest + torn - 1.25 + scene.foam) * 4.0, 0.0), 1.0)
        blurred = min(footprint / scene.wave_length, 1.0)
        amount += (0.5 * scene.foam**2 - amount) * blurred
    if surf:
        line = math.sin(2.6 * depth + 9.0 * torn + 0.8 * time_s)
        amount = max(amount, math.exp(-0.5 * depth) * min(max(1.4 * line + 3.0 * torn - 1.6, 0.0), 1.0))
        amount = max(amount, math.exp(-2.5 * depth))
    for k in range(3):
        colour[k] += (scene.foam_colour[k] - colour[k]) * min(amount, 1.0) * 0.85


@kernel(fastmath=True)
def _land(
    scene: Record, patterns: Array, gx: float, gz: float, footprint: float, depth: float, colour: Array
) -> None:
    """Parcels, patches or wild ground in four tones, with a finer grain; wet and bare beside the water."""
    p = scene.patch
    fade = min(max(2.0 - 2.0 * footprint / p, 0.0), 1.0)
    edge = 1.0
    if scene.patch_kind == 0:  # parcels in rows, each row shifted
        i = math.floor(gz / p)
        shift = cell(int(i), 5, scene.seed)
        j = math.floor(gx / (p * (0.6 + shift)) + shift * 7.0)
        pick = 0.45 + (cell(int(i), int(j), scene.seed + 61) - 0.45) * fade
        edge = min(gz / p - i, 1.0 - (gz / p - i))
    else:
        tile = p * (16.0 if scene.patch_kind == 1 else 5.0)
        u, v = gx / tile + scene.offset[1], gz / tile + scene.offset[0]
        pick = look_up(patterns, CELLS if scene.patch_kind == 1 else ROUGH, u, v, footprint / tile)
    pick = min(max(pick, 0.0), 0.999) * 3.0
    i0 = int(pick)
    part = pick - i0
    tile = 30.0 * scene.grain
    tone = 0.55 + 0.9 * look_up(patterns, ROUGH, gx / tile, gz / tile, footprint / tile)
    if edge < 0.04 and fade > 0.5:
        tone *= 1.35
    bare = math.exp(0.2 * depth) if depth > -50.0 else 0.0
    if depth > -0.6:
        tone *= 0.75
    for k in range(3):
        base = scene.ground[i0, k] * (1.0 - part) + scene.ground[i0 + 1, k] * part
        colour[k] = (base + (scene.sand[k] - base) * bare) * tone
