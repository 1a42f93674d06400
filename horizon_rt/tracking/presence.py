"""Whether there is a horizon at all, as the looks of the net tell together.

Each look gives a probability. Looks that follow one another see the same picture and err alike, so their log
odds are averaged, not added: an exponential average over time, which a cut begins anew. A track is believed
from one probability on, and until it falls below a lower one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from horizon_rt.horizon import Observation

__all__ = ["Presence", "PresenceSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceSettings:
    """`memory_s` is the time constant of the average in s. There is belief from the probability `believed`
    on, and until it falls below `doubted`; `least` and `most` bound that of one look.
    """

    memory_s: float = 0.3
    believed: float = 0.75
    doubted: float = 0.65
    least: float = 0.1
    most: float = 0.99


class Presence:
    """The belief in a horizon."""

    def __init__(self, settings: PresenceSettings | None = None) -> None:
        self.settings = settings or PresenceSettings()
        self.is_believed = False
        """Whether a track may be called one."""
        self._log_odds: float | None = None
        self._time_s = 0.0

    @property
    def probability(self) -> float:
        """That there is a horizon, 0..1; 0.5 before the first look."""
        return 1 / (1 + math.exp(-(self._log_odds or 0.0)))

    def update(self, time_s: float, observation: Observation) -> None:
        """Take in a look at a time in s; frames that only followed the edge, or repeat, tell nothing new."""
        given = _probability(observation)
        if given is None or not observation.is_key or observation.change == "repeated":
            return
        given = min(max(given, self.settings.least), self.settings.most)
        log_odds = math.log(given / (1 - given))
        before = self._log_odds
        if before is None or observation.change == "cut":
            self._log_odds = log_odds
        else:
            kept = math.exp((self._time_s - time_s) / self.settings.memory_s)
            self._log_odds = log_odds + kept * (before - log_odds)
        self._time_s = time_s
        needed = self.settings.doubted if self.is_believed else self.settings.believed
        self.is_believed = self.probability >= needed


def _probability(observation: Observation) -> float | None:
    """That one look gives; None for one that finds no horizon, and is not sure that there is none."""
    if observation.view == "horizon":
        return observation.confidence
    return 1 - observation.confidence if observation.confidence > 0.5 else None
