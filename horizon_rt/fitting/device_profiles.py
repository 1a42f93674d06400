"""Luma profiles across a horizon from a plane on a GPU, so that they alone come back to the host."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["sample_device_profiles"]

Array = NDArray[np.float64]


def sample_device_profiles(
    luma: Tensor,
    points: Array,
    normals: Array,
    step: float,
    along: float,
    count: int,
    gain: float,
    rows: Array,
) -> None:
    """As `sample_profiles`, for `luma` (height, width), uint8 or uint16, on any device."""
    height, width = luma.shape
    x, y, nx, ny = torch.from_numpy(np.hstack([points, normals]).T.copy()).to(luma.device)[..., None]
    offsets = torch.arange(len(rows), dtype=torch.float64, device=luma.device) - len(rows) // 2
    across = (offsets * step)[:, None, None]
    beside = (torch.arange(count, dtype=torch.float64, device=luma.device) - 0.5 * (count - 1)) * along
    at_x = (x + across * nx - beside * ny).clamp(0.0, width - 1.001)
    at_y = (y + across * ny + beside * nx).clamp(0.0, height - 1.001)
    c, r = at_x.long(), at_y.long()
    u, v = at_x - c, at_y - r
    top = torch.lerp(_samples(luma, r, c), _samples(luma, r, c + 1), u)
    bottom = torch.lerp(_samples(luma, r + 1, c), _samples(luma, r + 1, c + 1), u)
    rows[:] = torch.lerp(top, bottom, v).mean(dim=2).mul_(gain).cpu().numpy()


def _samples(luma: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Samples at places, float64."""
    if luma.dtype == torch.uint8:
        return luma[rows, columns].double()
    # Few operations know unsigned 16 bits; as signed ones they are the same but for the sign.
    return (luma.view(torch.int16)[rows, columns].int() & 0xFFFF).double()
