"""The video files that are written, and which codecs go into them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import cast

import av
from av.error import FFmpegError
from av.video.stream import VideoStream

from horizon_rt.errors import OutputError
from horizon_rt.imaging.codecs import encoder_named, encoder_of, open_encoder
from horizon_rt.options import Codec, EncodeOptions

__all__ = ["WRITTEN_SUFFIXES", "check_fits", "format_of"]

_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
WRITTEN_SUFFIXES = tuple(_FORMATS)
_CODECS: tuple[Codec, ...] = ("h264", "hevc", "av1")


def format_of(target: Path | str) -> str:
    """FFmpeg's name for the format of a file by its name; raises OutputError for one that is not written."""
    suffix = Path(target).suffix.lower()
    if suffix not in _FORMATS:
        known = ", ".join(WRITTEN_SUFFIXES)
        raise OutputError(f"cannot write video to {target}: unknown extension {suffix!r}; use {known}")
    return _FORMATS[suffix]


def check_fits(target: Path | str, coding: EncodeOptions, encoder: str | None = None) -> None:
    """Raises OutputError, which says what goes together, where a file cannot hold what it is to hold.

    `encoder` is one of FFmpeg's in the place of what `coding` chooses.
    """
    name = encoder or encoder_of(coding.codec)
    if name is None or _takes(format_of(target), name):
        return
    codec = av.Codec(name, "w").canonical_name
    others = [suffix for suffix, form in _FORMATS.items() if _takes(form, name)]
    fitting = [c for c in _CODECS if (e := encoder_of(c)) is not None and _takes(format_of(target), e)]
    places = f"write {_either(others)}, or " if others else ""
    suffix = Path(target).suffix.lower()
    raise OutputError(
        f"cannot write {target}: {suffix} does not hold {codec}; {places}choose the codec {_either(fitting)}"
    )


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


@cache
def _takes(form: str, encoder: str) -> bool:
    """Whether FFmpeg begins such a file; its list of what goes together names what it then refuses.

    True, too, for an encoder that does not work here at all, of which the run says more.
    """
    if encoder not in av.codecs_available:
        return True
    with av.open(io.BytesIO(), "w", format=form) as container:
        options = encoder_named(encoder).options(None)
        stream = cast("VideoStream", container.add_stream(encoder, rate=25, options=options))
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        with suppress(FFmpegError, OSError, ValueError):
            open_encoder(stream.codec_context)
        if not stream.codec_context.is_open:
            return True
        with suppress(FFmpegError, OSError, ValueError):
            container.start_encoding()
            return True
    return False
