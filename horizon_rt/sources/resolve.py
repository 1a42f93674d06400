"""From what a user types to a source."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import get_args

from horizon_rt.errors import SourceError
from horizon_rt.imaging.suffixes import is_still
from horizon_rt.options import WHOLE, DecoderChoice, Part
from horizon_rt.sources.base import Source
from horizon_rt.sources.part import part_of
from horizon_rt.sources.v4l2 import Exposure
from horizon_rt.system.address import is_address
from horizon_rt.system.objects import is_object

__all__ = ["open_source", "taken"]

_DEVICE = re.compile(r"\d+|/dev/video\d+")


def open_source(
    spec: str | int | Path,
    *,
    size: tuple[int, int] | None = None,
    frame_rate: float | None = None,
    pixel_format: str | None = None,
    exposure: Exposure | None = None,
    threads: int = 0,
    decoder: DecoderChoice = "cpu",
    part: Part = WHOLE,
    rotate: int | None = None,
) -> Source:
    """Open whatever `spec` names and decode its first frame.

    `spec` is a camera index or /dev/videoN, the address of a stream (rtsp, http, tcp, udp, rtp, rtmp), a
    video file, a folder, glob pattern or file of pictures, `-` for standard input, `lavfi:GRAPH` for an
    FFmpeg test graph in real time, or `synth:NAME` for a rendered scene. A Path is a file or folder whatever
    its name, and so is the name of one that exists. `size` (width, height) in px, `frame_rate` in Hz,
    `pixel_format` and `exposure` ('auto', 'locked' or a time in ms) are requests to a camera and ignored
    elsewhere; `threads` is the number of decoder threads,
    0 for one per core. `decoder` 'cuda' decodes video on a GPU and leaves it there, as does 'auto' where that
    is possible; where it is not, 'cuda' says why in `warnings`. Of a recording only the frames of `part` are
    read. Pictures are turned clockwise by `rotate` degrees: 90, 180 or 270.

    Raises SourceNotFound, DecodeError or SourceError, each with one line that says what to do.
    """
    text = str(spec)
    if decoder not in get_args(DecoderChoice):
        raise ValueError(f"decoder {decoder!r} is unknown")
    if not text.strip():
        raise SourceError("the source is empty; give a camera index, a file, a folder or `-` for stdin")
    if _DEVICE.fullmatch(text) and not (isinstance(spec, Path) and text.isdecimal()):
        from horizon_rt.sources.device import open_device

        source = open_device(
            text, size=size, frame_rate=frame_rate, pixel_format=pixel_format, exposure=exposure,
            threads=threads,
        )  # fmt: skip
    else:
        known = isinstance(spec, Path) or os.path.exists(text)
        source = (_open_path if known and text != "-" else _open_named)(text, threads, decoder, part)
    source = taken(source, part, rotate)
    if text != "-":
        source.reopener = partial(
            open_source, spec, size=size, frame_rate=frame_rate, pixel_format=pixel_format, exposure=exposure,
            threads=threads, decoder=decoder if source.on_gpu else "cpu", part=part, rotate=rotate,
        )  # fmt: skip
    if decoder == "cuda" and not source.on_gpu and source.info.kind in ("file", "stdin", "network"):
        source.warn(f"{source.info.name}: decoded on the CPU: {_refusal()}")
    return source


def taken(source: Source, part: Part, rotate: int | None) -> Source:
    """The frames of a source that belong to a part, turned clockwise by so many degrees."""
    source = part_of(source, part)
    if rotate is None:
        return source
    from horizon_rt.sources.rotation import rotated

    return rotated(source, rotate)


def _open_named(text: str, threads: int, decoder: DecoderChoice, part: Part) -> Source:
    if text == "-":
        from horizon_rt.sources.file import open_stdin

        return open_stdin(threads=threads, decoder=decoder, part=part)
    if is_object(text):
        from horizon_rt.sources.file import open_stored

        return open_stored(text, threads=threads, part=part)
    if is_address(text):
        from horizon_rt.sources.network import open_network

        return open_network(text, threads=threads)
    scheme, _, rest = text.partition(":")
    if scheme == "lavfi":
        from horizon_rt.sources.device import open_graph

        return open_graph(rest)
    if scheme == "synth":
        from horizon_rt.sources.synthetic import open_synthetic

        return open_synthetic(rest)
    return _open_path(text, threads, decoder, part)


def _refusal() -> str:
    from horizon_rt.sources.gpu import gpu_refusal

    return gpu_refusal() or "its pictures do not stay on the GPU"


def _open_path(text: str, threads: int, decoder: DecoderChoice, part: Part) -> Source:
    if _is_pictures(text):
        from horizon_rt.sources.images import open_images

        return open_images(text)
    from horizon_rt.sources.file import open_file

    return open_file(text, threads=threads, decoder=decoder, part=part)


def _is_pictures(text: str) -> bool:
    path = Path(text)
    if path.is_dir():
        return True
    if path.exists():
        return is_still(path)
    return any(character in text for character in "*?[")
