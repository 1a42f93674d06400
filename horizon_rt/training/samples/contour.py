"""Distance of every cell of a mask from the mask's contour."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["contour_distance", "mask_distance"]


def contour_distance(target: Tensor) -> Tensor:
    """Signed distance in cells of each cell's centre from the 0.5 contour, positive inside (≥ 0.5).

    `target` is (n, 1, h, w) in 0..1; so is the result, of the same dtype and on the same device, without a
    gradient. It is the Euclidean distance to the nearest cell of the other side less 0.5, as the contour
    passes between the two; ±inf in a picture without a contour.
    """
    inside = (target.detach()[:, 0] >= 0.5).to(torch.uint8).cpu().numpy()
    distance = np.stack([mask_distance(mask) for mask in inside])
    return torch.from_numpy(distance).to(target.device, target.dtype).unsqueeze(1)


def mask_distance(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """`contour_distance` of one mask (h, w) of 0 and 1."""
    if mask.min() == mask.max():
        return np.full(mask.shape, np.inf if mask.flat[0] else -np.inf, np.float32)
    within, without = (
        cv2.distanceTransform(side, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for side in (mask, 1 - mask)
    )
    return np.where(mask, within - 0.5, 0.5 - without).astype(np.float32)
