"""Answers for reports: an attitude that is known at every time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Attitude, Horizon, Observation, State


def answers(
    count: int,
    roll_deg: Callable[[float], float],
    *,
    step_s: float = 0.04,
    state: Callable[[float], State] = lambda _: "tracking",
    sd_deg: float = 0.5,
) -> list[Horizon]:
    """So many frames of a level camera with this roll; a lost one has no attitude."""
    found = []
    for k in range(count):
        time_s = k * step_s
        up = UpVector.from_roll_pitch(roll_deg(time_s), 0.0)
        attitude = Attitude(up=up, covariance=up.isotropic_covariance(sd_deg), rate=_rate(roll_deg, time_s))
        name = state(time_s)
        found.append(
            Horizon(
                frame=k,
                time_s=time_s,
                state=name,
                observation=Observation(view="horizon", confidence=0.9, sky_fraction=0.5),
                attitude=None if name == "lost" else attitude,
            )
        )
    return found


def _rate(roll_deg: Callable[[float], float], time_s: float) -> np.ndarray:
    """How fast the up vector moves, by central differences, rad/s."""
    step = 1e-4
    ends = [UpVector.from_roll_pitch(roll_deg(time_s + d), 0.0).as_array() for d in (-step, step)]
    return (ends[1] - ends[0]) / (2 * step)
