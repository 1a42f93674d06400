"""How much of a log is held."""

from __future__ import annotations

from collections.abc import Sized

__all__ = ["check_count"]

_MOST_ROWS = 5_000_000  # 14 hours at 100 Hz; some 200 bytes each while it is read


def check_count(rows: Sized) -> None:
    """Raises ValueError for more rows than are held."""
    if len(rows) > _MOST_ROWS:
        raise ValueError(f"it has more than {_MOST_ROWS / 1e6:.0f} million rows; cut out the flight")
