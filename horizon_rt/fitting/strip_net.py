"""A small convolutional net over the luma profiles of a strip: at which rows its stations show the horizon.

It was trained on strips along disturbed horizons of known truth (`benchmarks/strips`), so that of all planes
the true one is the most probable. What hides the horizon is left out by itself, as the evidence of a station
has a floor. Its shape is that of a U-Net (Ronneberger et al. 2015) of three levels.

Planes of numbers lie one after the other, each with a border of zeros: a convolution is then a sum of shifted
planes, three at a time, which compilers turn into vector instructions. Convolutions of stride 2 read planes
that were split by odd and even rows and columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import WeightsError
from horizon_rt.system.kernels import Array, kernel
from horizon_rt.system.paths import shipped_folder

__all__ = ["NET_ROWS", "NET_STATIONS", "StripNet", "load_weights"]

NET_ROWS, NET_STATIONS = 49, 48
_FILE = "strip.safetensors"
_BORDER = 3  # one more than the farthest tap, so that no index falls before the planes
_WIDTHS = (8, 16, 32)
# Rows and columns of the three levels.
_FULL, _HALF, _QUARTER = (NET_ROWS, NET_STATIONS), (25, 24), (13, 12)
_LEAST_DEVIATION = np.float32(1.0)  # grey levels, so that noise alone is not made large
_SHAPES = {
    "fine": (8, 1, 3, 3), "middle": (16, 8, 3, 3), "coarse": (32, 16, 3, 3), "wide": (32, 32, 3, 3),
    "wider": (32, 32, 3, 3), "up_middle": (16, 32, 1, 1), "join_middle": (16, 16, 3, 3),
    "up_fine": (8, 16, 1, 1), "join_fine": (8, 8, 3, 1), "evidence": (1, 8, 1, 1), "context": (32, 32),
    "floor": (1, 32), "none": (1, 32),
}  # fmt: skip

Weights = dict[str, NDArray[np.float32]]
Size = tuple[int, int]


class Layer(NamedTuple):
    """A convolution: weights (out, in, taps), biases (out,), the plane of each tap among those of an input
    channel, and its shift in the plane; taps are a multiple of 3.
    """

    weights: Array
    bias: Array
    plane: Array
    shift: Array


class Space(NamedTuple):
    """The planes of all layers."""

    picture: Array
    fine: Array
    joined_fine: Array
    fine_parts: Array
    middle: Array
    joined_middle: Array
    middle_parts: Array
    coarse: Array
    wide: Array
    up_middle: Array
    up_fine: Array


class StripNet:
    """The net and its buffers; each thread needs its own.

    After a call `evidence` (NET_ROWS, NET_STATIONS) and `floors` (NET_STATIONS,) hold log likelihoods, and
    `none` that of the case that no plane of the strip is the horizon.
    """

    def __init__(self) -> None:
        found = load_weights()
        full, half, quarter = (_width(size) for size in (_FULL, _HALF, _QUARTER))
        self._layers = (
            _layer(found, "fine", full), _halving(found, "middle", half), _halving(found, "coarse", quarter),
            _layer(found, "wide", quarter), _layer(found, "wider", quarter, spread=2),
            _layer(found, "up_middle", quarter), _layer(found, "join_middle", half),
            _layer(found, "up_fine", half), _layer(found, "join_fine", full),
        )  # fmt: skip
        names = ("context", "floor", "none", "evidence")
        self._dense = tuple(part for name in names for part in _matrix(found, name))
        a, b, c = _WIDTHS
        fine, middle, coarse = (_planes(size) for size in (_FULL, _HALF, _QUARTER))
        self._space = Space(
            fine(1), fine(a), fine(a), middle(4 * a), middle(b), middle(b), coarse(4 * b), coarse(c),
            coarse(c), coarse(b), middle(a),
        )  # fmt: skip
        self.evidence = np.empty((NET_ROWS, NET_STATIONS), np.float32)
        self.floors = np.empty(NET_STATIONS, np.float32)
        self.none = 0.0

    def __call__(self, rows: Array) -> None:
        """Look at profiles (NET_ROWS, 2 · NET_STATIONS), the sky's row last."""
        self.none = run_net(rows, self._layers, self._dense, self._space, self.evidence, self.floors)


