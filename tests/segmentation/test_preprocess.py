"""Planes to net input: against brute-force averages, OpenCV, and colour from first principles."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from horizon_rt.frame import ColourMatrix, Frame, Plane, Sampling
from horizon_rt.segmentation.letterbox import Letterbox, input_size
from horizon_rt.segmentation.preprocess import Preprocessor
from horizon_rt.training.loop import normalise

WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
RNG = np.random.default_rng(0)


@lru_cache(maxsize=64)
def _weights(size: int, out: int, scale: float, margin: float) -> np.ndarray:
    """(out, size): the share of each source pixel in the footprint of an output pixel, one by one."""
    table = np.zeros((out, size))
    pixel, half = np.arange(size), max(1.0 / scale, 1.0) / 2
    for i in range(out):
        centre = min(max((i + 0.5 - margin) / scale, 0.0), float(size))
        overlap = np.minimum(pixel + 1, centre + half) - np.maximum(pixel, centre - half)
        table[i] = np.maximum(overlap, 0.0)
    return table / table.sum(axis=1, keepdims=True)


def _brute(frame: Frame) -> np.ndarray:
    """The whole stage in float64, matrices by matrix."""
    height, width = input_size(frame.width, frame.height)
    scale = min(width / frame.width, height / frame.height)
    left, top = (width - frame.width * scale) / 2, (height - frame.height * scale) / 2
    planes = []
    for plane in frame.planes:
        rows, columns = plane.shape
        across = _weights(columns, width, scale * frame.width / columns, left)
        down = _weights(rows, height, scale * frame.height / rows, top)
        planes.append(down @ plane.astype(np.float64) @ across.T)
    bits, full = frame.sampling.bit_depth, frame.sampling.full_range
    unit, peak = 2 ** (bits - 8), 2**bits - 1
    luma = planes[0] / peak if full else (planes[0] / unit - 16) / 219
    chroma = [(p - 2 ** (bits - 1)) / (peak if full else 224 * unit) for p in planes[1:]]
    if not chroma:
        chroma = [np.zeros_like(luma)] * 2
    rgb = _rgb(luma, chroma[0], chroma[1], frame.sampling.matrix)
    y, u, v = _yuv(rgb, "bt709")
    mean, deviation = y.mean(), y.std()
    return np.stack([(y - mean) / (deviation + 0.02), 4 * u, 4 * v])


def _rgb(y: np.ndarray, u: np.ndarray, v: np.ndarray, matrix: str) -> np.ndarray:
    kr, kb = WEIGHTS[matrix]
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    return np.stack([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue])


def _yuv(rgb: np.ndarray, matrix: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    kr, kb = WEIGHTS[matrix]
    y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2]
    return y, (rgb[2] - y) / (2 - 2 * kb), (rgb[0] - y) / (2 - 2 * kr)


def _random_planes(
    width: int, height: int, sub: tuple[int, int], bits: int, *, grey: bool
) -> tuple[Plane, ...]:
    kind = np.uint8 if bits == 8 else np.uint16
    shapes = [(height, width)]
    if not grey:
        shapes += [(-(-height // sub[1]), -(-width // sub[0]))] * 2
    return tuple(RNG.integers(0, 2**bits, shape).astype(kind) for shape in shapes)


def _assert_same(frame: Frame, tolerance: float = 2e-5) -> None:
    preprocess = Preprocessor()
    preprocess(frame)
    np.testing.assert_allclose(preprocess.input[0], _brute(frame), rtol=0, atol=tolerance)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_every_encoding_is_the_brute_force_average(bits: int, full: bool, matrix: ColourMatrix) -> None:
    planes = _random_planes(130, 70, (2, 2), bits, grey=False)
    _assert_same(Frame(planes, 0, 0.0, Sampling(bits, full, matrix)), 5e-5)


@pytest.mark.parametrize("sub", [(2, 2), (2, 1), (1, 1), (4, 1), (4, 4)])
@pytest.mark.parametrize("size", [(640, 360), (337, 211), (100, 300), (700, 80)])
def test_every_subsampling_and_size_is_the_brute_force_average(
    sub: tuple[int, int], size: tuple[int, int]
) -> None:
    _assert_same(Frame(_random_planes(*size, sub, 8, grey=False), 0, 0.0), 5e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 3), (3, 2), (8000, 100), (60, 4000), (319, 191)])
def test_tiny_and_extreme_sizes(size: tuple[int, int]) -> None:
    _assert_same(Frame(_random_planes(*size, (2, 2), 8, grey=True), 0, 0.0), 2e-4)
    preprocess = Preprocessor()
    preprocess(Frame(_random_planes(*size, (2, 2), 8, grey=False), 0, 0.0))
    assert np.isfinite(preprocess.input).all()


def test_grey_frames_have_no_colour() -> None:
    frame = Frame(_random_planes(640, 360, (1, 1), 8, grey=True), 0, 0.0)
    _assert_same(frame)
    preprocess = Preprocessor()
    preprocess(frame)
    assert not preprocess.input[0, 1:].any()


@pytest.mark.parametrize(("size", "factor"), [((1280, 768), 4), ((640, 384), 2), ((320, 192), 1)])
def test_integer_factors_are_opencvs_area_average(size: tuple[int, int], factor: int) -> None:
    luma = RNG.integers(0, 256, (size[1], size[0])).astype(np.uint8)
    preprocess = Preprocessor()
    preprocess(Frame((luma,), 0, 0.0, Sampling(full_range=True)))
    area = cv2.resize(luma.astype(np.float32), (320, 192), interpolation=cv2.INTER_AREA) / 255
    assert size[0] // factor == preprocess.input.shape[3]
    np.testing.assert_allclose(
        preprocess.input[0, 0], (area - area.mean()) / (area.std() + 0.02), rtol=0, atol=2e-5
    )


@pytest.mark.parametrize("size", [(160, 96), (64, 64), (100, 60)])
def test_upscaling_is_linear_interpolation(size: tuple[int, int]) -> None:
    luma = RNG.integers(0, 256, (size[1], size[0])).astype(np.uint8)
    preprocess = Preprocessor()
    box = preprocess(Frame((luma,), 0, 0.0, Sampling(full_range=True)))
    height, width = preprocess.input.shape[2:]
    x = (np.arange(width) + 0.5 - box.left) / box.scale - 0.5
    y = (np.arange(height) + 0.5 - box.top) / box.scale - 0.5
    x, y = np.clip(x, 0, size[0] - 1), np.clip(y, 0, size[1] - 1)
    rows = np.stack([np.interp(x, np.arange(size[0]), row) for row in luma / 255])
    linear = np.stack([np.interp(y, np.arange(size[1]), column) for column in rows.T], axis=1)
    np.testing.assert_allclose(
        preprocess.input[0, 0], (linear - linear.mean()) / (linear.std() + 0.02), rtol=0, atol=3e-5
    )


def _padded(plane: Plane) -> Plane:
    wide = np.full((plane.shape[0], plane.shape[1] + 37), 77, plane.dtype)
    wide[:, : plane.shape[1]] = plane
    return wide[:, : plane.shape[1]]


def _interleaved(planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
    packed = np.stack(planes[1:], axis=2).reshape(planes[1].shape[0], -1)
    return planes[0], packed[:, 0::2], packed[:, 1::2]


def _turned_twice(planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
    """Stored upside down, seen through negative strides."""
    return tuple(np.ascontiguousarray(p[::-1, ::-1])[::-1, ::-1] for p in planes)


def _turned_once(planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
    return tuple(np.rot90(np.ascontiguousarray(np.rot90(p)), -1) for p in planes)


def _read_only(planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
    for plane in planes:
        plane.flags.writeable = False
    return planes


@pytest.mark.parametrize("bits", [8, 10])
def test_the_layout_in_memory_does_not_matter(bits: int) -> None:
    planes = _random_planes(418, 234, (2, 2), bits, grey=False)
    sampling, preprocess = Sampling(bits), Preprocessor()
    preprocess(Frame(planes, 0, 0.0, sampling))
    plain = preprocess.input.copy()
    layouts = [tuple(_padded(p) for p in planes), _interleaved(planes), _turned_twice(planes)]
    layouts += [_turned_once(planes), tuple(np.asfortranarray(p) for p in planes)]
    for layout in [*layouts, _read_only(tuple(p.copy() for p in planes))]:
        assert all((a == b).all() for a, b in zip(layout, planes, strict=True))
        preprocess(Frame(layout, 0, 0.0, sampling))
        np.testing.assert_allclose(preprocess.input, plain, rtol=0, atol=2e-6)


def test_one_row_and_one_column_as_views_of_a_larger_picture() -> None:
    whole = RNG.integers(0, 256, (50, 60)).astype(np.uint8)
    for view in (whole[7:8], whole[:, 9:10], whole[49:, 59:], whole[::-7, ::3]):
        _assert_same(Frame((view,), 0, 0.0), 2e-4)


@settings(max_examples=200, deadline=None)
@given(width=st.integers(1, 9000), height=st.integers(1, 9000))
def test_input_sizes_are_multiples_of_32_within_the_budget_and_show_the_picture_large(
    width: int, height: int
) -> None:
    rows, columns = input_size(width, height)
    assert rows % 32 == columns % 32 == 0
    assert 32 * 32 <= rows * columns <= 256 * 256
    scales = [min(w / width, h / height) for w in range(32, 2049, 32) for h in range(32, 65536 // w + 1, 32)]
    assert min(columns / width, rows / height) >= 0.99 * max(scales)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ((1920, 1080), (192, 320)),
        ((640, 480), (224, 288)),
        ((500, 500), (256, 256)),
        ((1080, 1920), (320, 192)),
    ],
)
def test_input_sizes_of_common_pictures(picture: tuple[int, int], expected: tuple[int, int]) -> None:
    assert input_size(*picture) == expected


@settings(max_examples=100, deadline=None)
@given(width=st.integers(2, 5000), height=st.integers(2, 5000), x=st.floats(0, 1), y=st.floats(0, 1))
def test_the_letterbox_maps_back_to_the_picture(width: int, height: int, x: float, y: float) -> None:
    rows, columns = input_size(width, height)
    scale = min(columns / width, rows / height)
    box = Letterbox(scale, (columns - width * scale) / 2, (rows - height * scale) / 2)
    picture = np.array([[x * (width - 1), y * (height - 1)]])
    inside = (picture + 0.5) * scale - 0.5 + (box.left, box.top)
    assert box.to_picture(inside) == pytest.approx(picture, abs=1e-6)
    assert (inside >= -0.5 - 1e-9).all()
    assert (inside <= np.array([columns, rows]) - 0.5 + 1e-9).all()


@pytest.mark.parametrize("size", [(1920, 1080), (777, 431), (300, 900)])
def test_the_letterbox_says_where_an_edge_lies(size: tuple[int, int]) -> None:
    """A vertical edge in the picture: its column from the areas of the net input."""
    width, height = size
    edge = width // 3
    luma = np.zeros((height, width), np.uint8)
    luma[:, :edge] = 200
    preprocess = Preprocessor()
    box = preprocess(Frame((luma,), 0, 0.0))
    row = preprocess.input[0, 0, preprocess.input.shape[2] // 2].astype(float)
    share = (row - row.min()) / (row.max() - row.min())
    column = share.sum() - 0.5  # the edge in input px
    assert box.to_picture(np.array([[column, 0.0]]))[0, 0] == pytest.approx(edge - 0.5, abs=0.02)


def test_no_buffer_is_made_between_calls_of_one_size() -> None:
    preprocess = Preprocessor()
    frames = [Frame(_random_planes(640, 360, (2, 2), 8, grey=False), k, 0.0) for k in range(3)]
    preprocess(frames[0])
    places = preprocess.input.ctypes.data, preprocess.scratch.ctypes.data
    for frame in frames:
        preprocess(frame)
        assert (preprocess.input.ctypes.data, preprocess.scratch.ctypes.data) == places


def test_a_flat_picture_is_not_amplified() -> None:
    for value in (0, 16, 128, 255):
        planes = tuple(np.full((90, 160), v, np.uint8) for v in (value, 128, 128))
        preprocess = Preprocessor()
        preprocess(Frame(planes, 0, 0.0))
        assert np.abs(preprocess.input).max() < 0.02


def test_training_sees_what_preprocess_makes() -> None:
    yuv = RNG.integers(0, 256, (3, 192, 320)).astype(np.uint8)
    preprocess = Preprocessor()
    preprocess(Frame(tuple(yuv), 0, 0.0, Sampling(full_range=True, matrix="bt709")))
    trained = normalise(torch.from_numpy(yuv)[None]).numpy()
    np.testing.assert_allclose(preprocess.input, trained, rtol=0, atol=2e-6)


def test_a_colour_is_itself_through_every_encoding() -> None:
    """One RGB colour coded by hand in every matrix, range and depth gives one input."""
    rgb, expected = np.array([0.75, 0.3, 0.2]), None
    for matrix in ("bt601", "bt709", "bt2020"):
        y, u, v = (float(c) for c in _yuv(rgb, matrix))
        for bits in (10, 12, 16):
            unit, peak = 2 ** (bits - 8), 2**bits - 1
            for full in (False, True):
                if full:
                    codes = [y * peak, u * peak + 2 ** (bits - 1), v * peak + 2 ** (bits - 1)]
                else:
                    codes = [(219 * y + 16) * unit, (224 * u + 128) * unit, (224 * v + 128) * unit]
                planes = tuple(np.full((36, 64), round(code), np.uint16) for code in codes)
                preprocess = Preprocessor()
                preprocess(Frame(planes, 0, 0.0, Sampling(bits, full, matrix)))  # type: ignore[arg-type]
                chroma = preprocess.input[0, 1:, 5, 5]
                expected = chroma.copy() if expected is None else expected
                assert chroma == pytest.approx(expected, abs=8e-3)
                assert chroma == pytest.approx(4 * np.array(_yuv(rgb, "bt709")[1:]), abs=8e-3)
                assert math.isfinite(float(preprocess.input.sum()))
