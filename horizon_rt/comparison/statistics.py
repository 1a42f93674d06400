"""Errors of roll and pitch against a log, in all frames and by state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.horizon.row import number

__all__ = ["AxisErrors", "StateErrors", "errors_by_state"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisErrors:
    """Errors of one angle, estimate minus log, in degrees; `median_deg` and `p95_deg` are of their size.

    `within_2_sigma` is the share of errors within ±2 reported sigma, 0.954 for an honest one; all are NaN
    where there are none.
    """

    bias_deg: float
    rms_deg: float
    median_deg: float
    p95_deg: float
    within_2_sigma: float

    @classmethod
    def of(cls, error_deg: Array, sd_deg: Array) -> AxisErrors:
        """Of errors (n,) and the standard deviations reported with them, NaN where there is none."""
        if not len(error_deg):
            return cls(
                bias_deg=np.nan, rms_deg=np.nan, median_deg=np.nan, p95_deg=np.nan, within_2_sigma=np.nan
            )
        size, told = np.abs(error_deg), np.isfinite(sd_deg)
        return cls(
            bias_deg=float(error_deg.mean()),
            rms_deg=float(np.sqrt((error_deg**2).mean())),
            median_deg=float(np.median(size)),
            p95_deg=float(np.percentile(size, 95)),
            within_2_sigma=float((size <= 2 * sd_deg)[told].mean()) if told.any() else np.nan,
        )

    def to_dict(self) -> dict[str, float | None]:
        """As JSON."""
        return {name: number(getattr(self, name)) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class StateErrors:
    """Errors of the frames of one state: how many there are, and how many were compared."""

    frames: int
    compared: int
    roll: AxisErrors
    pitch: AxisErrors

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "frames": self.frames,
            "compared": self.compared,
            "roll": self.roll.to_dict(),
            "pitch": self.pitch.to_dict(),
        }


def errors_by_state(
    state: NDArray[np.str_], common: NDArray[np.bool_], error_deg: Array, sd_deg: Array
) -> Mapping[str, StateErrors]:
    """Errors of all frames, under `all`, and of each state that occurs.

    `common` (n,) tells the frames at which the log is known; `error_deg` and `sd_deg` are (n, 2), of roll and
    pitch, NaN where there is no estimate.
    """
    names = [word for word in ("tracking", "coasting", "acquiring", "lost") if (state == word).any()]
    groups = {"all": np.ones(len(state), bool)} | {word: state == word for word in names}
    compared = common & np.isfinite(error_deg).all(axis=1)
    return {
        name: _errors(group & common, group & compared, error_deg, sd_deg) for name, group in groups.items()
    }


def _errors(
    frames: NDArray[np.bool_], compared: NDArray[np.bool_], error_deg: Array, sd_deg: Array
) -> StateErrors:
    roll, pitch = (AxisErrors.of(error_deg[compared, k], sd_deg[compared, k]) for k in (0, 1))
    return StateErrors(frames=int(frames.sum()), compared=int(compared.sum()), roll=roll, pitch=pitch)
