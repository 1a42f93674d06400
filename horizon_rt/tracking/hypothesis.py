"""One hypothesis of where the horizon is: a Kalman filter with a gate and an adaptive process noise."""

from __future__ import annotations

import math
from copy import copy, deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from horizon_rt.horizon import Attitude, Measurement, State
from horizon_rt.tracking.kalman import KalmanState, SphereKalman

__all__ = ["Hypothesis", "TrackSettings", "attitude_of"]

Array = NDArray[np.float64]

_TARGET = 1.1
_MAX_EXCESS = 4.0
_ADAPT_RATE = 0.5
_SURPRISE_CHI2 = 9.2  # beyond which a measurement counts for less (1 in 100)
_LARGER_SIGMA = 3.0  # times that of a track, which a candidate's may have
_CORRELATION_TIME_S = 0.1  # in which the correlated error of the track follows that of its measurements


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """The filter's constants; times in s, angles in degrees."""

    acceleration_dps2: float = 15.0
    max_noise_scale: float = 40.0
    start_noise_scale: float = 1.0  # that of a candidate is the largest: it may be one that turns sharply
    start_rate_dps: float = 150.0
    candidate_rate_dps: float = 1500.0  # two frames of a candidate may differ by it, the third has to follow
    gate_chi2: float = 18.4  # 1 in 10,000 true measurements lies outside (χ², two degrees of freedom)
    confirm_frames: int = 3
    acquire_s: float = 1.0  # for which a new track waits for its next measurement
    coast_s: float = 2.0
    rate_decay_s: float = 0.5  # in which the rate of a track that coasts falls to 1/e
    lost_sd_deg: float = 12.0  # beyond which no track is called one: a coasting one is lost, others acquiring
    still_s: float = (
        2.0  # for which a repeated picture may be a stopped stream, and is a camera at rest after
    )
    usual_s: float = 0.06
    forgetting_s: float = 0.16
    max_gap_s: float = 5.0
    reacquire_frames: int = 3

    def step_noise_scale(self, seconds: float) -> float:
        """The process noise of a step between frames: in one of `forgetting_s` or longer the rate may become
        any, as at the start; one of `usual_s` or shorter has none of its own, as frames tell it.
        """
        usual, forgetting = self.usual_s, self.forgetting_s
        share = min(max((seconds - usual) / (forgetting - usual), 0.0), 1.0)
        return share * self.start_rate_dps / (self.acceleration_dps2 * math.sqrt(max(seconds, usual)))

    def is_useless(self, attitude: Attitude) -> bool:
        """Whether the sigma is beyond `lost_sd_deg`."""
        variance = np.linalg.eigvalsh(attitude.covariance)[-1]
        return bool(variance > math.radians(self.lost_sd_deg) ** 2)


