"""The sound of the source, copied packet by packet next to the new pictures."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av.error

from horizon_rt.imaging.opening import open_input

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

__all__ = ["AudioCopy"]

log = logging.getLogger(__name__)


class AudioCopy:
    """The packets of a file's first sound track, unchanged but for the origin of time.

    Time 0 is the start of the file's first video stream, as for `Frame.time_s`; sound before it is left out.
    What cannot be copied is left out with one warning.
    """

    def __init__(self, path: Path | str) -> None:
        """Nothing is opened before `attach`."""
        self._path = path
        self._input: InputContainer | None = None
        self._output: AudioStream | None = None
        self._packets: Iterator[Packet[Any]] = iter(())
        self._waiting: Packet[Any] | None = None
        self._origin_s = Fraction(0)

    def attach(self, container: OutputContainer) -> None:
        """Add the track to an output that has not begun."""
        try:
            self._input = open_input(self._path)
            if not self._input.streams.audio:
                self.close()
                return
            track = self._input.streams.audio[0]
            codec = track.codec.canonical_name
            if codec not in container.supported_codecs:
                raise ValueError(f"{codec} does not fit into {container.format.name}")
            self._origin_s = _video_start(self._input)
            self._output = container.add_stream_from_template(track)
            self._packets = self._input.demux(track)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            log.warning("the sound of %s is left out: %s", self._path, error)
            self.close()

    def until(self, time_s: float) -> Iterator[Packet[Any]]:
        """Packets of the output's track that start before this time and were not given yet."""
        while self._output is not None:
            packet = self._waiting or self._next()
            self._waiting = None
            if packet is None:
                return
            if float((packet.pts or 0) * packet.time_base) >= time_s:
                self._waiting = packet
                return
            packet.stream = self._output
            yield packet

    def _next(self) -> Packet[Any] | None:
        """The next packet at or after time 0, on the output's time."""
        try:
            for packet in self._packets:
                if packet.pts is None or packet.dts is None:
                    continue
                origin = round(self._origin_s / packet.time_base)
                packet.pts, packet.dts = packet.pts - origin, packet.dts - origin
                if packet.dts >= 0:
                    return packet
        except (OSError, av.error.FFmpegError) as error:
            log.warning("the sound of %s ends early: %s", self._path, error)
        self.close()
        return None

    def close(self) -> None:
        """Let go of the input file."""
        self._output = None
        if self._input is not None:
            self._input.close()
            self._input = None


def _video_start(container: InputContainer) -> Fraction:
    for stream in container.streams.video:
        if stream.start_time is not None and stream.time_base is not None:
            return Fraction(stream.start_time * stream.time_base)
    return Fraction(0)
