"""Rotations of vectors, and nearest to what was measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["rotation_of", "rotations"]

Array = NDArray[np.float64]


def rotation_of(matrix: Array) -> Array:
    """The rotation (…, 3, 3) of the largest trace of Rᵀ·matrix (Kabsch 1976)."""
    left, _, right = np.linalg.svd(matrix)
    sign = np.sign(np.linalg.det(left) * np.linalg.det(right))
    left[..., :, 2] *= sign[..., None]
    return np.asarray(left @ right)


def rotations(vectors: Array) -> Array:
    """Matrices (P, 3, 3) of rotation vectors (P, 3) in rad (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    k = np.zeros((len(vectors), 3, 3))
    x, y, z = vectors.T
    k[:, 0, 1], k[:, 0, 2], k[:, 1, 2] = -z, y, -x
    k -= k.transpose(0, 2, 1)
    half = np.sinc(angle / (2 * np.pi))
    return np.asarray(np.eye(3) + np.sinc(angle / np.pi) * k + 0.5 * half**2 * (k @ k))
