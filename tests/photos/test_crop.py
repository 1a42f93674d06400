"""The largest upright rectangle, and what it shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from horizon_rt.photos.crop import Crop, largest_share

SIDES = st.integers(1, 5000)
TURNS = st.floats(-45, 45)


def corners(crop: Crop, grow: float = 0.0) -> np.ndarray:
    """Where the corners of the copy lie in the picture; the copy may be larger than it is, in px."""
    width, height = crop.size
    x = np.array([-grow, width - 1 + grow])
    y = np.array([-grow, height - 1 + grow])
    grid = np.stack([*np.meshgrid(x, y), np.ones((2, 2))]).reshape(3, -1)
    return crop.matrix @ grid


def lies_inside(points: np.ndarray, crop: Crop, slack: float = 1e-6) -> bool:
    low = points.min() >= -slack
    return bool(low and (points.max(axis=1) <= [crop.width - 1 + slack, crop.height - 1 + slack]).all())


@given(SIDES, SIDES, TURNS)
def test_no_corner_of_the_copy_lies_outside_the_picture(width: int, height: int, turn: float) -> None:
    crop = Crop(width, height, turn)
    assert lies_inside(corners(crop), crop)


@given(st.integers(50, 5000), st.integers(50, 5000), TURNS)
def test_no_larger_copy_of_the_same_shape_would_fit(width: int, height: int, turn: float) -> None:
    crop = Crop(width, height, turn)
    w, h = crop.size
    larger = 1 + max(w / h, h / w)  # so far that both sides have passed the next whole pixel
    assert not lies_inside(corners(crop, grow=larger), crop)
    assert (w - 1) / (width - 1) == pytest.approx((h - 1) / (height - 1), abs=1.001 / min(w, h))


def test_the_share_is_the_closed_form() -> None:
    assert largest_share(300, 200, 0) == 1
    assert largest_share(100, 100, 45) == pytest.approx(1 / math.sqrt(2))
    assert largest_share(300, 200, 90) == pytest.approx(2 / 3)
    assert largest_share(300, 200, -7) == largest_share(300, 200, 7)


@pytest.mark.parametrize("turn", [-12.0, 0.7, 33.0])
def test_pixels_are_those_of_another_program(turn: float) -> None:
    rng = np.random.default_rng(3)
    picture = np.uint16(65535 * ndimage.gaussian_filter(rng.random((90, 140)), 3).clip(0, 1))
    crop = Crop(140, 90, turn)
    width, height = crop.size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    places = crop.matrix @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    expected = ndimage.map_coordinates(picture.astype(float), places[::-1], order=5, mode="mirror")
    assert np.abs(crop.of(picture).ravel() - expected).max() < 65535 * 0.004


def test_a_tilted_line_becomes_level() -> None:
    rows, columns = np.mgrid[:400, :600]
    tilt = math.radians(6)
    picture = np.uint8(255 * (rows > 200 + math.tan(tilt) * (columns - 300)))
    copy = Crop(600, 400, 6).of(picture)
    edge = (copy > 127).argmax(axis=0)
    assert np.ptp(edge) <= 1
