"""Levelled files against rendered truth, and everything beside the pictures read back by FFmpeg's tools."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from support.cli import horizon_luma
from support.sources import av_frame, chroma_size, ffmpeg, needs_ffmpeg, write_clip
from support.synth import flat_scene

import horizon_rt as hz
from horizon_rt.errors import OptionsError, OutputError, SourceError
from horizon_rt.synth.clip import Clip, SceneView
from horizon_rt.synth.trajectory import Motion, make_trajectory

needs_ffprobe = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")


def rendered(path: Path, motion: Motion, seconds: float, *, size: tuple[int, int] = (256, 144)) -> np.ndarray:
    """White sky on black ground along a path, as a file; the true roll in degrees (N,)."""
    clip = Clip(
        view=SceneView(flat_scene()),
        path=make_trajectory(motion, seconds, 1),
        camera=hz.Camera.from_hfov(*size, 70),
        duration_s=seconds,
    )
    frames = [av_frame("yuv420p", clip.frame(i).arrays()) for i in range(len(clip))]
    write_clip(path, frames)
    return np.array([clip.truth(i).up.roll_deg for i in range(len(clip))])


def lumas(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)]


def fitted_tilt(luma: np.ndarray) -> tuple[float, float]:
    """Tilt in degrees and height in px of the border of a white sky above a black ground, by areas."""
    sky = np.clip((luma.astype(float) - 16) / 219, 0, 1).sum(axis=0)
    inside = (sky > 3) & (sky < luma.shape[0] - 3)
    slope, height = np.polyfit(np.flatnonzero(inside) - luma.shape[1] / 2, sky[inside], 1)
    return float(np.degrees(np.arctan(slope))), float(height)


def probe(path: Path, *what: str) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-of", "json", *what, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # type: ignore[no-any-return]


def times(path: Path) -> list[float]:
    rows = probe(path, "-select_streams", "v", "-show_entries", "packet=pts_time")["packets"]
    return sorted(float(row["pts_time"]) for row in rows)


def swinging(path: Path, count: int = 30, **options: Any) -> Path:
    """A horizon that swings by ±8°, 128x96."""
    chroma = [np.full(chroma_size(128, 96, "420"), 128, np.uint8)] * 2
    tilts = 0.14 * np.sin(np.arange(count) / 5)
    frames = [av_frame("yuv420p", (horizon_luma(128, 96, tilt), *chroma)) for tilt in tilts]
    return write_clip(path, frames, **options)


@pytest.mark.parametrize(("motion", "seconds"), [("flight", 4.0), ("boat", 3.0)])
def test_the_horizon_of_the_output_is_level(tmp_path: Path, motion: Motion, seconds: float) -> None:
    truth = rendered(tmp_path / "in.mkv", motion, seconds)
    summary = hz.level(tmp_path / "in.mkv", tmp_path / "out.mkv", hfov_deg=70, model="small")
    tilt = np.array([fitted_tilt(luma)[0] for luma in lumas(tmp_path / "out.mkv")])
    assert len(tilt) == len(truth) == summary.run.frames
    assert np.sqrt(np.mean(tilt**2)) < 0.2
    assert np.abs(np.diff(tilt)).mean() < np.abs(np.diff(truth)).mean() / 20
    assert min(luma.max() for luma in lumas(tmp_path / "out.mkv")) > 200


def test_a_full_roll_stays_upright_and_black_shows_only_where_it_is_kept(tmp_path: Path) -> None:
    rendered(tmp_path / "in.mkv", "aerobatics", 6.0, size=(192, 108))
    for crop in ("fill", "keep"):
        hz.level(tmp_path / "in.mkv", tmp_path / f"{crop}.mkv", model="small", crop=crop)
        for luma in lumas(tmp_path / f"{crop}.mkv"):
            assert luma[4, 80:112].mean() > 200 > 60 > luma[-5, 80:112].mean()
    corners = [luma[[0, 0], [0, -1]] for luma in lumas(tmp_path / "fill.mkv")]
    assert np.min(corners) > 200  # the sky is white
    assert np.min([luma[[0, 0], [0, -1]] for luma in lumas(tmp_path / "keep.mkv")]) < 30


def test_the_height_of_the_horizon_is_held_too(tmp_path: Path) -> None:
    rendered(tmp_path / "in.mkv", "boat", 4.0)
    spread = {}
    for lock in ("roll", "roll+pitch"):
        hz.level(tmp_path / "in.mkv", tmp_path / f"{lock}.mkv", model="small", lock=lock, crop="150%")
        heights = [fitted_tilt(luma)[1] for luma in lumas(tmp_path / f"{lock}.mkv")]
        spread[lock] = float(np.abs(np.diff(heights)).mean())
    assert spread["roll+pitch"] < spread["roll"] / 5


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_frames_are_levelled_by_what_each_shows(tmp_path: Path, count: int) -> None:
    """Fewer than it takes to confirm a track."""
    chroma = [np.full(chroma_size(128, 96, "420"), 128, np.uint8)] * 2
    tilts = [0.16 - 0.03 * k for k in range(count)]
    frames = [av_frame("yuv420p", (horizon_luma(128, 96, tilt), *chroma)) for tilt in tilts]
    source = write_clip(tmp_path / "in.mkv", frames)
    assert abs(fitted_tilt(lumas(source)[0])[0]) > 5
    summary = hz.level(source, tmp_path / "out.mkv", model="nano")
    assert (summary.is_written, summary.sure) == (True, 1.0)
    assert [abs(fitted_tilt(luma)[0]) < 0.5 for luma in lumas(tmp_path / "out.mkv")] == [True] * count


@needs_ffmpeg
@needs_ffprobe
def test_sound_times_and_tags_stay(tmp_path: Path) -> None:
    gaps = np.array([40, 40, 120, 20, 60] * 6)
    video = swinging(
        tmp_path / "v.mkv", codec="libx264", times_ms=np.cumsum(gaps).tolist(), colour=(1, 9),
        options={"bf": "0"},
    )  # fmt: skip
    source, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    tags = ["-metadata", "creation_time=2024-05-01T12:34:56Z", "-metadata", "title=Bow"]
    colours = ["-color_primaries", "bt2020", "-color_trc", "arib-std-b67"]
    ffmpeg(
        *("-i", video, "-f", "lavfi", "-i", "sine=440:duration=1.8", "-c:v", "libx264", "-c:a", "aac"),
        *(*colours, *tags, "-fps_mode", "passthrough", "-video_track_timescale", "90000", source),
    )
    hz.level(source, out, model="nano")
    assert times(out) == pytest.approx([t - times(source)[0] for t in times(source)], abs=2e-4)
    before, after = (probe(path, "-show_streams", "-show_format") for path in (source, out))
    picture, told = ({s["codec_type"]: s for s in p["streams"]}["video"] for p in (before, after))
    for name in ("color_range", "color_space", "color_primaries", "color_transfer"):
        assert told[name] == picture[name]
    for name in ("creation_time", "title"):
        assert after["format"]["tags"][name] == before["format"]["tags"][name]
    assert float(after["format"]["duration"]) == pytest.approx(float(before["format"]["duration"]), abs=0.05)
    sounds = [ffmpeg("-i", path, "-map", "0:a", "-c", "copy", "-f", "adts", "-") for path in (source, out)]
    assert sounds[1] in sounds[0]  # but for the priming before time 0
    assert len(sounds[1]) > 0.95 * len(sounds[0])


@needs_ffprobe
def test_ten_bits_stay(tmp_path: Path) -> None:
    chroma = [np.full((48, 64), 512, np.uint16)] * 2
    ramp = np.add.outer(np.zeros(96), np.linspace(0, 3.9, 128))  # less than a step of 8 bits
    frames = [
        av_frame(
            "yuv420p10le",
            ((4 * horizon_luma(128, 96, 0.1 * np.sin(i / 5)) + ramp).astype(np.uint16), *chroma),
        )
        for i in range(20)
    ]
    source = write_clip(tmp_path / "in.mkv", frames, codec="ffv1", colour=(1, 9))
    hz.level(source, tmp_path / "out.mp4", model="nano", strength=0.0)
    [stream] = probe(tmp_path / "out.mp4", "-show_streams")["streams"]
    assert (stream["pix_fmt"], stream["color_space"]) == ("yuv420p10le", "bt2020nc")
    assert (stream["codec_name"], stream["codec_tag_string"]) in {("hevc", "hvc1"), ("h264", "avc1")}
    with av.open(str(tmp_path / "out.mp4")) as container:
        luma = next(container.decode(video=0)).to_ndarray()[:96].astype(int)
    assert len(np.unique(luma[20:40] % 4)) > 1
    assert np.abs(luma - frames[0].to_ndarray()[:96].astype(int))[:40].mean() < 4


@needs_ffmpeg
@needs_ffprobe
def test_pixels_that_are_not_square_stay_so_and_are_turned_as_they_are(tmp_path: Path) -> None:
    """A circle on the horizon of the scene is a circle in the levelled picture as it is displayed."""
    y, x = np.mgrid[:192, :256] - np.array([95.5, 127.5])[:, None, None]
    tilt = np.radians(20)
    luma = np.where(y * np.cos(tilt) - x * np.sin(tilt) < 0, 200, 40).astype(np.uint8)
    luma[np.hypot(x, y - 20) < 30] = 120
    squeezed = cv2.resize(luma, (128, 192), interpolation=cv2.INTER_AREA)
    chroma = [np.full((96, 64), 128, np.uint8)] * 2
    frames = [av_frame("yuv420p", (np.roll(squeezed, i % 2, 0), *chroma)) for i in range(12)]
    write_clip(tmp_path / "raw.mkv", frames)
    coding = ("-vf", "setsar=2/1", "-c:v", "libx264", "-qp", "0")
    ffmpeg("-i", tmp_path / "raw.mkv", *coding, tmp_path / "in.mp4")
    hz.level(tmp_path / "in.mp4", tmp_path / "out.mp4", model="nano", crop="150%")
    [stream] = probe(tmp_path / "out.mp4", "-show_streams")["streams"]
    assert stream["sample_aspect_ratio"] == "2:1"
    shown = cv2.resize(lumas(tmp_path / "out.mp4")[6], (256, 192), interpolation=cv2.INTER_LINEAR)
    near = np.hypot(y - 24.5, x) < 70
    rows, columns = np.nonzero((shown > 90) & (shown < 150) & near)
    spread = np.cov(np.stack([columns, rows]))
    low, high = np.linalg.eigvalsh(spread)
    assert high / low < 1.25


def test_a_turned_recording_is_upright(tmp_path: Path) -> None:
    source = swinging(tmp_path / "in.mp4", codec="libx264", rotation=(90, False, False))
    assert hz.open_source(source).info.width == 96
    hz.level(source, tmp_path / "out.mp4", model="nano")
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height, frame.rotation) == (96, 128, 0)


def test_a_part_begins_at_time_zero(tmp_path: Path) -> None:
    source = swinging(tmp_path / "in.mkv", count=50)
    summary = hz.level(source, tmp_path / "out.mkv", model="nano", start_s=0.4, end_s=1.2)
    assert summary.run.frames == 20
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [round(float(f.time), 3) for f in container.decode(video=0)][::19] == [0.0, 0.76]


def test_the_zoom_may_jump_at_a_cut_alone(tmp_path: Path) -> None:
    chroma = [np.full((48, 64), 128, np.uint8)] * 2
    bright = np.full((96, 128), 235, np.uint8)
    bright[60:] = 140
    dim = [horizon_luma(128, 96, 0.5 + 0.004 * i) for i in range(15)]
    source = write_clip(
        tmp_path / "in.mkv", [av_frame("yuv420p", (luma, *chroma)) for luma in [bright] * 15 + dim]
    )
    hz.level(source, tmp_path / "out.mkv", model="nano")
    found = lumas(tmp_path / "out.mkv")
    assert np.abs(found[14].astype(int) - bright).mean() < 4  # not yet zoomed
    assert max(abs(fitted_tilt(np.where(luma > 120, 235, 16))[0]) for luma in found[15:]) < 1.5


def test_a_picture_that_comes_twice_is_turned_alike(tmp_path: Path) -> None:
    chroma = [np.full((48, 64), 128, np.uint8)] * 2
    tilts = np.repeat(0.2 * np.sin(np.arange(20) / 4), 2)
    frames = [av_frame("yuv420p", (horizon_luma(128, 96, tilt), *chroma)) for tilt in tilts]
    hz.level(write_clip(tmp_path / "in.mkv", frames), tmp_path / "out.mkv", model="nano", crop="150%")
    found = np.array(lumas(tmp_path / "out.mkv")).astype(int)
    assert np.abs(found[1::2] - found[::2]).mean() < 1
    assert max(abs(fitted_tilt(luma)[0]) for luma in np.where(found > 120, 235, 16)) < 1.5


def test_a_picture_shows_source_and_result(tmp_path: Path) -> None:
    source = swinging(tmp_path / "in.mkv")
    hz.level(source, tmp_path / "out.mkv", model="nano", preview=tmp_path / "look.png")
    look = cv2.imread(str(tmp_path / "look.png"))
    assert look.shape == (2 * 100, 6 * 132, 3)


def test_what_cannot_be_levelled_is_one_line(tmp_path: Path) -> None:
    source = swinging(tmp_path / "in.mkv")
    with pytest.raises(OutputError, match="is the source"):
        hz.level(source, source)
    with pytest.raises(OutputError, match="two outputs"):
        hz.level(source, tmp_path / "a.mp4", preview=tmp_path / "a.mp4")
    with pytest.raises(OutputError, match="unknown extension"):
        hz.level(source, tmp_path / "a.gif")
    with pytest.raises(OutputError, match="a preview is a picture"):
        hz.level(source, tmp_path / "a.mp4", preview=tmp_path / "a.txt")
    cv2.imwrite(str(tmp_path / "one.png"), horizon_luma(96, 64))
    with pytest.raises(SourceError, match="made of a recording"):
        hz.level(tmp_path / "one.png", tmp_path / "a.mp4")
    for options in ({"crop": "50%"}, {"crop": "most"}, {"strength": 2.0}, {"most_zoom": 9.0}, {"every": "2"}):
        with pytest.raises(OptionsError):
            hz.level(source, tmp_path / "a.mp4", **options)
    assert not list(tmp_path.glob("a.*"))


def test_pictures_that_come_rarely_are_levelled_each_by_itself(tmp_path: Path) -> None:
    chroma = [np.full((48, 64), 128, np.uint8)] * 2
    tilts = [0.5, -0.4, 0.3, -0.55, 0.1, 0.6]
    frames = [av_frame("yuv420p", (horizon_luma(128, 96, tilt), *chroma)) for tilt in tilts]
    summary = hz.level(write_clip(tmp_path / "in.mkv", frames, rate=1), tmp_path / "out.mkv", model="nano")
    found = np.where(np.array(lumas(tmp_path / "out.mkv")) > 120, 235, 16)
    assert max(abs(fitted_tilt(luma)[0]) for luma in found) < 1.5
    assert summary.run.share_with_horizon == 1.0
