"""What a camera without distortion would have seen in the middle of a wide lens's picture."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.camera import Camera
from horizon_rt.camera.distortion import NO_DISTORTION
from horizon_rt.frame import Frame, Plane

__all__ = ["VirtualView", "is_wide"]

# Narrower lenses bend a horizon by little, and a net that sees all of it says more.
_LEAST_FOV_DEG, _MOST_FOV_DEG = 100.0, 110.0
_MOST_AREA_PX = 640 * 640  # several times what a net looks at


class VirtualView:
    """Pictures of a lens, as a pinhole on its optical axis shows them; `camera` is that pinhole.

    Its axes are those of the lens, so that an up vector is the same in both.
    """

    def __init__(self, lens: Camera, camera: Camera) -> None:
        self.lens, self.camera = lens, camera
        self._maps: dict[tuple[tuple[int, ...], tuple[int, int]], Any] = {}

    @classmethod
    def of_lens(cls, lens: Camera) -> Self | None:
        """The view of a wide lens; None of any other, and where the lens does not see all of it.

        Along each side it has the focal length of the lens, or a longer one where it would see more than
        110°.
        """
        sides = (lens.cx + 0.5, lens.width - 0.5 - lens.cx), (lens.cy + 0.5, lens.height - 0.5 - lens.cy)
        if not is_wide(lens) or min(map(min, sides)) <= 0:
            return None
        reach = math.tan(math.radians(_MOST_FOV_DEG) / 2)
        stretched = max(1.0, max(sides[0]) / reach / lens.fx, max(sides[1]) / reach / lens.fy)
        scale = min(1.0, math.sqrt(_MOST_AREA_PX / (lens.width * lens.height)))
        size = (max(2, round(side * scale)) for side in (lens.width, lens.height))
        pinhole = replace(lens, fx=stretched * lens.fx, fy=stretched * lens.fy, distortion=NO_DISTORTION)
        view = cls(lens, pinhole.resized(*size))
        return view if view.is_inside else None

    @property
    def is_inside(self) -> bool:
        """Whether the lens saw all of it: its border, as the lens folds nothing within what it sees."""
        w, h = self.camera.width, self.camera.height
        rows, columns = np.indices((h, w))
        border = (rows % (h - 1) == 0) | (columns % (w - 1) == 0)
        where = self._where(self.camera, self.lens, np.column_stack((columns[border], rows[border])))
        return bool(((where > -1.0) & (where < (self.lens.width, self.lens.height))).all())

    def of(self, frame: Frame) -> Frame:
        """The view of a frame of the lens's size: planes of the size of `camera`, chroma of half of it, with
        the samples that the frame has.
        """
        luma, *chroma = frame.arrays()
        whole = self.camera.width, self.camera.height
        half = -(-whole[0] // 2), -(-whole[1] // 2)
        planes = [self._seen(luma, whole), *(self._seen(plane, half) for plane in chroma)]
        return replace(frame, planes=tuple(planes))

    def _seen(self, plane: Plane, size: tuple[int, int]) -> Plane:
        """A plane in the view; a larger one is averaged first, by whole pixels, as that is fast."""
        import cv2

        width, height = size
        step = max(1, min(plane.shape[1] // width, plane.shape[0] // height))
        rows, columns = (side // step for side in plane.shape)
        key = plane.shape, size
        if key not in self._maps:
            lens = self.lens.resized(plane.shape[1], plane.shape[0])
            lens = lens.cropped(0, 0, columns * step, rows * step).resized(columns, rows)
            pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
            where = self._where(self.camera.resized(width, height), lens, pixels)
            where = where.reshape(height, width, 2).astype(np.float32)
            self._maps[key] = cv2.convertMaps(where, None, cv2.CV_16SC2)
        small: Any = np.ascontiguousarray(plane[: rows * step, : columns * step])
        if step > 1:
            small = cv2.resize(small, (columns, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.remap(small, *self._maps[key], cv2.INTER_LINEAR))

    @staticmethod
    def _where(camera: Camera, lens: Camera, pixels: NDArray[np.intp]) -> NDArray[Any]:
        """Where pixels (N, 2) of the view lie in the picture of the lens."""
        return lens.project(camera.rays(pixels.astype(np.float64)))


def is_wide(lens: Camera) -> bool:
    """Whether a lens with distortion sees more than 100° over the longer side of its picture, or as far as
    its model goes.
    """
    if lens.is_linear:
        return False
    right, bottom = lens.width - 0.5, lens.height - 0.5
    along = [(-0.5, lens.cy), (right, lens.cy)], [(lens.cx, -0.5), (lens.cx, bottom)]
    one, other = lens.rays(np.array(along[0] if lens.width >= lens.height else along[1]))
    return not abs(_around(other) - _around(one)) <= math.radians(_LEAST_FOV_DEG)


def _around(ray: NDArray[np.float64]) -> float:
    """The angle in rad from the axis to a ray in a plane with it, with the sign of its side."""
    return math.copysign(float(np.arccos(np.clip(ray[2], -1.0, 1.0))), ray[0] + ray[1])
