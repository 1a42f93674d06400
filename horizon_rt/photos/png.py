"""PNG files of 8 and 16 bits with the chunks of the original that say how to show it and what it is."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import cv2

from horizon_rt.photos.exif import orientation_of, upright, with_upright
from horizon_rt.photos.mark import MARK
from horizon_rt.photos.photo import Photo, Pixels, decoded, encoded

__all__ = ["open_png"]

_KEPT = {
    b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"mDCV", b"cLLI", b"pHYs", b"eXIf", b"tEXt", b"zTXt",
    b"iTXt", b"tIME",
}  # fmt: skip
_GREY_WITH_ALPHA = 4  # which OpenCV turns into colour
_IHDR_BYTES = 33  # with the signature before it
_LEVEL = 6


class _Chunk(NamedTuple):
    kind: bytes
    body: bytes

    def __bytes__(self) -> bytes:
        crc = zlib.crc32(self.kind + self.body)
        return struct.pack(">I", len(self.body)) + self.kind + self.body + struct.pack(">I", crc)


_MARK = _Chunk(b"tEXt", b"Processing Software\0" + MARK)


def open_png(data: bytes) -> Photo:
    """A PNG file; palettes become colour. Raises ValueError."""
    if len(data) < _IHDR_BYTES:
        raise ValueError("it ends within its header")
    chunks = [chunk for chunk in _chunks(data) if chunk.kind in _KEPT]
    if data[25] == _GREY_WITH_ALPHA:  # a profile of grey does not fit colour
        chunks = [chunk for chunk in chunks if chunk.kind != b"iCCP"]
    exif = next((chunk.body for chunk in chunks if chunk.kind == b"eXIf"), b"")
    orientation = orientation_of(exif)

    def encode(pixels: Pixels) -> bytes:
        height, width = pixels.shape[:2]
        new = encoded(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, _LEVEL])
        kept = b"".join(bytes(_upright(chunk, (width, height))) for chunk in chunks if chunk != _MARK)
        return new[:_IHDR_BYTES] + kept + bytes(_MARK) + new[_IHDR_BYTES:]

    return Photo(upright(decoded(_without_exif(data)), orientation), encode, orientation)


def _upright(chunk: _Chunk, size: tuple[int, int]) -> _Chunk:
    return chunk if chunk.kind != b"eXIf" else chunk._replace(body=with_upright(chunk.body, size))


def _without_exif(data: bytes) -> bytes:
    return data[:8] + b"".join(bytes(chunk) for chunk in _chunks(data) if chunk.kind != b"eXIf")


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Portable Network Graphics 3.0, 5.3."""
    at = 8
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        yield _Chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
