"""The contract that every kind of source keeps."""

from __future__ import annotations

import gc
import io
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
from support.sources import h264_clip
from support.streams import HAS_RTSP_SERVER, NO_RTSP_SERVER, RtspServer

from horizon_rt.errors import DecodeError, HorizonError, SourceError, SourceNotFound
from horizon_rt.frame import Frame
from horizon_rt.sources import Source, open_source
from horizon_rt.sources.base import SourceInfo
from horizon_rt.sources.file import open_stdin

Opener = Callable[[], Source]
KINDS = ("file", "images", "stdin", "lavfi", "device", "synthetic", "network")


def write_pictures(folder: Path, count: int = 4) -> Path:
    folder.mkdir()
    for index in range(count):
        cv2.imwrite(str(folder / f"img{index}.png"), np.full((12, 16, 3), 10 * index, np.uint8))
    return folder


@pytest.fixture(scope="module")
def rtsp_server() -> Iterator[RtspServer]:
    server = RtspServer()
    yield server
    server.kill()


@pytest.fixture(params=KINDS)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    if request.param == "network":
        if not HAS_RTSP_SERVER:
            pytest.skip(NO_RTSP_SERVER)
        url = request.getfixturevalue("rtsp_server").plain
        yield lambda: open_source(url)
        _wait_for_streams()
        return
    if request.param == "device" and not Path("/dev/video0").exists():
        pytest.skip("no camera here")
    if request.param == "images":
        write_pictures(tmp_path / "pictures")
    if request.param in ("file", "stdin"):
        h264_clip(tmp_path / "clip.ts", 4)
    data = (tmp_path / "clip.ts").read_bytes() if request.param == "stdin" else b""
    openers: dict[str, Opener] = {
        "file": lambda: open_source(tmp_path / "clip.ts"),
        "images": lambda: open_source(tmp_path / "pictures"),
        "stdin": lambda: open_stdin(io.BytesIO(data)),
        "lavfi": lambda: open_source("lavfi:testsrc2=size=32x24:rate=50:duration=0.08"),
        "device": lambda: open_source(0),
        "synthetic": lambda: open_source("synth:sea?size=320x192&seconds=0.16&fps=25"),
    }
    yield openers[request.param]


def _wait_for_streams() -> None:
    """Until the connections of closed sources are given back."""
    end = time.monotonic() + 10
    while any(thread.name in ("network", "stream") for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.02)


def take(source: Source, count: int = 4) -> list[Frame]:
    return [frame for frame, _ in zip(source, range(count), strict=False)]


def test_frames_are_numbered_and_their_time_advances(opener: Opener) -> None:
    with opener() as source:
        frames = take(source)
    assert len(frames) == 4
    if source.info.kind != "network":  # of which the newest frames are taken
        assert [frame.index for frame in frames] == [0, 1, 2, 3]
        assert frames[0].time_s == pytest.approx(0.0, abs=1e-9)
    assert np.all(np.diff([frame.index for frame in frames]) > 0)
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)
    assert all(0 < frame.decoded_at_s <= time.perf_counter() for frame in frames)


def test_info_describes_the_first_frame(opener: Opener) -> None:
    with opener() as source:
        info, frame = source.info, source.read()
    assert frame is not None
    assert (info.width, info.height) == (frame.width, frame.height)
    assert info.name
    assert info.frame_rate is None or info.frame_rate > 0
    assert info.is_image_set == (info.kind == "images")
    assert (frame.name is not None) == info.is_image_set


def test_reading_past_the_end_stays_none(opener: Opener) -> None:
    with opener() as source:
        if source.info.kind in ("device", "network"):
            pytest.skip("it has no end")
        frames = list(source)
        assert len(frames) == 4
        assert source.read() is None
        assert source.read() is None
        assert source.warnings == []


def test_it_can_be_opened_once_more_also_when_closed(opener: Opener) -> None:
    with opener() as source:
        first = take(source)
    if source.info.kind == "stdin":
        with pytest.raises(SourceError, match="cannot be opened a second time"):
            source.reopen()
        return
    with source.reopen() as again:
        assert again.info == source.info
        second = take(again)
    if source.info.kind not in ("device", "network"):
        pairs = zip(first, second, strict=True)
        assert all(np.array_equal(one.luma, other.luma) for one, other in pairs)


