"""Kernels: the colour of the sky along a ray."""

from __future__ import annotations

import math

from horizon_rt.synth.noise import cell
from horizon_rt.synth.texture import CLOUDS, ROUGH, look_up
from horizon_rt.system.kernels import Array, Record, kernel

__all__ = ["sky_colour", "toward_zenith"]


@kernel(fastmath=True, inline="always")
def toward_zenith(scene: Record, elevation: float) -> float:
    """Share of the zenith's colour in a clear sky at the sine of an elevation; the rest is the skyline's."""
    return 1.0 - math.exp(-elevation * scene.sky_falloff)


@kernel(fastmath=True)
def sky_colour(
    scene: Record, patterns: Array, x: float, y: float, z: float, pixel: float, time_s: float, colour: Array
) -> None:
    """Fill `colour` for the ray (x east, y up, z north), y >= 0."""
    blend = toward_zenith(scene, y)
    for k in range(3):
        colour[k] = scene.skyline[k] + (scene.zenith[k] - scene.skyline[k]) * blend
    if scene.cloud_cover > 0.02:
        _clouds(scene, patterns, x, y, z, pixel, time_s, colour)
    if scene.bank > 0.0:
        _bank(scene, patterns, x, y, z, pixel, colour)
    if scene.streaks[0, 4] > 0.0:
        _streaks(scene, patterns, x, y, z, pixel, colour)
    if scene.stars > 0.0 and cell(int(x * 400), int(z * 400) + 7919 * int(y * 400), scene.seed) > 0.9985:
        for k in range(3):
            colour[k] += scene.stars * 0.6
    toward = x * scene.sun[0] + y * scene.sun[1] + z * scene.sun[2]
    if scene.sun_glow > 0.0 and toward > 0.0:
        glow = scene.sun_glow * (0.35 * toward**8 + 0.6 * toward**64) + (2.0 if toward > 0.9997 else 0.0)
        for k in range(3):
            colour[k] += scene.sun_colour[k] * glow


@kernel(fastmath=True)
def _clouds(
    scene: Record, patterns: Array, x: float, y: float, z: float, pixel: float, time_s: float, colour: Array
) -> None:
    """A flat layer of clouds overhead that runs into the distance."""
    reach = 0.12 * scene.cloud_scale / (y + 0.06)
    u = x * reach + scene.offset[0] + 0.001 * time_s
    v = z * reach + scene.offset[1]
    footprint = pixel * reach / (y + 0.06) * 0.3
    billow = look_up(patterns, CLOUDS, u, v, footprint)
    density = 0.7 * billow + 0.3 * look_up(patterns, ROUGH, 3.1 * v, 3.1 * u, 3.1 * footprint)
    amount = min(max((density - 0.95 + 0.9 * scene.cloud_cover) * scene.cloud_edge, 0.0), 1.0)
    amount *= min(1.0, 0.25 + 6.0 * y)
    shade = min(max((density - 0.35) * 1.8, 0.0), 1.0)
    for k in range(3):
        cloud = scene.cloud_colour[k] + (scene.cloud_shade[k] - scene.cloud_colour[k]) * shade
        colour[k] += (cloud - colour[k]) * amount


@kernel(fastmath=True, inline="always")
def _below(y: float, edge: float, soft: float) -> float:
    """1 well below a soft edge, 0 well above."""
    return 1.0 / (1.0 + math.exp(min((y - edge) / soft, 40.0)))


@kernel(fastmath=True)
def _bank(scene: Record, patterns: Array, x: float, y: float, z: float, pixel: float, colour: Array) -> None:
    """A bank of clouds or haze low over the horizon, whose edge is easily taken for it."""
    azimuth = math.atan2(x, z)
    ragged = look_up(patterns, ROUGH, 0.35 * azimuth + scene.offset[1], 2.0 * y, 0.35 * pixel) - 0.5
    edge = scene.bank_top * (1.0 + scene.bank_ragged * ragged)
    amount = scene.bank * _below(y, edge, scene.bank_soft)
    for k in range(3):
        colour[k] += (scene.cloud_shade[k] - colour[k]) * amount


@kernel(fastmath=True)
def _streaks(
    scene: Record, patterns: Array, x: float, y: float, z: float, pixel: float, colour: Array
) -> None:
    """Bands of cloud or light that float low over the horizon and run along it, as at dusk."""
    azimuth = math.atan2(x, z)
    for index in range(scene.streaks.shape[0]):
        base, top, soft, rough, opacity = (
            scene.streaks[index, 0], scene.streaks[index, 1], scene.streaks[index, 2],
            scene.streaks[index, 3], scene.streaks[index, 4],
        )  # fmt: skip
        if opacity <= 0.0 or y < base - 6.0 * soft - rough or y > top + 6.0 * soft + rough:
            continue
        shift = 0.21 * index + scene.offset[0]
        ragged = rough * (look_up(patterns, ROUGH, 0.5 * azimuth + shift, 3.0 * y, 0.5 * pixel) - 0.5)
        amount = opacity * _below(y, top + ragged, soft) * (1.0 - _below(y, base + ragged, soft))
        for k in range(3):
            colour[k] += (scene.streaks[index, 5 + k] - colour[k]) * amount
