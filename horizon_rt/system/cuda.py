"""What of a GPU can be told without PyTorch."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["has_cuda_driver", "has_library"]


def has_cuda_driver() -> bool:
    """Whether a driver for CUDA is installed; takes no time, as the import of PyTorch would."""
    return has_library("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def has_library(name: str) -> bool:
    """Whether a shared library can be loaded."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
