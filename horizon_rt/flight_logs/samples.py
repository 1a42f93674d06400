"""What the reader of a log gives back, and how much of a log is held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Samples", "check_count"]

Samples = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Times in seconds, rolls and pitches in degrees, each (n,)."""
_MOST_ROWS = 5_000_000  # 14 hours at 100 Hz; some 200 bytes each while it is read


def check_count(rows: int) -> None:
    """Raises ValueError for more rows than are held."""
    if rows > _MOST_ROWS:
        raise ValueError(f"it has more than {_MOST_ROWS / 1e6:.0f} million rows; cut out the flight")
