"""Timing, damage and cameras: what real inputs do."""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.error import BlockingIOError as NotReadyError
from av.error import InvalidDataError
from support.sources import ffmpeg, h264_clip, moving_frames, needs_ffmpeg, write_clip, write_silence

from horizon_rt.errors import DecodeError, HorizonError, SourceError, SourceNotFound
from horizon_rt.frame import Frame
from horizon_rt.sources import decoder, device, open_source
from horizon_rt.sources.clock import PresentationClock
from horizon_rt.sources.container import ContainerOptions, ContainerSource
from horizon_rt.sources.decoder import MAX_CONSECUTIVE_ERRORS, PacketDecoder
from horizon_rt.sources.file import open_stdin
from horizon_rt.system import host
from horizon_rt.tracker import HorizonTracker


def read_all(path: Path) -> tuple[list[Frame], list[str]]:
    with open_source(path) as source:
        return list(source), source.warnings


# --- timing


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_variable_frame_rate(suffix: str, tmp_path: Path) -> None:
    times_ms = [0, 40, 100, 101, 300, 1300]
    clip = write_clip(
        tmp_path / f"clip.{suffix}", moving_frames(6), codec="mpeg4", times_ms=times_ms, rate=1000
    )
    frames, warnings = read_all(clip)
    assert [frame.time_s for frame in frames] == pytest.approx([ms / 1000 for ms in times_ms])
    assert warnings == []


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mov", "nut"])
def test_frames_with_b_frames_come_in_order_from_zero(suffix: str, tmp_path: Path) -> None:
    frames, warnings = read_all(h264_clip(tmp_path / f"clip.{suffix}", 10))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(10) / 25)
    assert np.all(np.diff([frame.luma.mean() for frame in frames]) > 0)
    assert warnings == []


def test_time_starts_at_zero_when_the_container_does_not(tmp_path: Path) -> None:
    times_ms = [5000, 5040, 5080]
    clip = write_clip(tmp_path / "clip.mkv", moving_frames(3), times_ms=times_ms)
    assert [frame.time_s for frame in read_all(clip)[0]] == pytest.approx([0.0, 0.04, 0.08])


def test_missing_timestamps_are_an_average_duration_apart(tmp_path: Path) -> None:
    frames, warnings = read_all(h264_clip(tmp_path / "clip.h264", 5))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(5) / 25)
    assert "timestamps" in warnings[0]


def test_the_clock_always_advances() -> None:
    clock = PresentationClock(origin_s=1.0, period_s=0.1)
    stamps = [clock.stamp(t) for t in (1.0, None, 1.05, 1.5, 0.2, 1.7)]
    assert stamps == pytest.approx([0.0, 0.1, 0.2, 0.5, 0.6, 0.7])
    assert clock.repaired == 3
    assert PresentationClock(origin_s=None, period_s=0.1).stamp(77.0) == 0.0
    assert PresentationClock(origin_s=None, period_s=0.1).stamp(None) == 0.0


def test_info_of_a_file(tmp_path: Path) -> None:
    with open_source(h264_clip(tmp_path / "clip.mp4", 10), threads=1) as source:
        info = source.info
    assert (info.frame_rate, info.frame_count, info.kind, info.live) == (25.0, 10, "file", False)
    assert info.duration_s == pytest.approx(0.4)


# --- resolution


@pytest.mark.parametrize("suffix", ["h264", "ts"])
def test_size_may_change_in_mid_stream(suffix: str, tmp_path: Path) -> None:
    parts = [
        h264_clip(tmp_path / f"{width}.{suffix}", 4, width, height) for width, height in ((64, 48), (96, 32))
    ]
    (tmp_path / f"clip.{suffix}").write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, _ = read_all(tmp_path / f"clip.{suffix}")
    sizes = [(frame.width, frame.height) for frame in frames]
    assert sizes == [(64, 48)] * 4 + [(96, 32)] * 4
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)


# --- no video


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="no video in it, only audio"):
        open_source(write_silence(tmp_path / "a.wav"))


