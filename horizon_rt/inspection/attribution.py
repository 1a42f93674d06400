"""What a net looks at: gradients of a cell at the horizon, and the horizon under an occlusion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from horizon_rt.fitting import HorizonFitter
from horizon_rt.geometry import HorizonLine
from horizon_rt.models.sizes import OUTPUT_STRIDE
from horizon_rt.segmentation import Segmentation, Segmenter

__all__ = [
    "STEP_PX",
    "Cell",
    "EffectiveField",
    "Map",
    "Occlusion",
    "Picture",
    "cell_at_horizon",
    "cell_gradient",
    "effective_field",
    "occlude",
    "patch_slice",
]

Picture = NDArray[np.float32]
Map = NDArray[np.float64]
Cell = tuple[int, int]

PATCH_PX = 32
STEP_PX = 16
_LUO_SHARE = 1 - 0.9545


@dataclass(frozen=True, slots=True)
class EffectiveField:
    """The mean gradient around a cell at the horizon: Luo et al. 2016 (arXiv 1701.04128).

    `gradient` (h, w) has the cell in its middle and sums to 1. `size_px` is the side of a square as large
    as the part with more than 4.55 % of the largest gradient, the paper's size; half of the gradient lies
    within `half_radius_px`.
    """

    gradient: Map
    size_px: float
    half_radius_px: float


@dataclass(frozen=True, slots=True)
class Occlusion:
    """How far the horizon turns, in degrees, when a patch of the net input is grey; NaN where it is lost.

    `change_deg` (rows, columns) has a value for each step of `step_px`, for a patch of `patch_px` centred
    there.
    """

    change_deg: Map
    patch_px: int = PATCH_PX
    step_px: int = STEP_PX

    @property
    def largest_deg(self) -> float:
        """The largest turn, 0 where every patch hides the horizon."""
        return float(np.nanmax(self.change_deg, initial=0.0))

    @property
    def lost_share(self) -> float:
        """Share of the patches under which no horizon is found, 0..1."""
        return float(np.isnan(self.change_deg).mean())


def cell_at_horizon(segmentation: Segmentation, line: HorizonLine, width: int, height: int) -> Cell | None:
    """Row and column of the cell on the line that is nearest to the middle of the picture.

    None where the line does not cross the picture of `width` × `height` px.
    """
    rows, columns = segmentation.logits.shape
    points = segmentation.letterbox.cell_centres(rows, columns)
    from_middle = points - ((width - 1) / 2, (height - 1) / 2)
    distance = np.abs(from_middle @ line.normal + line.offset_px)
    side = OUTPUT_STRIDE / segmentation.letterbox.scale
    inside = (np.abs(from_middle) <= (width / 2, height / 2)).all(axis=1)
    on_line = inside & (distance <= side / math.sqrt(2))
    if not on_line.any():
        return None
    best = int(np.argmin(np.where(on_line, np.hypot(*from_middle.T), np.inf)))
    return best // columns, best % columns


def cell_gradient(net: nn.Module, picture: Picture, cell: Cell) -> Map:
    """|d logit / d input| of a cell, summed over the channels; (h, w) for a picture (1, 3, h, w)."""
    tensor = torch.from_numpy(picture.copy()).requires_grad_()
    mask, _ = net.eval()(tensor)
    (gradient,) = torch.autograd.grad(mask[0, 0, cell[0], cell[1]], tensor)
    return gradient[0].abs().sum(dim=0).double().numpy()


def effective_field(gradients: Sequence[Map], cells: Sequence[Cell]) -> EffectiveField:
    """The mean of gradients, each moved so that its cell lies in the middle and scaled to a sum of 1."""
    reach = max(max(gradient.shape) for gradient in gradients)
    total, count = np.zeros((2 * reach + 1, 2 * reach + 1)), np.zeros((2 * reach + 1, 2 * reach + 1))
    for gradient, cell in zip(gradients, cells, strict=True):
        top, left = (reach - (OUTPUT_STRIDE * index + OUTPUT_STRIDE // 2) for index in cell)
        window = (slice(top, top + gradient.shape[0]), slice(left, left + gradient.shape[1]))
        total[window] += gradient / max(gradient.sum(), np.finfo(float).tiny)
        count[window] += 1
    mean = _trimmed(total / np.maximum(count, 1), count > 0)
    return EffectiveField(mean / mean.sum(), *_sizes(mean))


def _trimmed(mean: Map, covered: NDArray[np.bool_]) -> Map:
    """Without the margins that no picture reached, the middle staying the middle."""
    middle = mean.shape[0] // 2
    rows, columns = np.nonzero(covered)
    dy, dx = np.abs(rows - middle).max(), np.abs(columns - middle).max()
    return mean[middle - dy : middle + dy + 1, middle - dx : middle + dx + 1]


def _sizes(mean: Map) -> tuple[float, float]:
    """Luo's size, and the radius around the middle that holds half of the gradient; px."""
    large = math.sqrt(np.count_nonzero(mean > _LUO_SHARE * mean.max()))
    y, x = np.mgrid[: mean.shape[0], : mean.shape[1]]
    radius = np.hypot(y - mean.shape[0] // 2, x - mean.shape[1] // 2).ravel()
    order = np.argsort(radius)
    within = np.cumsum(mean.ravel()[order])
    return large, float(radius[order][np.searchsorted(within, within[-1] / 2)])


def occlude(
    segmenter: Segmenter, fitter: HorizonFitter, picture: Picture, segmentation: Segmentation
) -> Occlusion | None:
    """Slide a grey patch over a net input (1, 3, h, w); None where no horizon is found without one.

    Grey is the mean luma of the picture, without colour. The turn is the angle between the up vectors.
    """
    without = fitter.fit(segmentation).measurement
    if without is None:
        return None
    rows, columns = (side // STEP_PX for side in picture.shape[2:])
    change = np.full((rows, columns), np.nan)
    for row, column in np.ndindex(rows, columns):
        hidden = picture.copy()
        hidden[:, :, patch_slice(row), patch_slice(column)] = 0.0
        found = fitter.fit(segmenter.segment_input(hidden, segmentation.letterbox)).measurement
        if found is not None:
            change[row, column] = without.up.angle_to(found.up)
    return Occlusion(change)


def patch_slice(index: int) -> slice:
    """Rows or columns of the patch of a step."""
    middle = index * STEP_PX + STEP_PX // 2
    return slice(max(middle - PATCH_PX // 2, 0), middle + PATCH_PX // 2)