def test_close_is_idempotent_and_ends_reading(opener: Opener) -> None:
    source = opener()
    assert source.read() is not None
    source.close()
    source.close()
    assert source.closed
    assert source.read() is None
    assert list(source) == []


def test_close_without_reading(opener: Opener) -> None:
    source = opener()
    source.close()
    assert source.read() is None
    assert source.released


def test_frames_outlive_their_source(opener: Opener) -> None:
    source = opener()
    frames = take(source)
    copies = [[plane.copy() for plane in frame.planes] for frame in frames]
    source.close()
    del source
    scratch = [np.full(1 << 16, 255, np.uint8) for _ in range(64)]
    for frame, planes in zip(frames, copies, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(frame.planes, planes, strict=True))
    assert len(scratch) == 64


def test_close_from_another_thread_during_reading(opener: Opener) -> None:
    for delay_s in (0.0, 0.002, 0.01):
        source = opener()
        reader = threading.Thread(target=lambda source=source: list(source))
        reader.start()
        time.sleep(delay_s)
        source.close()
        reader.join(5)
        assert not reader.is_alive()
        assert source.released


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_closing_gives_back_every_descriptor(tmp_path: Path) -> None:
    clip = h264_clip(tmp_path / "clip.mkv", 4)
    (tmp_path / "text.mp4").write_text("text")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with open_source(clip) as source:
            source.read()
        with pytest.raises(DecodeError):
            open_source(tmp_path / "text.mp4")
    assert len(os.listdir("/proc/self/fd")) == before


def test_info_is_frozen() -> None:
    info = SourceInfo(name="x", kind="file", width=1, height=1)
    with pytest.raises(AttributeError):
        info.width = 2  # type: ignore[misc]


