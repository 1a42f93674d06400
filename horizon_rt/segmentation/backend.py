"""The seam between a net and what runs it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from horizon_rt.options import BackendName, Precision

__all__ = ["Backend", "backend_name", "precisions_of"]


class Backend(Protocol):
    """Something that runs the net: float32 (1, 3, h, w) in, mask and presence logits out."""

    name: str
    on_gpu: bool

    def __call__(self, picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Mask logits (h/4, w/4) float32 and presence logit of a (1, 3, h, w) float32 net input."""
        ...


def precisions_of(name: BackendName, *, on_gpu: bool = False) -> tuple[Precision, ...]:
    """In which a backend can run, its usual one first."""
    if on_gpu:
        return ("float16", "float32")
    return ("float32",) if name == "onnx" else ("float32", "bfloat16")


def backend_name(name: BackendName, precision: Precision, *, on_gpu: bool = False) -> str:
    """What runs the net and where, such as 'onnx-cpu', and in which precision where it is not the usual."""
    usual = precision == precisions_of(name, on_gpu=on_gpu)[0]
    return f"{name}-{'cuda' if on_gpu else 'cpu'}" + ("" if usual else f"-{precision}")
