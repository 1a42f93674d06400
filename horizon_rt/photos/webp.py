"""WebP files: lossless ones stay so; of the others nobody knows the quality, and theirs is high."""

from __future__ import annotations

import io
import re

import numpy as np

from horizon_rt.imaging.xmp import xmp_packet
from horizon_rt.photos.exif import orientation_of, upright, with_upright
from horizon_rt.photos.mark import MARK
from horizon_rt.photos.photo import Photo, Pixels
from horizon_rt.photos.pillow import open_image

__all__ = ["open_webp"]

_QUALITY = 95
_LOSSLESS = re.compile(rb"VP8L....\x2f", re.DOTALL)  # RFC 9649, 3.4


def open_webp(data: bytes) -> Photo:
    """A WebP file; raises OSError or ValueError."""
    image = open_image(data)
    mode = "RGBA" if "A" in image.mode else "RGB"
    exif = image.info.get("exif", b"").removeprefix(b"Exif\0\0")
    orientation = orientation_of(exif)
    kept = {name: image.info[name] for name in ("icc_profile",) if name in image.info}
    kept["xmp"] = _marked(image.info.get("xmp", b""))

    def encode(pixels: Pixels) -> bytes:
        from PIL import Image

        height, width = pixels.shape[:2]
        options = kept | ({"exif": with_upright(exif, (width, height))} if exif else {})
        picture = Image.fromarray(_swapped(pixels), mode=mode)
        lossless = _LOSSLESS.search(data) is not None
        picture.save(file := io.BytesIO(), "WEBP", lossless=lossless, quality=_QUALITY, **options)
        return file.getvalue()

    return Photo(upright(_swapped(np.asarray(image.convert(mode))), orientation), encode, orientation)


def _marked(xmp: bytes) -> bytes:
    """A packet with the mark as a comment of XML after it, where there is one."""
    if MARK in xmp:
        return xmp
    return xmp + b"<!-- " + MARK + b" -->" if xmp else xmp_packet({"xmp:CreatorTool": MARK.decode()})


def _swapped(pixels: Pixels) -> Pixels:
    """RGB to BGR and back; transparency stays last."""
    return np.ascontiguousarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])
