"""A piece of a recording: a video, and its telemetry beside it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import av.error

from horizon_rt.errors import OutputError
from horizon_rt.imaging.encoder import FRAGMENTED
from horizon_rt.recording.encoding import Coded
from horizon_rt.recording.fragments import FragmentFile
from horizon_rt.sinks.base import SinkContext
from horizon_rt.sinks.telemetry import TelemetrySink

__all__ = ["Segment"]


class Segment:
    """Writes packets into VIDEO and their rows into TELEMETRY, which bear partial names until it is closed.

    The first picture is at 0 s of the video. Each call may raise OSError, FFmpegError or OutputError, after
    which `abandon` is the only one left.
    """

    def __init__(self, video: Path, telemetry: Path, first: Coded, context: SinkContext) -> None:
        """For packets like the first one, which is a key frame."""
        self.video, self.start_s = first.video, first.time_s
        self._first_pts = first.packet.pts or 0
        self._file = FragmentFile(video)
        self._container = av.open(self._file, "w", format="mp4", options=FRAGMENTED)
        self._stream = self._container.add_mux_stream(
            first.video.codec,
            rate=first.video.rate,
            width=first.video.width,
            height=first.video.height,
            time_base=first.video.base,
        )
        self._rows = TelemetrySink(telemetry, _context(context, first.size))

    @property
    def size(self) -> int:
        """Of both files, in bytes."""
        return self._file.size + self._rows.size

    def write(self, coded: Coded) -> None:
        """Take a packet, which is used up, and the row of its picture."""
        packet = coded.packet
        packet.stream, packet.time_base = self._stream, coded.video.base
        packet.pts = packet.dts = (packet.pts or 0) - self._first_pts
        self._container.mux_one(packet)
        self._file.flush()
        self._rows.put(coded.horizon)

    def sync(self) -> None:
        """Have the disk hold all that is written; may be called from any thread."""
        self._file.sync()
        self._rows.sync()

    def close(self) -> None:
        """Finish both files and give them their final names."""
        self._container.close()
        self._file.commit()
        self._rows.close()

    def abandon(self) -> None:
        """Let go of both files under their partial names, with what they hold so far."""
        with suppress(OSError, av.error.FFmpegError, OutputError):
            self._container.close()
            self._file.flush()
        self._file.close()
        self._rows.abort()


def _context(context: SinkContext, size: tuple[int, int]) -> SinkContext:
    """What the header of telemetry says, for pictures of this size."""
    width, height = size
    camera = context.camera.for_size(width, height)
    return replace(context, width=width, height=height, camera=camera, live=False)  # the recorder syncs
