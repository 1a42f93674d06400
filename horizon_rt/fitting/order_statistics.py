"""Kernel: order statistics. NumPy's own take a second to compile in a kernel."""

from __future__ import annotations

from horizon_rt.system.kernels import Array, kernel

__all__ = ["order_statistic"]


@kernel()
def order_statistic(values: Array, count: int, rank: int) -> float:
    """The value of a rank (0: the least) among the first `count`, whose order it changes (Hoare's FIND)."""
    low, high = 0, count - 1
    while low < high:
        pivot, i, j = values[rank], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if j < rank:
            low = i
        if rank < i:
            high = j
    return float(values[rank])
