"""A recording over time in a bounded number of intervals, however long it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from horizon_rt.horizon import Horizon

__all__ = ["Interval", "Timeline"]

_MOST = 2048


@dataclass(slots=True)
class Interval:
    """Consecutive frames: their first time and answer, the least and largest roll and pitch with one sigma
    around them in degrees, how long they had no estimate, and the squares of the rates summed over time.

    Values of frames without an estimate are NaN.
    """

    start_s: float
    end_s: float
    roll_deg: float
    pitch_deg: float
    roll_range: tuple[float, float]
    pitch_range: tuple[float, float]
    roll_sd_deg: float
    pitch_sd_deg: float
    squares: tuple[float, float] = (0.0, 0.0)
    rated_s: float = 0.0

    def merged(self, later: Interval) -> Interval:
        """This one and the one after it as one."""
        return Interval(
            self.start_s,
            later.end_s,
            _first(self.roll_deg, later.roll_deg),
            _first(self.pitch_deg, later.pitch_deg),
            _span(self.roll_range, later.roll_range),
            _span(self.pitch_range, later.pitch_range),
            _largest(self.roll_sd_deg, later.roll_sd_deg),
            _largest(self.pitch_sd_deg, later.pitch_sd_deg),
            (self.squares[0] + later.squares[0], self.squares[1] + later.squares[1]),
            self.rated_s + later.rated_s,
        )


class Timeline:
    """Takes in frames; when there are too many intervals, each two become one."""

    def __init__(self) -> None:
        self.intervals: list[Interval] = []
        self._per_interval, self._in_last = 1, 0
        self._before: Horizon | None = None

    def add(self, horizon: Horizon) -> None:
        """Take in the next frame; as in `Statistics`, what holds at a frame holds until the next one."""
        one = _interval(horizon)
        before, self._before = self._before, horizon
        if before is not None:
            last = self.intervals[-1]
            step_s = max(horizon.time_s - last.end_s, 0.0)
            last.end_s = horizon.time_s
            if before.roll_rate_dps is not None and before.pitch_rate_dps is not None:
                last.rated_s += step_s
                roll, pitch = last.squares
                last.squares = (
                    roll + before.roll_rate_dps**2 * step_s,
                    pitch + before.pitch_rate_dps**2 * step_s,
                )
        if self.intervals and self._in_last < self._per_interval:
            self.intervals[-1] = self.intervals[-1].merged(one)
            self._in_last += 1
            return
        if len(self.intervals) == _MOST:
            self.intervals = _halved(self.intervals)
            self._per_interval *= 2
        self.intervals.append(one)
        self._in_last = 1

    def rms_rates(self, least_s: float, most: int) -> list[tuple[float, float, float]]:
        """Start in s and root mean squares of the rates of roll and pitch in °/s, of windows of about
        `least_s` or more, at most so many.
        """
        intervals = self.intervals
        while len(intervals) > most or (len(intervals) > 1 and _length(intervals) < 0.75 * least_s):
            intervals = _halved(intervals)
        return [
            (one.start_s, *(math.sqrt(square / one.rated_s) for square in one.squares))  # type: ignore[misc]
            for one in intervals
            if one.rated_s > 0
        ]


def _interval(horizon: Horizon) -> Interval:
    roll, pitch = horizon.roll_deg, horizon.pitch_deg
    values = (math.nan,) * 4
    if roll is not None and pitch is not None:
        values = (roll, pitch, horizon.roll_sd_deg or 0.0, horizon.pitch_sd_deg or 0.0)
    return Interval(
        horizon.time_s,
        horizon.time_s,
        values[0],
        values[1],
        (values[0], values[0]),
        (values[1], values[1]),
        values[2],
        values[3],
    )


def _halved(intervals: list[Interval]) -> list[Interval]:
    pairs = [one.merged(two) for one, two in zip(intervals[::2], intervals[1::2], strict=False)]
    return [*pairs, intervals[-1]] if len(intervals) % 2 else pairs


def _length(intervals: list[Interval]) -> float:
    return (intervals[-1].end_s - intervals[0].start_s) / len(intervals)


def _first(one: float, two: float) -> float:
    return two if math.isnan(one) else one


def _largest(one: float, two: float) -> float:
    return two if math.isnan(one) or two > one else one


def _span(one: tuple[float, float], two: tuple[float, float]) -> tuple[float, float]:
    if math.isnan(one[0]):
        return two
    return one if math.isnan(two[0]) else (min(one[0], two[0]), max(one[1], two[1]))
