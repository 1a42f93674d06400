"""Photographs in files of all formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from horizon_rt.errors import DecodeError
from horizon_rt.imaging.picture import MAX_PIXELS, read_header, reason
from horizon_rt.photos.bmp import open_bmp
from horizon_rt.photos.jpeg import open_jpeg
from horizon_rt.photos.photo import Photo
from horizon_rt.photos.png import open_png
from horizon_rt.photos.tiff import open_tiff
from horizon_rt.photos.webp import open_webp

__all__ = ["open_photo"]

_KINDS: dict[bytes, Callable[[bytes], Photo]] = {
    b"\xff\xd8": open_jpeg, b"\x89P": open_png, b"II": open_tiff, b"MM": open_tiff, b"RI": open_webp,
    b"BM": open_bmp,
}  # fmt: skip


def open_photo(path: Path) -> Photo:
    """Read a BMP, JPEG, PNG, TIFF or WebP file; raises DecodeError, and MissingExtra without Pillow."""
    try:
        data = path.read_bytes()
        header = read_header(data)
        if header.width * header.height > MAX_PIXELS:
            raise ValueError(f"more than {MAX_PIXELS / 1e6:.0f} million pixels")
        if header.animated:
            raise ValueError("an animation is no photograph")
        return _KINDS[data[:2]](data)
    except (OSError, ValueError, SyntaxError) as error:
        raise DecodeError(f"{path}: the photograph cannot be read ({reason(error)})") from error
