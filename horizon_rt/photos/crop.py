"""A turned picture, and the largest upright part of it that has the same shape and no empty corners."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Crop", "largest_share"]

_SLACK = 1e-9


def largest_share(width: float, height: float, turn_deg: float) -> float:
    """Of a width × height rectangle, turned by an angle, how large a rectangle of the same shape fits
    upright into it, as a share of its sides, 0..1.

    The bounding box of the one must fit into the other both ways. A rectangle in the centre is the largest,
    as the turned one is convex and symmetric about its centre.
    """
    c, s = abs(math.cos(math.radians(turn_deg))), abs(math.sin(math.radians(turn_deg)))
    across, down = width * c + height * s, width * s + height * c
    return min(width / across if across else 1.0, height / down if down else 1.0)


@dataclass(frozen=True, slots=True)
class Crop:
    """A picture of `width` × `height` px whose horizon is tilted by `angle_deg`, turned back and cropped.

    The angle is that of `HorizonLine`: positive where the right end lies lower. The picture turns
    anticlockwise by it.
    """

    width: int
    height: int
    angle_deg: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is left, in px: its pixel centres lie between those of the picture."""
        w, h = self.width - 1, self.height - 1
        share = largest_share(w, h, self.angle_deg)
        return math.floor(w * share + _SLACK) + 1, math.floor(h * share + _SLACK) + 1

    @property
    def matrix(self) -> NDArray[np.float64]:
        """From a pixel of the turned copy to its place in the picture, (2, 3)."""
        angle = math.radians(self.angle_deg)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        centre = np.array([self.width - 1, self.height - 1]) / 2
        return np.column_stack([turn, centre - turn @ ((np.array(self.size) - 1) / 2)])

    def of(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """The turned copy of an array (height, width) or (height, width, 1 to 4) of 8 or 16 bits.

        It is resampled with a Lanczos kernel of 8×8 taps. Raises ValueError for what is too large.
        """
        flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
        try:
            return cv2.warpAffine(
                pixels, self.matrix, self.size, flags=flags, borderMode=cv2.BORDER_REFLECT_101
            )
        except cv2.error as error:
            raise ValueError(f"{self.width}x{self.height} px are too large to be turned") from error
