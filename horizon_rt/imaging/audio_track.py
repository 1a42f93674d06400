"""One sound track of the source, copied packet by packet next to the new pictures."""

from __future__ import annotations

import io
import logging
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import av.error
from av.bitstream import BitStreamFilterContext
from av.format import Flags
from av.packet import Packet
from av.stream import Discard

from horizon_rt.imaging.opening import describe, open_input

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer

__all__ = ["SOUND_ERRORS", "AudioTrack"]

log = logging.getLogger(__name__)

# MP4 holds the time from one packet to the next in 31 bits of samples.
_MAX_PAUSE = (1 << 31) - (1 << 20)
# Languages of ISO 639-2 that FFmpeg writes into MOV, as Apple's numbers, under another code only.
_MOV_LANGUAGES = {
    "bod": "tib", "cym": "wel", "cze": "ces", "deu": "ger", "ell": "gre", "eus": "baq", "fre": "fra",
    "gle": "iri", "hye": "arm", "isl": "ice", "kat": "geo", "mkd": "mac", "msa": "may", "mya": "bur",
    "nld": "dut", "nob": "nor", "rum": "ron", "slo": "slk", "sqi": "alb", "swe": "sve", "zho": "chi",
}  # fmt: skip
SOUND_ERRORS = (ArithmeticError, OSError, ValueError, av.error.FFmpegError)


class AudioTrack:
    """One of a file's sound tracks, its packets unchanged but for the origin of time and the framing of AAC.

    Language, title and flags of the track go along. Time 0 is the start of the file's first video stream, as
    for `Frame.time_s`, or `from_s` seconds later; sound before it is left out. No error of the sound is
    raised: what cannot be copied is left out with one warning.
    """

    def __init__(self, path: Path | str, index: int, *, name: str, from_s: float = 0.0) -> None:
        """The sound track of this index, which warnings call by its `name`; opened by `attach` alone."""
        self._path, self._index, self._name = path, index, name
        self._from_s = Fraction(from_s)
        self._input: InputContainer | None = None
        self._output: AudioStream | None = None
        self._packets: Iterator[Packet[Any]] = iter(())
        self._waiting: Packet[Any] | None = None
        self._extradata: bytes | None = None
        self._skipped = 0

    def attach(self, container: OutputContainer) -> None:
        """Add the track to an output that has not begun, if that output can hold it."""
        try:
            self._input = open_input(self._path)
            track = self._input.streams.audio[self._index]
            for other in self._input.streams:
                if other.index != track.index:
                    other.discard = Discard.all  # not read: each track goes through the file by itself
            self._begin(track, container)
        except SOUND_ERRORS as error:
            log.warning("%s is left out: %s", self._name, describe(error))
        if self._output is None:
            self.close()

    def _begin(self, track: AudioStream, container: OutputContainer) -> None:
        if track.codec_context is None:
            raise ValueError("its codec is unknown")
        codec, form = track.codec, container.format
        if container.supported_codecs.isdisjoint({codec.name, codec.canonical_name}):
            raise ValueError(f"{codec.canonical_name} does not fit into {form.name}")
        self._packets = self._read(track, may_repeat=Flags.ts_nonstrict in Flags(form.flags))
        self._waiting = next(self._packets, None)
        if self._waiting is not None:
            self._write_trial(form.name, track, self._waiting)
            self._output = self._add_track(container, track)

    def _add_track(self, container: OutputContainer, track: AudioStream) -> AudioStream:
        added = container.add_stream_from_template(track)
        added.metadata.update(_described(track, container.format.name))
        added.disposition = track.disposition
        if self._extradata is not None:
            added.codec_context.extradata = self._extradata
        return added

    def _write_trial(self, form: str, track: AudioStream, first: Packet[Any]) -> None:
        """Raise what the format has against this sound while the output can still be had without it."""
        with av.open(io.BytesIO(), "w", format=form) as container:
            packet: Packet[Any] = Packet(bytes(first))
            packet.stream = self._add_track(container, track)
            packet.time_base, packet.pts, packet.dts = first.time_base, 0, 0
            container.mux_one(packet)

    def _read(self, track: AudioStream, *, may_repeat: bool) -> Iterator[Packet[Any]]:
        """Packets from time 0 on in the order of time; `may_repeat` allows two at the same time."""
        container = cast("InputContainer", self._input)
        origin_s, earliest = _video_start(container) + self._from_s, 0
        # Broadcast streams (ADTS) repeat the codec's parameters in each packet; files hold them once.
        aac = track.codec.canonical_name == "aac"
        strip = BitStreamFilterContext("aac_adtstoasc", track) if aac else None
        for read in container.demux(track):
            for packet in self._filtered(strip, read):
                if packet.pts is None or packet.dts is None:
                    continue
                origin = round(origin_s / packet.time_base)
                packet.pts, packet.dts = packet.pts - origin, packet.dts - origin
                if (packet.dts - earliest) * packet.time_base * track.rate > _MAX_PAUSE:
                    raise ValueError("its time leaps by hours")
                if packet.dts >= earliest:
                    earliest = packet.dts + (not may_repeat)
                    yield packet
                else:
                    self._skipped += earliest > 0

    def _filtered(self, strip: BitStreamFilterContext | None, packet: Packet[Any]) -> list[Packet[Any]]:
        if strip is None:
            return [packet]
        try:
            return [self._without_extradata(filtered) for filtered in strip.filter(packet)]
        except av.error.FFmpegError as error:
            log.debug("damaged sound: %s", describe(error))
            self._skipped += 1
            return []

    def _without_extradata(self, packet: Packet[Any]) -> Packet[Any]:
        """The packet without the codec's parameters, which the output gets in its header and nowhere else."""
        new = [bytes(side) for side in packet.iter_sidedata() if side.data_type == "new_extradata"]
        if not new:
            return packet
        self._extradata = self._extradata or new[0]
        plain: Packet[Any] = Packet(bytes(packet))
        plain.time_base, plain.duration = packet.time_base, packet.duration
        plain.pts, plain.dts, plain.is_keyframe = packet.pts, packet.dts, packet.is_keyframe
        return plain

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
        try:
            packet = next(self._packets, None)
        except SOUND_ERRORS as error:
            self.end(describe(error))
            return None
        if packet is None:
            self.close()
        return packet

    def end(self, reason: str) -> bool:
        """Give no more packets, with a warning; false where the sound has ended before."""
        if self._output is None:
            return False
        log.warning("%s ends early: %s", self._name, reason)
        self._skipped = 0
        self.close()
        return True

    def close(self) -> None:
        """Let go of the input file."""
        self._output = None
        self._packets = iter(())
        if self._input is not None:
            self._input.close()
            self._input = None
        if self._skipped:
            log.warning(
                "%d packets of %s are left out: damaged or not in the order of time",
                self._skipped,
                self._name,
            )
            self._skipped = 0


def _described(track: AudioStream, form: str) -> dict[str, str]:
    """What a track says of itself; FFmpeg reads the title of MP4 and MOV as `name`, and writes `title`."""
    found = {key: track.metadata.get(key, "") for key in ("language", "title", "handler_name")}
    found["title"] = found["title"] or track.metadata.get("name", "")
    if form == "mov":
        found["language"] = _MOV_LANGUAGES.get(found["language"], found["language"])
    return {key: value for key, value in found.items() if value}


def _video_start(container: InputContainer) -> Fraction:
    for stream in container.streams.video:
        if stream.start_time is not None and stream.time_base is not None:
            return Fraction(stream.start_time * stream.time_base)
    return Fraction(0)
