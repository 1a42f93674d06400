"""What came last, in memory."""

from __future__ import annotations

from collections import deque

from horizon_rt.recording.encoding import Coded

__all__ = ["Ring"]


class Ring:
    """Keeps the packets of the last `seconds`, and as many before as lead back to a key frame."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._groups: deque[list[Coded]] = deque()  # each begins with a key frame

    def put(self, coded: Coded) -> None:
        """Take the next packet; those before the first key frame are of no use."""
        if coded.is_key:
            self._groups.append([])
        if self._groups:
            self._groups[-1].append(coded)
        since_s = coded.time_s - self.seconds
        while len(self._groups) > 1 and self._groups[1][0].time_s <= since_s:
            self._groups.popleft()

    def take(self) -> list[Coded]:
        """All packets in their order; it is empty afterwards."""
        packets = [coded for group in self._groups for coded in group]
        self._groups.clear()
        return packets
