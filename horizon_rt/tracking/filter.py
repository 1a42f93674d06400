"""Horizons over time: the filter and its states.

acquiring ──3 accepted frames──► tracking ◄──accepted frame── coasting
  ▲   └──none for too long──► lost   └──none, or repeats for 0.25 s──► coasting ──too long──► lost
  └──────a frame with a horizon──────┘
"""

from __future__ import annotations

import math
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from horizon_rt.horizon import Measurement, Observation, State
from horizon_rt.tracking.kalman import KalmanState, SphereKalman

Array = NDArray[np.float64]

__all__ = ["Filter", "NoFilter", "Step", "Track", "TrackFilter", "TrackSettings", "track_of"]

_TARGET = 1.1
_MAX_EXCESS = 4.0
_ADAPT_RATE = 0.5
_SURPRISE_CHI2 = 9.2  # beyond which a measurement counts for less (1 in 100)
_MUCH_LESS_SURE = 3.0  # times the sigma of a track, that a rival's may have
_FLIP_DEG, _FLIP_PATIENCE = 120.0, 3  # farther off than that a rival needs this many times the frames
_HOLD_S = 0.25  # for which repeated pictures leave the state as it is
_LASTING_S = 0.1  # in which the lasting error of the track follows that of its measurements


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """The filter's constants; times in s, angles in degrees."""

    acceleration_dps2: float = 15.0
    max_agility: float = 40.0
    start_rate_dps: float = 150.0
    gate_chi2: float = 18.4  # 1 in 10,000 true measurements lies outside (χ², two degrees of freedom)
    confirm_frames: int = 3
    coast_s: float = 2.0
    still_s: float = (
        2.0  # for which a repeated picture may be a stopped stream, and is a camera at rest after
    )
    max_gap_s: float = 5.0
    reacquire_frames: int = 3


@dataclass(frozen=True, slots=True)
class Track:
    """The state after a frame: `estimate` is None while there is none; `rate` (3,) in rad/s."""

    state: State
    estimate: Measurement | None
    rate: Array | None


class Step(NamedTuple):
    """What the filter did at a frame: its state before the measurement, None at the start of a track, and
    after it, None while there is no track. `inliers` is None where no measurement was used; `lasting` is the
    part of the track's covariance that no filter averages away, (3, 3) in rad².
    """

    time_s: float
    predicted: KalmanState | None
    filtered: KalmanState | None
    inliers: int | None
    lasting: Array


class Filter(Protocol):
    """What turns observations into a track."""

    def update(self, time_s: float, observation: Observation) -> Track:
        """Take in one frame's observation."""
        ...

    def at(self, time_s: float) -> Track:
        """The track at another time, as the frames so far tell it; the filter stays as it is."""
        ...


class NoFilter:
    """Every frame on its own."""

    def __init__(self) -> None:
        self._track = Track("lost", None, None)

    def update(self, time_s: float, observation: Observation) -> Track:
        """The observation itself."""
        found = observation.measurement is not None
        self._track = Track("tracking" if found else "lost", observation.measurement, None)
        return self._track

    def at(self, time_s: float) -> Track:
        """The last frame's: without a filter nothing is known of the motion."""
        return self._track


