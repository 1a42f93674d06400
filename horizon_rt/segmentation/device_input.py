"""Decoded planes to net input as operations on tensors of any device: what `Preprocessor` makes, in batches.

The area average is a product with two matrices, of the same weights as those of the CPU's kernel: dense, as a
GPU is faster at that than at looking weights up. All is in float32, of which only the answer is rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from horizon_rt.frame import Frame, Sampling
from horizon_rt.models.sizes import CHROMA_GAIN, INPUT_AREA_PX, LUMA_FLOOR
from horizon_rt.segmentation.letterbox import input_size, letterbox_of
from horizon_rt.segmentation.preprocess import gains_of, taps_of, to_bt709

__all__ = ["DeviceInput", "Layout"]


class Layout(NamedTuple):
    """What frames must have in common to be handled alike: (rows, columns) of each plane, whether samples
    have 16 bits, and what these mean.
    """

    shapes: tuple[tuple[int, ...], ...]
    wide: bool
    sampling: Sampling

    @classmethod
    def of(cls, frame: Frame) -> Layout:
        """That of a frame."""
        return cls(tuple(p.shape for p in frame.planes), frame.luma.dtype == np.uint16, frame.sampling)

    @property
    def dtype(self) -> torch.dtype:
        """Of the samples."""
        return torch.uint16 if self.wide else torch.uint8


class _Average(NamedTuple):
    """The weights of one plane, its gain among them: down (h, rows), across (columns, w), and its bias."""

    down: Tensor
    across: Tensor
    bias: float

    def __call__(self, plane: Tensor) -> Tensor:
        """(n, rows, columns) to (n, h, w) float32."""
        return torch.matmul(torch.matmul(self.down, plane.to(torch.float32)), self.across) + self.bias


class DeviceInput:
    """Makes net inputs from the planes of frames of one layout.

    `letterbox` places their picture in the input, which is (n, 3, h, w) of `dtype`, channels-last; `size` is
    (h, w). There is no waiting and no decision in it, so that CUDA can capture it.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        area_px: int = INPUT_AREA_PX,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        rows, columns = layout.shapes[0]
        self.size = input_size(columns, rows, area_px)
        self.letterbox = letterbox_of(columns, rows, self.size[1], self.size[0])
        self._dtype = dtype
        gains = gains_of(layout.sampling)
        self._averages = [
            self._average(layout, plane, *gains[min(plane, 1)], device) for plane in range(len(layout.shapes))
        ]
        matrix = layout.sampling.matrix
        self._matrix: Tensor | None = None
        if matrix != "bt709" and len(layout.shapes) > 1:
            self._matrix = torch.from_numpy(to_bt709(matrix)).to(device)

    def _average(
        self, layout: Layout, plane: int, gain: float, bias: float, device: torch.device | str
    ) -> _Average:
        (height, width), box = self.size, self.letterbox
        (full_rows, full_columns), (rows, columns) = layout.shapes[0], layout.shapes[plane]
        down = gain * _dense(rows, height, box.scale * full_rows / rows, box.top)
        across = _dense(columns, width, box.scale * full_columns / columns, box.left)
        return _Average(torch.from_numpy(down).to(device), torch.from_numpy(across.T.copy()).to(device), bias)

    def __call__(self, planes: Sequence[Tensor]) -> Tensor:
        """Net inputs of n frames; each of `planes` is (n, rows, columns) as the layout says."""
        parts = [average(plane) for average, plane in zip(self._averages, planes, strict=True)]
        if len(parts) == 1:
            parts += [torch.zeros_like(parts[0])] * 2
        yuv = torch.stack(parts, dim=1)
        if self._matrix is not None:
            yuv = torch.matmul(self._matrix, yuv.flatten(2)).view_as(yuv)
        picture = torch.cat([_standardised(yuv[:, :1]), CHROMA_GAIN * yuv[:, 1:]], dim=1)
        return picture.to(self._dtype, memory_format=torch.channels_last)


def _dense(size: int, out_size: int, scale: float, margin: float) -> NDArray[np.float32]:
    """(out_size, size): the share of every source pixel in every output pixel."""
    first, weights = taps_of(size, out_size, scale, margin)
    table = np.zeros((out_size, size), np.float32)
    np.put_along_axis(table, first[:, None] + np.arange(weights.shape[1]), weights, axis=1)
    return table


def _standardised(luma: Tensor) -> Tensor:
    """Zero mean, and deviation 1 for all but the flattest pictures; (n, 1, h, w)."""
    variance, mean = torch.var_mean(luma, dim=(2, 3), correction=0, keepdim=True)
    return (luma - mean) / (variance.sqrt() + LUMA_FLOOR)
