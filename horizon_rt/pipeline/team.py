"""What the cameras of one process share: a net, and the request to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable

from horizon_rt.tracker import HorizonTracker

__all__ = ["Team"]


class Team:
    """The runs of several cameras, each in a thread of its own; for all threads."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._first: HorizonTracker | None = None
        self._stops: list[Callable[[], object]] = []
        self._changing = threading.RLock()  # a signal handler may come while its own thread holds it
        self.stopped = False

    def tracker(self, make: Callable[[HorizonTracker | None], HorizonTracker]) -> HorizonTracker:
        """What `make` makes of the first tracker, whose net the others share."""
        with self._making:
            made = make(self._first)
            if self._first is None:
                self._first = made
            return made

    def at_stop(self, stop: Callable[[], object]) -> None:
        """Call `stop` when all are to end, at once where that is so."""
        with self._changing:
            self._stops.append(stop)
            if self.stopped:
                stop()

    def stop(self) -> None:
        """Have all end."""
        with self._changing:
            self.stopped = True
            for stop in self._stops:
                stop()
