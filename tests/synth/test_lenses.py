"""Scenes, panoramas and labels through fisheyes, and where a lens sees nothing."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from support.synth import flat_scene

from horizon_rt.camera import BrownConrady, Camera, CameraProfile, KannalaBrandt, save_profile
from horizon_rt.datasets.base import Label
from horizon_rt.datasets.truth import above, resolve
from horizon_rt.errors import HorizonError
from horizon_rt.geometry import UpVector
from horizon_rt.sources.synthetic import make_clip, parse_options
from horizon_rt.synth.panorama import Panorama, panorama_view
from horizon_rt.synth.render import camera_rays, render

SIZE = {"width": 160, "height": 120, "cx": 79.5, "cy": 59.5}
# 230° across; the second sees nothing beyond 74° from its axis, which is inside the picture.
WIDE = Camera(**SIZE, fx=40, fy=40, distortion=KannalaBrandt())
BLIND = Camera(**SIZE, fx=50, fy=50, distortion=KannalaBrandt(k1=-0.2))
FOLDED = Camera(**SIZE, fx=90, fy=90, distortion=BrownConrady(k1=-0.4))
UPS = [UpVector.from_roll_pitch(roll, pitch) for roll, pitch in ((0, 0), (25, -20), (-160, 30), (5, 50))]


@pytest.mark.parametrize("camera", [WIDE, BLIND, FOLDED])
@pytest.mark.parametrize("up", UPS)
def test_the_sky_of_a_scene_is_what_looks_up(camera: Camera, up: UpVector) -> None:
    rays = camera_rays(camera)
    blind = np.isnan(rays[..., 0])
    assert blind.any() == (camera is not WIDE)
    image = render(flat_scene(), rays, up)[..., 1]
    assert (image[blind] == 0).all()
    height = rays @ up.as_array()
    assert (image[height > 0.03] > 0.5).all()
    assert (image[height < -0.03] < 0.5).all()


@pytest.mark.parametrize("camera", [WIDE, BLIND])
def test_a_panorama_through_a_fisheye(camera: Camera) -> None:
    rows = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 512, axis=1)
    picture = Panorama("grey", "sea", is_open=True, image=np.repeat(rows[..., None], 3, axis=2))
    up = UpVector.from_roll_pitch(20, -10)
    rays = camera_rays(camera)
    view = panorama_view(picture, rays, up)[..., 0]
    seen = ~np.isnan(rays[..., 0])
    expected = (0.5 - np.arcsin(np.clip(rays @ up.as_array(), -1, 1)) / math.pi) * 256 - 0.5
    assert np.abs(view[seen] * 255 - expected[seen].clip(0, 255)).max() < 1.5
    assert (view[~seen] == 0).all()


@pytest.mark.parametrize("camera", [WIDE, BLIND, FOLDED])
@pytest.mark.parametrize("up", UPS)
def test_truth_of_an_attitude_is_that_of_every_ray(camera: Camera, up: UpVector) -> None:
    heights = camera_rays(camera) @ up.as_array()
    truth = resolve(Label(up=up), camera)
    assert truth.in_view == bool(np.nanmin(heights) < 0 < np.nanmax(heights))
    sides = truth.sides(camera)
    assert sides is not None
    _, counts = sides
    assert (counts is None) == (camera is WIDE)
    near = 0.1 if camera is BLIND else 0.02  # close to a fold a pixel is many degrees
    clear = (np.abs(heights) > near) & (True if counts is None else counts)
    assert ((heights > 0) == above(up, camera))[clear].all()
    if counts is not None:
        assert not counts[np.isnan(heights)].any()
        assert counts[np.isfinite(heights)].mean() > 0.7


def test_a_horizon_that_a_fisheye_alone_sees_is_in_view() -> None:
    """At a pitch of 60° it lies 90° aside at the height of the centre, far from the corners of a pinhole."""
    up = UpVector.from_roll_pitch(0, 60)
    narrow = Camera.from_hfov(160, 120, 70)
    assert resolve(Label(up=up), WIDE).in_view
    assert not resolve(Label(up=up), narrow).in_view


def test_a_synthetic_source_takes_the_lens_of_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "fish.toml"
    save_profile(CameraProfile(name="fish", model=WIDE), path)
    clip = make_clip(parse_options(f"sea?size=320x240&seconds=1&lens={path}"))
    assert clip.camera == WIDE.resized(320, 240)
    assert np.isfinite(clip.picture(0)).all()
    with pytest.raises(HorizonError, match="160x120"):
        make_clip(parse_options(f"sea?size=320x200&lens={path}"))
