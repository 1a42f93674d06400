"""The levelled picture of a frame, plane by plane."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.frame import Frame, Plane
from horizon_rt.levelling.geometry import Turn, source_points

__all__ = ["Leveller"]

Array = NDArray[np.float64]
Map = NDArray[np.float32]
_STEP = 16  # px from one node of the mesh to the next, between which the map is a straight line
_FAR_PX = 16000.0  # OpenCV's coordinates have 15 bits


class Leveller:
    """Turns frames of one size, whose lens `camera` is.

    The map from levelled pixels to those of the frame goes through the lens at the nodes of a mesh, and is
    interpolated between. With `black`, what lies beyond the frame is black; else its border goes on.
    """

    def __init__(self, camera: Camera, *, black: bool = False) -> None:
        self._camera, self._black = camera, black
        self.width, self.height = (max(2, side - side % 2) for side in (camera.width, camera.height))
        self._columns, self._rows = (-(-side // _STEP) + 2 for side in (self.width, self.height))
        # A resize by _STEP lays node k onto the pixel _STEP·k + (_STEP − 1)/2 of its result, of which the
        # first _STEP are left out.
        first = (_STEP - 1) / 2 - _STEP
        x, y = (first + _STEP * np.arange(count, dtype=np.float64) for count in (self._columns, self._rows))
        self._nodes = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)

    def level(self, frame: Frame, turn: Turn, zoom: float) -> Frame:
        """The levelled frame: luma and, unless it is grey, chroma of half its size; even sides, as many bits.

        `turn` is that of this frame alone.
        """
        found = source_points(self._camera, self._nodes, np.array([zoom]), turn)[0]
        mesh = np.nan_to_num(found, nan=-_FAR_PX).clip(-_FAR_PX, _FAR_PX)
        mesh = mesh.reshape(self._rows, self._columns, 2)
        luma, *chroma = frame.arrays()
        planes = [self._warped(luma, self._map(mesh, 1), frame, is_luma=True)]
        if chroma:
            steps = [_divisor(*pair) for pair in zip(luma.shape[::-1], chroma[0].shape[::-1], strict=True)]
            scale = np.array(steps, np.float64)
            half = self._map((mesh - (scale - 1) / 2) / scale, 2)
            planes += [self._warped(plane, half, frame, is_luma=False) for plane in chroma]
        return replace(frame, planes=tuple(planes))

    def _map(self, mesh: Array, divisor: int) -> Map:
        """The mesh at every pixel of the levelled picture, or of one so many times smaller."""
        step = _STEP // divisor
        size = self._columns * step, self._rows * step
        whole = cv2.resize(mesh.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        inside = whole[step : step + self.height // divisor, step : step + self.width // divisor]
        return np.asarray(inside, np.float32)

    def _warped(self, plane: Plane, where: Map, frame: Frame, *, is_luma: bool) -> Plane:
        edge: dict[str, Any] = {"borderMode": cv2.BORDER_REPLICATE}
        if self._black:
            edge = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": _black(frame, is_luma=is_luma)}
        method = cv2.INTER_CUBIC if is_luma else cv2.INTER_LINEAR
        turned: Any = cv2.remap(np.ascontiguousarray(plane), where, None, method, **edge)
        bits = frame.sampling.bit_depth
        if turned.dtype == np.uint16 and bits < 16 and method == cv2.INTER_CUBIC:
            np.minimum(turned, (1 << bits) - 1, out=turned)  # a cubic rings beyond the samples
        return turned


def _divisor(whole: int, part: int) -> int:
    """By how much chroma is subsampled: 1, 2 or 4."""
    return next((step for step in (1, 2, 4) if -(-whole // step) == part), max(1, math.ceil(whole / part)))


def _black(frame: Frame, *, is_luma: bool) -> float:
    shift = frame.sampling.bit_depth - 8
    if not is_luma:
        return float(128 << shift)
    return 0.0 if frame.sampling.full_range else float(16 << shift)
