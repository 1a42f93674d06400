"""Tileable textures for the renderer, with the coarser levels that distant ground needs.

Sums of noise octaves by pixel cost 20 hashes each; here every pattern is made once per process and looked up
(Williams 1983: pyramidal parametrics), which renders a training picture several times as fast. A pattern
serves many scenes: each sees it at an offset, scale and turn of its own.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from horizon_rt.system.kernels import Array, kernel

__all__ = ["CELLS", "CLOUDS", "ROUGH", "WAVES", "Atlas", "look_up", "texture_atlas", "waves_at"]

SIZE = 512  # texels of a tile
_LEVELS = 10
_OFFSETS = tuple(sum((SIZE >> k) ** 2 for k in range(level)) for level in range(_LEVELS))
# The patterns: billowing, rough to the finest texel, patches with borders.
CLOUDS, ROUGH, CELLS = 0, 1, 2
_FLAT = 0.4  # averaged over this much of a tile, a pattern is its mean
# Waves of a tile: crest to crest of the dominant ones.
WAVES = 14


class Atlas(NamedTuple):
    """`patterns` (3, texels), 0..1 with mean 0.5; `waves` (texels, 3): height and the two slopes, of unit sd.

    All levels of a tile stand one after the other, finest first.
    """

    patterns: NDArray[np.float32]
    waves: NDArray[np.float32]


@lru_cache(maxsize=1)
def texture_atlas() -> Atlas:
    """The textures of this process; the same in every process."""
    rng = np.random.default_rng(20)
    fields = [_spectral(rng, 1.9), _spectral(rng, 1.05), _patches(rng)]
    return Atlas(np.stack([_pyramid(_equalise(f)) for f in fields]), _wave_pyramid(rng))


def _frequencies() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    cycles = np.fft.fftfreq(SIZE, 1 / SIZE)
    kx, ky = np.meshgrid(cycles, cycles)
    return kx, ky


def _filtered(rng: np.random.Generator, amplitude: NDArray[np.float64]) -> NDArray[np.complex128]:
    spectrum = np.fft.fft2(rng.standard_normal((SIZE, SIZE))) * amplitude
    spectrum[0, 0] = 0
    return spectrum


def _spectral(rng: np.random.Generator, slope: float) -> NDArray[np.float64]:
    """Noise whose amplitude falls with frequency to the power −slope."""
    radius = np.hypot(*_frequencies())
    return np.fft.ifft2(_filtered(rng, np.maximum(radius, 3.0) ** -slope)).real


def _patches(rng: np.random.Generator) -> NDArray[np.float64]:
    """Tones of the cells nearest to scattered points (Worley 1996), on a tile that repeats."""
    points, tones = rng.uniform(0, SIZE, (260, 2)), rng.uniform(0, 1, 260)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    nearest, field = np.full((SIZE, SIZE), np.inf, np.float32), np.zeros((SIZE, SIZE))
    for (px, py), tone in zip(points, tones, strict=True):
        dx, dy = np.abs(x - px), np.abs(y - py)
        distance = np.minimum(dx, SIZE - dx) ** 2 + np.minimum(dy, SIZE - dy) ** 2
        closer = distance < nearest
        nearest[closer], field[closer] = distance[closer], tone
    return field + 0.25 * _equalise(_spectral(rng, 1.0))


def _equalise(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """To mean 0.5 and a range of about 0..1."""
    return np.clip(0.5 + 0.22 * (field - field.mean()) / field.std(), 0, 1)


def _wave_pyramid(rng: np.random.Generator) -> NDArray[np.float32]:
    """Height and slopes of a wind sea: Phillips' spectrum with cos² spreading (Tessendorf 2001)."""
    kx, ky = _frequencies()
    radius = np.maximum(np.hypot(kx, ky), 1e-9)
    spread = np.maximum(kx / radius, 0) ** 2 + 0.05
    amplitude = np.sqrt(np.exp(-((WAVES / radius) ** 2)) / radius**3.4 * spread)
    spectrum = _filtered(rng, amplitude)
    fields = [np.fft.ifft2(s).real for s in (spectrum, 1j * kx * spectrum, 1j * ky * spectrum)]
    scale = [1 / fields[0].std(), *(2 * [1 / np.hypot(fields[1].std(), fields[2].std())])]
    return np.stack([_pyramid(f * s) for f, s in zip(fields, scale, strict=True)], axis=1)


