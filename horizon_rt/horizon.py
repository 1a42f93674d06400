"""What the tracker says of a frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.record import record

__all__ = ["Change", "Horizon", "Measurement", "Observation", "State", "View", "roll_pitch_sd_deg"]

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
class Measurement:
    """The horizon fitted to one frame, before any filtering.

    `covariance` is that of the up vector, shape (3, 3), rank 2 (tangent to the sphere), in rad². `noise`, of
    the same shape, is the part of it that is new in each frame (None: all of it); the rest neighbouring
    frames share, and no filter averages it away. `inliers` counts what lies on the horizon: crossings of the
    mask, or stations of the refinement.
    """

    up: UpVector
    covariance: NDArray[np.float64]
    inliers: int
    noise: NDArray[np.float64] | None = None

    @property
    def lasting(self) -> NDArray[np.float64]:
        """What is not noise of the covariance, (3, 3)."""
        return np.zeros((3, 3)) if self.noise is None else self.covariance - self.noise

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

    `up`, the sigmas and the rates are None where there is no estimate. Rates are in degrees per second.
    `line` is the horizon on an image without distortion (None straight up or down). Without a filter
    (`--smooth none`) the values are those of `observation` and the rates are None. `width` and `height` are
    those of the picture in px. `latency_ms` and `time_utc`, the system's clock when the frame came, are those
    of live frames and None for recordings.
    """

    frame: int
    time_s: float
    state: State
    observation: Observation
    up: UpVector | None = None
    line: HorizonLine | None = None
    measured_line: HorizonLine | None = None
    roll_sd_deg: float | None = None
    pitch_sd_deg: float | None = None
    roll_rate_dps: float | None = None
    pitch_rate_dps: float | None = None
    latency_ms: float | None = None
    file: str | None = None
    width: int | None = None
    height: int | None = None
    time_utc: datetime | None = None

    def __repr__(self) -> str:
        angles = (("roll", self.roll_deg, self.roll_sd_deg), ("pitch", self.pitch_deg, self.pitch_sd_deg))
        said = [_angle(name, value, sd) for name, value, sd in angles if value is not None]
        what = ", ".join(said) or f"no estimate, view {self.view}"
        return f"<Horizon at {self.time_s:.3f} s: {what}, {self.state}>"

    def to_dict(self) -> dict[str, Any]:
        """The row of telemetry: what JSON lines hold of this frame (docs/telemetry.schema.json)."""
        return record(self)

    @property
    def roll_deg(self) -> float | None:
        """Roll in degrees, positive with the right wing down."""
        return None if self.up is None else self.up.roll_deg

    @property
    def pitch_deg(self) -> float | None:
        """Pitch in degrees, positive nose up."""
        return None if self.up is None else self.up.pitch_deg

    @property
    def view(self) -> View:
        """What this frame shows."""
        return self.observation.view

    @property
    def confidence(self) -> float:
        """0..1, of this frame's observation."""
        return self.observation.confidence


def _angle(name: str, value: float, sd: float | None) -> str:
    return f"{name} {value:.2f}°" + ("" if sd is None else f" ± {sd:.2f}°")
