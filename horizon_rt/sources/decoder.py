"""Packets to pictures, with damage skipped under a bound."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from av.container import InputContainer
from av.error import BlockingIOError as NotReadyError
from av.error import EOFError as StreamEndError
from av.error import ExitError, FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from horizon_rt.imaging.opening import describe

__all__ = ["MAX_CONSECUTIVE_ERRORS", "STALL_S", "PacketDecoder"]

# More than the longest usual distance between key frames (250), so that a stream joined in its middle
# recovers.
MAX_CONSECUTIVE_ERRORS = 500
_POLL_S = 0.002
# A camera that is silent for this long is taken as unplugged.
STALL_S = 10.0


class PacketDecoder:
    """Decodes one video stream of a container.

    `errors` counts the packets that could not be read or decoded, `last_error` says why; `gave_up` is set
    when more than MAX_CONSECUTIVE_ERRORS came without a picture between them, or when a device that is
    read without blocking falls silent.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, closing: threading.Event) -> None:
        self._container = container
        self._stream = stream
        self._closing = closing
        self._consecutive = 0
        self.errors = 0
        self.last_error = ""
        self.gave_up = False
        self._last_packet_s = time.monotonic()

    def frames(self) -> Iterator[VideoFrame]:
        """Decoded pictures in presentation order, until the end, the bound or closing."""
        for packet in self._packets():
            for frame in self._decode(packet):
                self._consecutive = 0
                yield frame
            if self._stopped():
                return

    def note_error(self, error: Exception) -> None:
        """Count an error; beyond the bound the decoder gives up."""
        self.errors += 1
        self._consecutive += 1
        self.last_error = describe(error)
        self.gave_up = self._consecutive > MAX_CONSECUTIVE_ERRORS

    def _stopped(self) -> bool:
        return self.gave_up or self._closing.is_set()

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        while not self._stopped():
            try:
                for packet in self._container.demux(self._stream):
                    self._last_packet_s = time.monotonic()
                    yield packet
            except NotReadyError:
                self._wait()
            except ExitError:  # the time limit of a network stream
                self.gave_up = True
                self.last_error = "no data came"
            except FFmpegError as error:
                self.note_error(error)
            else:
                return
        yield None

    def _wait(self) -> None:
        self._closing.wait(_POLL_S)
        if time.monotonic() - self._last_packet_s > STALL_S:
            self.gave_up = True
            self.last_error = f"no picture for {STALL_S:g} s"

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except StreamEndError:
            return []
        except (FFmpegError, ValueError) as error:
            self.note_error(error)
            return []
