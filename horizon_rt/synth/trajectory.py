"""Where a camera is and how it is tilted at any time: flights, boats, and a camera at rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import SourceError
from horizon_rt.geometry import UpVector
from horizon_rt.options import Motion

__all__ = ["MOTIONS", "Motion", "Path", "Pose", "make_trajectory"]

MOTIONS: tuple[Motion, ...] = get_args(Motion)

# (share of the duration, roll in degrees). Aerobatics rolls through 360° in 0.17 of the clip, 2 s of 12 s.
_FLIGHT = ((0, 0), (0.08, 0), (0.2, 35), (0.35, 40), (0.5, -30), (0.65, -40), (0.8, 15), (0.9, 0), (1, 0))
_AEROBATICS = (
    (0, 0), (0.08, 0), (0.18, 40), (0.3, 40), (0.42, -40), (0.5, -40), (0.58, 0), (0.62, 0), (0.79, 360),
    (0.83, 360), (0.9, 400), (0.97, 360), (1, 360),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pose:
    """Attitude (degrees; heading clockwise from north) and place (metres east and north)."""

    roll_deg: float
    pitch_deg: float
    heading_deg: float
    east: float
    north: float

    @property
    def up(self) -> UpVector:
        """The up vector in camera axes."""
        return UpVector.from_roll_pitch(self.roll_deg, self.pitch_deg)


class Path(Protocol):
    """A motion: a pose for every time in seconds."""

    def at(self, time_s: float) -> Pose:
        """The pose at a time."""
        ...


@dataclass(frozen=True, slots=True)
class _Waves:
    """A sum of sines: amplitudes in degrees, angular frequencies in rad/s, phases in rad; each (n,)."""

    amplitude: NDArray[np.float64]
    frequency: NDArray[np.float64]
    phase: NDArray[np.float64]

    @classmethod
    def random(cls, rng: np.random.Generator, sd_deg: float, low_hz: float, high_hz: float) -> _Waves:
        """Five waves whose sum has this standard deviation."""
        amplitude = rng.uniform(0.3, 1, 5)
        amplitude *= sd_deg * math.sqrt(2 / float(amplitude @ amplitude))
        return cls(amplitude, 2 * np.pi * rng.uniform(low_hz, high_hz, 5), rng.uniform(0, 2 * np.pi, 5))

    def at(self, time_s: float) -> float:
        return float(self.amplitude @ np.sin(self.frequency * time_s + self.phase))


@dataclass(frozen=True, slots=True)
class _Manoeuvres:
    """Roll from one key to the next along a quintic with zero rate and acceleration at both, plus gusts."""

    keys: tuple[tuple[float, float], ...]
    duration_s: float
    speed: float
    roll_gusts: _Waves
    pitch_gusts: _Waves

    def at(self, time_s: float) -> Pose:
        roll = self._roll(min(max(time_s / self.duration_s, 0.0), 1.0)) + self.roll_gusts.at(time_s)
        pitch = self.pitch_gusts.at(time_s) + 2.0 * math.sin(math.radians(min(abs(roll), 90.0)))
        return Pose(roll, pitch, 3.0 * time_s, 0.0, self.speed * time_s)

    def _roll(self, share: float) -> float:
        for (t0, a), (t1, b) in zip(self.keys, self.keys[1:], strict=False):
            if share <= t1:
                s = (share - t0) / (t1 - t0)
                return a + (b - a) * s**3 * (10 - 15 * s + 6 * s * s)
        return self.keys[-1][1]


@dataclass(frozen=True, slots=True)
class _Swell:
    """A boat: roll and pitch in waves, slow yaw."""

    roll: _Waves
    pitch: _Waves
    speed: float

    def at(self, time_s: float) -> Pose:
        heading = 4.0 * math.sin(0.2 * time_s)
        return Pose(self.roll.at(time_s), self.pitch.at(time_s), heading, 0.0, self.speed * time_s)


def make_trajectory(motion: Motion, duration_s: float, seed: int = 0) -> Path:
    """A path of this kind; raises SourceError for an unknown one."""
    rng = np.random.default_rng(seed)
    if motion in ("flight", "aerobatics"):
        keys = _FLIGHT if motion == "flight" else _AEROBATICS
        gusts = _Waves.random(rng, 1.0, 0.1, 1.2), _Waves.random(rng, 1.5, 0.05, 0.6)
        return _Manoeuvres(keys, duration_s, 20.0, *gusts)
    if motion == "boat":
        return _Swell(_Waves.random(rng, 5.0, 0.08, 0.35), _Waves.random(rng, 2.0, 0.08, 0.4), 4.0)
    if motion == "rest":
        return _Swell(_Waves.random(rng, 1e-9, 0.1, 0.2), _Waves.random(rng, 1e-9, 0.1, 0.2), 0.0)
    raise SourceError(f"unknown motion '{motion}'; there are: {', '.join(MOTIONS)}")