class TrackFilter:
    """The Kalman filter with its gate and states.

    A frame is accepted when its measurement passes the gate. Rejected ones form a rival track; when the
    rival has agreed with itself for `reacquire_frames` frames (more where it swaps sky and ground) and is
    about as sure, the track is wrong and starts again from it. After a cut what does not fit, and is about
    as sure, starts the track at once. A repeated picture says nothing new for `still_s`. A rival has no
    rival of its own: what it rejects starts it anew. With `record` the filter keeps its `steps`, one for each
    frame; those since a rival began are the rival's once it has taken over.
    """

    def __init__(
        self, settings: TrackSettings | None = None, *, record: bool = False, is_rival: bool = False
    ) -> None:
        self.settings = settings or TrackSettings()
        self.steps: list[Step] | None = [] if record else None
        self._is_rival = is_rival
        self._kalman = self._new_kalman()
        self._rival: TrackFilter | None = None
        self._state: State = "lost"
        self._time = 0.0
        self._accepted_at = -math.inf
        self._hits = 0
        self._changed_at = -math.inf
        self._log_agility = 0.0
        self._lasting = np.zeros((3, 3))
        self._used = self._lasting
        self._taken_over: list[Step] = []

    def update(self, time_s: float, observation: Observation) -> Track:
        """Take in one frame's observation at its presentation time; times need not be regular."""
        self._advance(time_s)
        predicted = self._kalman.state() if self.steps is not None and self._state != "lost" else None
        measurement = observation.measurement
        if observation.change != "repeated":
            self._changed_at = time_s
        frozen = self._is_frozen(time_s)
        if frozen:
            measurement, observation = None, replace(observation, measurement=None)
        taken = measurement is not None and self._take(time_s, measurement, cut=observation.change == "cut")
        if not taken:
            self._reject(time_s, observation)
        self._age(time_s, hold_s=_HOLD_S if frozen else 0.0)
        if self.steps is not None:
            self._note(time_s, predicted, measurement.inliers if taken and measurement is not None else None)
        return self._track(measurement)

    def _is_frozen(self, time_s: float) -> bool:
        """Whether the picture repeats as in a stopped stream, not for as long as with a camera at rest."""
        still_s = time_s - self._changed_at
        return self._state in ("tracking", "coasting") and 0 < still_s <= self.settings.still_s

    def _take(self, time_s: float, measurement: Measurement, *, cut: bool) -> bool:
        """Start or go on with a measurement; False where it does not fit the track, or is no number."""
        if not np.isfinite(measurement.covariance).all():
            return False
        if self._state == "lost" or not self._passes(measurement):
            restarts = self._is_rival or (cut and self._is_outweighed(measurement.covariance))
            if self._state != "lost" and not restarts:
                return False
            self._start(time_s, measurement)
        else:
            self._accept(time_s, measurement)
        return True

    def _note(self, time_s: float, predicted: KalmanState | None, inliers: int | None) -> None:
        """Keep the step of a frame."""
        assert self.steps is not None
        if self._taken_over:
            del self.steps[len(self.steps) - len(self._taken_over) + 1 :]
            self.steps += self._taken_over
            self._taken_over = []
            return
        filtered = None if self._state == "lost" else self._kalman.state()
        started = inliers is not None and self._hits == 1
        self.steps.append(Step(time_s, None if started else predicted, filtered, inliers, self._lasting))

    def at(self, time_s: float) -> Track:
        """The track at another time: moved on by its rate, with a sigma that grows with the distance in time.

        Its state is that of the last frame, and lost where the track would be without a frame until then.
        """
        step = time_s - self._time
        if self._state == "lost" or not abs(step) <= self.settings.max_gap_s:
            return Track("lost", None, None)
        moved = copy(self)
        moved._kalman = deepcopy(self._kalman)
        moved._kalman.predict(step, math.exp(self._log_agility))
        track = moved._track(None)
        moved._age(time_s)
        return replace(track, state=self._state) if moved._state != "lost" else Track("lost", None, None)

    def _advance(self, time_s: float) -> None:
        step = time_s - self._time
        self._time = time_s
        if self._state == "lost":
            return
        if not 0 <= step <= self.settings.max_gap_s:
            self._state, self._rival = "lost", None
            return
        self._kalman.predict(step, math.exp(self._log_agility))

    def _start(self, time_s: float, measurement: Measurement) -> None:
        self._kalman = self._new_kalman()
        self._lasting = measurement.lasting
        self._kalman.start(measurement.up, self._fresh(measurement))
        self._state, self._hits, self._accepted_at, self._rival = "acquiring", 1, time_s, None
        self._log_agility = 0.0

    def _passes(self, measurement: Measurement) -> bool:
        fresh = self._fresh(measurement)
        if not self._kalman.innovation(measurement.up, measurement.covariance) < self.settings.gate_chi2:
            return False  # not a number fails, too
        distance = self._kalman.innovation(measurement.up, fresh)
        self._adapt(distance)
        surprise = max(0.0, 1.0 - _SURPRISE_CHI2 / max(distance, _SURPRISE_CHI2))
        self._used = fresh + surprise * (measurement.covariance - fresh)
        return True

    def _fresh(self, measurement: Measurement) -> Array:
        """Covariance of what is new in a frame: without the lasting part, as far as the track has it, too."""
        lasting = measurement.lasting
        mine, total = float(np.trace(self._lasting)), float(np.trace(lasting))
        shared = min(1.0, max(mine, 0.0) / total) if total > 0 else 0.0
        return measurement.covariance - shared * lasting

    def _adapt(self, distance: float) -> None:
        """Let the process noise follow the motion: it grows while innovations are larger than expected.

        An integrator on the normalised innovation (mean 1 when the filter is consistent); the target above
        1 keeps the noise at its least while the camera rests.
        """
        excess = min(distance / 2, _MAX_EXCESS) - _TARGET
        limit = math.log(self.settings.max_agility)
        self._log_agility = min(max(self._log_agility + _ADAPT_RATE * excess, 0.0), limit)

    def _accept(self, time_s: float, measurement: Measurement) -> None:
        self._kalman.update(measurement.up, self._used)
        follow = 1 - math.exp((self._accepted_at - time_s) / _LASTING_S)
        self._lasting = self._lasting + follow * (measurement.lasting - self._lasting)
        self._hits += 1
        self._accepted_at, self._rival = time_s, None
        if self._hits >= self.settings.confirm_frames:
            self._state = "tracking"

    def _reject(self, time_s: float, observation: Observation) -> None:
        """A frame that the track does not follow, with a measurement or without."""
        if self._rival is None:
            if observation.measurement is None or self._is_rival:
                return
            settings = replace(self.settings, confirm_frames=self.settings.reacquire_frames)
            self._rival = TrackFilter(settings, record=self.steps is not None, is_rival=True)
        rival = self._rival
        found = rival.update(time_s, observation)
        if found.state == "tracking" and found.estimate and self._gives_way(rival, found.estimate):
            steps = rival.steps or []
            first = max((i for i, step in enumerate(steps) if step.predicted is None), default=0)
            self._taken_over = steps[first:]
            self._kalman, self._hits, self._log_agility = rival._kalman, rival._hits, rival._log_agility
            self._state, self._accepted_at, self._rival = "tracking", time_s, None
            self._lasting = rival._lasting

    def _gives_way(self, rival: TrackFilter, found: Measurement) -> bool:
        """Whether a confirmed rival takes over; one that swaps sky and ground needs more frames."""
        upside_down = found.up.angle_to(self._kalman.state().up) > _FLIP_DEG
        patient = not upside_down or rival._hits >= _FLIP_PATIENCE * self.settings.reacquire_frames
        return patient and self._is_outweighed(found.covariance)

    def _is_outweighed(self, covariance: Array) -> bool:
        """Whether another place is not much less sure than this track, whose sigma grows while it coasts."""
        mine = self._kalman.state().up_covariance + self._lasting
        return bool(np.trace(covariance) <= _MUCH_LESS_SURE**2 * np.trace(mine))

    def _age(self, time_s: float, *, hold_s: float = 0.0) -> None:
        waiting = time_s - self._accepted_at
        if self._state == "tracking" and waiting > hold_s:
            self._state = "coasting"
        if self._state == "coasting" and waiting > self.settings.coast_s:
            self._state = "lost"
        if self._state == "acquiring" and waiting > 0.5 * self.settings.coast_s:
            self._state = "lost"

    def _track(self, measurement: Measurement | None) -> Track:
        if self._state == "lost":
            return Track("lost", None, None)
        inliers = measurement.inliers if measurement is not None else 0
        return track_of(self._state, self._kalman.state(), inliers, self._lasting)

    def _new_kalman(self) -> SphereKalman:
        return SphereKalman(
            acceleration=math.radians(self.settings.acceleration_dps2),
            rate_sd=math.radians(self.settings.start_rate_dps),
        )


def track_of(state: State, kalman: KalmanState, inliers: int, lasting: Array) -> Track:
    """The track of a state of the filter; the lasting error widens what the filter says of its own."""
    noise = kalman.up_covariance
    estimate = Measurement(up=kalman.up, covariance=noise + lasting, inliers=inliers, noise=noise)
    return Track(state, estimate, kalman.rate)
