"""Presentation times that always advance."""

from __future__ import annotations

__all__ = ["MIN_INTERVAL_S", "PresentationClock", "StreamClock"]

MIN_INTERVAL_S = 2e-4
"""The least time between two frames in seconds: they stay apart in telemetry, which keeps 1e-4 s."""
# 30 years; beyond, a stamp is damage, and floating point would lose the interval.
_MAX_TIME_S = 1e9
_DRIFT_S = 1.0  # between a stream's own clock and that of this machine, beyond which it has jumped
_LEAST_INTERVAL_S = 1e-3


class PresentationClock:
    """Turns presentation timestamps into strictly increasing seconds from the start of the stream.

    A frame whose timestamp is missing, absurd, or less than MIN_INTERVAL_S after the frame before it is
    placed one average duration (`period_s`, at least MIN_INTERVAL_S) after that frame; `repaired` counts
    these and `last_s` is the latest time.
    """

    def __init__(self, *, origin_s: float | None, period_s: float) -> None:
        self._origin_s = origin_s
        self.period_s = max(period_s, MIN_INTERVAL_S)
        self.last_s: float | None = None
        self.repaired = 0

    def stamp(self, timestamp_s: float | None) -> float:
        """Time in seconds of the next frame; without an origin the first frame is at 0."""
        time_s = self._relative(timestamp_s)
        if time_s is None or (self.last_s is not None and time_s - self.last_s < MIN_INTERVAL_S):
            self.repaired += 1
            time_s = 0.0 if self.last_s is None else self.last_s + self.period_s
        self.last_s = time_s
        return time_s

    def _relative(self, timestamp_s: float | None) -> float | None:
        if timestamp_s is None:
            return None
        if self._origin_s is None:
            self._origin_s = timestamp_s
        time_s = timestamp_s - self._origin_s
        return time_s if abs(time_s) <= _MAX_TIME_S else None


class StreamClock:
    """Turns the times of frames in a live connection into strictly increasing seconds since the start, over
    any number of connections: by the stream's own clock as long as that goes with this machine's.

    The first pictures of a connection may have piled up while it was made, and come faster than their time
    passes; how far they lead is no drift.
    """

    def __init__(self) -> None:
        self._last_s, self._offset_s = -_LEAST_INTERVAL_S, 0.0
        self._lead_s, self._piled_up = 0.0, False
        self._before = (0.0, 0.0)

    def stamp(self, stamp_s: float, now_s: float) -> float:
        """Time in seconds of the next frame; `stamp_s` is 0 for the first of a connection, `now_s` this
        machine's time.
        """
        if stamp_s == 0.0:
            self._offset_s, self._lead_s, self._piled_up = now_s, 0.0, True
        else:
            self._follow(stamp_s, now_s)
        self._before = stamp_s, now_s
        self._last_s = max(stamp_s + self._offset_s, self._last_s + _LEAST_INTERVAL_S)
        return self._last_s

    def _follow(self, stamp_s: float, now_s: float) -> None:
        self._piled_up &= now_s - self._before[1] < (stamp_s - self._before[0]) / 2
        lead_s = stamp_s + self._offset_s - now_s
        if self._piled_up:
            self._lead_s = lead_s
        elif abs(lead_s - self._lead_s) > _DRIFT_S:
            self._offset_s, self._lead_s = now_s - stamp_s, 0.0
