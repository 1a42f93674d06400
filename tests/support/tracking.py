"""Observations for filters and smoothers."""

from __future__ import annotations

from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Change, Measurement, Observation

NOTHING = Observation(view="unknown", confidence=0.0, sky_fraction=0.5)
DT = 0.04


def seen(up: UpVector, sd_deg: float, change: Change = "none") -> Observation:
    measured = Measurement(up=up, covariance=up.isotropic_covariance(sd_deg), inliers=50)
    return Observation(view="horizon", confidence=0.95, sky_fraction=0.5, measurement=measured, change=change)
