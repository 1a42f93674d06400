"""Numbers of a recording, taken in frame by frame in a memory that does not grow."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from horizon_rt.horizon.row import number
from horizon_rt.sinks.base import RecordSink

if TYPE_CHECKING:
    from horizon_rt.horizon import Horizon

__all__ = ["BANK_BIN_DEG", "Statistics", "StatisticsSink"]

BANK_BIN_DEG = 5
"""Width in degrees of the bins of the histogram of bank angles, the first of which begins at -180."""


@dataclass(slots=True)
class Statistics:
    """Of the frames so far: seconds in each state and at each bank angle (roll), the root mean square of the
    filtered rates of roll and pitch in °/s, the largest bank angle, and mean sigmas in degrees; each is None
    where no frame tells it. The time from a frame to the next counts for the first of the two.
    """

    frames: int = 0
    seconds: float = 0.0
    states: Counter[str] = field(default_factory=Counter)
    bank_s: Counter[int] = field(default_factory=Counter)
    largest_bank_deg: float | None = None
    _rated_s: float = 0.0
    _squares: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _estimates: int = 0
    _sigmas: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _last: Horizon | None = None

    def add(self, horizon: Horizon) -> None:
        """Take in the next frame."""
        last, self._last = self._last, horizon
        self.frames += 1
        if last is not None:
            self._count_time(last, max(horizon.time_s - last.time_s, 0.0))
        if horizon.roll_deg is not None:
            self._estimates += 1
            self.largest_bank_deg = max(self.largest_bank_deg or 0.0, abs(horizon.roll_deg))
            for axis, sigma in enumerate((horizon.roll_sd_deg, horizon.pitch_sd_deg)):
                self._sigmas[axis] += sigma or 0.0

    def _count_time(self, last: Horizon, step_s: float) -> None:
        self.seconds += step_s
        self.states[last.state] += step_s  # type: ignore[assignment]
        if last.roll_deg is not None:
            self.bank_s[math.floor((last.roll_deg + 180) / BANK_BIN_DEG)] += step_s  # type: ignore[assignment]
        if last.roll_rate_dps is not None and last.pitch_rate_dps is not None:
            self._rated_s += step_s
            for axis, rate in enumerate((last.roll_rate_dps, last.pitch_rate_dps)):
                self._squares[axis] += rate * rate * step_s

    @property
    def rate_rms_dps(self) -> tuple[float | None, float | None]:
        """Root mean squares of the rates of roll and pitch in °/s."""
        roll, pitch = (math.sqrt(s / self._rated_s) if self._rated_s else None for s in self._squares)
        return roll, pitch

    @property
    def sigma_deg(self) -> tuple[float | None, float | None]:
        """Mean sigmas of roll and pitch in degrees."""
        roll, pitch = (total / self._estimates if self._estimates else None for total in self._sigmas)
        return roll, pitch

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "frames": self.frames,
            "seconds": number(self.seconds),
            "states_s": {state: number(s) for state, s in sorted(self.states.items())},
            "bank_s": {str(-180 + BANK_BIN_DEG * k): number(s) for k, s in sorted(self.bank_s.items())},
            "largest_bank_deg": number(self.largest_bank_deg),
            "rate_rms_dps": [number(value) for value in self.rate_rms_dps],
            "sigma_deg": [number(value) for value in self.sigma_deg],
        }


class StatisticsSink(RecordSink):
    """Keeps the statistics of a run."""

    def __init__(self) -> None:
        self.statistics = Statistics()

    def put(self, horizon: Horizon) -> None:
        """See `RecordSink`."""
        self.statistics.add(horizon)

    def _finish(self) -> None:
        """There is nothing to write."""
