"""From a label to what it says of a frame: the up vector, the line and the sky side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.datasets.base import Ends, Label, MaskFile
from horizon_rt.errors import DatasetError
from horizon_rt.geometry import HorizonLine, UpVector

__all__ = ["Truth", "above", "resolve"]

_GRID_PX = 8  # between points at which a lens with distortion is asked
_POINTS = 33  # each way, by which a horizon that a lens bends is found in the picture


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
        return None if self.up is None else (above(self.up, camera), _seen(camera))


def resolve(label: Label, camera: Camera) -> Truth:
    """The truth of a frame that was taken with this lens; raises DatasetError where the lens sees no line."""
    ends = label.ends_in(camera.width, camera.height)
    if ends is not None:
        up = _up_of_line(ends, label.sky_above, camera)
        return Truth(in_view=label.in_view, line=camera.line(up), up=up, mask=label.mask)
    if label.up is not None:
        return Truth(
            in_view=_crosses(label.up, camera), line=camera.line(label.up), up=label.up, mask=label.mask
        )
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


def _crosses(up: UpVector, camera: Camera) -> bool:
    """Whether the horizon meets the picture."""
    w, h = camera.width - 1, camera.height - 1
    if camera.is_linear:
        points = np.array([(x, y) for x in (0, w) for y in (0, h)])
    else:  # a lens may bend it into the picture where no corner lies beyond it
        points = np.stack(np.meshgrid(np.linspace(0, w, _POINTS), np.linspace(0, h, _POINTS)), -1).reshape(
            -1, 2
        )
    heights = camera.rays(points) @ up.as_array()
    return bool(np.nanmin(heights, initial=1.0) < 0 < np.nanmax(heights, initial=-1.0))


def _seen(camera: Camera) -> NDArray[np.bool_] | None:
    """Which pixels (height, width) the lens sees; None where it sees all."""
    if camera.is_linear:
        return None
    seen = np.isfinite(_grid(camera)[..., 2])
    return None if seen.all() else np.asarray(_finer(seen.astype(np.float32), camera) == 1)


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
    return np.asarray(_finer(np.nan_to_num(_grid(camera) @ up.as_array()), camera) > 0)


def _grid(camera: Camera) -> NDArray[np.float64]:
    """Rays of every `_GRID_PX`-th pixel, (rows, columns, 3)."""
    columns, rows = (-(-size // _GRID_PX) + 1 for size in (camera.width, camera.height))
    y, x = np.mgrid[:rows, :columns] * float(_GRID_PX)
    return camera.rays(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(rows, columns, 3)


def _finer(values: NDArray[Any], camera: Camera) -> NDArray[Any]:
    """Values on the grid for every pixel (height, width)."""
    import cv2

    x_at, y_at = (np.arange(size, dtype=np.float32) / _GRID_PX for size in (camera.width, camera.height))
    return np.asarray(cv2.remap(values, *np.meshgrid(x_at, y_at), cv2.INTER_LINEAR))
