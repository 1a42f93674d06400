"""TIFF files of 8 and 16 bits with the tags of the original."""

from __future__ import annotations

import struct

import cv2

from horizon_rt.imaging.tag_folders import (
    Tag,
    byte_order,
    first_folder,
    long_tag,
    read_folder,
    write_folder,
)
from horizon_rt.photos.exif import orientation_of, upright, with_upright
from horizon_rt.photos.mark import MARK
from horizon_rt.photos.photo import Photo, Pixels, decoded, encoded

__all__ = ["open_tiff"]

_WIDTH, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION, _PREVIEWS = 256, 259, 262, 274, 330
_PROCESSING_SOFTWARE = 11  # EXIF's, of what a picture went through last
_EXIF, _GPS, _INTEROPERABILITY, _EXIF_SIZE = 0x8769, 0x8825, 0xA005, (0xA002, 0xA003)
_STRUCTURE = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292, 293}
    | {317, 320, 321, 322, 323, 324, 325, 330, 338, 339, 340, 341, 347, 512, 513, 514, 515, 517, 518, 519}
    | {520, 521, 529, 530, 531, 532, 34377, 37724}
)
"""Tags that say how the samples lie in the file, or hold previews and layers (TIFF 6.0; the last two:
Photoshop).
"""
_LOSSLESS = {1: 1, 5: 5, 8: 8, 32946: 8, 32773: 32773}  # none, LZW, Deflate twice, PackBits
_LZW = 5
_COLOURS = (1, 2, 3)  # grey, RGB, palette


def open_tiff(data: bytes) -> Photo:
    """A TIFF file of one page, grey, colour or with a palette; raises ValueError."""
    if data[2:4] not in (b"*\0", b"\0*"):
        raise ValueError("BigTIFF files are not turned")
    try:
        tags, following = read_folder(data, first_folder(data))
        kept = _metadata(data, tags)
    except struct.error as error:
        raise ValueError("damaged: its tags cannot be read") from error
    if following:
        raise ValueError("it has several pages; save each by itself")
    if _PHOTOMETRIC not in tags or tags[_PHOTOMETRIC].number not in _COLOURS:
        raise ValueError("its colours are neither grey nor RGB")
    orientation = orientation_of(data)
    compression = tags[_COMPRESSION].number if _COMPRESSION in tags else 1

    def encode(pixels: Pixels) -> bytes:
        how = [cv2.IMWRITE_TIFF_COMPRESSION, _LOSSLESS.get(compression, _LZW)]
        return _with_tags(encoded(".tiff", pixels, how), kept)

    return Photo(upright(decoded(with_upright(data)), orientation), encode, orientation)


def _metadata(data: bytes, tags: dict[int, Tag]) -> dict[int, Tag | dict[int, Tag]]:
    """All that is no structure; of EXIF and GPS data, their folders."""
    kept: dict[int, Tag | dict[int, Tag]] = {}
    for number, tag in tags.items():
        if number in (_EXIF, _GPS):
            inner = read_folder(data, tag.number)[0]
            kept[number] = {name: value for name, value in inner.items() if name != _INTEROPERABILITY}
        elif number not in _STRUCTURE and number != _ORIENTATION:
            kept[number] = tag
    return kept


def _with_tags(data: bytes, kept: dict[int, Tag | dict[int, Tag]]) -> bytes:
    """The file with another first folder at its end, which has more tags and the same samples."""
    order = byte_order(data)
    tags, _ = read_folder(data, first_folder(data))
    kept = kept | {_PROCESSING_SOFTWARE: Tag(2, MARK + b"\0", order)}
    size = {_EXIF_SIZE[0]: tags[_WIDTH].number, _EXIF_SIZE[1]: tags[_WIDTH + 1].number}
    for number, value in kept.items():
        if isinstance(value, Tag):
            tags[number] = value
            continue
        data += b"\0" * (len(data) % 2)
        tags[number] = long_tag(len(data), order)
        sizes = {name: long_tag(pixels, order) for name, pixels in size.items() if name in value}
        data += write_folder(value | sizes, order, len(data))
    data += b"\0" * (len(data) % 2)
    folder = write_folder(tags, order, len(data))
    return data[:4] + struct.pack(order + "I", len(data)) + data[8:] + folder
