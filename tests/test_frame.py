"""Frames: sizes, refusals, and colours from OpenCV pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from horizon_rt.frame import Frame, Sampling


def _plane(rows: int, columns: int) -> np.ndarray:
    return np.zeros((rows, columns), np.uint8)


def test_the_size_is_that_of_the_luma() -> None:
    frame = Frame((_plane(9, 16), _plane(5, 8), _plane(5, 8)), 3, 0.5)
    assert (frame.width, frame.height, frame.index, frame.time_s) == (16, 9, 3, 0.5)
    assert frame.luma is frame.planes[0]
    assert frame.sampling == Sampling(8, False, "bt709")


@pytest.mark.parametrize("count", [0, 2, 4])
def test_a_frame_has_one_or_three_planes(count: int) -> None:
    with pytest.raises(ValueError, match=f"1 or 3 planes, got {count}"):
        Frame((_plane(4, 4),) * count, 0, 0.0)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (4,), (4, 4, 3)])
def test_planes_are_flat_and_not_empty(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="non-empty and 2-D"):
        Frame((np.zeros(shape, np.uint8),), 0, 0.0)


def test_an_opencv_picture_is_full_range_bt601() -> None:
    """JFIF's equations (ITU-T T.871), by hand."""
    bgr = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    frame = Frame.from_bgr(bgr, index=2, time_s=1.5)
    blue, green, red = bgr.astype(float).transpose(2, 0, 1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    for plane, exact in zip(
        frame.planes, (luma, 128 + (blue - luma) / 1.772, 128 + (red - luma) / 1.402), strict=True
    ):
        assert np.abs(plane - exact.clip(0, 255)).max() <= 1.5
    assert frame.sampling == Sampling(8, True, "bt601")
    assert (frame.index, frame.time_s) == (2, 1.5)


def test_a_grey_opencv_picture_is_its_luma() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    frame = Frame.from_bgr(grey)
    assert len(frame.planes) == 1
    assert (frame.luma == grey).all()


def test_an_rgb_picture_is_the_bgr_one_with_its_channels_swapped() -> None:
    bgr = np.random.default_rng(1).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    frame, other = Frame.from_rgb(bgr[:, :, ::-1], index=3, time_s=0.1), Frame.from_bgr(bgr)
    assert all((a == b).all() for a, b in zip(frame.planes, other.planes, strict=True))
    assert (frame.index, frame.time_s, frame.sampling) == (3, 0.1, other.sampling)


NO_IMAGES = {
    "None": (None, "imread"),
    "list": ([[0, 0], [0, 0]], "NumPy array, got list"),
    "float": (np.zeros((4, 6, 3)), r"got float64; see \(255 \* image\)"),
    "float grey": (np.zeros((4, 6), np.float32), "got float32"),
    "16 bits": (np.zeros((4, 6, 3), np.uint16), r"got uint16; see \(image >> 8\)"),
    "channels first": (np.zeros((3, 4, 6), np.uint8), r"\(3, 4, 6\); image.transpose\(1, 2, 0\)"),
    "float, channels first": (np.zeros((3, 4, 6)), "transpose"),
    "alpha": (np.zeros((4, 6, 4), np.uint8), r"image\[:, :, :3\]"),
    "one channel": (np.zeros((4, 6, 1), np.uint8), "squeeze"),
    "batch": (np.zeros((1, 4, 6, 3), np.uint8), "squeeze"),
    "row": (np.zeros(6, np.uint8), r"got \(6,\)"),
    "empty": (np.zeros((0, 6, 3), np.uint8), "empty"),
    "empty grey": (np.zeros((0, 0), np.uint8), "empty"),
}


@pytest.mark.parametrize("make", [Frame.from_bgr, Frame.from_rgb])
@pytest.mark.parametrize("name", NO_IMAGES)
def test_what_is_no_image_is_refused_in_one_line(make: Callable[[object], Frame], name: str) -> None:
    image, reason = NO_IMAGES[name]
    with pytest.raises(ValueError, match=reason) as caught:
        make(image)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("plane", [np.zeros((4, 4)), np.zeros((4, 4), bool), None, [[0]]])
def test_planes_are_samples(plane: object) -> None:
    with pytest.raises(ValueError, match="planes are uint8 or uint16 arrays, got"):
        Frame((plane,), 0, 0.0)  # type: ignore[arg-type]