def test_many_readers_share_a_source_without_losing_frames(tmp_path: Path) -> None:
    seen: list[int] = []
    with open_source(h264_clip(tmp_path / "clip.mkv", 12)) as source:
        threads = [
            threading.Thread(target=lambda: seen.extend(frame.index for frame in source)) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert sorted(seen) == list(range(12))


def test_close_ends_a_paced_wait_at_once() -> None:
    source = open_source("lavfi:color=size=16x16:rate=1/30")
    assert source.read() is not None
    timer = threading.Timer(0.1, source.close)
    started = time.monotonic()
    timer.start()
    assert source.read() is None
    assert time.monotonic() - started < 5
    timer.join()


def test_a_live_graph_runs_in_real_time() -> None:
    with open_source("lavfi:testsrc2=size=32x24:rate=20") as source:
        assert source.info.live
        started = time.monotonic()
        frames = take(source, 5)
        elapsed = time.monotonic() - started
    assert frames[-1].time_s == pytest.approx(0.2)
    assert 0.15 < elapsed < 3


def test_a_pipe_that_ends_later_is_read_to_its_end(tmp_path: Path) -> None:
    data = h264_clip(tmp_path / "clip.ts", 10).read_bytes()
    inlet, outlet = os.pipe()
    os.write(outlet, data)
    with os.fdopen(inlet, "rb") as stream:
        feeder = threading.Timer(0.2, os.close, (outlet,))
        feeder.start()
        with open_stdin(stream) as source:
            assert len(list(source)) == 10
        feeder.join()


def test_close_ends_a_read_that_waits_on_a_pipe(tmp_path: Path) -> None:
    data = h264_clip(tmp_path / "clip.mkv", 60).read_bytes()
    inlet, outlet = os.pipe()
    writer = threading.Thread(target=os.write, args=(outlet, data[: len(data) * 9 // 10]))
    writer.start()
    with os.fdopen(inlet, "rb") as stream, open_stdin(stream) as source:
        closer = threading.Timer(0.3, source.close)
        closer.start()
        started = time.monotonic()
        list(source)
        assert time.monotonic() - started < 5
        closer.join()
    writer.join()
    os.close(outlet)


def test_stdin_reads_the_standard_input(tmp_path: Path) -> None:
    clip = h264_clip(tmp_path / "clip.mkv", 4)
    code = "from horizon_rt.sources import open_source; print(len(list(open_source('-'))))"
    with clip.open("rb") as stream:
        done = subprocess.run([sys.executable, "-c", code], stdin=stream, capture_output=True, timeout=60)
    assert done.stdout.strip() == b"4", done.stderr


def test_stdin_must_be_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(SourceError, match="nothing is piped in"):
        open_source("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceError, match="nothing is piped in"):
        open_source("-")


def test_importing_the_sources_is_cheap() -> None:
    code = (
        "import sys, horizon_rt.sources as s; s.open_source;"
        "assert not {'cv2', 'av', 'torch', 'numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("", SourceError, "empty"),
        ("no/such.mp4", SourceNotFound, "no such file"),
        ("bad\0name.mp4", SourceNotFound, "no such file"),
        ("nothing*.png", SourceNotFound, "no file matches"),
        ("973", SourceNotFound, "no camera 973: /dev/video973 does not exist; `horizon-rt doctor`"),
        (973, SourceNotFound, "no camera 973"),
        ("/dev/video973", SourceNotFound, "no camera: /dev/video973 does not exist"),
        ("rtsp://127.0.0.1:1/path", SourceNotFound, "nothing listens there"),
        ("http://127.0.0.1:1/clip.mp4", SourceNotFound, "nothing listens there"),
        ("lavfi:nonsense", SourceError, "not a filter graph"),
        ("lavfi:sine", SourceError, "no video|not a filter graph"),
        ("lavfi:", SourceError, "not a filter graph"),
    ],
)
def test_a_source_that_is_not_there(spec: str | int, error: type[HorizonError], words: str) -> None:
    if sys.platform != "linux" and "camera" in words:
        pytest.skip("names Linux devices")
    with pytest.raises(error, match=words) as caught:
        open_source(spec)
    assert "\n" not in str(caught.value)
    assert str(spec) in str(caught.value)


def test_files_that_are_no_videos(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello\n" * 100)
    (tmp_path / "text.txt").write_text("hello\n" * 100)
    (tmp_path / "zeros.mkv").write_bytes(bytes(10_000))
    for name, words in [("empty.mp4", "empty"), ("text.mp4", "not a video"), ("text.txt", "not a video")]:
        with pytest.raises(DecodeError, match=words) as caught:
            open_source(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(DecodeError):
        open_source(tmp_path / "zeros.mkv")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = h264_clip(tmp_path / "clip.mp4", 2)
    path.chmod(0)
    with pytest.raises(SourceError, match="no permission"):
        open_source(path)
    folder = write_pictures(tmp_path / "pictures")
    folder.chmod(0)
    try:
        with pytest.raises(SourceError, match="no permission"):
            open_source(folder)
    finally:
        folder.chmod(0o700)


def test_a_file_whose_name_looks_like_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a:b.mp4", "clip [1].mp4", "100%d.mp4", "ünï ☀.mp4", "7"):
        h264_clip(tmp_path / "clip.mp4", 2).rename(tmp_path / name)
        assert len(list(open_source(Path(name)))) == 2


def test_warnings_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_pictures(tmp_path / "pictures")
    (folder / "img1.png").write_text("not a picture")
    with caplog.at_level(logging.WARNING), open_source(folder) as source:
        assert len(list(source)) == 3
    assert len(source.warnings) == 1
    assert "img1.png" in source.warnings[0]
    assert source.warnings[0] in caplog.text


def _pictures_alive() -> int:
    return sum(type(o) is av.VideoFrame for o in gc.get_objects())


def test_a_picture_goes_with_its_last_reference(tmp_path: Path) -> None:
    """Frames in a cycle wait for the garbage collector: gigabytes at 4K."""
    gc.collect()
    gc.disable()
    try:
        others = _pictures_alive()
        with open_source(h264_clip(tmp_path / "clip.mp4", 10)) as source:
            frames = list(source)
        held = _pictures_alive() - others
        del frames
        assert held >= 10
        assert _pictures_alive() - others <= 1
    finally:
        gc.enable()
