"""Frames whose planes are tensors: their net input, profiles and tracks are those of arrays."""

from __future__ import annotations

import operator
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.frames import on_device, random_frame

from horizon_rt.fitting.device_profiles import sample_device_profiles
from horizon_rt.fitting.profiles import sample_profiles
from horizon_rt.frame import ColourMatrix, DevicePlane, Frame
from horizon_rt.imaging.canvas import Canvas
from horizon_rt.segmentation.device_input import DeviceInput, Layout
from horizon_rt.segmentation.preprocess import Preprocessor
from horizon_rt.sources import open_source
from horizon_rt.tracker import HorizonTracker

RNG = np.random.default_rng(0)


def both(frame: Frame, dtype: torch.dtype = torch.float32) -> tuple[np.ndarray, np.ndarray]:
    preprocess, device_input = Preprocessor(), DeviceInput(Layout.of(frame), dtype=dtype)
    assert preprocess(frame) == device_input.letterbox
    made = device_input([torch.from_numpy(np.ascontiguousarray(plane))[None] for plane in frame.planes])
    assert (made.dtype, made.is_contiguous(memory_format=torch.channels_last)) == (dtype, True)
    assert made.shape[2:] == device_input.size
    return made.float().numpy(), preprocess.input


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_every_encoding_is_the_input_of_the_cpu(bits: int, full_range: bool, matrix: ColourMatrix) -> None:
    made, expected = both(random_frame((418, 234), bits=bits, full_range=full_range, matrix=matrix))
    np.testing.assert_allclose(made, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("sub", [(2, 2), (2, 1), (1, 1), (4, 1)])
@pytest.mark.parametrize("size", [(1920, 1080), (337, 211), (100, 300), (64, 48), (1, 1), (3, 2)])
def test_every_size_and_subsampling_is_the_input_of_the_cpu(
    sub: tuple[int, int], size: tuple[int, int]
) -> None:
    made, expected = both(random_frame(size, sub=sub))
    np.testing.assert_allclose(made, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("bits", [8, 10])
def test_grey_frames_have_no_colour(bits: int) -> None:
    made, expected = both(random_frame((640, 360), bits=bits, grey=True, matrix="bt601"))
    np.testing.assert_allclose(made, expected, rtol=0, atol=2e-5)
    assert not made[:, 1:].any()


def test_half_precision_rounds_the_answer_only() -> None:
    made, expected = both(random_frame((1280, 720)), torch.float16)
    np.testing.assert_allclose(made, expected, rtol=0, atol=2e-3)
    assert np.abs(made - expected).mean() < 3e-4


def test_a_batch_is_its_frames_one_by_one() -> None:
    frames = [random_frame((320, 180)) for _ in range(3)]
    device_input = DeviceInput(Layout.of(frames[0]))
    planes = [torch.from_numpy(np.stack(each)) for each in zip(*(f.planes for f in frames), strict=True)]
    batch = device_input(planes)
    for index in range(3):
        assert torch.allclose(
            batch[index], device_input([p[index : index + 1] for p in planes])[0], atol=1e-5
        )


def test_layouts_tell_apart_what_is_handled_differently() -> None:
    frames = [
        random_frame((64, 48)),
        random_frame((66, 48)),
        random_frame((64, 48), sub=(2, 1)),
        random_frame((64, 48), grey=True),
        random_frame((64, 48), bits=10),
        random_frame((64, 48), full_range=True),
    ]
    assert len({Layout.of(frame) for frame in frames}) == len(frames)
    assert all(Layout.of(frame) == Layout.of(on_device(frame)) for frame in frames)
    assert Layout.of(frames[0]) == Layout.of(random_frame((64, 48)))


# --- planes on a device


def test_a_device_plane_stands_for_its_array() -> None:
    for bits in (8, 10):
        array = random_frame((30, 20), bits=bits, grey=True).luma
        plane = DevicePlane(torch.from_numpy(array.copy()))
        assert (plane.shape, plane.ndim, plane.size) == (array.shape, array.ndim, array.size)
        assert plane.dtype == array.dtype
        assert np.array_equal(np.asarray(plane), array)
        assert np.array_equal(plane[::3, ::7].copy(), array[::3, ::7])
        assert np.asarray(plane, np.float32).dtype == np.float32
        copied = plane.copy()
        copied[:] = 0
        assert np.array_equal(np.asarray(plane), array)


def test_frames_come_back_to_the_host_as_they_were() -> None:
    frame = random_frame((64, 48))
    there = on_device(frame)
    assert all(map(operator.is_, frame.arrays(), frame.planes))
    assert (there.width, there.height) == (64, 48)
    assert all(map(np.array_equal, there.arrays(), frame.planes))
    assert np.array_equal(Canvas.from_frame(there).buffer, Canvas.from_frame(frame).buffer)


@pytest.mark.parametrize("bits", [8, 10, 16])
@pytest.mark.parametrize("count", [1, 3])
def test_profiles_are_those_of_the_kernel(bits: int, count: int) -> None:
    luma = random_frame((160, 90), bits=bits, grey=True).luma
    wide = np.zeros((90, 192), luma.dtype)  # rows with padding, as decoders have them
    wide[:, :160] = luma
    points = RNG.uniform((-20, -20), (180, 110), (96, 2))
    turn = RNG.uniform(0, 2 * np.pi, 96)
    normals = np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    here, there = np.empty((49, 96)), np.empty((49, 96))
    gain = 2.0 ** (8 - bits)
    sample_profiles(luma, points, normals, 1.7, 2.3, count, gain, here)
    tensor = torch.from_numpy(wide)[:, :160]
    sample_device_profiles(tensor, points, normals, 1.7, 2.3, count, gain, there)
    assert there == pytest.approx(here, abs=1e-9)


def test_a_track_of_device_frames_is_that_of_arrays() -> None:
    with open_source("synth:coast?size=640x360&seconds=1&seed=3") as source:
        frames = list(source)[::3]
    frames.insert(2, replace(frames[1], index=99, time_s=0.5 * (frames[1].time_s + frames[2].time_s)))
    one, other = HorizonTracker(device="cpu"), HorizonTracker(device="cpu")
    for frame in frames:
        here, there = one.update(frame), other.update(on_device(frame))
        assert here.observation.change == there.observation.change
        assert here.up is not None
        assert there.up is not None
        assert here.up.angle_to(there.up) < 1e-6
