"""Pillow, which reads and writes JPEG and WebP files with all that belongs to their quality."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from horizon_rt.system.extras import require

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["open_image"]


def open_image(data: bytes) -> Image:
    """A picture with its pixels loaded; raises OSError, ValueError, and MissingExtra without Pillow."""
    require("photos", "straighten")
    from PIL import Image

    with warnings.catch_warnings():
        # Sizes are bounded already; a damaged picture of EXIF data is none of ours.
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(data))
        image.load()
    return image
