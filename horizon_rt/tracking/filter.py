"""Horizons over time: the filter and its states.

acquiring ──3 accepted frames──► tracking ◄──accepted frame── coasting
  ▲   └──none for too long──► lost   └──none, or repeats for 0.25 s──► coasting ──too long──► lost
  └──────a frame with a horizon──────┘

A track is called 'acquiring' in any of these states where the looks together do not believe in a horizon
(`presence`), or its sigma says that it knows nearly nothing.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from horizon_rt.horizon import Attitude, Measurement, Observation, State
from horizon_rt.tracking.hypothesis import Hypothesis, TrackSettings
from horizon_rt.tracking.kalman import KalmanState
from horizon_rt.tracking.presence import Presence

Array = NDArray[np.float64]

__all__ = ["LOST", "Filter", "NoFilter", "Step", "Track", "TrackFilter"]

_FLIP_DEG, _FLIP_PATIENCE = 120.0, 3  # farther off than that a candidate needs this many times the frames
_HOLD_S = 0.25  # for which frames that say nothing new leave the state as it is


@dataclass(frozen=True, slots=True)
class Track:
    """The state after a frame; `attitude` is None while there is no estimate."""

    state: State
    attitude: Attitude | None


LOST = Track("lost", None)


class Step(NamedTuple):
    """What the filter did at a frame: its state before the measurement, None at the start of a track, and
    after it, None while there is no track. `used` says whether a measurement was used; `correlated` is the
    part of the track's covariance that no filter averages away, (3, 3) in rad².
    """

    time_s: float
    predicted: KalmanState | None
    filtered: KalmanState | None
    used: bool
    correlated: Array


class Filter(Protocol):
    """What turns observations into a track."""

    def update(self, time_s: float, observation: Observation) -> Track:
        """Take in one frame's observation."""
        ...

    def at(self, time_s: float, *, to_frame: bool = False) -> Track:
        """The track at another time, as the frames so far tell it; the filter stays as it is.

        With `to_frame` that is the time of the next frame, before anything is known of it.
        """
        ...

    @property
    def is_contested(self) -> bool:
        """Whether measurements that do not fit the track form a candidate for another."""
        ...


class NoFilter:
    """Every frame on its own."""

    def __init__(self) -> None:
        self._track = LOST

    def update(self, time_s: float, observation: Observation) -> Track:
        """The observation itself."""
        measured = observation.measurement
        attitude = None if measured is None else Attitude(up=measured.up, covariance=measured.covariance)
        self._track = Track("lost" if attitude is None else "tracking", attitude)
        return self._track

    def at(self, time_s: float, *, to_frame: bool = False) -> Track:
        """The last frame's: without a filter nothing is known of the motion."""
        return self._track

    @property
    def is_contested(self) -> bool:
        """Never."""
        return False


