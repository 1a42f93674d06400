"""The frames that the net looks at: key frames. Between them the edge is followed from the prediction.

A frame is a key frame where the track is new, coasting or contested by a candidate; after a cut; where the
last key frame was not accepted by the track; where the prediction is much less certain than the track was at
the last key frame; when the interval since then has passed; and where a half second of the recording's time
begins, so that a run that begins later soon looks at the same frames. The interval doubles with every key
frame that agrees with the track, from one frame on. Without a track, where no look shows a horizon, a tenth
of a second takes the place of the half. Where no edge can be followed a frame is looked at, too, but not the
one right after a key frame that agreed: it is left to the prediction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from horizon_rt.horizon import Observation
from horizon_rt.tracking.filter import Track

__all__ = ["KeyFrameSettings", "KeyFrames"]

_ROUNDING = 1e-6
_LONGEST_INTERVAL = 1 << 16  # frames; the time between key frames is bounded long before


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFrameSettings:
    """`longest_s` is the longest time between key frames, `longest_lost_s` that without a track. A track may
    have `sigma_growth` times its sigma at the last key frame, one without an edge `passed_growth` times.
    """

    longest_s: float = 0.5
    longest_lost_s: float = 0.1
    sigma_growth: float = 2.0
    passed_growth: float = 1.05


class KeyFrames:
    """The schedule of one track."""

    def __init__(self, settings: KeyFrameSettings | None = None) -> None:
        self.settings = settings or KeyFrameSettings()
        self.last: Observation | None = None
        """What the last key frame showed."""
        self._time_s = -math.inf
        self._interval, self._since = 1, 0
        self._sigma = 0.0

    def is_due(self, time_s: float, predicted: Track, *, cut: bool, is_contested: bool) -> bool:
        """Whether the frame at this time, where the track is `predicted`, is to be a key frame."""
        nothing = self.last is not None and self.last.measurement is None
        longest = self.settings.longest_lost_s if nothing else self.settings.longest_s
        return (
            cut
            or is_contested
            or predicted.state != ("lost" if nothing else "tracking")
            or self._since + 1 >= self._interval
            or not 0 <= time_s - self._time_s < longest
            or _period(time_s, longest) != _period(self._time_s, longest)
            or _sigma(predicted) > self.settings.sigma_growth * self._sigma
        )

    def may_pass(self, predicted: Track) -> bool:
        """Whether a frame that is not due may go without an edge."""
        return self._since == 0 and _sigma(predicted) <= self.settings.passed_growth * self._sigma

    def look(self, time_s: float, observation: Observation, track: Track) -> None:
        """Take in a key frame, and what became of the track."""
        measured = observation.measurement is not None
        settled = track.state == ("tracking" if measured else "lost")
        same = self.last is not None and (self.last.measurement is not None) == measured
        self._interval = min(2 * self._interval, _LONGEST_INTERVAL) if settled and same else 1
        self.last, self._time_s, self._since = observation, time_s, 0
        self._sigma = _sigma(track)

    def follow(self) -> None:
        """Take in a frame that is none."""
        self._since += 1


def _period(time_s: float, length_s: float) -> int:
    """The number of the period that a time lies in; one at its start, but for rounding, lies in it."""
    return math.floor(time_s / length_s + _ROUNDING)


def _sigma(track: Track) -> float:
    return 0.0 if track.attitude is None else math.sqrt(max(float(np.trace(track.attitude.covariance)), 0.0))
