"""The frames that the net looks at: key frames. Between them the edge is followed from the prediction.

A frame is a key frame where the track is new, lost, coasting or contested by a candidate; after a cut; where
the last key frame showed no horizon, or was not accepted by the track; where the prediction is much less
certain than the track was at the last key frame; and when the interval since then has passed. The interval
doubles with every key frame that agrees with the track, from one frame to half a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from horizon_rt.horizon import Observation
from horizon_rt.tracking.filter import Track

__all__ = ["KeyFrameSettings", "KeyFrames"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFrameSettings:
    """`longest_s` is the longest time between key frames, `sigma_growth` how many times its sigma at the last
    key frame a track may have.
    """

    longest_s: float = 0.5
    sigma_growth: float = 2.0


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
        return (
            cut
            or is_contested
            or predicted.state != "tracking"
            or self._since + 1 >= self._interval
            or not 0 <= time_s - self._time_s < self.settings.longest_s
            or _sigma(predicted) > self.settings.sigma_growth * self._sigma
        )

    def look(self, time_s: float, observation: Observation, track: Track) -> None:
        """Take in a key frame, and what became of the track."""
        agrees = track.state == "tracking" and observation.measurement is not None
        self._interval = 2 * self._interval if agrees and self.last is not None else 1
        self.last, self._time_s, self._since = observation, time_s, 0
        self._sigma = _sigma(track)

    def align(self) -> None:
        """Take in a frame on which the edge was followed."""
        self._since += 1


def _sigma(track: Track) -> float:
    return 0.0 if track.attitude is None else math.sqrt(max(float(np.trace(track.attitude.covariance)), 0.0))
