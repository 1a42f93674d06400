"""Real senders for tests: an RTSP server and FFmpeg, each in its own process."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

__all__ = [
    "HAS_RTSP_SERVER",
    "NO_RTSP_SERVER",
    "RtspServer",
    "free_port",
    "needs_rtsp_server",
    "running_ffmpeg",
    "sender",
]

SYSTEM_PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).with_name("rtsp_server.py")


def free_port() -> int:
    """A port of the loopback address that nobody listens on, nor on the next."""
    while True:
        with closing(socket.socket()) as one, closing(socket.socket()) as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def _has_rtsp_server() -> bool:
    code = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    if sys.platform != "linux" or not Path(SYSTEM_PYTHON).exists():
        return False
    return subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True, check=False).returncode == 0


HAS_RTSP_SERVER = _has_rtsp_server()
NO_RTSP_SERVER = "no GStreamer RTSP server here; see make system-tools"
needs_rtsp_server = pytest.mark.skipif(not HAS_RTSP_SERVER, reason=NO_RTSP_SERVER)


class RtspServer:
    """The server of rtsp_server.py, which can be killed and started again on the same ports.

    `clip` and `log` are its CLIP and LOG; these and `password` may be others at the next start.
    """

    def __init__(self, clip: Path | None = None, log: Path | None = None) -> None:
        self.port = free_port()
        self.password, self.clip, self.log = "p@ss/1", clip, log
        self.played = f"rtsp://127.0.0.1:{self.port}/clip"
        self.plain = f"rtsp://127.0.0.1:{self.port}/plain"
        self.sound = f"rtsp://127.0.0.1:{self.port}/sound"
        self.secret = f"127.0.0.1:{self.port + 1}/secret"
        self.start()

    def start(self) -> None:
        """Returns when it listens."""
        command = [SYSTEM_PYTHON, str(SCRIPT), str(self.port), self.password]
        if self.clip is not None:
            command += [str(self.clip), str(self.log)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        """As a power cut does."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def sender(*arguments: str, rate: int = 30) -> Iterator[subprocess.Popen[bytes]]:
    """FFmpeg sending 320×240 test pictures in real time."""
    pictures = ("-re", "-f", "lavfi", "-i", f"testsrc2=size=320x240:rate={rate}")
    with running_ffmpeg(*pictures, *arguments) as process:
        yield process


@contextmanager
def running_ffmpeg(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """FFmpeg, until the block has ended."""
    command = ["ffmpeg", "-v", "quiet", *arguments]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()
