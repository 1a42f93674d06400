"""Pictures as packets of video, each as soon as its picture is there."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av

from horizon_rt.imaging.codecs import fallback_encoder
from horizon_rt.imaging.encoder import PictureMaker, set_up
from horizon_rt.imaging.ticks import PictureTicks, nominal_rate, ticks_per_second
from horizon_rt.system.host import spare_cores

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext

    from horizon_rt.horizon import Horizon
    from horizon_rt.imaging.canvas import Canvas

__all__ = ["Coded", "PacketEncoder", "Video"]

# Less time than the usual preset takes, at about as many bytes; and no picture waits for those after it.
_LIVE = {"preset": "superfast", "tune": "zerolatency"}
_LIVE_CRF = 23
_BUSY_CORES = 2  # by decoding and the tracker
_MOST_THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """What packets that follow one another have in common: codec, size in px, nominal rate and tick in s."""

    codec: str
    width: int
    height: int
    rate: Fraction
    base: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """The packet of a picture with its horizon; `video` is one object for all packets of an encoder."""

    packet: Packet[Any]
    horizon: Horizon
    video: Video
    size: tuple[int, int]
    """Of the picture in px, before it was made even."""

    @property
    def time_s(self) -> float:
        """Presentation time in seconds."""
        return self.horizon.time_s

    @property
    def is_key(self) -> bool:
        """Whether a segment can begin here."""
        return bool(self.packet.is_keyframe)


class PacketEncoder:
    """Encodes pictures of one size, without any delay: each gives its packet."""

    def __init__(self, canvas: Canvas, frame_rate: float | None, quality: int | None = None) -> None:
        """For pictures like this one, in a quality of `EncodeOptions`; raises OSError and FFmpegError."""
        encoder = fallback_encoder()
        name = encoder.name
        rate = nominal_rate(frame_rate or 30)
        base = Fraction(1, ticks_per_second(name, rate))
        codec = cast("VideoCodecContext", av.CodecContext.create(name, "w"))
        set_up(codec, canvas, rate, base)
        codec.framerate = rate
        options = encoder.options(_LIVE_CRF if quality is None else quality)
        codec.options = options | (_LIVE if name == "libx264" else {})
        codec.thread_count = min(_MOST_THREADS, spare_cores(_BUSY_CORES))
        self._codec, self._like = codec, (canvas.width, canvas.height, canvas.sampling)
        self._ticks = PictureTicks(base, limited=False, reordered=False)
        self._pictures = PictureMaker(codec, rate)
        self._video = Video(
            codec=codec.codec.canonical_name, width=canvas.width, height=canvas.height, rate=rate, base=base
        )

    def suits(self, canvas: Canvas) -> bool:
        """Whether it can take this picture."""
        return (canvas.width, canvas.height, canvas.sampling) == self._like

    def want_key_frame(self) -> None:
        """Make the next picture a key frame."""
        self._pictures.want_key_frame()

    def encode(self, canvas: Canvas, horizon: Horizon, size: tuple[int, int]) -> Coded | None:
        """The packet of a picture; None where the encoder left it out. Raises FFmpegError."""
        picture = self._pictures.make(canvas, self._ticks.place(horizon.time_s))
        packets = self._codec.encode(picture)
        if not packets:
            return None
        packets[0].duration = picture.duration
        return Coded(packet=packets[0], horizon=horizon, video=self._video, size=size)
