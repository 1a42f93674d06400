"""Rendered clips as sources: truth, determinism, colour, options."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest
from support.fitting import up_vector
from support.synth import flat_scene, sky_areas

from horizon_rt.camera import Camera
from horizon_rt.errors import HorizonError, SourceError
from horizon_rt.sources.synthetic import (
    SyntheticOptions,
    SyntheticSource,
    make_clip,
    open_synthetic,
    parse_options,
)
from horizon_rt.synth.clip import Clip, PanoramaView, SceneView, to_frame
from horizon_rt.synth.panorama import Panorama
from horizon_rt.synth.trajectory import make_trajectory

CAMERA = Camera.from_hfov(160, 90, 70)


def _clip(seed: int = 0, seconds: float = 1.0) -> Clip:
    path = make_trajectory("boat", seconds, seed)
    return Clip(view=SceneView(flat_scene()), path=path, camera=CAMERA, duration_s=seconds, seed=seed)


def test_the_truth_is_the_pose_of_the_picture() -> None:
    clip = _clip(seed=3, seconds=2.0)
    for index in (0, 7, 33, 49):
        pose = clip.truth(index)
        assert pose == clip.path.at(index / 25)
        expected, inside = sky_areas(CAMERA, up_vector(pose.roll_deg, pose.pitch_deg))
        # Limited range: 16 is black, 235 white; sensor noise clipped at both ends biases the sum.
        luma = (clip.frame(index).luma.astype(float) - 16) / 219
        bias = 0.008 / np.sqrt(2 * np.pi)
        sky = (luma - bias).sum(axis=0) / (1 - 2 * bias)
        assert abs((sky - expected)[inside].mean()) < 0.1


def test_a_clip_repeats_with_its_seed_in_any_order() -> None:
    first, again, other = _clip(1), _clip(1), _clip(2)
    backwards = {k: again.frame(k) for k in reversed(range(5))}
    for k in range(5):
        assert all((a == b).all() for a, b in zip(first.frame(k).planes, backwards[k].planes, strict=True))
        assert (first.frame(k).luma != other.frame(k).luma).any()
    assert (first.frame(1).index, first.frame(1).time_s) == (1, 0.04)


def test_a_clip_has_at_least_one_frame() -> None:
    assert [len(_clip(seconds=s)) for s in (1.0, 0.5, 0.001)] == [25, 12, 1]


def test_a_panorama_turns_with_the_pose() -> None:
    image = np.zeros((64, 128, 3), np.uint8)
    image[:32] = 255
    view = PanoramaView(Panorama("made", "sea", True, image), heading_deg=20)
    clip = Clip(view=view, path=make_trajectory("flight", 2), camera=CAMERA, duration_s=2)
    assert clip.frame(3).luma[0].mean() > 200 > 60 > clip.frame(3).luma[-1].mean()


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (12, 200, 90), (60, 70, 210)])
@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_ffmpeg_reads_the_colours_back(colour: tuple[int, int, int], size: tuple[int, int]) -> None:
    """Even sizes are 4:2:0 in limited range, odd ones 4:4:4 in full range, both BT.601."""
    rgb = np.full((size[1], size[0], 3), colour, np.uint8)
    frame = to_frame(rgb, index=4, time_s=0.5)
    assert (frame.index, frame.time_s, frame.width, frame.height) == (4, 0.5, *size)
    full = frame.sampling.full_range
    assert full is (size == (63, 47))
    name = "yuvj444p" if full else "yuv420p"
    video = av.VideoFrame(*size, name)
    for plane, values in zip(video.planes, frame.planes, strict=True):
        target = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        target[:, : plane.width] = values
    back = video.to_ndarray(format="rgb24", src_colorspace="ITU601")
    assert np.abs(back.astype(int) - rgb).max() <= 3


def test_a_gradient_survives_the_frame() -> None:
    y, x = np.mgrid[:96, :128]
    rgb = np.stack([2 * x, 2 * y, 255 - x - y], axis=2).clip(0, 255).astype(np.uint8)
    frame = to_frame(rgb)
    packed = np.concatenate([p.ravel() for p in frame.planes]).reshape(96 * 3 // 2, 128)
    back = cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_I420)
    assert np.abs(back.astype(int) - rgb).mean() < 2


def test_options_are_read() -> None:
    options = parse_options("storm?motion=flight&size=1280X720&fps=29.97&seconds=3&hfov=55.5&seed=7")
    assert options == SyntheticOptions(
        kind="storm", motion="flight", size="1280X720", fps=29.97, seconds=3.0, hfov=55.5, seed=7
    )
    assert options.dimensions == (1280, 720)
    assert parse_options("") == SyntheticOptions()
    assert parse_options("sea") == SyntheticOptions(kind="sea")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sea?colour=red", "unknown option 'colour'; there are: motion, size"),
        ("sea?fps", "fps must be a number"),
        ("sea?fps=fast", "fps must be a number, got 'fast'"),
        ("sea?fps=0", "fps lies between"),
        ("sea?fps=nan", "fps lies between"),
        ("sea?fps=1e9", "fps lies between"),
        ("sea?seconds=-1", "seconds between"),
        ("sea?seconds=inf", "seconds between"),
        ("sea?seed=1.5", "seed must be a number"),
        ("sea?seed=-1", "seed must be 0 or more"),
        ("sea?hfov=0", "hfov lies between"),
        ("sea?hfov=180", "hfov lies between"),
        ("sea?hfov=nan", "hfov lies between"),
        ("sea?motion=hover", "unknown motion 'hover'; there are: flight"),
        ("sea?size=big", "size is WIDTHxHEIGHT"),
        ("sea?size=10x", "size is WIDTHxHEIGHT"),
        ("sea?size=1x2x3", "size is WIDTHxHEIGHT"),
        ("sea?size=0x5", "size must lie between"),
        ("sea?size=20000x5", "size must lie between"),
        ("ocean", "unknown scene 'ocean'; there are: sea, storm"),
    ],
)
def test_wrong_options_are_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        open_synthetic(text)
    assert "\n" not in str(caught.value)


def test_panoramas_need_the_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HORIZON_RT_DATA", "/nowhere")
    with pytest.raises(HorizonError, match="HORIZON_RT_DATA"):
        open_synthetic("panorama/beach")


@pytest.mark.parametrize(("kind", "speed"), [("sea", 4.0), ("storm", 4.0), ("fields", 20.0)])
def test_boats_are_the_motion_at_sea(kind: str, speed: float) -> None:
    clip = make_clip(SyntheticOptions(kind=kind, size="32x18"))
    assert clip.truth(25).north == pytest.approx(speed)


@pytest.mark.usefixtures("no_leaks")
def test_a_source_gives_every_frame_of_its_clip_in_order() -> None:
    with SyntheticSource(_clip(seconds=0.4), "made") as source:
        assert (source.info.width, source.info.height, source.info.frame_count) == (160, 90, 10)
        frames = list(source)
    assert [f.index for f in frames] == list(range(10))
    assert [f.time_s for f in frames] == [k / 25 for k in range(10)]
    assert all(f.decoded_at_s > 0 for f in frames)
    assert all((f.luma == source.clip.frame(f.index).luma).all() for f in frames)


@pytest.mark.usefixtures("no_leaks")
def test_a_source_closed_early_ends_its_threads() -> None:
    source = open_synthetic("fields?size=64x36&seconds=100")
    with source:
        assert next(iter(source)).index == 0
