"""Pixels that are not square: the same flight, squeezed by FFmpeg, has the same roll and pitch."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from horizon_rt.bench.clips import write_clip
from horizon_rt.camera import BrownConrady, Camera, CameraProfile, save_profile
from horizon_rt.errors import CameraModelError
from horizon_rt.options import Lens, RunOptions
from horizon_rt.pipeline.run import camera_for
from horizon_rt.sources import open_source
from horizon_rt.sources.base import SourceInfo
from horizon_rt.sources.rotation import rotated
from horizon_rt.tracker import HorizonTracker

INFO = SourceInfo(name="x", kind="stdin", width=1440, height=1080, pixel_aspect=4 / 3)
SHOWN = Camera.from_hfov(1920, 1080, 80.0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clip of 640x360, and the same with pixels of twice the width."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "square.mp4", (640, 360), 12)
    squeeze = ["-vf", "scale=320:360,setsar=2/1", "-crf", "12", str(folder / "wide.mp4")]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(folder / "square.mp4"), *squeeze], check=True)
    return folder / "square.mp4", folder / "wide.mp4"


def test_roll_and_pitch_are_those_of_square_pixels(clips: tuple[Path, Path]) -> None:
    angles = []
    for path in clips:
        with open_source(path) as source:
            lens = camera_for(RunOptions(lens=Lens(hfov_deg=70.0)), source.info).model
            tracker = HorizonTracker(lens, model="small", device="cpu", smooth="none")
            found = [tracker.update(frame) for frame in source]
        angles.append([(one.roll_deg, one.pitch_deg) for one in found])
        assert lens.hfov_deg == pytest.approx(70.0)
    for one, other in zip(*angles, strict=True):
        assert one == pytest.approx(other, abs=0.4)
    assert max(abs(roll) for roll, _ in angles[0]) > 3.0


def test_a_turned_source_has_turned_pixels(clips: tuple[Path, Path]) -> None:
    with open_source(clips[1]) as source:
        assert (source.info.pixel_aspect, source.info.shown_size) == (2.0, (640, 360))
        turned = rotated(source, 90).info
    assert (turned.width, turned.height, turned.pixel_aspect) == (360, 320, 0.5)


@pytest.mark.parametrize("lens", [Lens(hfov_deg=80.0), Lens()], ids=["hfov", "assumed"])
def test_a_field_of_view_is_that_of_what_is_shown(lens: Lens) -> None:
    found = camera_for(RunOptions(lens=lens), INFO).model
    square = camera_for(RunOptions(lens=lens), replace(INFO, width=1920, pixel_aspect=1.0)).model
    assert (found.width, found.height) == (1440, 1080)
    assert found.hfov_deg == pytest.approx(square.hfov_deg)
    assert found.fy / found.fx == pytest.approx(4 / 3)


def test_a_profile_fits_what_is_stored_or_what_is_shown(tmp_path: Path) -> None:
    bent = replace(SHOWN, distortion=BrownConrady(k1=-0.1))
    stored, shown = tmp_path / "stored.toml", tmp_path / "shown.toml"
    save_profile(CameraProfile(name="stored", model=bent.resized(1440, 1080)), stored)
    save_profile(CameraProfile(name="shown", model=bent), shown)
    for path in (stored, shown):
        model = camera_for(RunOptions(lens=Lens(camera_profile=str(path))), INFO).model
        assert model.to_dict() == pytest.approx(bent.resized(1440, 1080).to_dict())
    square = replace(INFO, width=640, height=640, pixel_aspect=1.0)
    with pytest.raises(CameraModelError, match="640x640"):
        camera_for(RunOptions(lens=Lens(camera_profile=str(shown))), square)


def test_a_shipped_fisheye_is_round_as_it_is_shown() -> None:
    model = camera_for(RunOptions(lens=Lens(camera_profile="fisheye180")), INFO).model
    assert model.fy / model.fx == pytest.approx(4 / 3)
