"""How a video encoder is set up, and pictures as it takes them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

if TYPE_CHECKING:
    from horizon_rt.imaging.planar import Planar

__all__ = ["FRAGMENTED", "PictureMaker", "set_up"]

FRAGMENTED = {"movflags": "hybrid_fragmented+frag_keyframe+delay_moov"}
"""Options of an MP4 or MOV of fragments, which play after a crash; a plain file once it is closed."""
# The delayed index lets it hold the encoder's reordering delay, without which the first picture is late.
# Fragments are cut at key frames alone: cut anywhere, FFmpeg 8 sets the length by the last fragment and can
# lose the last picture.
_KEYFRAME_S = 1.0
_COLOUR_SPACES = {"bt709": 1, "bt601": 6, "bt2020": 9}  # ITU-T H.273
_COLOUR_RANGES = {False: 1, True: 2}


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