def _pyramid(field: NDArray[np.float64]) -> NDArray[np.float32]:
    levels = [field]
    while len(levels[-1]) > 1:
        n = len(levels[-1]) // 2
        levels.append(levels[-1].reshape(n, 2, n, 2).mean(axis=(1, 3)))
    return np.concatenate([level.ravel() for level in levels]).astype(np.float32)


@kernel(inline="always")
def _corner(u: float, v: float, level: int) -> tuple[int, int, int, int, float, float]:
    """Texel numbers of the four neighbours and the place between them; u, v in tiles."""
    n = SIZE >> level
    x, y = u * n - 0.5, v * n - 0.5
    fx, fy = math.floor(x), math.floor(y)
    i, j, base = int(fx), int(fy), _OFFSETS[level]
    i0, i1 = i & (n - 1), (i + 1) & (n - 1)
    j0, j1 = base + (j & (n - 1)) * n, base + ((j + 1) & (n - 1)) * n
    return j0 + i0, j0 + i1, j1 + i0, j1 + i1, x - fx, y - fy


@kernel(fastmath=True, inline="always")
def _level(footprint: float) -> tuple[int, float]:
    """The finer of the two levels to mix, and the share of the coarser.

    Mixed only midway between two levels, where a step would show; elsewhere one look-up is enough.
    """
    x = max(footprint * SIZE, 1.0)
    k = 0
    while x >= 2.0 and k < _LEVELS - 2:
        x *= 0.5
        k += 1
    return k, min(max(3.0 * (min(x, 2.0) - 1.5) + 0.5, 0.0), 1.0)


@kernel(fastmath=True)
def _bilinear(texels: Array, pattern: int, u: float, v: float, level: int) -> float:
    a, b, c, d, s, t = _corner(u, v, level)
    top = texels[pattern, a] + (texels[pattern, b] - texels[pattern, a]) * s
    bottom = texels[pattern, c] + (texels[pattern, d] - texels[pattern, c]) * s
    return top + (bottom - top) * t


@kernel(fastmath=True)
def look_up(texels: Array, pattern: int, u: float, v: float, footprint: float) -> float:
    """A pattern at (u, v), averaged over about `footprint`; all in tiles."""
    if footprint > _FLAT:
        return 0.5
    k, part = _level(footprint)
    if part <= 0.0:
        return _bilinear(texels, pattern, u, v, k)
    coarse = _bilinear(texels, pattern, u, v, k + 1)
    if part >= 1.0:
        return coarse
    return coarse + (_bilinear(texels, pattern, u, v, k) - coarse) * (1.0 - part)


@kernel(fastmath=True)
def waves_at(waves: Array, u: float, v: float, footprint: float) -> tuple[float, float, float]:
    """Height and slopes along u and v at (u, v), averaged over about `footprint`; all in tiles."""
    height = du = dv = 0.0
    if WAVES * footprint > 2.0:
        return height, du, dv
    k, part = _level(footprint)
    for step in range(2):
        share = part if step else 1.0 - part
        if share <= 0.0:
            continue
        a, b, c, d, s, t = _corner(u, v, k + step)
        wa, wb, wc, wd = (1 - s) * (1 - t) * share, s * (1 - t) * share, (1 - s) * t * share, s * t * share
        height += wa * waves[a, 0] + wb * waves[b, 0] + wc * waves[c, 0] + wd * waves[d, 0]
        du += wa * waves[a, 1] + wb * waves[b, 1] + wc * waves[c, 1] + wd * waves[d, 1]
        dv += wa * waves[a, 2] + wb * waves[b, 2] + wc * waves[c, 2] + wd * waves[d, 2]
    return height, du, dv
