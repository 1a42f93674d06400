"""EXIF data of JPEG and TIFF pictures: maker, model and the focal length on 35 mm film (CIPA DC-008)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from horizon_rt.imaging.tag_folders import byte_order, first_folder, read_folder

__all__ = ["PictureData", "picture_data"]

_LARGEST = 1 << 20
_EXIF, _GPMF = b"Exif\0\0", b"GoPro\0"
_MAKE, _MODEL, _FOLDER, _FOCAL_35MM = 0x010F, 0x0110, 0x8769, 0xA405


class PictureData(NamedTuple):
    """Maker and model, empty where nobody says; the focal length on 35 mm film in mm, None where it is
    unknown; and GoPro's metadata.
    """

    make: str = ""
    model: str = ""
    focal_35mm: float | None = None
    gpmf: bytes = b""


def picture_data(path: Path) -> PictureData:
    """That of the head of a file; what is damaged says nothing. Raises OSError."""
    with path.open("rb") as file:
        data = file.read(_LARGEST)
    if data[:2] in (b"II", b"MM"):
        return _exif(data)
    found = PictureData()
    for marker, body in _segments(data):
        if marker == 0xE1 and body.startswith(_EXIF):
            found = _exif(body[6:])._replace(gpmf=found.gpmf)
        elif marker == 0xE6 and body.startswith(_GPMF):
            found = found._replace(gpmf=found.gpmf + body[6:])
    return found


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and body of the segments of a JPEG file before its picture."""
    at = 2 if data[:2] == b"\xff\xd8" else len(data)
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xDA, 0xD9):
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2:
            return
        yield data[at + 1], data[at + 4 : at + 2 + length]
        at += 2 + length


def _exif(data: bytes) -> PictureData:
    try:
        tags, _ = read_folder(data, first_folder(data))
    except struct.error:
        return PictureData()
    focal = None
    if _FOLDER in tags:
        try:
            inner, _ = read_folder(data, tags[_FOLDER].number)
        except struct.error:
            inner = {}
        if _FOCAL_35MM in inner:
            focal = float(inner[_FOCAL_35MM].number)
    make, model = (
        tags[tag].data.split(b"\0")[0].decode("latin-1").strip() if tag in tags else ""
        for tag in (_MAKE, _MODEL)
    )
    return PictureData(make, model, focal if focal and byte_order(data) else None)
