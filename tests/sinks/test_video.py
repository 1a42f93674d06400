"""Overlay video, read back with ffprobe and PyAV."""

from __future__ import annotations

import itertools
import logging
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.cli import RunCli
from support.sinks import context, ffprobe, frame, frame_times, horizon, noisy_frame, run_python
from support.sources import ffmpeg, needs_ffmpeg

from horizon_rt.errors import OutputError
from horizon_rt.frame import Frame, Sampling
from horizon_rt.imaging.video_writer import VideoWriter
from horizon_rt.sinks import Canvas, Overlay, VideoSink

CONTEXT = context()
pytestmark = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")


def sink(path: Path, **options: object) -> VideoSink:
    return VideoSink(path, CONTEXT, Overlay(CONTEXT.camera), **options)  # type: ignore[arg-type]


def stream(path: Path) -> dict[str, object]:
    names = "stream=codec_name,codec_type,width,height,pix_fmt,color_range,color_space,duration"
    return next(s for s in ffprobe(path, names)["streams"] if s["codec_type"] == "video")


def source_with_sound(path: Path, codec: str, *, offset_s: float = 0.0) -> None:
    """A second of pictures from `offset_s` on, and as much sound."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=10, options={"qscale": "5"})
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = out.add_stream(codec, rate=48000)
        for index in range(10):
            picture = av.VideoFrame.from_ndarray(np.full((48, 32), 90, np.uint8), "yuv420p")
            picture.pts = index + round(offset_s * 10)
            out.mux(video.encode(picture))
        wave = (np.sin(np.arange(48000 * 2) / 9) * 8000).astype(np.int16)[None]
        for start in range(0, wave.shape[1], 1200):
            samples = av.AudioFrame.from_ndarray(wave[:, start : start + 1200].copy(), "s16", "mono")
            samples.sample_rate, samples.pts = 48000, start
            out.mux(sound.encode(samples))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as file:
        return [(float(p.pts * p.time_base), bytes(p)) for p in file.demux(audio=0) if p.pts is not None]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_variable_timing_survives(tmp_path: Path, suffix: str) -> None:
    gaps = [0.0, 1 / 30, 1001 / 30000, 0.5, 0.011, 0.04, 1.25, 1 / 60, 0.2]
    times = list(itertools.accumulate(gaps))
    with sink(path := tmp_path / f"v.{suffix}") as video:
        for index, time_s in enumerate(times):
            video.write(frame(index, time_s=time_s), horizon(index))
    step = 0.001 if suffix == "mkv" else 1 / 90000
    assert frame_times(path) == pytest.approx(times, abs=0.51 * step + 1e-6)


def test_no_picture_is_lost_at_any_length(tmp_path: Path) -> None:
    for count in (29, 31, 32, 33, 61):
        with sink(path := tmp_path / "v.mp4") as video:
            for index in range(count):
                video.write(noisy_frame(index, width=32, height=32), horizon(index))
        assert frame_times(path) == pytest.approx([i / 30 for i in range(count)], abs=1e-4)


def test_times_that_do_not_advance_still_give_every_frame(tmp_path: Path) -> None:
    with sink(path := tmp_path / "v.mp4") as video:
        for index, time_s in enumerate([0.0, 0.1, 0.1, 0.05, 0.2]):
            video.write(frame(index, time_s=time_s), horizon(index))
    times = frame_times(path)
    assert len(times) == 5
    assert all(a < b for a, b in itertools.pairwise(times))


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(
    ("matrix", "tag"), [("bt601", "smpte170m"), ("bt709", "bt709"), ("bt2020", "bt2020nc")]
)
def test_colour_tags_and_levels_are_those_of_the_source(
    tmp_path: Path, full_range: bool, matrix: str, tag: str
) -> None:
    sampling = Sampling(full_range=full_range, matrix=matrix)  # type: ignore[arg-type]
    with sink(path := tmp_path / "v.mp4") as video:
        video.write(frame(sampling=sampling, luma=201), horizon(roll=None))
    answer = stream(path)
    assert answer["color_space"] == tag
    assert answer["color_range"] == ("pc" if full_range else "tv")
    with av.open(str(path)) as file:
        luma = np.asarray(next(file.decode(video=0)).to_ndarray())[40:60, 30:60]
    assert abs(int(np.median(luma)) - 201) <= 2


def test_h264_of_even_size(tmp_path: Path) -> None:
    with sink(path := tmp_path / "v.mp4") as video:
        for index in range(3):
            video.write(frame(index, width=97, height=65), horizon(index))
    answer = stream(path)
    assert (answer["codec_name"], answer["pix_fmt"]) == ("h264", "yuv420p")
    assert (answer["width"], answer["height"]) == (98, 66)
    assert float(str(answer["duration"])) == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize("height", [88, 90])
def test_every_row_and_chroma_sample_stays_in_its_place(tmp_path: Path, height: int) -> None:
    """Half the height may be odd."""
    canvas = Canvas(64, height)
    planes = (canvas.y, canvas.u, canvas.v)
    for plane, slope in zip(planes, (2, 3, -3), strict=True):
        plane[:] = (128 + slope * (np.arange(len(plane)) - len(plane) // 2))[:, None]
    writer = VideoWriter(tmp_path / "v.mp4", frame_rate=25)
    writer.write(canvas, 0.0)
    writer.close()
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "v.mp4"), "-f", "rawvideo", "-"]
    decoded = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint8)
    assert np.abs(decoded.astype(int) - canvas.buffer.ravel()).max() <= 6


def test_later_frames_of_another_size_are_fitted_in(tmp_path: Path) -> None:
    with sink(path := tmp_path / "v.mkv") as video:
        video.write(frame(0, luma=150), horizon(roll=None))
        video.write(frame(1, width=64, height=96, luma=150), horizon(roll=None))
        video.write(frame(2, width=192, height=128, luma=150), horizon(roll=None))
    with av.open(str(path)) as file:
        luma = [np.asarray(f.to_ndarray())[:64].astype(int) for f in file.decode(video=0)]
    assert [p.shape for p in luma] == [(64, 96)] * 3
    assert abs(luma[1][:, :20].mean() - 16) < 6  # bars
    assert abs(np.median(luma[1][30:60, 32:62]) - 150) < 6
    assert abs(np.median(luma[2]) - 150) < 6


def test_the_file_is_a_plain_mp4_once_closed(tmp_path: Path) -> None:
    with sink(path := tmp_path / "v.mp4") as video:
        for index in range(40):
            video.write(frame(index), horizon(index))
    data, top, at = path.read_bytes(), [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        top.append(data[at + 4 : at + 8])
        at += size if size > 1 else int.from_bytes(data[at + 8 : at + 16], "big")
    assert top.count(b"moov") == 1
    assert b"moof" not in top


def test_a_killed_run_leaves_a_playable_file(tmp_path: Path) -> None:
    code = """
