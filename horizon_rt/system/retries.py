"""The rhythm in which something on a network is tried again."""

from __future__ import annotations

import random
import time

__all__ = ["Retries"]

_TOLD_EVERY_S = 10.0
_LEAST, _MOST = 0.7, 1.3  # so that those who lost the same server do not come back in step


class Retries:
    """At once at first, then after pauses that double from `shortest_s` to `longest_s`, each of them longer
    or shorter by chance; and of the failures one every ten seconds is told.
    """

    def __init__(self, shortest_s: float, longest_s: float) -> None:
        self._shortest_s, self._longest_s = shortest_s, longest_s
        self._pause_s, self._told_s = 0.0, -_TOLD_EVERY_S

    @property
    def pause_s(self) -> float:
        """How long to wait before the next try."""
        return self._pause_s * random.uniform(_LEAST, _MOST)

    def failed(self, *, had_worked: bool = False) -> bool:
        """Take in that it failed; whether that is to be told. `had_worked` begins with the shortest pause."""
        before_s = 0.0 if had_worked else self._pause_s
        self._pause_s = min(self._longest_s, max(self._shortest_s, 2 * before_s))
        now_s = time.monotonic()
        if now_s - self._told_s <= _TOLD_EVERY_S:
            return False
        self._told_s = now_s
        return True