@needs_ffmpeg
def test_sound_with_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    sound, song = write_silence(tmp_path / "a.wav"), tmp_path / "a.m4a"
    cover = ("-f", "lavfi", "-i", "color=size=16x16:rate=1:duration=1")
    maps = ("-map", "0", "-map", "1", "-c:a", "aac", "-c:v", "png", "-frames:v", "1")
    ffmpeg("-i", sound, *cover, *maps, "-disposition:v", "attached_pic", song)
    with pytest.raises(DecodeError, match="no video in it"):
        open_source(song)


def garbage_clip(path: Path, template: Path) -> Path:
    """A container with the packets' times kept and their contents replaced."""
    with av.open(str(template)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                damaged = av.Packet(b"\x00\x00\x00\x05\x65" + b"\xa5" * 40)
                damaged.pts, damaged.dts, damaged.stream = packet.pts, packet.dts, stream
                damaged.time_base = packet.time_base
                target.mux(damaged)
    return path


def test_a_container_where_nothing_decodes(tmp_path: Path) -> None:
    template = write_clip(tmp_path / "good.mkv", moving_frames(8))
    with pytest.raises(DecodeError, match="no picture can be decoded"):
        open_source(garbage_clip(tmp_path / "bad.mkv", template))


# --- truncation and damage


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
def test_a_cut_file_gives_what_is_there(suffix: str, tmp_path: Path) -> None:
    clip = h264_clip(tmp_path / f"clip.{suffix}", 50, container_options=faststart(suffix))
    whole, _ = read_all(clip)
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 6 // 10])
    frames, warnings = read_all(clip)
    assert 10 < len(frames) < 45
    for frame, expected in list(zip(frames, whole, strict=False))[:10]:
        np.testing.assert_array_equal(frame.luma, expected.luma)
        assert frame.time_s == pytest.approx(expected.time_s)
    # TS declares no length, and FFmpeg takes that of an AVI from the size of the file.
    if suffix not in ("ts", "avi"):
        assert warnings


def faststart(suffix: str) -> dict[str, str]:
    return {"movflags": "faststart"} if suffix == "mp4" else {}


def test_an_mp4_cut_before_its_index(tmp_path: Path) -> None:
    clip = h264_clip(tmp_path / "clip.mp4", 10)
    clip.write_bytes(clip.read_bytes()[:-200])
    with pytest.raises(DecodeError, match=r"clip\.mp4"):
        open_source(clip)


def test_a_pipe_cannot_reach_an_index_at_the_end(tmp_path: Path) -> None:
    clip = h264_clip(tmp_path / "clip.mp4", 10)
    try:
        with open_stdin(io.BytesIO(clip.read_bytes())) as source:
            assert len(list(source)) <= 10
    except DecodeError as error:
        assert "stdin" in str(error)  # noqa: PT017 - both outcomes are fine


def damaged(data: bytes, seed: int) -> bytes:
    generator = np.random.default_rng(seed)
    values = np.frombuffer(data, np.uint8).copy()
    # From a few flips to a thorough shake; half of the seeds spare the header.
    count = int(generator.integers(1, max(2, len(values) // 50)))
    first = 0 if seed % 2 else min(1200, len(values) // 3)
    places = generator.integers(first, len(values), count)
    values[places] ^= generator.integers(1, 256, count, np.uint8)
    return values.tobytes()


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        ("mp4", "libx264"),
        ("mkv", "ffv1"),
        ("ts", "libx264"),
        ("avi", "mjpeg"),
        ("h264", "libx264"),
        ("nut", "mpeg4"),
    ],
)
def test_flipped_bytes_give_frames_or_an_error(suffix: str, codec: str, tmp_path: Path) -> None:
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    clip = write_clip(tmp_path / f"good.{suffix}", moving_frames(8, 32, 24, pixel_format), codec=codec)
    data = clip.read_bytes()
    for seed in range(24):
        path = tmp_path / f"bad.{suffix}"
        path.write_bytes(damaged(data, seed))
        try:
            frames, _ = read_all(path)
        except HorizonError as error:
            assert "\n" not in str(error)  # noqa: PT017 - an error is one of the two good ends
            continue
        assert 0 < len(frames) < 200
        assert np.all(np.diff([frame.time_s for frame in frames]) > 0)
        assert all(0 < frame.width * frame.height <= 1 << 28 for frame in frames)
        assert all(int(plane.sum()) >= 0 for frame in frames for plane in frame.planes)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp"])
def test_flipped_bytes_in_a_picture(suffix: str, tmp_path: Path) -> None:
    cv2.imwrite(
        str(tmp_path / f"good.{suffix}"), np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    )
    data = (tmp_path / f"good.{suffix}").read_bytes()
    for seed in range(20):
        (tmp_path / f"bad.{suffix}").write_bytes(damaged(data, seed))
        try:
            frames, _ = read_all(tmp_path / f"bad.{suffix}")
        except HorizonError as error:
            assert "\n" not in str(error)  # noqa: PT017 - an error is one of the two good ends
            continue
        assert [frame.luma.ndim for frame in frames] == [2]


def test_damage_in_the_middle_is_skipped_and_told(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", moving_frames(20))
    with av.open(str(clip)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
    data = clip.read_bytes()
    for packet in packets[5:8]:
        data = data.replace(bytes(packet), b"\xff" * packet.size)
    clip.write_bytes(data)
    frames, warnings = read_all(clip)
    assert 12 <= len(frames) <= 20
    assert frames[-1].time_s == pytest.approx(0.76)
    assert any("damaged" in warning for warning in warnings)


class FakeContainer:
    """Packets as a script says: each entry is raised, or yielded."""

    def __init__(self, script: Callable[[], Iterator[object]]) -> None:
        self.reads = 0
        self._script = script

    def demux(self, stream: object) -> Iterator[object]:
        for entry in self._script():
            self.reads += 1
            if isinstance(entry, Exception):
                raise entry
            yield entry


class FakeStream:
    codec_context = SimpleNamespace(decode=lambda packet: [] if packet is None else [packet])


def fake_decoder(container: FakeContainer) -> PacketDecoder:
    stream: Any = FakeStream()
    return PacketDecoder(container, stream, threading.Event())  # type: ignore[arg-type]


def test_endless_errors_end_at_the_bound() -> None:
    container = FakeContainer(lambda: iter([InvalidDataError(errno.EINVAL, "bad")]))
    packets = fake_decoder(container)
    assert list(packets.frames()) == []
    assert packets.gave_up
    assert container.reads == MAX_CONSECUTIVE_ERRORS + 1
    assert packets.last_error == "bad"


def test_errors_between_pictures_do_not_add_up() -> None:
    total = 3 * MAX_CONSECUTIVE_ERRORS
    entries = iter([e for n in range(total) for e in (InvalidDataError(1, "bad"), n)])
    container = FakeContainer(lambda: entries)
    packets = fake_decoder(container)
    assert len(list(packets.frames())) == total
    assert not packets.gave_up
    assert packets.errors == total


def test_a_silent_camera_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "STALL_S", 0.05)
    packets = fake_decoder(FakeContainer(lambda: iter([NotReadyError(errno.EAGAIN, "later")])))
    assert list(packets.frames()) == []
    assert packets.gave_up
    assert "no picture for" in packets.last_error


# --- cameras


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """A driver at /dev/null which knows raw 64×48 at 25 Hz only; gives the requests made to it."""
    requests: list[dict[str, str]] = []
    real_open = av.open

    def fake_open(file: str, mode: str, *, format: str, options: dict[str, str]) -> Any:
        assert set(options) <= {"video_size", "framerate", "input_format"}  # ffmpeg -h demuxer=v4l2
        requests.append(options)
        if "input_format" in options or options.get("video_size", "64x48") != "64x48":
            raise av.error.ArgumentError(errno.EINVAL, "Invalid argument")
        return real_open("testsrc2=size=64x48:rate=25", mode, format="lavfi")

    monkeypatch.setattr(device.av, "open", fake_open)
    return requests


@pytest.mark.skipif(os.name != "posix", reason="names Linux devices")
def test_a_camera_gives_what_it_can(camera: list[dict[str, str]]) -> None:
    with device.open_device("/dev/null", size=(1280, 720), frame_rate=25) as source:
        assert (source.info.kind, source.info.live, source.info.width) == ("device", True, 64)
        assert [frame.index for frame, _ in zip(source, range(3), strict=False)] == [0, 1, 2]
    assert [request.get("input_format") for request in camera] == ["mjpeg", None, None]
    assert source.warnings == ["camera /dev/null: asked for video_size 1280x720, the camera gives 64x48"]


@pytest.mark.skipif(os.name != "posix", reason="names Linux devices")
def test_a_camera_that_fits_needs_no_warning(camera: list[dict[str, str]]) -> None:
    with device.open_device("/dev/null") as source:
        assert source.warnings == []
    assert camera == [{}]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_reads_of_a_device_are_made_nonblocking(tmp_path: Path) -> None:
    null, file = os.open("/dev/null", os.O_RDWR), os.open(tmp_path / "file", os.O_CREAT)
    host.make_nonblocking("/dev/null")
    blocking = os.get_blocking(null), os.get_blocking(file)
    os.close(null)
    os.close(file)
    assert blocking == (False, True)


@pytest.mark.skipif(os.name != "posix", reason="names Linux devices")
def test_a_camera_without_a_signal_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(device, "OPEN_TIMEOUT_S", 0.05)
    monkeypatch.setattr(device.av, "open", lambda *args, **kwargs: release.wait(10))
    with pytest.raises(SourceError, match=r"no picture within 0\.05 s"):
        device.open_device("/dev/null")
    release.set()


def test_raw_pictures_of_a_camera_are_copied_out_of_its_memory(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.nut", moving_frames(2), codec="rawvideo")
    for kind in ("device", "file"):
        options = ContainerOptions(name="x", kind=kind)  # type: ignore[arg-type]
        with ContainerSource(av.open(str(clip)), options) as source:
            frame = source.read()
        assert frame is not None
        bases = [base_of(plane) for plane in frame.planes]
        assert all(isinstance(base, np.ndarray) == (kind == "device") for base in bases)


def base_of(plane: Any) -> object:
    while isinstance(plane, np.ndarray) and plane.base is not None:
        plane = plane.base
    return plane


@pytest.mark.skipif(os.name != "posix", reason="names Linux devices")
def test_devices_that_are_no_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="cannot be opened"):
        device.open_device("/dev/null")
    (tmp_path / "file").touch()
    with pytest.raises(SourceNotFound, match="not a capture device"):
        device.open_device(str(tmp_path / "file"))
    monkeypatch.setattr(device.os, "access", lambda path, mode: False)
    with pytest.raises(SourceError, match=r"no permission to use /dev/null.*group 'video'"):
        device.open_device("/dev/null")


def test_a_camera_through_opencv(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", moving_frames(3, pixel_format="yuvj420p"), codec="mjpeg")
    with device.OpenCvCamera(str(clip)) as source:
        frames = list(source)
    assert (source.info.width, source.info.height, source.info.live) == (64, 48, True)
    assert len(frames) == 3
    assert np.all(np.diff([frame.time_s for frame in frames]) >= 0)
    with pytest.raises(SourceNotFound, match="no camera"):
        device.OpenCvCamera(str(tmp_path / "missing.avi"))


def test_frames_that_the_decoder_made_up_are_told_and_not_measured(tmp_path: Path) -> None:
    """Bytes of one slice are changed: H.264 hides the damage, also in what refers to that picture."""
    clip = h264_clip(tmp_path / "clip.mp4", 30)
    whole, warnings = read_all(clip)
    assert not any(frame.damaged for frame in whole)
    assert warnings == []
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 2 * (len(data) - data.index(b"mdat")) // 5
    data[start : start + 60] = bytes(range(60))
    clip.write_bytes(data)
    frames, warnings = read_all(clip)
    hurt = [frame for frame in frames if frame.damaged]
    assert hurt
    assert any(f"{len(hurt)} of {len(frames)} frames are damaged" in line for line in warnings)
    tracker = HorizonTracker(smooth="none")
    assert tracker.update(hurt[0]).view == "unknown"