from support.sinks import *
from horizon_rt.sinks import Canvas, Overlay, VideoSink
from horizon_rt.imaging.video_writer import VideoWriter
import os, signal
sink = VideoSink(sys.argv[1], context(), Overlay(context().camera))
for i in range(120): sink.write(frame(i), horizon(i))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run_python(code, tmp_path / "v.mp4").returncode == -signal.SIGKILL
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4.partial"]
    times = frame_times(tmp_path / "v.mp4.partial")
    assert len(times) >= 30
    assert times == pytest.approx([i / 30 for i in range(len(times))], abs=1e-4)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("while_closing", [False, True])
def test_a_full_disk_leaves_a_playable_partial_file(tmp_path: Path, suffix: str, while_closing: bool) -> None:
    code = """
import resource
from pathlib import Path
from support.sinks import *
from horizon_rt.sinks import Canvas, Overlay, VideoSink
from horizon_rt.imaging.video_writer import VideoWriter
sink = VideoSink(sys.argv[1], context(), Overlay(context().camera))
def limit(n): resource.setrlimit(resource.RLIMIT_FSIZE, (n, n))
late = sys.argv[2] == "True"
if not late: limit(300_000)
for i in range(100 if late else 1000): sink.write(noisy_frame(i), horizon(i))
if late: limit(Path(f"{sys.argv[1]}.partial").stat().st_size + 100)
sink.close()
"""
    done = run_python(code, tmp_path / f"v.{suffix}", str(while_closing))
    message = done.stderr.splitlines()[-1]
    assert "OutputError: cannot write" in message
    assert "File too large" in message
    assert f"v.{suffix}.partial" in message
    assert [p.name for p in tmp_path.iterdir()] == [f"v.{suffix}.partial"]
    times = frame_times(tmp_path / f"v.{suffix}.partial")
    assert len(times) >= 20
    whole = len(times) - 4  # a cut between reordered pictures leaves gaps near the end
    assert times[:whole] == pytest.approx([i / 30 for i in range(whole)], abs=6e-4)


def test_another_encoder_takes_over_with_one_log_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with sink(path := tmp_path / "v.mp4") as video:
        for index in range(4):
            video.write(frame(index), horizon(index))
    assert stream(path)["codec_name"] == "mpeg4"
    assert frame_times(path) == pytest.approx([i / 30 for i in range(4)], abs=1e-4)
    assert [r.getMessage() for r in caplog.records] == ["no H.264 encoder libx264 here, writing mpeg4"]


