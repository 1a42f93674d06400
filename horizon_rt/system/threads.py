"""How many threads the libraries of this process take for a piece of work."""

from __future__ import annotations

import os

__all__ = ["limit_threads"]

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def limit_threads(count: int) -> None:
    """Let PyTorch, OpenCV and NumPy take so many each, in this process and those that it starts; Numba's
    kernels run in the thread that calls them. NumPy looks once, when it is imported.
    """
    for name in _VARIABLES:
        os.environ[name] = str(count)
    import cv2
    import torch

    cv2.setNumThreads(count)
    torch.set_num_threads(count)
