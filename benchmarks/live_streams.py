"""A camera for the measurements of live runs: a rendered horizon whose pictures carry their number."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from horizon_rt.sources.synthetic import make_clip, parse_options

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # whose RTSP server serves here, too
from support.streams import NO_RTSP_SERVER, RtspServer, free_port, running_ffmpeg

__all__ = ["RATE", "Camera", "Lossy", "clip_folder", "free_port", "pictures", "read_number", "to_mpegts"]

RATE = 30
SIZE, SMALL = (640, 360), (480, 270)
SECONDS = 4  # there, and the same way back
BITS, SQUARE = 8, 16


def marked(picture: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """The picture with its number at the bottom: white and black squares, the lowest bit first."""
    height, width = picture.shape[:2]
    side, left = SQUARE * width // SIZE[0], width // 4
    picture = picture.copy()
    for bit in range(BITS):
        x = left + bit * side
        picture[height - side :, x : x + side] = 255 * (number >> bit & 1)
    return picture


def read_number(luma: NDArray[np.uint8]) -> int:
    """The number that `marked` wrote, of a picture of any size."""
    height, width = luma.shape[:2]
    side, left = SQUARE * width / SIZE[0], width / 4
    y = round(height - side / 2)
    bits = [int(luma[y, round(left + (bit + 0.5) * side)] > 127) for bit in range(BITS)]
    return sum(value << bit for bit, value in enumerate(bits))


def pictures(size: tuple[int, int] = SIZE) -> list[NDArray[np.uint8]]:
    """RGB pictures of a clip that can be played again and again, numbered."""
    clip = make_clip(parse_options(f"sea?motion=boat&size=640x360&fps={RATE}&seconds={SECONDS}&seed=11"))
    found = [
        cv2.resize(clip.picture(index), size, interpolation=cv2.INTER_AREA) for index in range(len(clip))
    ]
    return [marked(picture, number) for number, picture in enumerate([*found, *found[::-1]])]


def clip_folder(size: tuple[int, int] = SIZE) -> Path:
    """The clip as H.264 access units, one file each, and as clip.mp4; kept for the next run."""
    folder = Path(tempfile.gettempdir(), "horizon-rt-clip-{}x{}".format(*size))
    if folder.exists():
        return folder
    new = Path(tempfile.mkdtemp(dir=folder.parent))
    with av.open(str(new / "clip.mp4"), "w") as container:
        encoder: Any = av.CodecContext.create("libx264", "w")
        options = {"tune": "zerolatency", "preset": "veryfast", "g": "15", "crf": "20"}
        stream = container.add_stream("libx264", rate=RATE, options=options)
        for target in (encoder, stream):
            target.width, target.height, target.pix_fmt = *size, "yuv420p"
        encoder.time_base, encoder.framerate = Fraction(1, RATE), Fraction(RATE)
        encoder.options = options | {"x264-params": "repeat-headers=1"}
        for number, picture in enumerate(pictures(size)):
            frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            (new / f"{number:05}.h264").write_bytes(
                b"".join(bytes(packet) for packet in encoder.encode(frame))
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    new.rename(folder)
    return folder


class Camera(RtspServer):
    """The clip over RTSP; `sent` are the times (`time.monotonic`) and the numbers of all pictures so far."""

    def __init__(self, folder: Path) -> None:
        if not Path("/usr/bin/python3").exists():
            raise SystemExit(NO_RTSP_SERVER)
        super().__init__(clip_folder(), folder / "sent.txt")

    @property
    def guarded(self) -> str:
        """The address with the first password."""
        return f"rtsp://me:p%40ss%2F1@127.0.0.1:{self.port + 1}/clip"

    @property
    def sent(self) -> list[tuple[float, int]]:
        assert self.log is not None
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(float(time_s), int(number)) for time_s, number in (line.split() for line in lines)]

    def first_after(self, moment_s: float) -> float | None:
        """When the first picture after a moment was sent."""
        return next((time_s for time_s, _ in self.sent if time_s > moment_s), None)

    def last_before(self, moment_s: float) -> float:
        return max(time_s for time_s, _ in self.sent if time_s < moment_s)


@contextmanager
def to_mpegts(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """FFmpeg sending the clip as MPEG-TS over UDP, again and again."""
    assert shutil.which("ffmpeg"), "needs the ffmpeg command"
    source = ("-stream_loop", "-1", "-re", "-i", str(clip_folder() / "clip.mp4"), "-c", "copy")
    target = ("-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316")
    with running_ffmpeg(*source, *target) as process:
        yield process


class Lossy:
    """Passes datagrams on from `port` to `target`; drops a share of them and holds another one back."""

    HELD_S = 0.02

    def __init__(self, target: int) -> None:
        self.lost = self.late = 0.0
        self.counts = {"passed": 0, "lost": 0, "late": 0}
        self._target, self._random = ("127.0.0.1", target), random.Random(1)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            data = self._socket.recv(65536)
            chance = self._random.random()
            if chance < self.lost:
                self.counts["lost"] += 1
            elif chance < self.lost + self.late:
                self.counts["late"] += 1
                threading.Timer(self.HELD_S, self._socket.sendto, (data, self._target)).start()
            else:
                self.counts["passed"] += 1
                self._socket.sendto(data, self._target)
