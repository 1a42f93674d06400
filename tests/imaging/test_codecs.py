"""Codecs and qualities, as ffprobe finds them in the files."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import av
import numpy as np
import pytest
from support.sinks import ffprobe

from horizon_rt.errors import OptionsError, OutputError
from horizon_rt.frame import Sampling
from horizon_rt.imaging.codecs import encoder_named, software_encoders
from horizon_rt.imaging.containers import WRITTEN_SUFFIXES
from horizon_rt.imaging.planar import Planar
from horizon_rt.imaging.video_writer import VideoWriter
from horizon_rt.options import Codec, EncodeOptions

pytestmark = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
ENCODER_OF = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}


def picture(index: int, bit_depth: int = 8) -> Planar:
    """A gradient that moves, with noise; 160x96."""
    noise = np.random.default_rng(index).normal(0, 6, (96, 160))
    luma = 60 + np.linspace(0, 100, 160)[None] + 2 * index + noise
    chroma = np.full((48, 80), 128)
    kind = np.uint8 if bit_depth == 8 else np.uint16
    planes = tuple((plane * 2 ** (bit_depth - 8)).astype(kind) for plane in (luma, chroma, chroma))
    return Planar.of(planes, Sampling(bit_depth=bit_depth))


def write(path: Path, *, bit_depth: int = 8, **coding: Any) -> dict[str, Any]:
    """What ffprobe says of a video of ten pictures."""
    writer = VideoWriter(path, frame_rate=25, coding=EncodeOptions(**coding))
    try:
        for index in range(10):
            writer.write(picture(index, bit_depth), index / 25)
    except OutputError:
        writer.abort()
        raise
    writer.close()
    (stream,) = ffprobe(path, "stream=codec_name,codec_tag_string,pix_fmt,nb_read_frames")["streams"]
    return dict(stream)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_a_codec_that_is_asked_for_is_written(
    tmp_path: Path, codec: str, bit_depth: int, suffix: str
) -> None:
    if ENCODER_OF[codec] not in software_encoders():
        pytest.skip(f"no {ENCODER_OF[codec]} here")
    found = write(path := tmp_path / f"v{suffix}", codec=codec, bit_depth=bit_depth)
    assert found["codec_name"] == codec
    assert found["pix_fmt"] == {8: "yuv420p", 10: "yuv420p10le"}[bit_depth]
    if codec == "hevc" and suffix == ".mp4":
        assert found["codec_tag_string"] == "hvc1"
    with av.open(str(path)) as file:
        assert [round(float(frame.time) * 25) for frame in file.decode(video=0)] == list(range(10))


PAIRS = [(codec, suffix) for codec in get_args(Codec) for suffix in WRITTEN_SUFFIXES]


@pytest.mark.parametrize(("codec", "suffix"), [pair for pair in PAIRS if pair != ("av1", ".mov")])
def test_each_codec_goes_into_each_format_that_is_not_refused(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    assert write(tmp_path / f"v{suffix}", codec=codec)["codec_name"] == codec.replace("auto", "h264")


def test_what_a_format_cannot_hold_is_refused_before_the_first_picture(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OutputError) as refused:
        VideoWriter(path := tmp_path / "v.mov", coding=EncodeOptions(codec="av1"))
    message = "does not hold av1; write .mp4, .m4v or .mkv, or choose the codec h264 or hevc"
    assert str(refused.value) == f"cannot write {path}: .mov {message}"
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


def test_an_encoder_that_is_named_is_checked_too(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.mov does not hold av1; write \.mp4"):
        VideoWriter(tmp_path / "v.mov", encoder="libsvtav1")


WRITE_AV1 = """
import ctypes, sys
from horizon_rt.imaging.canvas import Canvas
from horizon_rt.imaging.video_writer import VideoWriter
from horizon_rt.options import EncodeOptions