def test_no_encoder_at_all_is_an_error(tmp_path: Path) -> None:
    video = sink(tmp_path / "v.mp4", encoder="no_such_encoder")
    with pytest.raises(OutputError, match="no_such_encoder"):
        video.write(frame(), horizon())
    assert not (tmp_path / "v.mp4").exists()


def test_no_frames_give_no_file(tmp_path: Path) -> None:
    sink(tmp_path / "v.mp4").close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mkv", "aac"), ("mov", "pcm_s16le")])
def test_sound_is_copied_bit_for_bit_up_to_the_last_picture(tmp_path: Path, suffix: str, codec: str) -> None:
    source_with_sound(source := tmp_path / "source.mkv", codec)
    with sink(path := tmp_path / f"v.{suffix}", audio_from=source) as video:
        for index in range(15):
            video.write(frame(index), horizon(index))
    original = [(t, data) for t, data in sound_packets(source) if 0 <= t < 0.5]
    copied = sound_packets(path)
    # PCM is cut into other packets by other readers; the samples are the same.
    assert b"".join(data for _, data in copied) == b"".join(data for _, data in original)
    assert copied[0][0] == pytest.approx(original[0][0], abs=0.0011)
    assert copied[-1][0] == pytest.approx(original[-1][0], abs=0.03)
    assert len(frame_times(path)) == 15


def test_sound_follows_the_pictures_origin_of_time(tmp_path: Path) -> None:
    source_with_sound(source := tmp_path / "source.mkv", "aac", offset_s=0.5)
    with sink(path := tmp_path / "v.mkv", audio_from=source) as video:
        for index in range(15):
            video.write(frame(index), horizon(index))
    at = {data: t for t, data in sound_packets(source)}
    copied = sound_packets(path)
    assert copied
    assert all(at[data] - t == pytest.approx(0.5, abs=0.0021) for t, data in copied)


def test_sound_that_does_not_fit_is_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source_with_sound(source := tmp_path / "source.mkv", "pcm_u8")
    with caplog.at_level(logging.WARNING), sink(path := tmp_path / "v.mp4", audio_from=source) as video:
        video.write(frame(), horizon())
    assert "pcm_u8 does not fit into mp4" in caplog.text
    assert [s["codec_type"] for s in ffprobe(path, "stream=codec_type")["streams"]] == ["video"]


def test_a_source_without_sound_is_no_matter(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with sink(silent := tmp_path / "silent.mp4") as video:
        video.write(frame(), horizon())
    with sink(tmp_path / "v.mp4", audio_from=silent) as video:
        video.write(frame(), horizon())
    assert len(frame_times(tmp_path / "v.mp4")) == 1
    assert not caplog.records


def test_a_shared_overlay_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overlay, calls = Overlay(CONTEXT.camera), []
    draw = overlay.draw
    monkeypatch.setattr(overlay, "draw", lambda *args, **options: (calls.append(1), draw(*args, **options)))
    shown: Frame = frame()
    result = horizon()
    with (
        VideoSink(tmp_path / "a.mp4", CONTEXT, overlay) as a,
        VideoSink(tmp_path / "b.mkv", CONTEXT, overlay) as b,
    ):
        a.write(shown, result)
        b.write(shown, result)
    assert len(calls) == 1


@needs_ffmpeg
def test_an_overlay_keeps_the_tags_of_its_source(
    tmp_path: Path, cli: RunCli, caplog: pytest.LogCaptureFixture
) -> None:
    tags = ("-metadata", "creation_time=2024-05-01T12:34:56Z", "-metadata", "title=Bow")
    colours = ("-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc")
    shape = ("-pix_fmt", "yuv420p10le", "-vf", "setsar=4/3", "-c:v", "libx265", "-x265-params", "log-level=0")
    test = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10:duration=1")
    ffmpeg(*test, *shape, *colours, *tags, tmp_path / "in.mp4")
    done = cli("track", tmp_path / "in.mp4", "--overlay", tmp_path / "out.mp4", "--model", "nano")
    assert done.code == 0
    assert "the 10 bits of the pictures become 8 in an overlay" in caplog.text
    colours_and_shape = "stream=color_primaries,color_transfer,sample_aspect_ratio,pix_fmt"
    told: Any = ffprobe(tmp_path / "out.mp4", colours_and_shape, "format_tags=creation_time,title")
    assert told["streams"][0] == {
        "color_primaries": "bt2020",
        "color_transfer": "arib-std-b67",
        "sample_aspect_ratio": "4:3",
        "pix_fmt": "yuv420p",
    }
    assert told["format"]["tags"] == {"creation_time": "2024-05-01T12:34:56.000000Z", "title": "Bow"}
