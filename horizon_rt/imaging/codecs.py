"""Which encoder makes a video, and its options."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from llvmlite.binding import get_host_cpu_features

from horizon_rt.options import LARGEST_CRF, Codec, EncodeOptions
from horizon_rt.system.environment import environment

__all__ = [
    "Encoder",
    "choose_encoder",
    "encoder_named",
    "encoder_of",
    "fallback_encoder",
    "open_encoder",
    "software_encoders",
]

_log = logging.getLogger(__name__)

_USUAL_CRF = 20
_LARGEST_AV1, _LARGEST_JPEG_LIKE = 63, 31
_TRIAL_PX = (320, 240, "yuv420p")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """One of FFmpeg's encoders with its options.

    Each option of `quality` is set to the quality, whose scale ends at `largest`. `is_deep` says that it
    takes 10 bits.
    """

    name: str
    usual: Mapping[str, str] = field(default_factory=dict)
    quality: tuple[str, ...] = ("crf",)
    largest: int = LARGEST_CRF
    is_deep: bool = False

    def options(self, crf: int | None) -> dict[str, str]:
        """Its options for this quality on the scale of x264; a line tells where it knows none."""
        if crf is not None and not self.quality:
            _log.warning("%s knows no --quality and takes its own", self.name)
        value = round((_USUAL_CRF if crf is None else crf) * self.largest / LARGEST_CRF)
        return {**self.usual, **dict.fromkeys(self.quality, str(value)), **_repeatable(self.name)}

    def works(self) -> bool:
        """Whether it encodes a picture here; what drivers declare says less."""
        with suppress(FFmpegError, OSError, ValueError):
            codec = av.CodecContext.create(self.name, "w")
            assert isinstance(codec, VideoCodecContext)
            codec.width, codec.height, codec.pix_fmt = _TRIAL_PX
            codec.time_base, codec.options = Fraction(1, 25), self.options(None)
            blank = av.VideoFrame(*_TRIAL_PX)
            blank.pts = 0
            return bool([*codec.encode(blank), *codec.encode(None)])
        return False


_X264 = Encoder(name="libx264", usual={"preset": "veryfast"}, is_deep=True)
_SOFTWARE = {
    "h264": (_X264, Encoder(name="libopenh264", quality=())),
    "hevc": (
        Encoder(
            name="libx265",
            usual={"preset": "superfast", "x265-params": "log-level=error"},
            is_deep=True,
        ),
    ),
    "av1": (Encoder(name="libsvtav1", usual={"preset": "10"}, largest=_LARGEST_AV1, is_deep=True),),
}
_LAST = Encoder(name="mpeg4", quality=("qscale",), largest=_LARGEST_JPEG_LIKE // 4)
_HARDWARE = {
    "h264": (
        Encoder(name="h264_nvenc", usual={"preset": "p4", "rc": "vbr"}, quality=("cq",)),
        Encoder(name="h264_qsv", quality=("global_quality",)),
        Encoder(name="h264_videotoolbox", usual={"q": "65"}, quality=()),
        Encoder(name="h264_amf", usual={"quality": "balanced", "rc": "cqp"}, quality=("qp_i", "qp_p")),
    ),
    "hevc": (
        Encoder(name="hevc_nvenc", usual={"preset": "p4", "rc": "vbr"}, quality=("cq",)),
        Encoder(name="hevc_qsv", quality=("global_quality",)),
        Encoder(name="hevc_videotoolbox", usual={"q": "65"}, quality=()),
        Encoder(name="hevc_amf", usual={"quality": "balanced", "rc": "cqp"}, quality=("qp_i", "qp_p")),
    ),
    "av1": (
        Encoder(name="av1_nvenc", usual={"preset": "p4", "rc": "vbr"}, quality=("cq",)),
        Encoder(name="av1_qsv", quality=("global_quality",)),
    ),
}


def software_encoders() -> list[str]:
    """The names of those of the processor that this build of FFmpeg has."""
    return [encoder.name for codec in _SOFTWARE for encoder in _there(_SOFTWARE[codec])]


def encoder_of(codec: Codec) -> str | None:
    """The processor's encoder of a codec, for auto of the usual one; None where this FFmpeg has none."""
    found = next(_there(_SOFTWARE["h264" if codec == "auto" else codec]), None)
    return None if found is None else found.name


def open_encoder(codec: VideoCodecContext) -> None:
    """Open an encoder that is set up, without what SVT-AV1 tells on stderr; raises FFmpegError.

    SVT-AV1 takes its level of messages (1: errors) from the environment alone, at this moment.
    """
    is_loud = codec.name == "libsvtav1" and "SVT_LOG" not in os.environ
    with environment({"SVT_LOG": "1"}) if is_loud else nullcontext():
        codec.open(strict=False)


def encoder_named(name: str) -> Encoder:
    """An encoder of FFmpeg, with the options that it has here; without any where it is not known here.

    Raises OSError where this build of FFmpeg does not have it.
    """
    if name not in av.codecs_available:
        raise OSError(errno.ENOSYS, f"no encoder {name} in this FFmpeg")
    known = [_LAST, *(e for table in (_SOFTWARE, _HARDWARE) for group in table.values() for e in group)]
    return next((e for e in known if e.name == name), Encoder(name=name, quality=()))


def choose_encoder(options: EncodeOptions, *, bit_depth: int) -> Encoder:
    """The encoder for pictures of so many bits; one line tells where it is not what was asked for.

    Raises OSError where this build of FFmpeg has none.
    """
    is_deep = bit_depth > 8
    codec = options.codec if options.codec != "auto" else "hevc" if is_deep else "h264"
    if options.encoder == "hardware":
        if not is_deep and (name := _hardware(codec)) is not None:
            return name
        what = "10 bits" if is_deep else codec.upper()
        _log.warning("no graphics card here encodes %s; the processor does it", what)
    fitting = [encoder for encoder in _SOFTWARE[codec] if encoder.is_deep or not is_deep]
    found = next(_there(fitting), None)
    if found is not None:
        return found
    if options.codec != "auto":
        raise OSError(errno.ENOSYS, f"no encoder of {codec} in this FFmpeg; leave --codec out")
    return fallback_encoder(is_deep=is_deep)


def fallback_encoder(*, is_deep: bool = False) -> Encoder:
    """The best encoder that there is for pictures of any player; raises OSError without one."""
    known = (_X264,) if is_deep else (*_SOFTWARE["h264"], _LAST)
    found = next(_there(known), None)
    if found is None:
        raise OSError(errno.ENOSYS, f"no encoder among {', '.join(e.name for e in known)} in this FFmpeg")
    if found is not known[0]:
        _log.warning("no H.264 encoder %s here, writing %s", known[0].name, found.name)
    return found


def _there(encoders: Iterable[Encoder]) -> Iterator[Encoder]:
    return (encoder for encoder in encoders if encoder.name in av.codecs_available)


@cache
def _hardware(codec: str) -> Encoder | None:
    return next((encoder for encoder in _there(_HARDWARE[codec]) if encoder.works()), None)


@cache
def _repeatable(name: str) -> dict[str, str]:
    """What an encoder needs to give the same file each time: x264's macroblock tree does not with AVX-512."""
    if name != "libx264" or not get_host_cpu_features().get("avx512f"):
        return {}
    return {"x264-params": "asm=AVX2"}
