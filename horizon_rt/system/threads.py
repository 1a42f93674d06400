"""How many threads the libraries of this process take for a piece of work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from horizon_rt.system.environment import environment

__all__ = ["limit_threads", "threads_limited"]

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


@contextmanager
def threads_limited(count: int) -> Iterator[None]:
    """Let PyTorch and OpenCV take so many each within the block, and then as many as before."""
    import cv2
    import torch

    of_cv2, of_torch = cv2.getNumThreads(), torch.get_num_threads()
    with environment(dict.fromkeys(_VARIABLES, str(count))):
        limit_threads(count)
        try:
            yield
        finally:
            cv2.setNumThreads(of_cv2)
            torch.set_num_threads(of_torch)
