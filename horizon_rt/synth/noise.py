"""Hash noise for the renderer: value noise, fractal sums, random numbers by cell.

All functions are Numba kernels on scalars. The integer hash is
a 32-bit mixer with two rounds of xor-shift and multiply (constants: C. Wellons, "triple32").
"""

from __future__ import annotations

import math

import numpy as np

from horizon_rt.system.kernels import kernel

__all__ = ["cell", "fractal1", "value1", "value2"]

_INV = np.float32(1.0 / 4294967296.0)


@kernel(inline="always")
def cell(x: int, y: int, seed: int) -> float:
    """Uniform random number in [0, 1) of an integer cell.

    Numba widens products of uint32, hence the casts.
    """
    h = np.uint32(
        np.uint32(x) * np.uint32(0x9E3779B1)
        ^ np.uint32(y) * np.uint32(0x85EBCA77)
        ^ np.uint32(seed) * np.uint32(0xC2B2AE3D)
    )
    h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x2C1B3C6D))
    h = np.uint32((h ^ (h >> np.uint32(12))) * np.uint32(0x297A2D39))
    h ^= h >> np.uint32(15)
    return np.float32(h) * _INV  # type: ignore[return-value]


@kernel(inline="always")
def value1(x: float, seed: int) -> float:
    """Smooth noise of one coordinate, 0..1, period of the lattice 1."""
    i = math.floor(x)
    f = x - i
    f = f * f * (3.0 - 2.0 * f)
    a, b = cell(int(i), 0, seed), cell(int(i) + 1, 0, seed)
    return a + (b - a) * f


@kernel(inline="always")
def value2(x: float, y: float, seed: int) -> float:
    """Smooth noise of two coordinates, 0..1, period of the lattice 1."""
    fi, fj = math.floor(x), math.floor(y)
    i, j = int(fi), int(fj)
    u, v = x - fi, y - fj
    u = u * u * (3.0 - 2.0 * u)
    v = v * v * (3.0 - 2.0 * v)
    a, b = cell(i, j, seed), cell(i + 1, j, seed)
    c, d = cell(i, j + 1, seed), cell(i + 1, j + 1, seed)
    top = a + (b - a) * u
    return top + (c + (d - c) * u - top) * v


@kernel()
def fractal1(x: float, octaves: int, seed: int) -> float:
    """Sum of `octaves` noises, each of twice the frequency and half the amplitude; about 0..1."""
    total, amplitude = 0.0, 0.5
    for octave in range(octaves):
        total += amplitude * value1(x, seed + octave)
        x = x * 2.03 + 17.17
        amplitude *= 0.5
    return total
