"""Windows bitmaps."""

from __future__ import annotations

from horizon_rt.photos.photo import Photo, decoded, encoded

__all__ = ["open_bmp"]


def open_bmp(data: bytes) -> Photo:
    """A bitmap, which has no metadata; raises ValueError."""
    return Photo(decoded(data), lambda pixels: encoded(".bmp", pixels, []))
