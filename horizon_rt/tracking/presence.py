"""Whether there is a horizon at all, as the looks of the net tell together.

Each look gives a probability. Looks that follow one another see the same picture and err alike, so their log
odds are averaged, not added: an exponential average over time, which a cut begins anew. A track is believed
from one probability on, and until it falls below a lower one. In a whole recording later looks count, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
        if observation.change == "cut":
            self.log_odds, self.is_believed = None, False
        look = _look(observation, self.settings)
        if look is None:
            return
        self.log_odds = _averaged(self.log_odds, look, time_s - self._time_s, self.settings)
        self._time_s = time_s
        needed = self.settings.doubted if self.is_believed else self.settings.believed
        self.is_believed = self.probability >= needed


def believed_throughout(frames: Sequence[Look], settings: PresenceSettings | None = None) -> list[bool]:
    """Whether there is belief at each frame of a recording, of its time in s and its observation.

    There is belief where the average of the looks up to a frame, or of those from it on, is above `doubted`,
    in an unbroken run of frames that somewhere reaches `believed` by both (hysteresis thresholding); a cut
    ends a run.
    """
    told = settings or PresenceSettings()
    return [belief for scene in _scenes(frames) for belief in _believed(scene, told)]


def _scenes(frames: Sequence[Look]) -> Iterator[Sequence[Look]]:
    """The frames from cut to cut."""
    cuts = [k for k, (_, observation) in enumerate(frames) if observation.change == "cut" and k > 0]
    for first, last in pairwise([0, *cuts, len(frames)]):
        yield frames[first:last]


def _believed(scene: Sequence[Look], settings: PresenceSettings) -> Iterator[bool]:
    times, looks = [time_s for time_s, _ in scene], [_look(seen, settings) for _, seen in scene]
    before = _averages(times, looks, settings)
    after = _averages(times[::-1], looks[::-1], settings)[::-1]
    doubted, believed = _log_odds(settings.doubted), _log_odds(settings.believed)
    for is_run, group in groupby(zip(before, after, strict=True), lambda both: max(both) >= doubted):
        run = list(group)
        yield from [is_run and max(map(sum, run)) >= 2 * believed] * len(run)


def _averages(
    times: Sequence[float], looks: Sequence[float | None], settings: PresenceSettings
) -> list[float]:
    """The average log odds after each look; 0 before the first one."""
    average, last_s, averages = None, 0.0, []
    for time_s, look in zip(times, looks, strict=True):
        if look is not None:
            average, last_s = _averaged(average, look, abs(time_s - last_s), settings), time_s
        averages.append(average or 0.0)
    return averages


def _averaged(average: float | None, look: float, seconds: float, settings: PresenceSettings) -> float:
    """The average with a look that comes so long after the last one."""
    return look if average is None else look + math.exp(-seconds / settings.memory_s) * (average - look)


def _look(observation: Observation, settings: PresenceSettings) -> float | None:
    """The log odds that one look gives; None for one that finds no horizon, and is not sure that there is
    none, and for a frame that nobody looked at.
    """
    if not observation.is_key or observation.change == "repeated":
        return None
    given = observation.confidence
    if observation.view != "horizon":
        if given <= 0.5:
            return None
        given = 1 - given
    return _log_odds(min(max(given, settings.least), settings.most))


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))
