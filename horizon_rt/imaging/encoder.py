"""Video encoders: which one there is, how it is set up, and pictures as it takes them."""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import av
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from llvmlite.binding import get_host_cpu_features

if TYPE_CHECKING:
    from horizon_rt.imaging.planar import Planar

__all__ = [
    "DEEP_ENCODERS",
    "ENCODERS",
    "FRAGMENTED",
    "HARDWARE",
    "PictureMaker",
    "find_encoder",
    "hardware_encoder",
    "repeatable_options",
    "set_up",
]

_log = logging.getLogger(__name__)

ENCODERS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "veryfast", "crf": "20"},
    "libopenh264": {},
    "mpeg4": {"qscale": "3"},
}
"""Names of encoders with their options, the best first."""
DEEP_ENCODERS: dict[str, dict[str, str]] = {
    "libx265": {"preset": "superfast", "crf": "20", "x265-params": "log-level=error"},
    "libx264": {"preset": "veryfast", "crf": "20"},
}
"""Those for pictures with 10 bits: players know HEVC of them, few know H.264."""
HARDWARE: dict[str, dict[str, str]] = {
    "h264_nvenc": {"preset": "p4", "rc": "vbr", "cq": "21"},
    "h264_qsv": {"global_quality": "21"},
    "h264_videotoolbox": {"q": "65"},
    "h264_amf": {"quality": "balanced", "rc": "cqp", "qp_i": "21", "qp_p": "23"},
}
"""Those of graphics cards, for pictures with 8 bits."""
FRAGMENTED = {"movflags": "hybrid_fragmented+frag_keyframe+delay_moov"}
"""Options of an MP4 or MOV of fragments, which play after a crash; a plain file once it is closed."""
# The delayed index lets it hold the encoder's reordering delay, without which the first picture is late.
# Fragments are cut at key frames alone: cut anywhere, FFmpeg 8 sets the length by the last fragment and can
# lose the last picture.
_KEYFRAME_S = 1.0
_TRIAL_PX = (320, 240, "yuv420p")
_COLOUR_SPACES = {"bt709": 1, "bt601": 6, "bt2020": 9}  # ITU-T H.273
_COLOUR_RANGES = {False: 1, True: 2}


def find_encoder(wanted: Mapping[str, dict[str, str]]) -> str:
    """The first of these encoders that this build of FFmpeg has; raises OSError."""
    names = [name for name in wanted if name in av.codecs_available]
    if not names:
        raise OSError(errno.ENOSYS, f"no encoder among {', '.join(wanted)} in this FFmpeg")
    if names[0] != next(iter(wanted)):
        _log.warning("no H.264 encoder %s here, writing %s", next(iter(wanted)), names[0])
    return names[0]


@cache
def repeatable_options(name: str) -> dict[str, str]:
    """What an encoder needs to give the same file each time: x264's macroblock tree does not with AVX-512."""
    if name != "libx264" or not get_host_cpu_features().get("avx512f"):
        return {}
    return {"x264-params": "asm=AVX2"}


@cache
def hardware_encoder() -> str | None:
    """The first encoder of a graphics card that encodes a picture here; None without one."""
    for name in HARDWARE:
        with suppress(FFmpegError, OSError, ValueError):
            codec = av.CodecContext.create(name, "w")
            assert isinstance(codec, VideoCodecContext)
            codec.width, codec.height, codec.pix_fmt = _TRIAL_PX
            codec.time_base, codec.options = Fraction(1, 25), HARDWARE[name]
            blank = av.VideoFrame(*_TRIAL_PX)
            blank.pts = 0
            if [*codec.encode(blank), *codec.encode(None)]:
                return name
    return None


def set_up(codec: VideoCodecContext, picture: Planar, rate: Fraction, base: Fraction) -> None:
    """Tell an encoder what comes: pictures like this one, about `rate` in Hz, timed in ticks of `base` s."""
    codec.width, codec.height = picture.width, picture.height
    codec.pix_fmt = pixel_format(picture)
    codec.time_base = base
    codec.flags |= Flags.frame_duration  # else the last picture would have none
    codec.gop_size = max(1, round(rate * Fraction(_KEYFRAME_S)))
    codec.color_range = _COLOUR_RANGES[picture.sampling.full_range]
    codec.colorspace = _COLOUR_SPACES[picture.sampling.matrix]


def pixel_format(picture: Planar) -> str:
    """FFmpeg's name for how a picture lies in memory."""
    return "yuv420p" if picture.sampling.bit_depth == 8 else "yuv420p10le"


class PictureMaker:
    """Makes frames of pictures for an encoder that is set up, the first of each second a key frame."""

    def __init__(self, codec: VideoCodecContext, rate: Fraction) -> None:
        self._codec, self._rate = codec, rate
        self.want_key_frame()

    def want_key_frame(self) -> None:
        """Make the next picture a key frame."""
        self._keyframe_pts = -(1 << 62)

    def make(self, picture: Planar, pts: int) -> av.VideoFrame:
        """The picture to encode for presentation at `pts` ticks; it may share the memory of this one."""
        # Without a copy, PyAV 18 takes the height for the multiple of 4 below and misplaces the chroma.
        is_plain = picture.height % 4 == 0 and picture.sampling.bit_depth == 8
        wrap = av.VideoFrame.from_numpy_buffer if is_plain else av.VideoFrame.from_ndarray
        frame = wrap(picture.buffer, pixel_format(picture))
        base = self._codec.time_base
        frame.pts, frame.time_base = pts, base
        frame.duration = max(1, round(1 / self._rate / base))
        if pts - self._keyframe_pts >= _KEYFRAME_S / base:
            frame.pict_type, self._keyframe_pts = PictureType.I, pts
        frame.color_range, frame.colorspace = self._codec.color_range, self._codec.colorspace
        return frame
