"""Sound beside the overlay: from broadcast streams, from damaged ones, and what cannot be copied."""

from __future__ import annotations

import logging
import math
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.cli import RunCli
from support.sinks import context, ffprobe, frame, frame_times, horizon

from horizon_rt.imaging.canvas import Canvas
from horizon_rt.imaging.video_writer import VideoWriter
from horizon_rt.sinks import Overlay, VideoSink
from horizon_rt.sinks.records import read_records

CONTEXT = context()
pytestmark = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")


def source(path: Path, codec: str, *, delay_s: dict[int, float] | None = None) -> Path:
    """A second of pictures and of sound; `delay_s` moves the sound from the packet of that index on."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=10, options={"qscale": "5"})
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = out.add_stream(codec, rate=48000, layout="mono")
        for index in range(10):
            picture = av.VideoFrame.from_ndarray(np.full((48, 32), 90, np.uint8), "yuv420p")
            picture.pts = index
            out.mux(video.encode(picture))
        wave = (np.sin(np.arange(48000) / 9) * 8000).astype(np.int16)[None]
        packets = []
        for start in range(0, wave.shape[1], 1200):
            samples = av.AudioFrame.from_ndarray(wave[:, start : start + 1200].copy(), "s16", "mono")
            samples.sample_rate, samples.pts = 48000, start
            packets += sound.encode(samples)
        moved = Fraction(0)
        for index, packet in enumerate([*packets, *sound.encode(None)]):
            moved += Fraction((delay_s or {}).get(index, 0.0))
            packet.pts += round(moved / packet.time_base)
            packet.dts = packet.pts
            out.mux(packet)
        out.mux(video.encode(None))
    return path


def tracks_of(path: Path) -> list[dict[str, object]]:
    """Language, title and default flag of the sound tracks as FFmpeg's own reader tells them."""
    with av.open(str(path)) as file:
        titles = [sound.metadata.get("title", sound.metadata.get("name")) for sound in file.streams.audio]
    wanted = "stream=codec_type:stream_tags=language:stream_disposition=default"
    sounds = [s for s in ffprobe(path, wanted)["streams"] if s["codec_type"] == "audio"]
    return [
        {"language": s["tags"]["language"], "title": title, "default": s["disposition"]["default"]}
        for s, title in zip(sounds, titles, strict=True)
    ]


def with_two_sounds(path: Path) -> Path:
    """Two seconds of pictures, two sound tracks of which the second is the default, and subtitles."""
    (titles := path.with_suffix(".srt")).write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    subtitles = "srt" if path.suffix == ".mkv" else "mov_text"
    tones = [part for hertz in (440, 880) for part in ("-f", "lavfi", "-i", f"sine={hertz}:duration=2")]
    maps = "-map 0 -map 1 -map 2 -map 3 -c:v mpeg4 -c:a aac -disposition:a:0 0 -disposition:a:1 default"
    named = "-metadata:s:a:0 language=eng -metadata:s:a:0 title=Cabin -metadata:s:a:1 language=deu"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=2", *tones]
    command += ["-i", str(titles), *maps.split(), "-c:s", subtitles, *named.split(), str(path)]
    subprocess.run(command, check=True)
    return path


def overlay(path: Path, sound: Path, count: int = 15) -> Path:
    """Half a second of overlay with the sound of another file."""
    with VideoSink(path, CONTEXT, Overlay(CONTEXT.camera), audio_from=sound) as video:
        for index in range(count):
            video.write(frame(index), horizon(index))
    assert len(frame_times(path)) == count
    return path


def packets(path: Path, track: int = 0) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=track) if packet.size]


def kinds(path: Path) -> list[object]:
    return [stream["codec_type"] for stream in ffprobe(path, "stream=codec_type")["streams"]]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("recording", ["r.ts", "r.m2ts"])
def test_aac_of_a_broadcast_stream_is_copied(
    tmp_path: Path, suffix: str, recording: str, caplog: pytest.LogCaptureFixture
) -> None:
    sound = source(tmp_path / recording, "aac")
    path = overlay(tmp_path / f"v.{suffix}", sound)
    framed = packets(sound)
    assert all(data[:2] == b"\xff\xf1" for data in framed)  # ADTS without a checksum: 7 bytes in front
    copied = packets(path)
    begin = [data[7:] for data in framed].index(copied[0])
    assert copied == [data[7:] for data in framed[begin : begin + len(copied)]]
    assert len(copied) == pytest.approx(0.5 * 48000 / 1024, abs=2)
    with av.open(str(path)) as file:
        config = file.streams.audio[0].codec_context.extradata or b""
    # AudioSpecificConfig of ISO/IEC 14496-3: AAC-LC is type 2, 48 kHz is index 3, one channel.
    assert int.from_bytes(config[:2], "big") == 2 << 11 | 3 << 7 | 1 << 3
    command = ["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-map", "0:a", "-f", "null", "-"]
    assert subprocess.run(command, check=True, capture_output=True).stderr == b""
    assert not caplog.records


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("recording", ["r.mp4", "r.mkv"])
def test_all_sound_tracks_are_copied_with_language_title_and_default_flag(
    tmp_path: Path, suffix: str, recording: str, caplog: pytest.LogCaptureFixture
) -> None:
    sound = with_two_sounds(tmp_path / recording)
    path = overlay(tmp_path / f"v.{suffix}", sound)
    assert kinds(path) == ["video", "audio", "audio"]
    kept = tracks_of(path)
    assert kept[1].pop("language") in {"deu", "ger"}  # German in ISO 639-2/T and /B
    assert kept == [{"language": "eng", "title": "Cabin", "default": 0}, {"title": None, "default": 1}]
    for track in (0, 1):
        copied, whole = packets(path, track), packets(sound, track)
        begin = whole.index(copied[0], 1 if recording == "r.mp4" else 0)
        assert copied == whole[begin : begin + len(copied)]
        assert len(copied) == pytest.approx(0.5 * 44100 / 1024, abs=2)
    assert [record.getMessage() for record in caplog.records] == [
        f"{sound}: 1 subtitle track is left out of the video"
    ]


