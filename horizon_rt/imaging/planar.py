"""A picture as an encoder takes it: planar 4:2:0 in one buffer, with 8 or 10 bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.frame import Plane, Sampling

__all__ = ["Planar"]


class Planar:
    """A 4:2:0 picture of even size.

    `buffer` is (height·3/2, width), the layout of FFmpeg's yuv420p (uint8) and yuv420p10le (uint16, where
    `sampling.bit_depth` is 10); `y`, `u` and `v` are views of it.
    """

    def __init__(self, width: int, height: int, sampling: Sampling) -> None:
        """Undefined content; raises ValueError for an odd or non-positive size."""
        if width < 2 or height < 2 or width % 2 or height % 2:
            raise ValueError(f"a 4:2:0 picture has an even size, got {width}x{height}")
        self.width, self.height, self.sampling = width, height, sampling
        kind = np.uint8 if sampling.bit_depth == 8 else np.uint16
        self.buffer: NDArray[Any] = np.empty((height * 3 // 2, width), kind)
        chroma = self.buffer[height:].reshape(2, height // 2, width // 2)
        self.y, self.u, self.v = self.buffer[:height], chroma[0], chroma[1]

    @classmethod
    def of(cls, planes: Sequence[Plane], sampling: Sampling) -> Planar:
        """A copy of planes of 4:2:0, or of grey; with 10 bits where they have more than 8."""
        height, width = planes[0].shape
        kept = replace(sampling, bit_depth=8 if sampling.bit_depth == 8 else 10)
        picture = Planar(width, height, kept)
        shift = sampling.bit_depth - kept.bit_depth
        if len(planes) == 1:
            picture.buffer[height:] = 1 << (kept.bit_depth - 1)
        for target, plane in zip(picture.planes, planes, strict=False):
            if shift:
                target[:] = np.minimum(np.rint(plane * 0.5**shift), (1 << kept.bit_depth) - 1)
            else:
                np.copyto(target, plane)
        return picture

    @property
    def planes(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Y, U and V."""
        return self.y, self.u, self.v

    def letterboxed(self, width: int, height: int) -> Self:
        """The picture fitted into another even size, on black."""
        other = type(self)(width, height, self.sampling)
        shift = self.sampling.bit_depth - 8
        other.y[:] = 0 if self.sampling.full_range else 16 << shift
        other.buffer[height:] = 128 << shift
        scale = min(width / self.width, height / self.height)
        w, h = (max(2, 2 * round(n * scale / 2)) for n in (self.width, self.height))
        x, y = (width - w) // 4 * 2, (height - h) // 4 * 2
        for source, target, k in zip(self.planes, other.planes, (1, 2, 2), strict=True):
            target[y // k : (y + h) // k, x // k : (x + w) // k] = cv2.resize(
                source, (w // k, h // k), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            )
        return other
