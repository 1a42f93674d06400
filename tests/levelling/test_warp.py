"""Levelled pictures against NumPy's turns, OpenCV's homography, and every kind of plane."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from support.sources import random_planes

from horizon_rt.camera import BrownConrady, Camera
from horizon_rt.frame import Frame, Sampling
from horizon_rt.levelling import Leveller, Turn, needed_zoom


def turn(roll_deg: float, pitch_deg: float = 0.0) -> Turn:
    return Turn(roll=np.radians([roll_deg]), pitch=np.radians([pitch_deg]))


def frame_of(planes: tuple[np.ndarray, ...], bits: int = 8, *, full: bool = False) -> Frame:
    return Frame(planes, 0, 0.0, Sampling(bits, full))


def smooth_luma(width: int, height: int, top: int = 255) -> np.ndarray:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    waves = 0.5 + 0.25 * np.sin(x / 17) + 0.25 * np.cos(y / 11)
    return np.rint(waves * top).astype(np.uint8 if top < 256 else np.uint16)


@pytest.mark.parametrize("size", [(64, 48), (321, 181), (2, 2), (1, 7)])
@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("subsampling", ["420", "422", "444", "411", None])
def test_without_a_turn_the_luma_stays_to_the_bit(
    size: tuple[int, int], bits: int, subsampling: str | None
) -> None:
    width, height = size
    planes = random_planes(width, height, subsampling, bits=bits)
    leveller = Leveller(Camera.from_hfov(width, height, 70))
    levelled = leveller.level(frame_of(planes, bits), turn(0), 1.0)
    even = [max(2, side - side % 2) for side in size]
    assert levelled.planes[0].shape == tuple(even[::-1])
    assert [plane.dtype for plane in levelled.planes] == [plane.dtype for plane in planes]
    assert {plane.shape for plane in levelled.planes[1:]} <= {(even[1] // 2, even[0] // 2)}
    inside = planes[0][: even[1], : even[0]]
    np.testing.assert_array_equal(levelled.planes[0][: inside.shape[0], : inside.shape[1]], inside)


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_quarter_turns_are_numpys(quarter: int) -> None:
    planes = random_planes(96, 96, "420")
    levelled = Leveller(Camera.from_hfov(96, 96, 70)).level(frame_of(planes), turn(90.0 * quarter), 1.0)
    for before, after in zip(planes, levelled.arrays(), strict=True):
        np.testing.assert_allclose(after.astype(int), np.rot90(before, -quarter).astype(int), atol=1)


def test_a_roll_to_the_right_is_turned_back() -> None:
    """A right wing down shows a horizon whose left end is lower: the sky is on the upper right."""
    camera = Camera.from_hfov(160, 120, 70)
    x, y = np.meshgrid(np.arange(160) - 79.5, np.arange(120) - 59.5)
    tilt = math.radians(-25)  # of the line: roll = −angle
    luma = np.where(y * math.cos(tilt) - x * math.sin(tilt) < 0, 220, 40).astype(np.uint8)
    levelled = Leveller(camera).level(frame_of((luma,)), turn(25), 1.7).planes[0]
    assert np.asarray(levelled)[:57].min() > 200
    assert np.asarray(levelled)[63:].max() < 60


@pytest.mark.parametrize("bits", [8, 10, 16])
def test_a_pinhole_is_opencvs_homography(bits: int) -> None:
    camera = Camera.from_hfov(320, 180, 70)
    luma = smooth_luma(320, 180, (1 << bits) - 1)
    zoom = float(needed_zoom(camera, turn(20, 3), most=4)[0])
    levelled = Leveller(camera).level(frame_of((luma,), bits), turn(20, 3), zoom).planes[0]
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    scaled = matrix.copy()
    scaled[[0, 1], [0, 1]] *= zoom
    roll, pitch = (cv2.Rodrigues(np.radians(v))[0] for v in ((0.0, 0.0, -20.0), (3.0, 0.0, 0.0)))
    homography = matrix @ roll @ pitch @ np.linalg.inv(scaled)
    expected = cv2.warpPerspective(
        luma.astype(np.float32), homography, (320, 180), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    error = np.abs(np.asarray(levelled, np.float64) - expected)[4:-4, 4:-4]
    assert error.max() <= 0.012 * (1 << bits)


@pytest.mark.parametrize("camera", [
    Camera.from_hfov(192, 108, 90),
    Camera(width=192, height=108, fx=120, fy=120, cx=99, cy=50, distortion=BrownConrady(k1=-0.15)),
], ids=["pinhole", "barrel"])  # fmt: skip
@pytest.mark.parametrize("roll", [-170, -90, -33, 5, 60, 120])
def test_a_white_picture_stays_white(camera: Camera, roll: float) -> None:
    """What is beyond the picture would be black."""
    white = tuple(np.full(shape, 235, np.uint8) for shape in ((108, 192), (54, 96), (54, 96)))
    zoom = float(needed_zoom(camera, turn(roll), most=4)[0])
    luma, u, _ = Leveller(camera, black=True).level(frame_of(white), turn(roll), zoom).arrays()
    assert luma.min() > 200  # a cubic takes in a pixel beyond the border at most
    assert luma[2:-2, 2:-2].min() >= 230
    assert u.min() > 200


@pytest.mark.parametrize(("bits", "full", "expected"), [(8, False, 16), (8, True, 0), (10, False, 64)])
def test_corners_that_are_kept_are_black(bits: int, full: bool, expected: int) -> None:
    planes = tuple(
        np.full(s, 200 << (bits - 8), np.uint8 if bits == 8 else np.uint16)
        for s in ((96, 128), (48, 64), (48, 64))
    )
    leveller = Leveller(Camera.from_hfov(128, 96, 70), black=True)
    luma, u, v = leveller.level(frame_of(planes, bits, full=full), turn(45), 1.0).arrays()
    assert luma[0, 0] == expected
    assert u[0, 0] == v[0, 0] == 128 << (bits - 8)


def test_a_cubic_does_not_ring_beyond_ten_bits() -> None:
    luma = (random_planes(128, 96, None, bits=10)[0] > 512).astype(np.uint16) * 1023
    levelled = Leveller(Camera.from_hfov(128, 96, 70)).level(frame_of((luma,), 10), turn(10), 1.5)
    assert np.asarray(levelled.planes[0]).max() <= 1023
