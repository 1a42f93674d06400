"""Video files: H.264 with the pictures' own timing and colour tags, and the sound of another file."""

from __future__ import annotations

import errno
import logging
import math
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import av.error

from horizon_rt.errors import OutputError
from horizon_rt.imaging.audio import AudioCopy
from horizon_rt.imaging.codecs import choose_encoder, encoder_named, open_encoder
from horizon_rt.imaging.containers import check_fits, format_of
from horizon_rt.imaging.encoder import FRAGMENTED, PictureMaker, set_up
from horizon_rt.imaging.opening import describe
from horizon_rt.imaging.ticks import PictureTicks, is_time_lapse, nominal_rate, ticks_per_second
from horizon_rt.options import EncodeOptions
from horizon_rt.system.files import AtomicFile

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from horizon_rt.imaging.planar import Planar
    from horizon_rt.imaging.tags import VideoTags

__all__ = ["VideoWriter"]

log = logging.getLogger(__name__)


class VideoWriter:
    """Encodes pictures to .mp4, .m4v, .mov or .mkv, as `coding` says.

    The size is that of the first picture; later ones of another size are fitted into it. `frame_rate` is
    nominal: each picture has its own time. `audio_from` is a file whose sound tracks are copied along,
    where the format can hold them, from this second of its video on. `tags` are written beside the pictures,
    whose matrix and range come from themselves. A killed process leaves a playable NAME.partial.
    """

    def __init__(
        self,
        target: Path | str,
        *,
        frame_rate: float | None = None,
        audio_from: Path | str | None = None,
        audio_from_s: float = 0.0,
        encoder: str | None = None,
        coding: EncodeOptions | None = None,
        tags: VideoTags | None = None,
    ) -> None:
        """Open the file; raises OutputError, also for a codec that the format does not hold.

        `encoder` forces one of PyAV's encoders, such as 'libx264'.
        """
        self._format = format_of(target)
        self._rate = nominal_rate(frame_rate or 30)
        self._encoder, self._coding, self._tags = encoder, coding or EncodeOptions(), tags
        self._audio = None if audio_from is None else AudioCopy(audio_from, from_s=audio_from_s)
        check_fits(target, self._coding, encoder)
        self._file = AtomicFile(target)
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._ticks: PictureTicks | None = None
        self._pictures: PictureMaker | None = None
        self._last_s, self._last_pts = 0.0, -(1 << 62)

    @property
    def path(self) -> Path:
        """Where the file is being written."""
        return self._file.path

    def write(self, picture: Planar, time_s: float) -> None:
        """Encode one picture at this presentation time; raises OutputError."""
        try:
            stream = self._stream or self._open(picture)
            if (picture.width, picture.height) != (stream.width, stream.height):
                picture = picture.letterboxed(stream.width, stream.height)
            self._last_pts = self._place(time_s)
            frame = cast("PictureMaker", self._pictures).make(picture, self._last_pts)
            self._mux(stream.encode(frame), time_s)
        except (OSError, av.error.FFmpegError) as error:
            raise self._failure(error) from error

    def _place(self, time_s: float) -> int:
        ticks = cast("PictureTicks", self._ticks)
        before = ticks.cut
        placed = ticks.place(time_s)
        if ticks.cut and not before:
            log.warning(
                "%s: %s cannot hold the gap of %.1f h before %.1f h, it is shortened; Matroska (.mkv) can",
                *(self._file.target, self._format.upper()),
                *((time_s - self._last_s) / 3600, time_s / 3600),
            )
            if self._audio is not None:
                self._audio.end("what follows the gap would be out of step")
        self._last_s = time_s
        return placed

    def _open(self, picture: Planar) -> VideoStream:
        options = {} if self._format == "matroska" else FRAGMENTED
        self._container = av.open(self._file, "w", format=self._format, options=options)
        self._stream = self._video_stream(self._container, picture)
        if self._audio is not None:
            self._audio.attach(self._container)
        return self._stream

    def _video_stream(self, container: OutputContainer, picture: Planar) -> VideoStream:
        if self._encoder is None:
            chosen = choose_encoder(self._coding, bit_depth=picture.sampling.bit_depth)
        else:
            chosen = encoder_named(self._encoder)
        lapse = is_time_lapse(self._rate)
        options = chosen.options(self._coding.quality) | ({"bf": "0"} if lapse else {})
        video = cast("VideoStream", container.add_stream(chosen.name, rate=self._rate, options=options))
        base = Fraction(1, ticks_per_second(chosen.name, self._rate))
        set_up(video.codec_context, picture, self._rate, base)
        if self._tags is not None:
            self._tags.write(container, video)
        if video.codec_context.codec.canonical_name == "hevc" and self._format != "matroska":
            video.codec_context.codec_tag = "hvc1"  # which players of Apple ask for
        video.time_base = base
        mp4 = self._format != "matroska"
        self._ticks = PictureTicks(base, limited=mp4, reordered=not lapse)
        self._pictures = PictureMaker(video.codec_context, self._rate)
        open_encoder(video.codec_context)
        return video

    def _mux(self, packets: list[Packet[Any]], time_s: float) -> None:
        for packet in packets:
            self._mux_one(packet)
        if self._audio is not None:
            for packet in self._audio.until(time_s):
                self._mux_one(packet)

    def _mux_one(self, packet: Packet[Any]) -> None:
        try:
            cast("OutputContainer", self._container).mux_one(packet)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            # FFmpeg holds packets back to order them, so that sound may fail in the place of a picture.
            sound = self._file.error is None and self._audio is not None
            if not (sound and cast("AudioCopy", self._audio).end(describe(error))):
                raise

    def close(self, *, all_sound: bool = False) -> None:
        """Finish the file and give it its final name; raises OutputError. Without a picture there is none.

        The sound ends with the pictures, unless `all_sound` of its file belongs to them.
        """
        if self._stream is None or self._container is None:
            self._drop()
            return
        try:
            end = float(self._last_pts * self._stream.codec_context.time_base + 1 / self._rate)
            self._mux(self._stream.encode(None), math.inf if all_sound else end)
            self._container.close()
        except (OSError, av.error.FFmpegError) as error:
            self._release()
            raise self._failure(error) from error
        self._close_audio()
        self._file.commit()

    def abort(self) -> None:
        """Leave the file under its partial name.

        After a failed write nothing more reaches it; otherwise the encoder is emptied into it.
        """
        if self._stream is None:
            self._drop()
            return
        try:
            if self._file.error is None:
                self._mux(self._stream.encode(None), self._last_pts * float(self._stream.time_base or 0))
        except (OSError, av.error.FFmpegError) as error:
            log.debug("the end of %s is lost: %s", self._file.path, error)
        self._release()

    def _release(self) -> None:
        try:
            cast("OutputContainer", self._container).close()
        except (OSError, av.error.FFmpegError) as error:
            log.debug("%s stays without an index: %s", self._file.path, error)
        self._close_audio()
        self._file.close()

    def _drop(self) -> None:
        """Without a picture there is no video."""
        self._close_audio()
        self._file.remove()

    def _close_audio(self) -> None:
        if self._audio is not None:
            self._audio.close()

    def _failure(self, error: OSError | av.error.FFmpegError) -> OutputError:
        cause = self._file.error or error
        if isinstance(cause, OSError):
            return self._file.failure(cause)
        return self._file.failure(OSError(errno.EINVAL, str(cause)))
