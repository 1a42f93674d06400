"""JPEG files: encoded with the quantisation tables, the subsampling and the metadata of the original."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from horizon_rt.photos.exif import orientation_of, upright, with_upright
from horizon_rt.photos.mark import MARK
from horizon_rt.photos.photo import Photo, Pixels
from horizon_rt.photos.pillow import open_image

__all__ = ["open_jpeg"]

_EXIF = b"Exif\0\0"
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))[2-8]")
_APP0, _APP1, _APP2, _APP14, _APP15, _COM, _SCAN = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE, 0xDA


class _Segment(NamedTuple):
    marker: int
    body: bytes

    def __bytes__(self) -> bytes:
        return struct.pack(">BBH", 0xFF, self.marker, len(self.body) + 2) + self.body


def open_jpeg(data: bytes) -> Photo:
    """A JPEG file, grey, colour or CMYK; raises OSError or ValueError."""
    image = open_image(data)
    segments = [segment for segment in _segments(data) if _is_kept(segment)]
    exif = next((s.body[6:] for s in segments if s.body.startswith(_EXIF)), b"")
    orientation = orientation_of(exif)
    mode = image.mode
    if mode not in ("L", "RGB", "CMYK"):
        raise ValueError(f"a JPEG file in {mode} is not known")
    options = _quality(image)

    def encode(pixels: Pixels) -> bytes:
        from PIL import Image

        array = np.ascontiguousarray(pixels[..., ::-1]) if mode == "RGB" else pixels
        Image.fromarray(array, mode=mode).save(file := io.BytesIO(), "JPEG", **options)
        height, width = pixels.shape[:2]
        new = [_upright(segment, (width, height)) for segment in segments]
        return _with_metadata(file.getvalue(), _marked(new))

    own = upright(np.asarray(image), orientation)
    bgr = upright(np.asarray(image.convert("RGB"))[..., ::-1], orientation) if mode == "CMYK" else None
    return Photo(own[..., ::-1] if mode == "RGB" else own, encode, orientation, bgr)


def _quality(image: Any) -> dict[str, Any]:
    """What Pillow is to be told for a file as good as this one."""
    from PIL.JpegImagePlugin import get_sampling

    return {
        "qtables": image.quantization,
        "subsampling": max(get_sampling(image), 0),  # unusual ones become 4:4:4, which loses nothing
        "progressive": bool(image.info.get("progressive")),
        "optimize": True,
        "keep_rgb": image.mode == "RGB" and image.info.get("adobe_transform") == 0,
    }


def _is_kept(segment: _Segment) -> bool:
    """EXIF, XMP, ICC, IPTC and the like; not what describes other pictures in the file, nor the colours of
    the encoder.
    """
    if segment.marker == _APP0:
        return segment.body.startswith(b"JFIF\0")
    if segment.marker == _APP2:
        return not segment.body.startswith(b"MPF\0")
    return segment.marker == _COM or (_APP1 <= segment.marker <= _APP15 and segment.marker != _APP14)


def _upright(segment: _Segment, size: tuple[int, int]) -> _Segment:
    if segment.marker == _APP1 and segment.body.startswith(_EXIF):
        return segment._replace(body=_EXIF + with_upright(segment.body[6:], size))
    if segment.marker == _APP1:
        return segment._replace(body=_XMP_ORIENTATION.sub(rb"\g<1>1", segment.body))
    if segment.marker == _APP0:  # its thumbnail is that of the original
        return segment._replace(body=segment.body[:12] + b"\0\0")
    return segment


def _marked(segments: list[_Segment]) -> list[_Segment]:
    """With the mark before other comments, of which some readers take the last."""
    others = [segment for segment in segments if segment.marker != _COM]
    comments = [segment for segment in segments if segment.marker == _COM and segment.body != MARK]
    return [*others, _Segment(_COM, MARK), *comments]


def _segments(data: bytes) -> Iterator[_Segment]:
    """Those before the first scan (ITU-T T.81, B.1.1)."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _SCAN:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        yield _Segment(marker, data[at + 4 : at + 2 + length])
        at += 2 + length


def _with_metadata(data: bytes, segments: list[_Segment]) -> bytes:
    """A new file with metadata in place of its own; the encoder's word on colours (APP14) stays."""
    every = list(_segments(data))
    own = b"".join(bytes(segment) for segment in every if segment.marker != _APP0)
    scan = 2 + sum(len(segment.body) + 4 for segment in every)
    return data[:2] + b"".join(map(bytes, segments)) + own + data[scan:]
