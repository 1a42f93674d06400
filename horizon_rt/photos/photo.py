"""A photograph: its pixels as they are to be seen, and a new file like its own for other pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.photos.exif import TRANSPOSED

__all__ = ["Photo", "Pixels", "decoded", "encoded"]

Pixels = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph: `pixels` (height, width) or (height, width, 3 or 4) uint8 or uint16, upright, colour as
    BGR; of the format's own colours `bgr` (height, width, 3) is what they look like.

    `orientation` (EXIF) is how they lay in the file. `encode` makes a file of other pixels of the same kind
    with the same metadata, for an upright picture.
    """

    pixels: Pixels
    encode: Callable[[Pixels], bytes]
    orientation: int = 1
    bgr: Pixels | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as seen, in px."""
        height, width = self.pixels.shape[:2]
        return width, height

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height as stored, in px."""
        return self.size[::-1] if self.orientation in TRANSPOSED else self.size

    @property
    def shown(self) -> Pixels:
        """Grey or BGR, without transparency, to look at."""
        pixels = self.pixels if self.bgr is None else self.bgr
        return pixels[..., :3] if pixels.ndim == 3 and pixels.shape[2] == 4 else pixels


def decoded(data: bytes) -> Pixels:
    """What OpenCV reads, as it is stored: grey, BGR or BGRA of 8 or 16 bits; raises ValueError."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError("damaged, or too large") from error
    if pixels is None:
        raise ValueError("not a picture, or damaged")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"samples are {pixels.dtype}; save it with 8 or 16 bits")
    return pixels


def encoded(suffix: str, pixels: Pixels, parameters: list[int]) -> bytes:
    """A file as OpenCV writes it; raises ValueError."""
    done, data = cv2.imencode(suffix, pixels, parameters)
    if not done:
        raise ValueError(f"{suffix} cannot hold these pixels")
    return bytes(data)
