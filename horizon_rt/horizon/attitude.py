"""Where a camera or its vehicle points, with its covariance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import Mount, UpVector

__all__ = ["Attitude", "roll_pitch_sd_deg"]

_STEP_RAD = 2.0**-17


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
    where nothing is known of the motion. `correlated` is the part of the covariance that stays from frame to
    frame, as where the edge that is followed may not be the horizon; None for all of it. `focal_error` (3,)
    is how far one standard deviation of the focal length turns the up vector, in rad, None where that is
    known; it is no part of the covariance, which says where the horizon lies in the picture.
    """

    up: UpVector
    covariance: NDArray[np.float64]
    rate: NDArray[np.float64] | None = None
    correlated: NDArray[np.float64] | None = None
    focal_error: NDArray[np.float64] | None = None

    @property
    def total_covariance(self) -> NDArray[np.float64]:
        """The covariance (3, 3) in rad² with the error of the focal length."""
        if self.focal_error is None:
            return self.covariance
        return self.covariance + np.outer(self.focal_error, self.focal_error)

    @property
    def sd_deg(self) -> tuple[float, float]:
        """Standard deviations of roll and pitch in degrees, with the error of the focal length."""
        return roll_pitch_sd_deg(self.up, self.total_covariance)

    @property
    def seen_sd_deg(self) -> tuple[float, float]:
        """As `sd_deg`, of where the horizon lies in the picture, whatever the focal length."""
        return roll_pitch_sd_deg(self.up, self.covariance)

    def rounded(self) -> Attitude:
        """Up vector and covariance to about 1e-5 rad and four digits, without a rate: where a search begins.

        Two runs that differ by their rounding alone find the same from there, and so soon do not differ.
        """
        covariance = self.covariance
        step = 2.0 ** (round(math.log2(max(float(np.trace(covariance)), 1e-30))) - 13)
        return Attitude(
            up=UpVector.from_vector(np.round(self.up.as_array() / _STEP_RAD) * _STEP_RAD),
            covariance=np.round(covariance / step) * step,
            correlated=self.correlated,
        )

    def of_vehicle(self, mount: Mount | None) -> Attitude:
        """The attitude of the vehicle whose camera this is; itself without a mount."""
        if mount is None:
            return self
        return Attitude(
            up=mount.vehicle_up(self.up),
            covariance=mount.vehicle_covariance(self.covariance),
            rate=None if self.rate is None else mount.vehicle_vector(self.rate),
            correlated=None if self.correlated is None else mount.vehicle_covariance(self.correlated),
            focal_error=None if self.focal_error is None else mount.vehicle_vector(self.focal_error),
        )

    @property
    def rates_dps(self) -> tuple[float, float] | None:
        """Rates of roll and pitch in degrees per second."""
        if self.rate is None:
            return None
        roll, pitch = self.up.roll_pitch_jacobian() @ self.rate
        return math.degrees(roll), math.degrees(pitch)
