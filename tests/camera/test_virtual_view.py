"""The virtual view of a wide lens against OpenCV's own rectification, and what becomes of a horizon in it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from horizon_rt.camera import BrownConrady, Camera, KannalaBrandt, load_profile
from horizon_rt.camera.virtual_view import VirtualView, is_wide
from horizon_rt.frame import Frame, Sampling
from horizon_rt.geometry import wrap_degrees
from horizon_rt.synth.clip import Clip, SceneView
from horizon_rt.synth.random_scene import random_scene
from horizon_rt.synth.trajectory import Pose
from horizon_rt.tracker import HorizonTracker

FISHEYE = KannalaBrandt(k1=-0.02, k2=0.002)
ACTION = BrownConrady(k1=7 / 9, k2=64 / 945, k4=10 / 9, k5=5 / 21, p1=4e-4, p2=-3e-4)


def lens(distortion: KannalaBrandt | BrownConrady, focal: float = 190.0) -> Camera:
    return Camera(width=480, height=270, fx=focal, fy=1.05 * focal, cx=233.0, cy=139.0, distortion=distortion)


def matrix(camera: Camera) -> np.ndarray:
    return np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])


def smooth_picture(height: int, width: int, top: int) -> np.ndarray:
    y, x = np.indices((height, width))
    return (0.5 * top * (1 + np.sin(x / 15) * np.cos(y / 19))).astype(np.uint8 if top < 256 else np.uint16)


def rectified(one: Camera, to: Camera, picture: np.ndarray) -> np.ndarray:
    size = to.width, to.height
    if isinstance(one.distortion, KannalaBrandt):
        d = np.array([getattr(one.distortion, f"k{k}") for k in (1, 2, 3, 4)])
        maps = cv2.fisheye.initUndistortRectifyMap(matrix(one), d, np.eye(3), matrix(to), size, cv2.CV_32FC1)
    else:
        d = np.array(one.distortion.coefficients)
        maps = cv2.initUndistortRectifyMap(matrix(one), d, np.eye(3), matrix(to), size, cv2.CV_32FC1)
    return cv2.remap(picture, *maps, cv2.INTER_LINEAR)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("distortion", [FISHEYE, ACTION], ids=["fisheye", "action"])
def test_it_is_what_opencv_rectifies(distortion: KannalaBrandt | BrownConrady, bits: int) -> None:
    one = lens(distortion)
    view = VirtualView.of_lens(one)
    assert view is not None
    luma = smooth_picture(270, 480, (1 << bits) - 1)
    frame = Frame((luma, luma[::2, ::2], luma[::2, ::2]), 3, 0.5, Sampling(bit_depth=bits))
    seen = view.of(frame)
    expected = rectified(one, view.camera, luma).astype(float)
    assert np.abs(seen.planes[0] - expected).max() < 0.02 * (1 << bits)
    assert [plane.shape for plane in seen.planes] == [(270, 480), (135, 240), (135, 240)]
    chroma = expected[::2, ::2]
    assert np.abs(seen.planes[1] - chroma).max() < 0.08 * (1 << bits)  # half a pixel aside
    assert (seen.index, seen.time_s, seen.sampling) == (3, 0.5, frame.sampling)


@pytest.mark.parametrize("size", [(1930, 1085), (3840, 2160)])
def test_a_large_picture_is_averaged(size: tuple[int, int]) -> None:
    """Noise falls with the pixels that are averaged, and a smooth picture stays where it is."""
    view = VirtualView.of_lens(lens(FISHEYE).resized(*size))
    assert view is not None
    luma = cv2.resize(smooth_picture(270, 480, 200), size, interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(1).normal(0, 20, luma.shape)
    plain = view.of(Frame((luma,), 0, 0.0)).planes[0].astype(float)
    small = cv2.resize(luma, (view.camera.width, view.camera.height), interpolation=cv2.INTER_AREA)
    one = view.lens.resized(view.camera.width, view.camera.height)
    assert np.abs(plain - rectified(one, view.camera, small)).max() < 5
    noisy = view.of(Frame(((luma * 0.5 + 60 + noise).clip(0, 255).astype(np.uint8),), 0, 0.0)).planes[0]
    step = size[0] // view.camera.width
    assert np.std(noisy - (plain * 0.5 + 60)) < 1.2 * 20 / step


def test_a_large_picture_is_seen_smaller_and_not_wider_than_110_degrees() -> None:
    one = load_profile("fisheye190").model.for_size(1920, 1080)
    view = VirtualView.of_lens(one)
    assert view is not None
    assert view.camera.width * view.camera.height <= 1.01 * 640 * 640
    assert view.camera.hfov_deg == pytest.approx(110.0, abs=0.1)
    grey = Frame((smooth_picture(1080, 1920, 255),), 0, 0.0)
    assert view.of(grey).planes[0].shape == (view.camera.height, view.camera.width)


@pytest.mark.parametrize(
    ("one", "wide"),
    [
        (Camera.from_hfov(640, 360, 130), False),
        (lens(ACTION, 400.0), False),
        (lens(ACTION), True),
        (lens(FISHEYE).turned(), True),
        (load_profile("fisheye190").model, True),
        (lens(FISHEYE, 400.0).cropped(-300, 0, 480, 270), False),  # beside the axis
        # The picture ends inside the circle of the lens.
        (replace(lens(FISHEYE), distortion=replace(FISHEYE, limit_deg=40.0)), True),
    ],
    ids=["pinhole", "narrow", "action", "upright", "fisheye190", "aside", "circle"],
)
def test_what_a_wide_lens_is(one: Camera, wide: bool) -> None:
    assert is_wide(one) == wide


def test_no_view_of_what_the_lens_did_not_see() -> None:
    assert VirtualView.of_lens(Camera.from_hfov(640, 360, 130)) is None
    assert VirtualView.of_lens(replace(lens(FISHEYE), cx=-20.0)) is None
    assert VirtualView.of_lens(replace(lens(FISHEYE), distortion=replace(FISHEYE, limit_deg=40.0))) is None


class Still(NamedTuple):
    pose: Pose

    def at(self, time_s: float) -> Pose:
        return self.pose


@pytest.mark.parametrize("pitch_deg", [-4.0, 50.0], ids=["in the view", "beyond it"])
def test_a_horizon_is_found_in_the_view_and_beyond_it(pitch_deg: float) -> None:
    camera = load_profile("fisheye190").model.for_size(640, 640)
    scene = SceneView(random_scene(np.random.default_rng(4), "sea"))
    path = Still(Pose(8.0, pitch_deg, 30.0, 0.0, 0.0))
    clip = Clip(view=scene, path=path, camera=camera, frame_rate=5.0, duration_s=0.2)
    tracker = HorizonTracker(camera, model="small", device="cpu", smooth="none")
    horizon, truth = tracker.update(clip.frame(0)), clip.truth(0).up
    assert horizon.up is not None
    assert abs(wrap_degrees(horizon.roll_deg - truth.roll_deg)) < 1.0
    assert abs(horizon.pitch_deg - truth.pitch_deg) < 1.5
    ((_, again),) = tracker.update_all([clip.frame(0)])
    assert again.up == horizon.up
    given = tracker.update(clip.frame(0), tracker.segment(clip.frame(0)))
    assert given.up == horizon.up