writer = VideoWriter(sys.argv[1], coding=EncodeOptions(codec="av1"))
(canvas := Canvas(64, 64)).clear((90, 90, 90))
writer.write(canvas, 0.0)
writer.close()
(getenv := ctypes.CDLL(None).getenv).restype = ctypes.c_char_p
print(getenv(b"SVT_LOG"))
"""


@pytest.mark.parametrize("asked", [None, "3"])
def test_av1_tells_nothing_unless_the_environment_asks(tmp_path: Path, asked: str | None) -> None:
    """In a process of its own, as SVT-AV1 looks once."""
    environment = {name: value for name, value in os.environ.items() if name != "SVT_LOG"}
    environment |= {} if asked is None else {"SVT_LOG": asked}
    command = [sys.executable, "-c", WRITE_AV1, str(tmp_path / "v.mp4")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ("Svt[info]" in done.stderr) == (asked is not None)
    assert asked is not None or done.stderr == ""
    assert done.stdout.strip() == ("None" if asked is None else "b'3'")


@pytest.mark.parametrize(("bit_depth", "codec"), [(8, "h264"), (10, "hevc")])
def test_the_usual_codec_follows_the_depth(tmp_path: Path, bit_depth: int, codec: str) -> None:
    assert write(tmp_path / "v.mp4", bit_depth=bit_depth)["codec_name"] == codec


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_a_better_quality_takes_more_bytes_and_is_nearer(tmp_path: Path, codec: str) -> None:
    if ENCODER_OF[codec] not in software_encoders():
        pytest.skip(f"no {ENCODER_OF[codec]} here")
    sizes, errors = [], []
    for quality in (40, 20, 5):
        write(path := tmp_path / f"{quality}.mkv", codec=codec, quality=quality)
        with av.open(str(path)) as file:
            read = [frame.to_ndarray()[:96, :160].astype(int) for frame in file.decode(video=0)]
        sizes.append(path.stat().st_size)
        errors.append(
            np.mean([np.square(one - picture(k).buffer[:96, :160]).mean() for k, one in enumerate(read)])
        )
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize(("quality", "profile"), [(0, "High 4:4:4 Predictive"), (1, "High")])
def test_quality_0_is_lossless_in_a_profile_of_its_own(tmp_path: Path, quality: int, profile: str) -> None:
    write(path := tmp_path / "v.mp4", codec="h264", quality=quality)
    assert ffprobe(path, "stream=profile")["streams"][0]["profile"] == profile
    with av.open(str(path)) as file:
        read = [frame.to_ndarray()[:96, :160] for frame in file.decode(video=0)]
    assert all((one == picture(k).buffer[:96, :160]).all() for k, one in enumerate(read)) == (quality == 0)


def test_no_card_is_told_and_the_processor_takes_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {name for name in av.codecs_available if not name.endswith(("nvenc", "qsv", "amf", "toolbox"))}
    monkeypatch.setattr(av, "codecs_available", there)
    with caplog.at_level(logging.WARNING):
        assert write(tmp_path / "v.mp4", codec="hevc", encoder="hardware")["codec_name"] == "hevc"
    assert [r.getMessage() for r in caplog.records] == [
        "no graphics card here encodes HEVC; the processor does it"
    ]


def test_a_codec_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", {"libx264"})
    with pytest.raises(OutputError, match="no encoder of av1 in this FFmpeg; leave --codec out"):
        write(tmp_path / "v.mp4", codec="av1")
    assert not (tmp_path / "v.mp4").exists()


@pytest.mark.parametrize("options", [{"codec": "vp9"}, {"quality": -1}, {"quality": 52}, {"encoder": "gpu"}])
def test_what_is_no_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionsError):
        EncodeOptions(**options)


def test_an_encoder_of_ffmpeg_may_be_named() -> None:
    assert encoder_named("libx264").options(30)["crf"] == "30"
    assert encoder_named("mpeg4").options(None) == {"qscale": "3"}
    assert encoder_named("ffv1").options(10) == {}