def test_data_tracks_are_left_out_without_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Such as a GoPro's telemetry; here a time code, which MOV keeps as data, twice."""
    caplog.set_level(logging.INFO, "horizon_rt")
    titled, whole = with_two_sounds(tmp_path / "r.mp4"), tmp_path / "r.mov"
    maps = "-map 0 -map 0:v -c copy -timecode 01:00:00:00"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(titled), *maps.split(), str(whole)], check=True)
    assert kinds(whole).count("data") == 2
    assert kinds(overlay(tmp_path / "v.mp4", whole)) == ["video", "audio", "audio"]
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [line for line in told if "left out" in line[1]] == [
        ("WARNING", f"{whole}: 1 subtitle track is left out of the video"),
        ("INFO", f"{whole}: 2 data tracks are left out of the video"),
    ]


def test_all_sound_tracks_of_a_part_are_cut_alike(tmp_path: Path) -> None:
    sound, out = with_two_sounds(tmp_path / "r.mp4"), tmp_path / "part.mp4"
    writer = VideoWriter(out, frame_rate=10, audio_from=sound, audio_from_s=1.0)
    for index in range(5):
        writer.write(Canvas.from_frame(frame(index)), index / 10)
    writer.close()
    for track in (0, 1):
        copied, whole = packets(out, track), packets(sound, track)
        # AAC begins with a packet of priming before time 0; the part with the first packet after 1 s.
        begin = math.ceil(1.0 * 44100 / 1024) + 1
        assert copied == whole[begin : begin + len(copied)]
        assert len(copied) == pytest.approx(0.5 * 44100 / 1024, abs=2)


def test_a_sound_track_that_does_not_fit_leaves_the_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sound = with_two_sounds(tmp_path / "r.mkv")
    data = sound.read_bytes()
    sound.write_bytes(data.replace(b"A_AAC", b"A_XYZ", 1))
    path = overlay(tmp_path / "v.mp4", sound)
    assert [track["language"] in {"deu", "ger"} for track in tracks_of(path)] == [True]
    assert f"sound track 1 of {sound} is left out: its codec is unknown" in caplog.text


def test_a_codec_that_ffmpeg_does_not_know_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sound = source(tmp_path / "r.mkv", "aac")
    sound.write_bytes(sound.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    assert kinds(overlay(tmp_path / "v.mp4", sound)) == ["video"]
    assert [record.getMessage() for record in caplog.records] == [
        f"the sound of {sound} is left out: its codec is unknown"
    ]


def test_the_overlay_of_a_part_counts_from_its_start_without_sound(cli: RunCli, tmp_path: Path) -> None:
    recording, out = source(tmp_path / "r.mkv", "aac"), tmp_path / "part.mp4"
    done = cli("track", recording, "--overlay", out, "--telemetry", tmp_path / "part.jsonl", "--start", "0.3")
    assert done.code == 0, done.errors
    assert kinds(out) == ["video"]
    with av.open(str(out)) as container:
        times = [picture.time for picture in container.decode(video=0)]
    records = list(read_records(tmp_path / "part.jsonl"))
    assert records[0]["time_s"] == pytest.approx(0.3, abs=0.05)
    assert times == pytest.approx([record["time_s"] - 0.3 for record in records], abs=0.02)


def test_sound_that_the_format_refuses_late_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """MOV names Opus among its codecs and refuses it when the header is written."""
    sound = source(tmp_path / "r.mkv", "libopus")
    assert kinds(overlay(tmp_path / "v.mov", sound)) == ["video"]
    assert len(caplog.records) == 1
    assert "is left out" in caplog.text


def test_sound_whose_time_goes_back_costs_those_packets_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    once = source(tmp_path / "once.ts", "aac").read_bytes()
    (sound := tmp_path / "twice.ts").write_bytes(once + once)
    path = overlay(tmp_path / "v.mp4", sound, count=60)
    assert kinds(path) == ["video", "audio"]
    assert "packets of the sound" in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_damaged_streams_give_whole_overlays(tmp_path: Path, suffix: str) -> None:
    whole = source(tmp_path / "r.ts", "aac").read_bytes()
    generator = np.random.default_rng(5)
    for index in range(12):
        data = np.frombuffer(whole, np.uint8).copy()
        data[generator.integers(0, len(data), 40)] = generator.integers(0, 256, 40)
        (sound := tmp_path / f"damaged{index}.ts").write_bytes(data.tobytes())
        overlay(tmp_path / f"v{index}.{suffix}", sound)


def test_sound_whose_time_leaps_ends_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sound = source(tmp_path / "r.mkv", "aac", delay_s={10: 1e5})
    with VideoSink(path := tmp_path / "v.mp4", CONTEXT, Overlay(CONTEXT.camera), audio_from=sound) as video:
        for index, time_s in enumerate([0.0, 0.5, 8e4, 1.1e5, 1.1e5 + 0.1]):
            video.write(frame(index, time_s=time_s), horizon(index))
    assert len(frame_times(path)) == 5
    assert 8 <= len(packets(path)) <= 10
    assert sum("the sound" in record.getMessage() for record in caplog.records) == 1
