"""Planes of samples, on the host or on a GPU, and how they encode light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ColourMatrix", "DevicePlane", "Plane", "Sampling"]

Plane = NDArray[np.uint8] | NDArray[np.uint16]
ColourMatrix = Literal["bt601", "bt709", "bt2020"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the samples of a frame encode light.

    `bit_depth` counts the significant low bits of a sample (8 for uint8; 10, 12 or 16 for uint16).
    Limited range is 16..235 for luma and 16..240 for chroma at 8 bits, shifted up for more bits (BT.709).
    """

    bit_depth: int = 8
    full_range: bool = False
    matrix: ColourMatrix = "bt709"


class DevicePlane:
    """A plane in the memory of a GPU, in the place of an array.

    `tensor` is (rows, columns), uint8 or uint16. Slices stay where they are; NumPy downloads what it
    is given, a whole plane once.
    """

    ndim = 2

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self._host: Plane | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.tensor.shape
        return rows, columns

    @property
    def size(self) -> int:
        """The number of samples."""
        return self.tensor.numel()

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the array it stands for."""
        return np.dtype(np.uint8 if self.tensor.element_size() == 1 else np.uint16)

    def __getitem__(self, part: tuple[slice, slice]) -> DevicePlane:
        return DevicePlane(self.tensor[part])

    def copy(self) -> Plane:
        """An array of its samples."""
        return np.array(self)

    def on_host(self) -> Plane:
        """The array, downloaded when it is first asked for."""
        if self._host is None:
            self._host = self.tensor.cpu().numpy()
        return self._host

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        array = self.on_host()
        return np.array(array, dtype) if copy or dtype not in (None, array.dtype) else array
