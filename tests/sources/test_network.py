"""What is given as a file never opens a network connection."""

from __future__ import annotations

import io
import logging
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from support.sources import h264_clip

from horizon_rt.errors import DecodeError, HorizonError, SourceError
from horizon_rt.imaging.audio import AudioCopy
from horizon_rt.sources import open_source
from horizon_rt.sources.file import open_stdin

HLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{0}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile '{0}'\n"
SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=a camera
c=IN IP4 127.0.0.1
t=0 0
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
"""
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
    '<Representation id="0" mimeType="video/mp4"><BaseURL>{0}</BaseURL></Representation></AdaptationSet>'
    "</Period></MPD>"
)


class Server:
    """Accepts connections on this machine, counts them and hangs up."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def outcome(path: Path, *, piped: bool) -> HorizonError | None:
    """The error of opening it; a thread keeps a wait for ever from hanging the tests."""
    results: list[HorizonError | None] = []

    def work() -> None:
        try:
            (open_stdin(io.BytesIO(path.read_bytes())) if piped else open_source(path)).close()
            results.append(None)
        except HorizonError as error:
            results.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(10)
    assert results, "it waits for ever"
    return results[0]


@pytest.mark.parametrize("piped", [False, True], ids=["file", "stdin"])
@pytest.mark.parametrize("text", [HLS, CONCAT, SDP, DASH], ids=["hls", "concat", "sdp", "dash"])
def test_a_playlist_or_stream_description_is_refused(
    text: str, piped: bool, tmp_path: Path, server: Server
) -> None:
    for name in ("clip.mp4", "clip.m3u8", "clip.sdp", "clip.ts"):
        (tmp_path / name).write_text(text.format(f"http://127.0.0.1:{server.port}/clip.ts"))
        error = outcome(tmp_path / name, piped=piped)
        assert isinstance(error, DecodeError)
        assert "\n" not in str(error)
    assert server.connections == 0


@pytest.mark.parametrize("piped", [False, True], ids=["file", "stdin"])
@pytest.mark.parametrize("text", [HLS, CONCAT], ids=["hls", "concat"])
def test_a_playlist_of_files_is_refused_with_advice(
    text: str, piped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    h264_clip(tmp_path / "clip.ts", 4)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.m3u8").write_text(text.format("clip.ts"))
    error = outcome(tmp_path / "list.m3u8", piped=piped)
    assert isinstance(error, DecodeError)
    if not piped:
        assert str(error).endswith("of a playlist, give the recordings that it names")


def clip_with_sound(path: Path) -> Path:
    with av.open(f"file:{path}", "w", format="matroska") as out:
        video, sound = out.add_stream("mpeg4", rate=10), out.add_stream("pcm_s16le", rate=8000, layout="mono")
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.full((48, 32), 90, np.uint8), "yuv420p")
        samples = av.AudioFrame.from_ndarray(np.arange(800, dtype=np.int16)[None], "s16", "mono")
        samples.sample_rate, samples.pts = 8000, 0
        out.mux([*video.encode(picture), *video.encode(None), *sound.encode(samples), *sound.encode(None)])
    return path


def attached(path: Path, output: Path) -> bytes:
    """The bytes of the sound that is copied from `path`."""
    with av.open(str(output), "w") as container:
        container.add_stream("mpeg4", rate=10)
        copy = AudioCopy(path)
        copy.attach(container)
        data = b"".join(bytes(packet) for packet in copy.until(9.0))
        copy.close()
    return data


@pytest.mark.skipif(os.name != "posix", reason="Windows allows no colon in a name")
@pytest.mark.parametrize("name", ["2024-05-01T12:30:00.mkv", "http:a.mkv", "concat:a.mkv", "file:a.mkv"])
def test_a_name_with_a_colon_keeps_its_sound(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    clip_with_sound(Path(name))
    with caplog.at_level(logging.WARNING):
        assert attached(Path(name), tmp_path / "out.mkv") == np.arange(800, dtype="<i2").tobytes()
    assert not caplog.records


@pytest.mark.skipif(os.name != "posix", reason="Windows allows no colon in a name")
def test_a_folder_called_http_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("http:") / f"127.0.0.1:{server.port}"
    folder.mkdir(parents=True)
    clip = clip_with_sound(folder / "clip.mkv")
    assert attached(clip, tmp_path / "out.mkv") == np.arange(800, dtype="<i2").tobytes()
    for spec in (clip, str(clip), f"http://127.0.0.1:{server.port}/clip.mkv"):
        with open_source(spec) as source:
            assert (source.info.kind, source.info.width) == ("file", 32)
    assert server.connections == 0
    shutil.rmtree("http:")
    with pytest.raises(SourceError):
        open_source(f"http://127.0.0.1:{server.port}/clip.mkv")


@pytest.mark.skipif(os.name != "posix", reason="Windows allows no colon in a name")
@pytest.mark.parametrize("name", ["lavfi:color", "synth:sea"])
def test_a_file_named_like_a_scheme_is_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clip_with_sound(Path(name))
    for spec in (Path(name), name):
        with open_source(spec) as source:
            assert source.info.kind == "file"
