"""Drawing on the planes of 8-bit 4:2:0 video; no RGB picture is made on the way to the encoder."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.frame import Plane, Sampling
from horizon_rt.frame.colour import Colour, rgb_to_yuv, to_bgr, to_eight_bits
from horizon_rt.imaging.planar import Planar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from horizon_rt.frame import Frame

__all__ = ["Align", "Canvas", "text_size"]

Points = NDArray[np.float64]
Image = NDArray[np.uint8]
Align = Literal["left", "centre", "right"]

_SHIFT = 4  # fractional bits of the coordinates that OpenCV draws with
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAP_HEIGHT_PX = 22.0  # of that font at scale 1
_HAS_UNICODE_FONT = int(cv2.__version__.split(".")[0]) >= 5
_OUTLINE: Colour = (0, 0, 0)


class Canvas(Planar):
    """An 8-bit picture to draw on.

    Points are in px with pixel centres at integers, x right, y down; colours are RGB 0..255, converted with
    the matrix and range of `sampling`.
    """

    def __init__(self, width: int, height: int, sampling: Sampling | None = None) -> None:
        """Undefined content; raises ValueError for an odd or non-positive size."""
        super().__init__(width, height, replace(sampling or Sampling(), bit_depth=8))

    @classmethod
    def from_frame(cls, frame: Frame) -> Canvas:
        """A copy of any frame; an odd size grows to even by repeating the last row or column."""
        canvas = cls(frame.width + frame.width % 2, frame.height + frame.height % 2, frame.sampling)
        shape = frame.luma.shape
        for target, plane in zip((canvas.y, canvas.u, canvas.v), frame.arrays(), strict=False):
            _copy_plane(plane, target, frame.sampling.bit_depth, full_size=plane.shape == shape)
        if len(frame.planes) == 1:
            canvas.buffer[canvas.height :] = 128
        return canvas

    def copy(self) -> Canvas:
        """An independent copy."""
        other = Canvas(self.width, self.height, self.sampling)
        np.copyto(other.buffer, self.buffer)
        return other

    def to_bgr(self) -> Image:
        """BGR (height, width, 3) uint8, by the canvas's own matrix and range."""
        return to_bgr(self.planes, self.sampling)

    def clear(self, colour: Colour) -> None:
        """One colour everywhere."""
        for plane, value in self._targets(colour):
            plane[:] = value

    def line(
        self, a: tuple[float, float], b: tuple[float, float], colour: Colour, thickness: int = 1
    ) -> None:
        """A segment from a to b, anti-aliased."""
        self.polyline(np.array([a, b], np.float64), colour, thickness)

    def polyline(self, points: Points, colour: Colour, thickness: int = 1, *, closed: bool = False) -> None:
        """Points (N, 2), joined, anti-aliased, cut at the border; `thickness` in px."""
        if len(points) < 2:
            return
        for plane, value, fixed, width in self._pencils(points, colour, thickness):
            cv2.polylines(plane, [fixed], closed, value, width, cv2.LINE_AA, _SHIFT)

    def polygon(self, points: Points, colour: Colour) -> None:
        """A filled polygon with vertices (N, 2), anti-aliased."""
        for plane, value, fixed, _ in self._pencils(points, colour, 1):
            cv2.fillPoly(plane, [fixed], value, cv2.LINE_AA, _SHIFT)

    def circle(self, centre: tuple[float, float], radius: float, colour: Colour, thickness: int = -1) -> None:
        """A circle, filled for a negative thickness."""
        point = np.array([centre], np.float64)
        for k, (plane, value, fixed, width) in enumerate(self._pencils(point, colour, abs(thickness))):
            r = round(radius * (1 << _SHIFT) / (1 if k == 0 else 2))
            x, y = (int(n) for n in fixed[0])
            cv2.circle(plane, (x, y), r, value, -1 if thickness < 0 else width, cv2.LINE_AA, _SHIFT)

    def rectangle(
        self, a: tuple[float, float], b: tuple[float, float], colour: Colour, alpha: float = 1.0
    ) -> None:
        """A filled rectangle with opposite corners a and b, blended with weight `alpha`."""
        self.fill(np.array([a, (b[0], a[1]), b, (a[0], b[1])], np.float64), colour, alpha)

    def fill(self, points: Points, colour: Colour, alpha: float) -> None:
        """A filled polygon with vertices (N, 2), blended with weight `alpha` (0..1)."""
        for plane, value, fixed, _ in self._pencils(points, colour, 1):
            low = np.maximum(fixed.min(axis=0) >> _SHIFT, 0)
            high = np.minimum((fixed.max(axis=0) >> _SHIFT) + 2, plane.shape[::-1])
            if (high <= low).any():
                continue
            region = plane[low[1] : high[1], low[0] : high[0]]
            mask = np.zeros(region.shape, np.uint8)
            cv2.fillPoly(mask, [fixed - (low << _SHIFT).astype(np.int32)], 255, cv2.LINE_8, _SHIFT)
            blended = cv2.addWeighted(region, 1 - alpha, np.full_like(region, value), alpha, 0)
            cv2.copyTo(blended, mask, region)

    def text(
        self, text: str, at: tuple[float, float], colour: Colour, height: float, *, align: Align = "left"
    ) -> None:
        """Text with capitals `height` px high and a dark outline.

        `at` is the start, middle or end of the baseline. Degree and plus-minus signs may be used.
        """
        ink, outline, (left, base) = _text_masks(text, round(height, 1))
        shift = {"left": 0.0, "centre": 0.5, "right": 1.0}[align] * (ink.shape[1] - 2 * left)
        # An even corner keeps the half-size chroma mask in step with the luma mask.
        x, y = (round(n / 2) * 2 for n in (at[0] - shift - left, at[1] - base))
        for mask, shade in ((outline, _OUTLINE), (ink, colour)):
            self._stamp(mask, x, y, shade)

    def _stamp(self, mask: Image, x: int, y: int, colour: Colour) -> None:
        half: Image = _u8(
            cv2.resize(mask, (mask.shape[1] // 2, mask.shape[0] // 2), interpolation=cv2.INTER_AREA)
        )
        for k, (plane, value) in enumerate(self._targets(colour)):
            _blend(plane, half if k else mask, x // 2 if k else x, y // 2 if k else y, value)

    def _targets(self, colour: Colour) -> Iterator[tuple[Image, int]]:
        return zip(self.planes, rgb_to_yuv(colour, self.sampling), strict=True)

    def _pencils(
        self, points: Points, colour: Colour, thickness: int
    ) -> Iterator[tuple[Image, int, NDArray[np.int32], int]]:
        """Each plane with its value, the points in its fixed-point coordinates, and its line width."""
        for k, (plane, value) in enumerate(self._targets(colour)):
            # A chroma sample stands for two luma columns and rows: its centre is at 2i + 1/2.
            scaled = (points - 0.5) / 2 if k else points
            fixed = np.rint(scaled * (1 << _SHIFT)).astype(np.int32)
            yield plane, value, fixed, max(1, round(thickness / 2)) if k else thickness


def _u8(image: NDArray[Any]) -> Image:
    """OpenCV's results are typed loosely; these are uint8 by construction."""
    return cast("Image", image)


def _copy_plane(plane: Plane, target: Image, bit_depth: int, *, full_size: bool) -> None:
    eight = to_eight_bits(plane, bit_depth)
    if full_size and (plane.shape[0] % 2 or plane.shape[1] % 2):
        eight = np.pad(eight, ((0, plane.shape[0] % 2), (0, plane.shape[1] % 2)), mode="edge")
    if eight.shape != target.shape:
        size = target.shape[::-1]
        eight = _u8(cv2.resize(np.ascontiguousarray(eight), size, interpolation=cv2.INTER_AREA))
    np.copyto(target, eight)


def _blend(plane: Image, mask: Image, x: int, y: int, value: int) -> None:
    """Mix `value` into the plane with weights mask/255, the mask's corner at (x, y), cut at the border."""
    top, left = max(0, -y), max(0, -x)
    if y >= plane.shape[0] or x >= plane.shape[1]:
        return
    mask = mask[top : plane.shape[0] - y, left : plane.shape[1] - x]
    region = plane[y + top : y + top + mask.shape[0], x + left : x + left + mask.shape[1]]
    region[:] = region + (value - region.astype(np.int32)) * mask // 255


def _printable(text: str) -> str:
    return text if _HAS_UNICODE_FONT else text.replace("±", "+/-").replace("°", "").replace("·", " ")


def text_size(text: str, height: float) -> tuple[int, int]:
    """Width and height in px of the text that `Canvas.text` draws, without its outline."""
    (width, tall), _ = cv2.getTextSize(_printable(text), _FONT, height / _CAP_HEIGHT_PX, _weight(height))
    return int(width), int(tall)


def _weight(height: float) -> int:
    return max(2, round(height / 9))


@lru_cache(maxsize=128)
def _text_masks(text: str, height: float) -> tuple[Image, Image, tuple[int, int]]:
    """Weights (h, w) uint8 of ink and outline, of even size, and where in them the baseline starts."""
    text, scale, weight = _printable(text), height / _CAP_HEIGHT_PX, _weight(height)
    (width, tall), below = cv2.getTextSize(text, _FONT, scale, weight)
    border = max(1, round(height / 10))
    pad = border + 2
    shape = (tall + below + 2 * pad, width + 2 * pad)
    ink = np.zeros(tuple(n + n % 2 for n in shape), np.uint8)
    cv2.putText(ink, text, (pad, pad + tall), _FONT, scale, 255, weight, cv2.LINE_AA)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * border + 1, 2 * border + 1))
    return ink, _u8(cv2.dilate(ink, kernel)), (pad, pad + tall)
