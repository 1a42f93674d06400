"""Streams from real servers: opened, read at the newest picture, lost and found again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.cli import RunCli
from support.sources import h264_clip, needs_ffmpeg
from support.streams import RtspServer, free_port, needs_rtsp_server, sender

from horizon_rt.errors import DecodeError, HorizonError, SourceError, SourceNotFound
from horizon_rt.frame import Frame
from horizon_rt.sources import Source, SourceInfo, open_source
from horizon_rt.sources.container import ContainerSource
from horizon_rt.sources.network import NetworkSource
from horizon_rt.system.address import shown

# A machine that stands still for seconds, as shared ones do, breaks a connection of any sender.
pytestmark = pytest.mark.flaky(reruns=2)

H264 = ("-c:v", "libx264", "-tune", "zerolatency", "-g", "15")


@pytest.fixture
def server() -> Iterator[RtspServer]:
    server = RtspServer()
    yield server
    server.kill()


def opened(url: str, tries: int = 50) -> NetworkSource:
    """A stream whose sender needs a moment to begin."""
    for _ in range(tries):
        try:
            source = open_source(url)
        except SourceError:
            time.sleep(0.1)
            continue
        assert isinstance(source, NetworkSource)
        return source
    raise AssertionError(f"{url} does not begin")


def take(source: NetworkSource, count: int) -> list[Frame]:
    return [frame for _, frame in zip(range(count), source, strict=False)]


@contextmanager
def closed_after(source: NetworkSource, seconds: float) -> Iterator[None]:
    """Ends a test whose frames never come."""
    timer = threading.Timer(seconds, source.close)
    timer.start()
    yield
    timer.cancel()


def wait_for(condition: Callable[[], bool], seconds: float) -> float:
    """How long it took in s; fails after `seconds`."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds
        time.sleep(0.01)
    return time.monotonic() - start


def check_frames(source: NetworkSource) -> None:
    frames = take(source, 20)
    assert [(frame.width, frame.height, frame.live) for frame in frames] == [(320, 240, True)] * 20
    times = [frame.time_s for frame in frames]
    assert all(b > a for a, b in pairwise(times))
    assert times[-1] - times[0] == pytest.approx(19 / 30, abs=0.4)
    assert source.health.state == "receiving"


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["tcp", "udp", "mjpeg"])
def test_a_stream_that_ffmpeg_sends(kind: str) -> None:
    port = free_port()
    ways = {
        "tcp": (f"tcp://127.0.0.1:{port}", (*H264, "-f", "mpegts", f"tcp://127.0.0.1:{port}?listen=1")),
        "udp": (f"udp://127.0.0.1:{port}", (*H264, "-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316")),
        "mjpeg": (
            f"http://127.0.0.1:{port}/x",
            ("-c:v", "mjpeg", "-f", "mpjpeg", "-listen", "1", f"http://127.0.0.1:{port}/x"),
        ),
    }
    url, arguments = ways[kind]
    with sender(*arguments), opened(url) as source:
        check_frames(source)


@needs_rtsp_server
def test_rtsp_with_and_without_a_password(server: RtspServer, tmp_path: Path) -> None:
    with opened(server.plain) as source:
        check_frames(source)
        assert (source.info.name, source.info.frame_rate) == (server.plain, 30.0)
    with opened(f"rtsp://me:{quote('p@ss/1', safe='')}@{server.secret}") as source:
        assert source.info.name == f"rtsp://{server.secret}"
        check_frames(source)
    (tmp_path / "word").write_text("p@ss/1\n")
    with opened(f"rtsp://me@{server.secret}?password-file={tmp_path / 'word'}") as source:
        check_frames(source)


