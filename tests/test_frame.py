"""Frames: sizes, refusals, and colours from OpenCV pictures."""

from __future__ import annotations

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