class Hypothesis:
    """A track's state: lost, or a Kalman state with its time-correlated covariance, and its age.

    `state`, `hits` (measurements used) and `accepted_at` (time of the last one, s) are for whoever decides
    between hypotheses.
    """

    def __init__(self, settings: TrackSettings) -> None:
        self.settings = settings
        self.state: State = "lost"
        self.hits = 0
        self.accepted_at = -math.inf
        self.correlated = np.zeros((3, 3))
        """Part of the covariance that no filter averages away, rad²."""
        self._kalman = self._new_kalman()
        self._log_noise_scale = 0.0
        self._used = self.correlated

    def kalman_state(self) -> KalmanState:
        """A copy of the filter's state."""
        return self._kalman.state()

    def attitude(self) -> Attitude:
        """The estimate of a hypothesis that is not lost."""
        return attitude_of(self._kalman.state(), self.correlated)

    def copy(self) -> Hypothesis:
        """Another one in the same state."""
        other = copy(self)
        other._kalman = deepcopy(self._kalman)
        return other

    def predict(self, seconds: float, *, to_frame: bool = False) -> None:
        """Move in time, back where `seconds` is negative. A track that coasts slows down.

        As far as a frame that shows where it is the track has gone unseen, so that a long way leaves its rate
        unknown. The correlated error turns with the up vector, as that of the roll of a camera does.
        """
        scale = math.exp(self._log_noise_scale)
        if to_frame:
            scale = max(scale, self.settings.step_noise_scale(seconds))
        turn = self._kalman.predict(seconds, scale)
        self.correlated = turn @ self.correlated @ turn.T
        if self.state == "coasting" and seconds > 0:
            self._kalman.damp(math.exp(-seconds / self.settings.rate_decay_s))

    def start(self, time_s: float, measurement: Measurement) -> None:
        """Begin anew at a measurement."""
        self._kalman = self._new_kalman()
        self.correlated = measurement.correlated
        self._kalman.start(measurement.up, self._white(measurement))
        self.state, self.hits, self.accepted_at = "acquiring", 1, time_s
        self._log_noise_scale = math.log(self.settings.start_noise_scale)

    def passes(self, measurement: Measurement) -> bool:
        """Whether a measurement lies within the gate; the process noise follows the innovation."""
        white = self._white(measurement)
        if not self._kalman.innovation(measurement.up, measurement.covariance) < self.settings.gate_chi2:
            return False  # not a number fails, too
        distance = self._kalman.innovation(measurement.up, white)
        self._adapt(distance)
        surprise = max(0.0, 1.0 - _SURPRISE_CHI2 / max(distance, _SURPRISE_CHI2))
        self._used = white + surprise * (measurement.covariance - white)
        return True

    def accept(self, time_s: float, measurement: Measurement) -> None:
        """Take in a measurement that has just passed."""
        self._kalman.update(measurement.up, self._used)
        follow = 1 - math.exp((self.accepted_at - time_s) / _CORRELATION_TIME_S)
        self.correlated = self.correlated + follow * (measurement.correlated - self.correlated)
        self.hits += 1
        self.accepted_at = time_s
        if self.hits >= self.settings.confirm_frames:
            self.state = "tracking"

    def straighten(self) -> None:
        """See `SphereKalman.straighten`."""
        self._kalman.straighten()

    def age(self, time_s: float, *, hold_s: float = 0.0) -> None:
        """Coast, or be lost, where no measurement was used for too long; within `hold_s` nothing changes."""
        waiting = time_s - self.accepted_at
        if self.state == "tracking" and waiting > hold_s:
            self.state = "coasting"
        if self.state == "coasting" and waiting > self.settings.coast_s:
            self.state = "lost"
        if self.state == "acquiring" and waiting > self.settings.acquire_s:
            self.state = "lost"

    def is_worth_nothing(self) -> bool:
        """Whether it coasts and its sigma has grown beyond `TrackSettings.lost_sd_deg`."""
        return self.state == "coasting" and self.settings.is_useless(self.attitude())

    def is_less_certain(self, covariance: Array) -> bool:
        """Whether a place of this covariance (3, 3) may replace this one: its sigma is not much larger."""
        mine = self._kalman.state().up_covariance + self.correlated
        return bool(np.trace(covariance) <= _LARGER_SIGMA**2 * np.trace(mine))

    def _white(self, measurement: Measurement) -> Array:
        """Covariance of what is new in a frame: without the correlated part, as far as the track has it."""
        correlated = measurement.correlated
        mine, total = float(np.trace(self.correlated)), float(np.trace(correlated))
        shared = min(1.0, max(mine, 0.0) / total) if total > 0 else 0.0
        return measurement.covariance - shared * correlated

    def _adapt(self, distance: float) -> None:
        """Let the process noise follow the motion: it grows while innovations are larger than expected.

        An integrator on the normalised innovation (mean 1 when the filter is consistent); the target above
        1 keeps the noise at its least while the camera rests.
        """
        excess = min(distance / 2, _MAX_EXCESS) - _TARGET
        limit = math.log(self.settings.max_noise_scale)
        self._log_noise_scale = min(max(self._log_noise_scale + _ADAPT_RATE * excess, 0.0), limit)

    def _new_kalman(self) -> SphereKalman:
        return SphereKalman(
            acceleration=math.radians(self.settings.acceleration_dps2),
            rate_sd=math.radians(self.settings.start_rate_dps),
        )


def attitude_of(kalman: KalmanState, correlated: Array) -> Attitude:
    """The attitude of a state of the filter; the correlated error widens what the filter says of its own."""
    covariance = kalman.up_covariance + correlated
    return Attitude(up=kalman.up, covariance=covariance, rate=kalman.rate, correlated=correlated)