@needs_rtsp_server
def test_what_cannot_be_opened_is_told_at_once_in_one_line(server: RtspServer) -> None:
    cases: list[tuple[str, type[HorizonError], str]] = [
        (f"rtsp://127.0.0.1:{free_port()}/x", SourceNotFound, "nothing listens there"),
        (f"rtsp://me:swordfish@{server.secret}", SourceError, "wrong user or password"),
        (f"rtsp://{server.secret}", SourceError, "wrong user or password"),
        (f"{server.plain}r", SourceNotFound, "knows no such stream"),
        (server.sound, DecodeError, "no video"),
    ]
    for url, kind, words in cases:
        start = time.monotonic()
        with pytest.raises(kind, match=words) as caught:
            open_source(url)
        assert time.monotonic() - start < 3
        assert "\n" not in str(caught.value)
        assert "swordfish" not in f"{caught.value!r}{caught.value.__cause__!r}"


@pytest.mark.parametrize("scheme", ["rtsp", "http", "tcp"])
def test_a_host_that_does_not_exist_is_told_as_such(scheme: str) -> None:
    with pytest.raises(SourceError, match="no host of that name is known"):
        open_source(f"{scheme}://me:swordfish@no-such-host.invalid:554/x")


@needs_rtsp_server
def test_a_slow_reader_gets_the_newest_picture(server: RtspServer) -> None:
    with opened(server.plain) as source:
        frames, ages = [], []
        for _ in range(12):
            time.sleep(0.1)
            frame = source.read()
            assert frame is not None
            frames.append(frame)
            assert frame.decoded_at_s is not None
            ages.append(time.perf_counter() - frame.decoded_at_s)
        assert max(ages) < 0.1
        assert frames[-1].index - frames[0].index > 20  # what came between is passed over


@needs_rtsp_server
def test_a_stream_comes_back_after_its_server_did(server: RtspServer) -> None:
    frames: list[Frame] = []
    with opened(server.plain) as source:
        reader = threading.Thread(target=lambda: frames.extend(source), daemon=True)
        reader.start()
        for round_ in range(3):
            time.sleep(0.5)
            server.kill()
            wait_for(lambda: source.health.state == "reconnecting", 5)
            time.sleep(0.7)
            server.start()
            before = len(frames)
            assert wait_for(lambda: len(frames) > before, 10) < 4  # noqa: B023
            assert (source.health.state, source.health.reconnects) == ("receiving", round_ + 1)
    reader.join(5)
    assert not reader.is_alive()
    times = [frame.time_s for frame in frames]
    assert all(b > a for a, b in pairwise(times))
    gaps = [b - a for a, b in pairwise(times) if b - a > 0.5]
    assert len(gaps) == 3
    assert all(0.7 < gap < 5 for gap in gaps)