class TrackFilter:
    """The Kalman filter with its gate and states.

    A frame is accepted when its measurement passes the gate. Rejected ones form a candidate track; when the
    candidate has agreed with itself for `reacquire_frames` frames (more where it swaps sky and ground) and is
    about as certain, the track is wrong and starts again from it. After a cut what does not fit, and is about
    as certain, starts the track at once. A repeated picture says nothing new for `still_s`, nor does a frame
    that was not looked at and has no measurement. While looks contest the track, an edge that was only
    followed does not count: it is the track's own, and would confirm it. A candidate has
    no candidate of its own: what it rejects starts it anew. With `record` the filter keeps its `steps`, one
    for each frame; those since a candidate began are the candidate's once it has taken over.
    """

    def __init__(
        self, settings: TrackSettings | None = None, *, record: bool = False, is_candidate: bool = False
    ) -> None:
        self.settings = settings or TrackSettings()
        self.steps: list[Step] | None = [] if record else None
        self.hypothesis = Hypothesis(self.settings)
        self._presence, self._was_believed = Presence(), False
        self._is_candidate = is_candidate
        self._candidate: TrackFilter | None = None
        self._time = 0.0
        self._changed_at = -math.inf
        self._taken_over: list[Step] = []

    def update(self, time_s: float, observation: Observation, *, late_s: float = 0.0) -> Track:
        """Take in one frame's observation at its presentation time; times need not be regular.

        By `late_s` the newest look may be late in real time; for so long a frame without one changes nothing.
        """
        if self.is_contested and not observation.is_key:
            observation = replace(observation, measurement=None)
        self._advance(time_s, to_frame=observation.measurement is not None)
        lost = self.hypothesis.state == "lost"
        predicted = None if self.steps is None or lost else self.hypothesis.kalman_state()
        if observation.change != "repeated":
            self._changed_at = time_s
        self._presence.update(time_s, observation)
        frozen = self._is_frozen(time_s)
        if frozen:
            observation = replace(observation, measurement=None)
        measurement = observation.measurement
        taken = measurement is not None and self._take(time_s, measurement, cut=observation.change == "cut")
        if not taken:
            self._reject(time_s, observation, late_s)
        if self.hypothesis.accepted_at == time_s:
            self._was_believed = self._presence.is_believed
        passed = measurement is None and not observation.is_key and observation.change != "cut"
        hold_s = _HOLD_S + late_s if frozen or passed else 0.0
        self.hypothesis.age(time_s, hold_s=hold_s)
        if "lost" in (self.hypothesis.state, self._candidate and self._candidate.hypothesis.state):
            self._candidate = None
        if self.steps is not None:
            self._record(time_s, predicted, used=taken)
        else:
            self.hypothesis.straighten()  # not where the smoother needs the axes as they travelled
        return LOST if self.hypothesis.is_worth_nothing() and not frozen else self._track()

    def copy(self) -> TrackFilter:
        """Another one in the same state, without `steps`."""
        other = copy(self)
        other.hypothesis, other.steps = self.hypothesis.copy(), None
        other._presence = copy(self._presence)
        other._candidate = None if self._candidate is None else self._candidate.copy()
        return other

    def at(self, time_s: float, *, to_frame: bool = False) -> Track:
        """The track at another time: moved on by its rate, with a sigma that grows with the distance in time.

        Its state is that of the last frame, and lost where the track would be without a frame until then.
        """
        step, state = time_s - self._time, self.hypothesis.state
        if state == "lost" or not abs(step) <= self.settings.max_gap_s:
            return LOST
        moved = self.hypothesis.copy()
        moved.predict(step, to_frame=to_frame)
        attitude = moved.attitude()
        moved.age(time_s)
        return LOST if moved.state == "lost" or moved.is_worth_nothing() else self._told(state, attitude)

    @property
    def is_contested(self) -> bool:
        """See `Filter`."""
        return self._candidate is not None

    def _advance(self, time_s: float, *, to_frame: bool) -> None:
        step = time_s - self._time
        self._time = time_s
        if self.hypothesis.state == "lost":
            return
        if not 0 <= step <= self.settings.max_gap_s:
            self.hypothesis.state, self._candidate = "lost", None
            return
        self.hypothesis.predict(step, to_frame=to_frame)

    def _is_frozen(self, time_s: float) -> bool:
        """Whether the picture repeats as in a stopped stream, not for as long as with a camera at rest."""
        still_s = time_s - self._changed_at
        return self.hypothesis.state != "acquiring" and 0 < still_s <= self.settings.still_s

    def _take(self, time_s: float, measurement: Measurement, *, cut: bool) -> bool:
        """Start or go on with a measurement; False where it does not fit the track, or is no number."""
        mine = self.hypothesis
        if not np.isfinite(measurement.covariance).all():
            return False
        if mine.state == "lost" or not mine.passes(measurement):
            restarts = self._is_candidate or (cut and mine.is_less_certain(measurement.covariance))
            if mine.state != "lost" and not restarts:
                return False
            mine.start(time_s, measurement)
        else:
            mine.accept(time_s, measurement)
        self._candidate = None
        return True

    def _reject(self, time_s: float, observation: Observation, late_s: float) -> None:
        """A frame that the track does not follow, with a measurement or without."""
        if self._candidate is None:
            if observation.measurement is None or self._is_candidate:
                return
            settings = replace(
                self.settings,
                confirm_frames=self.settings.reacquire_frames,
                start_rate_dps=self.settings.candidate_rate_dps,
                start_noise_scale=self.settings.max_noise_scale,
            )
            self._candidate = TrackFilter(settings, record=self.steps is not None, is_candidate=True)
        candidate = self._candidate
        found = candidate.update(time_s, observation, late_s=late_s)
        if found.state == "tracking" and found.attitude and self._may_replace(candidate, found.attitude):
            steps = candidate.steps or []
            first = max((i for i, step in enumerate(steps) if step.predicted is None), default=0)
            self._taken_over = steps[first:]
            self.hypothesis, self._candidate = candidate.hypothesis, None
            self.hypothesis.settings, self.hypothesis.accepted_at = self.settings, time_s

    def _may_replace(self, candidate: TrackFilter, found: Attitude) -> bool:
        """Whether a confirmed candidate takes over; one that swaps sky and ground needs more frames."""
        upside_down = found.up.angle_to(self.hypothesis.kalman_state().up) > _FLIP_DEG
        needed = _FLIP_PATIENCE * self.settings.reacquire_frames
        patient = not upside_down or candidate.hypothesis.hits >= needed
        return patient and self.hypothesis.is_less_certain(found.covariance)

    def _record(self, time_s: float, predicted: KalmanState | None, *, used: bool) -> None:
        """Keep the step of a frame."""
        assert self.steps is not None
        if self._taken_over:
            del self.steps[len(self.steps) - len(self._taken_over) + 1 :]
            self.steps += self._taken_over
            self._taken_over = []
            return
        mine = self.hypothesis
        filtered = None if mine.state == "lost" else mine.kalman_state()
        started = used and mine.hits == 1
        self.steps.append(Step(time_s, None if started else predicted, filtered, used, mine.correlated))

    def _track(self) -> Track:
        state = self.hypothesis.state
        return LOST if state == "lost" else self._told(state, self.hypothesis.attitude())

    def _told(self, state: State, attitude: Attitude) -> Track:
        """'acquiring' for a track that at its last frame followed what may be no horizon, or whose sigma says
        that it knows nearly nothing.
        """
        if state == "acquiring" or self._is_candidate:
            return Track(state, attitude)
        useless = state == "tracking" and self.hypothesis.settings.is_useless(attitude)
        return Track(state if self._was_believed and not useless else "acquiring", attitude)
