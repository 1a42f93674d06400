"""From a label to what it says of a frame: the up vector, the line and the sky side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.datasets.base import Ends, Label, MaskFile
from horizon_rt.errors import DatasetError
from horizon_rt.geometry import HorizonLine, UpVector

__all__ = ["Truth", "above", "resolve"]

_GRID_PX = 8  # between points at which a lens with distortion is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a frame shows. `in_view` is None where nobody said whether a horizon shows.

    `line` is on the image without distortion, as the tracker reports it; `up` in camera axes.
    """

    in_view: bool | None = None
    line: HorizonLine | None = None
    up: UpVector | None = None
    mask: MaskFile | None = None

    def sides(self, camera: Camera) -> tuple[NDArray[np.bool_], NDArray[np.bool_] | None] | None:
        """The sky side (height, width) and what counts of it, from the mask or the half plane of the line.

        None where the truth does not say. Raises DatasetError for a mask that cannot be read.
        """
        if self.mask is not None:
            return self.mask.read(camera.width, camera.height)
        return None if self.up is None else (above(self.up, camera), None)


def resolve(label: Label, camera: Camera) -> Truth:
    """The truth of a frame that was taken with this lens; raises DatasetError where the lens sees no line."""
    ends = label.ends_in(camera.width, camera.height)
    if ends is not None:
        up = _up_of_line(ends, label.sky_above, camera)
        return Truth(in_view=label.in_view, line=camera.line(up), up=up, mask=label.mask)
    if label.up is not None:
        line = camera.line(label.up)
        return Truth(in_view=_crosses(line, camera), line=line, up=label.up, mask=label.mask)
    return Truth(in_view=label.in_view, mask=label.mask)


def _up_of_line(ends: Ends, sky_above: bool, camera: Camera) -> UpVector:
    """The plane through the rays of two points near the middle of the picture."""
    width, height = camera.width, camera.height
    line = HorizonLine.from_points(*ends, width, height, sky_above=sky_above)
    normal = np.array(line.normal)
    foot = np.array([(width - 1) / 2, (height - 1) / 2]) - line.offset_px * normal
    along = 0.25 * min(width, height) * np.array([-normal[1], normal[0]])
    left, right, sky = camera.rays(np.array([foot - along, foot + along, foot + normal]))
    vector = np.cross(left, right)
    try:
        return UpVector.from_vector(np.copysign(1.0, vector @ sky) * vector)
    except ValueError as error:
        raise DatasetError(f"the lens sees no line through {ends}; is it that of the dataset?") from error


def _crosses(line: HorizonLine | None, camera: Camera) -> bool:
    """Whether the line meets the picture."""
    if line is None:
        return False
    w, h = camera.width, camera.height
    corners = [line.signed_distance(x, y, w, h) for x in (0, w - 1) for y in (0, h - 1)]
    return min(corners) < 0 < max(corners)


def above(up: UpVector, camera: Camera) -> NDArray[np.bool_]:
    """Which pixels (height, width) look above the horizon."""
    width, height = camera.width, camera.height
    if not camera.is_linear:
        return _above_with_distortion(up, camera)
    x = (np.arange(width, dtype=np.float32) - camera.cx) / camera.fx * up.x
    y = (np.arange(height, dtype=np.float32) - camera.cy) / camera.fy * up.y + up.z
    return np.asarray(x[None, :] + y[:, None] > 0)


def _above_with_distortion(up: UpVector, camera: Camera) -> NDArray[np.bool_]:
    """By rays on a grid with linear interpolation, which errs by less than 0.02 px."""
    import cv2

    columns, rows = (-(-size // _GRID_PX) + 1 for size in (camera.width, camera.height))
    y, x = np.mgrid[:rows, :columns] * float(_GRID_PX)
    rays = camera.rays(np.stack([x.ravel(), y.ravel()], axis=1))
    height = (rays @ up.as_array()).reshape(rows, columns)
    x_at, y_at = (np.arange(size, dtype=np.float32) / _GRID_PX for size in (camera.width, camera.height))
    fine = cv2.remap(height, *np.meshgrid(x_at, y_at), cv2.INTER_LINEAR)
    return np.asarray(fine > 0)
