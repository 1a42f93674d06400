"""The camera's own attitude from a row of telemetry, whatever vehicle the row is of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.geometry import Mount, UpVector
from horizon_rt.sidecars.base import Header, Row

__all__ = ["camera_mount", "camera_rate", "camera_up", "has_attitude"]

Vector = NDArray[np.float64]


def has_attitude(row: Row) -> bool:
    """Whether a row holds an estimate."""
    return row.get("roll_deg") is not None and row.get("pitch_deg") is not None


def camera_mount(header: Header) -> Mount | None:
    """The mount that a header names, if any; raises ValueError for one that is none."""
    given: dict[str, Any] | None = header.get("mount")
    return None if given is None else Mount(**{name: float(value) for name, value in given.items()})


def camera_up(row: Row, mount: Mount | None) -> UpVector:
    """The up vector in camera axes of a row that has an attitude."""
    up = UpVector.from_roll_pitch(row["roll_deg"], row["pitch_deg"])
    return up if mount is None else mount.camera_up(up)


def camera_rate(row: Row, mount: Mount | None) -> Vector:
    """Angular velocity (3,) in camera axes, in rad/s; zeros where no rates are known.

    Of the turn about the vertical no horizon tells, so that it is left out: u' = −ω × u with ω · u = 0 has
    the solution ω = u' × u.
    """
    roll_rate, pitch_rate = row.get("roll_rate_dps"), row.get("pitch_rate_dps")
    if roll_rate is None or pitch_rate is None:
        return np.zeros(3)
    roll, pitch = np.radians([row["roll_deg"], row["pitch_deg"]])
    by_roll = np.array([-np.cos(pitch) * np.cos(roll), np.cos(pitch) * np.sin(roll), 0.0])
    by_pitch = np.array([np.sin(pitch) * np.sin(roll), np.sin(pitch) * np.cos(roll), np.cos(pitch)])
    change = by_roll * np.radians(roll_rate) + by_pitch * np.radians(pitch_rate)
    rate = np.cross(change, UpVector.from_roll_pitch(row["roll_deg"], row["pitch_deg"]).as_array())
    return rate if mount is None else mount.rotation @ rate