@needs_rtsp_server
def test_another_reason_for_the_absence_is_told_at_once(
    server: RtspServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a password that was changed while the server was away."""
    right = server.password
    with opened(f"rtsp://me:{quote(right, safe='')}@{server.secret}") as source:
        take(source, 5)
        server.kill()
        wait_for(lambda: "nothing listens there" in caplog.text, 5)
        server.password = "another"
        server.start()
        assert wait_for(lambda: "wrong user or password" in caplog.text, 20) < 5
        server.kill()
        server.password = right
        server.start()
        wait_for(lambda: source.health.state == "receiving", 10)
    assert quote(right, safe="") not in caplog.text


@needs_rtsp_server
def test_a_silent_server_is_noticed_within_a_second_or_so(
    server: RtspServer, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(server.plain) as source:
        take(source, 5)
        os.kill(server.process.pid, signal.SIGSTOP)
        assert wait_for(lambda: source.health.state == "reconnecting", 5) < 2.5
        os.kill(server.process.pid, signal.SIGCONT)
        wait_for(lambda: source.health.state == "receiving", 10)
        assert take(source, 5)
    assert "fell silent; it is opened anew" in caplog.text
    assert "back after" in caplog.text


def test_a_file_on_a_web_server_is_a_recording_with_all_its_frames(tmp_path: Path) -> None:
    h264_clip(tmp_path / "clip.mkv", 90, 320, 240)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as files:
        threading.Thread(target=files.serve_forever, daemon=True).start()
        with open_source(f"http://127.0.0.1:{files.server_port}/clip.mkv?key=1") as source:
            assert not source.info.live
            assert source.info.name == f"http://127.0.0.1:{files.server_port}/clip.mkv"
            lumas = [frame.luma.copy() for frame in source]
        files.shutdown()
    with open_source(tmp_path / "clip.mkv") as source:
        assert all(np.array_equal(frame.luma, luma) for frame, luma in zip(source, lumas, strict=True))


@needs_ffmpeg
def test_an_address_to_listen_at_waits_for_its_sender(caplog: pytest.LogCaptureFixture) -> None:
    """Longer than one try takes; 5 s."""
    port = free_port()
    found: list[Source] = []
    url = f"udp://127.0.0.1:{port}"
    waiting = threading.Thread(target=lambda: found.append(open_source(url)))
    waiting.start()
    waiting.join(5.5)
    assert not found
    with sender(*H264, "-f", "mpegts", f"{url}?pkt_size=1316"):
        waiting.join(15)
        with found[0] as source:
            assert source.read() is not None
    assert caplog.text.count("waiting for what is to be sent there") == 1


@needs_ffmpeg
def test_a_playlist_plays_at_its_own_pace(tmp_path: Path) -> None:
    """Its pictures come by the second, and are shown one after the other all the same."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    hls = ("-f", "hls", "-hls_time", "1", "-hls_list_size", "4", "-hls_flags", "delete_segments")
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), handler) as files,
        sender(*H264, "-g", "30", *hls, str(tmp_path / "live.m3u8")),
    ):
        threading.Thread(target=files.serve_forever, daemon=True).start()
        wait_for(lambda: len(list(tmp_path.glob("*.ts"))) > 3, 20)
        with opened(f"http://127.0.0.1:{files.server_port}/live.m3u8") as source:
            frames = take(source, 60)
        files.shutdown()
    arrived = np.diff([frame.decoded_at_s for frame in frames])
    assert np.median(arrived) == pytest.approx(1 / 30, abs=0.015)
    assert (np.diff([frame.time_s for frame in frames]) > 0).all()


@needs_ffmpeg
def test_a_slow_stream_is_no_stalled_one() -> None:
    """A picture a second: two of its intervals and a second of silence are not yet a stall."""
    port = free_port()
    to = f"tcp://127.0.0.1:{port}?listen=1"
    with (
        sender("-r", "1", *H264, "-g", "1", "-f", "mpegts", to, rate=1),
        opened(f"tcp://127.0.0.1:{port}") as source,
        closed_after(source, 20.0),
    ):
        times = [frame.time_s for frame in take(source, 4)]
        assert np.diff(times) == pytest.approx([1.0] * 3, abs=0.3)
        assert source.health.reconnects == 0


def test_what_nobody_foresaw_reaches_the_reader() -> None:
    class Broken(Source):
        info = SourceInfo(name="broken", kind="network", width=32, height=24, live=True)

        def _next_frame(self) -> Frame | None:
            raise ZeroDivisionError("division by zero")

    with (
        NetworkSource(Broken(), Broken) as source,
        pytest.raises(SourceError, match="division by zero"),
    ):
        source.read()


def test_a_connection_that_comes_after_the_end_is_closed() -> None:
    first, late = (open_source("lavfi:testsrc2=size=32x24:rate=50") for _ in range(2))
    assert isinstance(first, ContainerSource)
    assert isinstance(late, ContainerSource)
    connecting, go_on = threading.Event(), threading.Event()

    def connect() -> ContainerSource:
        connecting.set()
        go_on.wait(5)
        return late

    source = NetworkSource(first, connect)
    first.close()
    assert connecting.wait(5)
    source.close()
    go_on.set()
    wait_for(lambda: late.closed, 5)