@cache
def load_weights() -> Weights:
    """The shipped weights; raises WeightsError where they are damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = shipped_folder("weights") / _FILE
    try:
        found = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(f"{path} is damaged: {error}; install horizon-rt anew") from error
    for name, shape in _SHAPES.items():
        sizes = [found[key].shape if key in found else None for key in (f"{name}.weight", f"{name}.bias")]
        if sizes != [shape, shape[:1]]:
            raise WeightsError(f"{path} does not hold the net of this version; install horizon-rt anew")
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


def _width(size: tuple[int, int]) -> int:
    return size[1] + 2 * _BORDER


def _planes(size: tuple[int, int]) -> Callable[[int], NDArray[np.float32]]:
    """Makes a number of planes of zeros of this size."""
    area = (size[0] + 2 * _BORDER) * _width(size)
    return lambda count: np.zeros((count, area), np.float32)


def _matrix(weights: Weights, name: str) -> tuple[Array, Array]:
    """Weights (out, in) and biases of a linear layer, or of a convolution with one tap."""
    kernel_ = weights[f"{name}.weight"]
    return np.ascontiguousarray(kernel_.reshape(kernel_.shape[:2])), weights[f"{name}.bias"]


def _layer(weights: Weights, name: str, width: int, spread: int = 1) -> Layer:
    """A convolution of stride 1 over planes `width` wide."""
    kernel_, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    high, wide = kernel_.shape[2:]
    y, x = np.mgrid[:high, :wide]
    shift = spread * ((y - high // 2) * width + x - wide // 2).ravel()
    return _padded(kernel_.reshape(*kernel_.shape[:2], -1), bias, np.zeros_like(shift), shift)


def _halving(weights: Weights, name: str, width: int) -> Layer:
    """A 3×3 convolution of stride 2 over parts of planes; `width` is that of the parts."""
    kernel_, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    y, x = (part.ravel() - 1 for part in np.mgrid[:3, :3])
    plane = 2 * (y % 2) + x % 2
    shift = (y // 2) * width + x // 2
    return _padded(kernel_.reshape(*kernel_.shape[:2], -1), bias, plane, shift)


def _padded(kernel_: Array, bias: Array, plane: Array, shift: Array) -> Layer:
    """With taps of no weight, so that they are a multiple of 3."""
    more = -len(shift) % 3
    taps = np.pad(kernel_, ((0, 0), (0, 0), (0, more))).astype(np.float32)
    plane, shift = (np.pad(part, (0, more)).astype(np.int64) for part in (plane, shift))
    return Layer(np.ascontiguousarray(taps), np.ascontiguousarray(bias, np.float32), plane, shift)


@kernel(fastmath=True, error_model="numpy")
def run_net(rows: Array, layers: Any, dense: Any, space: Any, evidence: Array, floors: Array) -> float:
    """Fill `evidence` and `floors` from profiles, see `StripNet`; returns the logit of none."""
    _take_in(rows, space.picture[0])
    _convolve(layers[0], 1, space.picture, space.fine, _FULL)
    _rectify(space.fine, _FULL)
    _split(space.fine, space.fine_parts, _FULL, _HALF)
    _convolve(layers[1], 4, space.fine_parts, space.middle, _HALF)
    _rectify(space.middle, _HALF)
    _split(space.middle, space.middle_parts, _HALF, _QUARTER)
    _convolve(layers[2], 4, space.middle_parts, space.coarse, _QUARTER)
    _rectify(space.coarse, _QUARTER)
    _convolve(layers[3], 1, space.coarse, space.wide, _QUARTER)
    _rectify(space.wide, _QUARTER)
    _add_context(dense[0], dense[1], space.wide, _QUARTER)
    _convolve(layers[4], 1, space.wide, space.coarse, _QUARTER)
    _rectify(space.coarse, _QUARTER)
    _convolve(layers[5], 1, space.coarse, space.up_middle, _QUARTER)
    _add_twice(space.up_middle, space.middle, _QUARTER, _HALF)
    _convolve(layers[6], 1, space.middle, space.joined_middle, _HALF)
    _rectify(space.joined_middle, _HALF)
    _convolve(layers[7], 1, space.joined_middle, space.up_fine, _HALF)
    _add_twice(space.up_fine, space.fine, _HALF, _FULL)
    _convolve(layers[8], 1, space.fine, space.joined_fine, _FULL)
    _rectify(space.joined_fine, _FULL)
    _mixed(dense[6], dense[7], space.joined_fine, evidence)
    _floors(dense[2], dense[3], space.joined_middle, floors)
    return _none(dense[4], dense[5], space.coarse)


@kernel(fastmath=True, error_model="numpy")
def _take_in(rows: Array, plane: Array) -> None:
    """Means of pairs of stations, less their mean, over their deviation."""
    width, total, squares = NET_STATIONS + 2 * _BORDER, 0.0, 0.0
    for i in range(NET_ROWS):
        for k in range(NET_STATIONS):
            value = 0.5 * (rows[i, 2 * k] + rows[i, 2 * k + 1])
            total, squares = total + value, squares + value * value
            plane[(i + _BORDER) * width + k + _BORDER] = value
    count = NET_ROWS * NET_STATIONS
    mean = total / count
    gain = np.float32(1.0 / (math.sqrt(max(squares / count - mean * mean, 0.0)) + _LEAST_DEVIATION))
    for i in range(NET_ROWS):
        for k in range(NET_STATIONS):
            place = (i + _BORDER) * width + k + _BORDER
            plane[place] = gain * (plane[place] - np.float32(mean))


@kernel(fastmath=True, error_model="numpy")
def _convolve(layer: Any, parts: int, source: Array, out: Array, size: Size) -> None:
    """Fill planes `out` from planes `source`, `parts` of them for each input channel; borders are not.

    Four output channels at a time, as what is read of the source then serves twelve multiplications.
    """
    width = size[1] + 2 * _BORDER
    start, length = _BORDER * width, size[0] * width
    flat, area, weights = source.ravel(), source.shape[1], layer.weights
    for o in range(0, out.shape[0], 4):
        a, b = out[o, start : start + length], out[o + 1, start : start + length]
        c, d = out[o + 2, start : start + length], out[o + 3, start : start + length]
        a[:], b[:], c[:], d[:] = layer.bias[o], layer.bias[o + 1], layer.bias[o + 2], layer.bias[o + 3]
        for n in range(weights.shape[1]):
            for t in range(0, weights.shape[2], 3):
                i = (n * parts + layer.plane[t]) * area + start + layer.shift[t]
                j = (n * parts + layer.plane[t + 1]) * area + start + layer.shift[t + 1]
                k = (n * parts + layer.plane[t + 2]) * area + start + layer.shift[t + 2]
                one, two, three = flat[i : i + length], flat[j : j + length], flat[k : k + length]
                w = weights[o : o + 4, n, t : t + 3]
                a0, a1, a2 = w[0, 0], w[0, 1], w[0, 2]
                b0, b1, b2 = w[1, 0], w[1, 1], w[1, 2]
                c0, c1, c2 = w[2, 0], w[2, 1], w[2, 2]
                d0, d1, d2 = w[3, 0], w[3, 1], w[3, 2]
                for p in range(length):
                    x, y, z = one[p], two[p], three[p]
                    a[p] += a0 * x + a1 * y + a2 * z
                    b[p] += b0 * x + b1 * y + b2 * z
                    c[p] += c0 * x + c1 * y + c2 * z
                    d[p] += d0 * x + d1 * y + d2 * z


@kernel(fastmath=True)
def _rectify(planes: Array, size: Size) -> None:
    """No values below 0, and zeros in the borders."""
    rows, columns = size
    width = columns + 2 * _BORDER
    for c in range(planes.shape[0]):
        for i in range(rows):
            start = (i + _BORDER) * width
            planes[c, start : start + _BORDER] = 0.0
            planes[c, start + columns + _BORDER : start + width] = 0.0
            for k in range(start + _BORDER, start + _BORDER + columns):
                planes[c, k] = max(planes[c, k], np.float32(0.0))


@kernel(fastmath=True)
def _split(planes: Array, parts: Array, size: Size, half: Size) -> None:
    """Fill four planes for each: of even and odd rows, and of even and odd columns."""
    (height, columns), (rows, short) = size, half
    width, narrow = columns + 2 * _BORDER, short + 2 * _BORDER
    for c in range(planes.shape[0]):
        for part in range(4):
            for i in range(rows):
                row = 2 * i + part // 2 + _BORDER
                if row >= height + 2 * _BORDER:
                    break
                source, target = row * width + part % 2 + _BORDER, (i + _BORDER) * narrow + _BORDER
                for k in range(short):
                    parts[4 * c + part, target + k] = planes[c, source + 2 * k]


@kernel(fastmath=True)
def _add_twice(small: Array, planes: Array, half: Size, size: Size) -> None:
    """Add planes of half the size, each of their values to four places."""
    rows, columns = size
    narrow, width = half[1] + 2 * _BORDER, columns + 2 * _BORDER
    for c in range(planes.shape[0]):
        for i in range(rows):
            source, target = (i // 2 + _BORDER) * narrow + _BORDER, (i + _BORDER) * width + _BORDER
            for k in range(columns):
                planes[c, target + k] += small[c, source + k // 2]


@kernel(fastmath=True)
def _mixed(weights: Array, bias: Array, planes: Array, out: Array) -> None:
    """Fill `out` (rows, stations) with a weighted sum of the planes of the fine level."""
    width = NET_STATIONS + 2 * _BORDER
    for i in range(NET_ROWS):
        start = (i + _BORDER) * width + _BORDER
        out[i] = bias[0]
        for c in range(planes.shape[0]):
            for k in range(NET_STATIONS):
                out[i, k] += weights[0, c] * planes[c, start + k]


@kernel(fastmath=True, error_model="numpy")
def _means(planes: Array, size: Size) -> Array:
    rows, columns = size
    width, means = columns + 2 * _BORDER, np.zeros(planes.shape[0], np.float32)
    for c in range(planes.shape[0]):
        for i in range(rows):
            start = (i + _BORDER) * width + _BORDER
            for k in range(start, start + columns):
                means[c] += planes[c, k]
        means[c] /= rows * columns
    return means


@kernel(fastmath=True)
def _add_context(weights: Array, bias: Array, planes: Array, size: Size) -> None:
    """Add to each plane what a linear layer makes of the means of all."""
    rows, columns = size
    width, means = columns + 2 * _BORDER, _means(planes, size)
    for c in range(planes.shape[0]):
        value = bias[c]
        for j in range(planes.shape[0]):
            value += weights[c, j] * means[j]
        for i in range(rows):
            start = (i + _BORDER) * width + _BORDER
            for k in range(start, start + columns):
                planes[c, k] += value


@kernel(fastmath=True, error_model="numpy")
def _floors(weights: Array, bias: Array, planes: Array, floors: Array) -> None:
    """By mean and largest value of every column of the middle level, which two stations share."""
    rows, columns = _HALF
    width, count = columns + 2 * _BORDER, planes.shape[0]
    for k in range(columns):
        value = bias[0]
        for c in range(count):
            total, top = np.float32(0.0), np.float32(0.0)
            for i in range(rows):
                seen = planes[c, (i + _BORDER) * width + _BORDER + k]
                total, top = total + seen, max(top, seen)
            value += weights[0, c] * total / rows + weights[0, count + c] * top
        floors[2 * k] = floors[2 * k + 1] = value


@kernel(fastmath=True)
def _none(weights: Array, bias: Array, planes: Array) -> float:
    means, value = _means(planes, _QUARTER), bias[0]
    for c in range(planes.shape[0]):
        value += weights[0, c] * means[c]
    return float(value)
