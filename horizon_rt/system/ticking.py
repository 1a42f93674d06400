"""Something done again and again, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Ticking"]

_JOIN_S = 2.0


class Ticking:
    """Calls `do`, which must not raise, every `interval_s` seconds until it is closed."""

    def __init__(self, do: Callable[[], object], interval_s: float, name: str) -> None:
        self._do, self._interval_s = do, interval_s
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._closing.wait(self._interval_s):
            self._do()

    def close(self) -> None:
        """Call it no more; a call that is under way is awaited for up to two seconds."""
        self._closing.set()
        self._thread.join(_JOIN_S)
