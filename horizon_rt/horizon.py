"""What the tracker says of a frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import HorizonLine, UpVector

__all__ = [
    "Attitude",
    "Change",
    "Horizon",
    "Measurement",
    "Observation",
    "State",
    "View",
    "roll_pitch_sd_deg",
]

State = Literal["acquiring", "tracking", "coasting", "lost"]
View = Literal["horizon", "sky", "ground", "unknown"]
Change = Literal["none", "repeated", "cut"]


def roll_pitch_sd_deg(up: UpVector, covariance: NDArray[np.float64]) -> tuple[float, float]:
    """Standard deviations of roll and pitch in degrees from a (3, 3) covariance of the up vector.

    First-order propagation by `UpVector.roll_pitch_jacobian`, capped at 180° and 90°.
    """
    jacobian = up.roll_pitch_jacobian()
    roll, pitch = (jacobian @ covariance @ jacobian.T).diagonal().tolist()
    roll_sd, pitch_sd = math.sqrt(max(roll, 0.0)), math.sqrt(max(pitch, 0.0))
    return min(math.degrees(roll_sd), 180.0), min(math.degrees(pitch_sd), 90.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attitude:
    """An estimate: the up vector, its covariance (3, 3) in rad², and its rate of change (3,) in rad/s, None
    where nothing is known of the motion.
    """

    up: UpVector
    covariance: NDArray[np.float64]
    rate: NDArray[np.float64] | None = None

    @property
    def sd_deg(self) -> tuple[float, float]:
        """Standard deviations of roll and pitch in degrees."""
        return roll_pitch_sd_deg(self.up, self.covariance)

    @property
    def rates_dps(self) -> tuple[float, float] | None:
        """Rates of roll and pitch in degrees per second."""
        if self.rate is None:
            return None
        roll, pitch = self.up.roll_pitch_jacobian() @ self.rate
        return math.degrees(roll), math.degrees(pitch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The horizon fitted to one frame, before any filtering.

    `covariance` is that of the up vector, shape (3, 3), rank 2 (tangent to the sphere), in rad². `white`, of
    the same shape, is the part of it that is independent from frame to frame (None: all of it); the rest is
    correlated over time, and no filter averages it away. `inliers` counts what lies on the horizon: crossings
    of the mask, or stations of the refinement.
    """

    up: UpVector
    covariance: NDArray[np.float64]
    inliers: int
    white: NDArray[np.float64] | None = None

    @property
    def correlated(self) -> NDArray[np.float64]:
        """The time-correlated part of the covariance, (3, 3)."""
        return np.zeros((3, 3)) if self.white is None else self.covariance - self.white

    @property
    def sd_deg(self) -> tuple[float, float]:
        """Standard deviations of roll and pitch in degrees."""
        return roll_pitch_sd_deg(self.up, self.covariance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one frame shows: a horizon, only sky, only ground, or nothing that can be told.

    `measurement` is None unless `view` is 'horizon'. `confidence` is 0..1; `sky_fraction` is the share of
    the picture above the horizon, 0..1. `change` is how the picture follows on the one before.
    """

    view: View
    confidence: float
    sky_fraction: float
    measurement: Measurement | None = None
    change: Change = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """The tracker's answer for one frame.

    `attitude` is None where there is no estimate, and so are all angles, sigmas and rates. `line` is the
    horizon on an image without distortion (None straight up or down). Without a filter (`--smooth none`) the
    attitude is that of `observation` and the rates are None.
    """

    frame: int
    time_s: float
    state: State
    observation: Observation
    attitude: Attitude | None = None
    line: HorizonLine | None = None
    measured_line: HorizonLine | None = None
    latency_ms: float | None = None
    file: str | None = None

    @property
    def up(self) -> UpVector | None:
        """The up vector."""
        return None if self.attitude is None else self.attitude.up

    @property
    def roll_deg(self) -> float | None:
        """Roll in degrees, positive with the right wing down."""
        return None if self.attitude is None else self.attitude.up.roll_deg

    @property
    def pitch_deg(self) -> float | None:
        """Pitch in degrees, positive nose up."""
        return None if self.attitude is None else self.attitude.up.pitch_deg

    @property
    def roll_sd_deg(self) -> float | None:
        """One standard deviation of roll in degrees."""
        return None if self.attitude is None else self.attitude.sd_deg[0]

    @property
    def pitch_sd_deg(self) -> float | None:
        """One standard deviation of pitch in degrees."""
        return None if self.attitude is None else self.attitude.sd_deg[1]

    @property
    def roll_rate_dps(self) -> float | None:
        """Rate of roll in degrees per second; None without a filter."""
        rates = None if self.attitude is None else self.attitude.rates_dps
        return None if rates is None else rates[0]

    @property
    def pitch_rate_dps(self) -> float | None:
        """Rate of pitch in degrees per second; None without a filter."""
        rates = None if self.attitude is None else self.attitude.rates_dps
        return None if rates is None else rates[1]

    @property
    def view(self) -> View:
        """What this frame shows."""
        return self.observation.view

    @property
    def confidence(self) -> float:
        """0..1, of this frame's observation."""
        return self.observation.confidence