@needs_rtsp_server
def test_closing_does_not_wait_for_the_stream(server: RtspServer) -> None:
    source = opened(server.plain)
    os.kill(server.process.pid, signal.SIGSTOP)
    start = time.monotonic()
    source.close()
    assert time.monotonic() - start < 0.5
    assert source.read() is None
    os.kill(server.process.pid, signal.SIGCONT)
    wait_for(lambda: source.released, 5)


SECRET = st.text(st.characters(codec="ascii", min_codepoint=33), min_size=6, max_size=20)


@given(
    scheme=st.sampled_from(["rtsp", "http", "srt", "tcp", "RTSPS"]),
    user=SECRET,
    password=SECRET,
    port=st.integers(1, 65535),
    encoded=st.booleans(),
)
@example(scheme="rtsp", user="me@home", password="pass/w:rd@?#", port=554, encoded=False)
@example(scheme="rtsp", user="", password="/1@", port=554, encoded=False)
def test_no_secret_is_shown(scheme: str, user: str, password: str, port: int, encoded: bool) -> None:
    name, word = (quote(text, safe="") if encoded else text for text in (f"USER{user}", f"WORD{password}"))
    for url in (
        f"{scheme}://{name}:{word}@camera.local:{port}/live",
        f"{scheme}://camera.local:{port}/live?user={name}&password={word}",
        f"{scheme}://camera.local/live#{word}",
    ):
        text = shown(url)
        assert "USER" not in text
        assert "WORD" not in text
        assert text.startswith(f"{scheme.lower()}://")


@pytest.mark.parametrize(
    "words",
    [
        ("live", "rstp://bob:SEKRET@127.0.0.1:1/cam"),
        ("live", "rtsp:/bob:SEKRET@127.0.0.1:1/cam"),
        ("live", " rtsp://bob:SEKRET@127.0.0.1:1/cam"),
        ("live", "bob:SEKRET@host/x"),
        ("live", "RTSP://bob:SEK/RET@127.0.0.1:1/cam"),
        ("live", "synth:sea?seconds=1&size=64x48", "rtsp://bob:SEKRET@127.0.0.1:1/cam"),
        ("live", "synth:sea", "--web", "bob:SEKRET@host:x"),
        ("live", "synth:sea", "--no-window", "--overlay", "rtmp://bob:SEKRET@127.0.0.1:1/x"),
        ("live", "synth:sea", "--no-window", "--record", "rtmp://bob:SEKRET@127.0.0.1:1/x"),
        ("rtsp://bob:SEKRET@127.0.0.1:1/cam",),
        ("track", "rtsp://bob:SEKRET@127.0.0.1:1/cam", "rtsp://bob:SEKRET@127.0.0.1:1/cam"),
        ("batch", "rtsp://bob:SEKRET@127.0.0.1:1/cam", "--out", "out"),
    ],
)
def test_no_error_of_the_command_line_tells_a_password(
    words: tuple[str, ...], cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli(*words)
    assert done.code in (1, 2)
    assert "SEKRET" not in done.out + done.err
    assert "RET" not in done.out + done.err


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("rtsp://me:word@10.0.0.7:554/stream1", "rtsp://10.0.0.7:554/stream1"),
        ("rtsp://[fe80::1]:8554/a/b", "rtsp://[fe80::1]:8554/a/b"),
        ("HTTPS://host/clip.mp4?token=1", "https://host/clip.mp4"),
        ("rtsp://[broken", "rtsp://…"),
        ("rtsp://me:p@ssw0rd/1@cam/live", "rtsp://…"),
        ("rtsp://admin:12345/abc@cam/live", "rtsp://…"),
        ("rtsp://admin:1234?5@cam/live", "rtsp://…"),
        ("rtsp://admin:1234#5@cam/live", "rtsp://…"),
    ],
)
def test_what_is_shown_of_an_address(url: str, text: str) -> None:
    assert shown(url) == text
