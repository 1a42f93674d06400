"""Picture files: what their header says, and their samples once that is within bounds."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import DecodeError

__all__ = ["MAX_PIXELS", "PictureHeader", "load_picture", "read_header", "read_picture", "reason"]

# Beyond this many pixels (11585²) a size is taken as damage, not as a picture.
MAX_PIXELS = 1 << 27

# Start-of-frame markers; DHT (C4), JPG (C8) and DAC (CC) lie among them.
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset(range(0xD0, 0xD9)) | {0x01}
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """The size as stored in px, and whether the file holds more pictures than its first."""

    width: int
    height: int
    animated: bool = False


def load_picture(path: Path, flags: int) -> tuple[NDArray[np.generic], PictureHeader]:
    """The first picture of a BMP, JPEG, PNG, TIFF or WebP file as `cv2.imread` gives it, and its header.

    Raises OSError, and ValueError with one line for what is damaged or has more than MAX_PIXELS; `reason`
    words either.
    """
    data = path.read_bytes()
    header = read_header(data)
    if header.width * header.height > MAX_PIXELS:
        size = f"{header.width}x{header.height} px"
        raise ValueError(f"its {size} are more than the {MAX_PIXELS / 1e6:.0f} million that are read")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ValueError("damaged, or too large") from error
    if image is None:
        raise ValueError("not a picture, or damaged")
    return image, header


def read_picture(path: Path, flags: int) -> NDArray[np.uint8]:
    """As `load_picture`, for flags that give 8 bits; raises DecodeError."""
    try:
        return load_picture(path, flags)[0].astype(np.uint8, copy=False)
    except (OSError, ValueError) as error:
        raise DecodeError(f"cannot read {path}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Why a picture could not be read, without its name."""
    return str(getattr(error, "strerror", None) or error)


def read_header(data: bytes) -> PictureHeader:
    """What a file claims to hold, read without decoding; raises ValueError."""
    if not data:
        raise ValueError("the file is empty")
    for magics, read in _KINDS:
        if data.startswith(magics) and (read is not _webp or data[8:12] == b"WEBP"):
            try:
                return read(data)
            except (struct.error, IndexError) as error:
                raise ValueError("damaged: its header is cut off") from error
    raise ValueError("not a picture, or damaged; BMP, JPEG, PNG, TIFF and WebP are read")


def _png(data: bytes) -> PictureHeader:
    """Portable Network Graphics 3.0, 5.3 (chunks), 11.2.1 (IHDR) and 11.3.6.1 (acTL)."""
    if data[12:16] != b"IHDR":
        raise ValueError("not a picture, or damaged")
    width, height = struct.unpack_from(">II", data, 16)
    position, frames = 8, 1
    while (kind := data[position + 4 : position + 8]) not in (b"IDAT", b""):
        if kind == b"acTL":
            frames = struct.unpack_from(">I", data, position + 8)[0]
        position += 12 + int(struct.unpack_from(">I", data, position)[0])
    return PictureHeader(width, height, animated=frames > 1)


def _jpeg(data: bytes) -> PictureHeader:
    """ITU-T T.81, B.1.1 (markers) and B.2.2 (frame header)."""
    position = 2
    while (position := data.find(b"\xff", position)) >= 0:
        marker = data[position + 1]
        position += 1 if marker == 0xFF else 2
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, position + 3)
            return PictureHeader(width, height)
        if marker not in _JPEG_BARE and marker not in (0x00, 0xFF):
            position += int(struct.unpack_from(">H", data, position)[0])
    raise ValueError("not a picture, or damaged")


def _tiff(data: bytes) -> PictureHeader:
    """TIFF 6.0, section 2, and BigTIFF with its longer counts and offsets."""
    order = "<" if data.startswith(b"II") else ">"
    big = data[2:4] in (b"\x2b\0", b"\0\x2b")
    first = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    count = struct.unpack_from(order + ("Q" if big else "H"), data, first)[0]
    start, step, value = first + (8 if big else 2), (20 if big else 12), (12 if big else 8)
    found: dict[int, int] = {}
    for entry in range(start, min(start + count * step, len(data)), step):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT):
            stored = struct.unpack_from(order + _TIFF_KINDS.get(kind, "I"), data, entry + value)
            found.setdefault(tag, stored[0])
    if len(found) < 2:
        raise ValueError("not a picture, or damaged")
    return PictureHeader(found[_TIFF_WIDTH], found[_TIFF_HEIGHT])


def _webp(data: bytes) -> PictureHeader:
    """RFC 9649, 2.5 to 2.7."""
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[start : start + 3], "little") for start in (24, 27))
        return PictureHeader(width, height, animated=bool(data[20] & 2))
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return PictureHeader(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    width, height = struct.unpack_from("<HH", data, 26)
    return PictureHeader(width & 0x3FFF, height & 0x3FFF)


def _bmp(data: bytes) -> PictureHeader:
    """BITMAPCOREHEADER has 12 bytes; a height below 0 runs from the top."""
    if struct.unpack_from("<I", data, 14)[0] == 12:
        return PictureHeader(*struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ii", data, 18)
    return PictureHeader(abs(width), abs(height))


_TIFF_KINDS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_KINDS: tuple[tuple[tuple[bytes, ...], Callable[[bytes], PictureHeader]], ...] = (
    ((b"\x89PNG\r\n\x1a\n",), _png),
    ((b"\xff\xd8\xff",), _jpeg),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
    ((b"RIFF",), _webp),
    ((b"BM",), _bmp),
)
