"""Whether there is a horizon at all, as the looks of the net tell together.

Each look gives a probability. Looks that follow one another see the same picture and err alike, so their log
odds are averaged, not added: an exponential average over time, which a cut begins anew. A track is believed
from one probability on, and until it falls below a lower one. In a whole recording later looks count, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from horizon_rt.horizon import Observation

__all__ = ["Presence", "PresenceSettings", "believed_throughout"]

Look = tuple[float, Observation]


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
        self.log_odds: float | None = None
        """Of there being a horizon; None before the first look."""
        self._time_s = 0.0

    @property
    def probability(self) -> float:
        """That there is a horizon, 0..1; 0.5 before the first look."""
        return 1 / (1 + math.exp(-(self.log_odds or 0.0)))

    def update(self, time_s: float, observation: Observation) -> None:
        """Take in a look at a time in s; frames that only followed the edge, or repeat, tell nothing new."""
        given = _probability(observation)
        if given is None or not observation.is_key or observation.change == "repeated":
            return
        given = min(max(given, self.settings.least), self.settings.most)
        log_odds = _log_odds(given)
        before = self.log_odds
        if before is None or observation.change == "cut":
            self.log_odds = log_odds
        else:
            kept = math.exp(-abs(time_s - self._time_s) / self.settings.memory_s)
            self.log_odds = log_odds + kept * (before - log_odds)
        self._time_s = time_s
        needed = self.settings.doubted if self.is_believed else self.settings.believed
        self.is_believed = self.probability >= needed


def believed_throughout(frames: Sequence[Look], settings: PresenceSettings | None = None) -> list[bool]:
    """Whether there is belief at each frame of a recording, of its time in s and its observation.

    At each frame the averages over the looks before and after have the same weight. There is belief where the
    probability is above `doubted` in an unbroken run that somewhere reaches `believed` (hysteresis
    thresholding); a cut ends a run.
    """
    told = settings or PresenceSettings()
    return [belief for scene in _scenes(frames) for belief in _believed(scene, told)]


def _scenes(frames: Sequence[Look]) -> Iterator[Sequence[Look]]:
    """The frames from cut to cut."""
    cuts = [k for k, (_, observation) in enumerate(frames) if observation.change == "cut" and k > 0]
    for first, last in pairwise([0, *cuts, len(frames)]):
        yield frames[first:last]


def _believed(scene: Sequence[Look], settings: PresenceSettings) -> Iterator[bool]:
    before = _averages(scene, settings)
    after = _averages([(-time_s, observation) for time_s, observation in reversed(scene)], settings)[::-1]
    log_odds = [_mean(*both) for both in zip(before, after, strict=True)]
    doubted, believed = _log_odds(settings.doubted), _log_odds(settings.believed)
    for _, group in groupby(log_odds, lambda value: value >= doubted):
        run = list(group)
        yield from [max(run) >= believed] * len(run)


def _averages(scene: Sequence[Look], settings: PresenceSettings) -> list[float | None]:
    """The log odds after each frame; the scene's first frame may tell of a cut."""
    presence, averages = Presence(settings), []
    for time_s, observation in scene:
        one = replace(observation, change="none") if observation.change == "cut" else observation
        presence.update(time_s, one)
        averages.append(presence.log_odds)
    return averages


def _mean(*log_odds: float | None) -> float:
    known = [value for value in log_odds if value is not None]
    return sum(known) / len(known) if known else 0.0


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _probability(observation: Observation) -> float | None:
    """That one look gives; None for one that finds no horizon, and is not sure that there is none."""
    if observation.view == "horizon":
        return observation.confidence
    return 1 - observation.confidence if observation.confidence > 0.5 else None
