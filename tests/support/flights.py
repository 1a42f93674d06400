"""Flights whose attitude is known at every time, as a log and as a camera's telemetry would have them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import horizon_rt as hz
from horizon_rt.geometry import Mount

Array = NDArray[np.float64]


def bandlimited(
    rng: np.random.Generator, *, count: int = 60, slowest: float, fastest: float
) -> tuple[Array, Array, Array]:
    """Frequencies in rad/s, phases and amplitudes that make a random motion of unit standard deviation."""
    frequency = 2 * np.pi * np.exp(rng.uniform(np.log(slowest), np.log(fastest), count))
    amplitude = rng.exponential(1.0, count)
    return frequency, rng.uniform(0, 2 * np.pi, count), amplitude / np.sqrt(0.5 * (amplitude**2).sum())


@dataclass
class Flight:
    """Roll and pitch in degrees as sums of sinusoids; rolls of `roll_sd`, pitches of `pitch_sd`."""

    seed: int
    roll_sd: float = 12.0
    pitch_sd: float = 5.0
    slowest: float = 0.03
    fastest: float = 0.8
    _parts: list[tuple[Array, Array, Array]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self._parts = [bandlimited(rng, slowest=self.slowest, fastest=self.fastest) for _ in range(2)]

    def attitude(self, time_s: Array) -> tuple[Array, Array]:
        """Roll and pitch of the vehicle in degrees at times (n,)."""
        roll, pitch = (
            (amplitude * np.sin(np.outer(time_s, frequency) + phase)).sum(axis=1)
            for frequency, phase, amplitude in self._parts
        )
        return self.roll_sd * roll, self.pitch_sd * pitch

    def seen(self, time_s: Array, mount: Mount | None) -> tuple[Array, Array]:
        """Roll and pitch in degrees of a camera on it."""
        roll, pitch = np.radians(self.attitude(time_s))
        up = np.column_stack([-np.cos(pitch) * np.sin(roll), -np.cos(pitch) * np.cos(roll), np.sin(pitch)])
        if mount is not None:
            up = up @ mount.rotation.T
        return np.degrees(np.arctan2(-up[:, 0], -up[:, 1])), np.degrees(np.arcsin(np.clip(up[:, 2], -1, 1)))


def correlated_noise(rng: np.random.Generator, time_s: Array, sd: float, correlation_s: float) -> Array:
    """Errors (n,) of a Gauss-Markov process at an even rate."""
    keep = np.exp(-(time_s[1] - time_s[0]) / correlation_s)
    drive = rng.normal(size=len(time_s)) * sd * np.sqrt(1 - keep**2)
    out = np.empty(len(time_s))
    out[0] = sd * rng.normal()
    for k in range(1, len(out)):
        out[k] = keep * out[k - 1] + drive[k]
    return out


def made_track(time: Array, roll: Array, pitch: Array, **more: Any) -> hz.Track:
    """A track of these angles; `state` is optional, as is every other field of a track."""
    n = len(time)
    names = ("confidence", "angle_deg", "offset_px", "roll_rate_dps", "pitch_rate_dps")
    nothing: Any = {name: np.full(n, np.nan) for name in names}
    sd = np.full(n, float(np.hypot(0.4, 0.15)))
    return hz.Track(
        frame=np.arange(n), time_s=time, roll_deg=roll, pitch_deg=pitch, roll_sd_deg=sd, pitch_sd_deg=sd,
        state=more.pop("state", np.full(n, "tracking")), view=np.full(n, "horizon"), **nothing, **more,
    )  # fmt: skip


def seen_track(
    flight: Flight, *, span_s: float, mount: Mount | None, offset_s: float, drift: float, **more: Any
) -> hz.Track:
    """Telemetry of a camera on it, with errors that are white and such that last a while."""
    rng = np.random.default_rng(flight.seed + 1000)
    time = np.arange(0, span_s, 1 / 30)
    roll, pitch = flight.seen(time + offset_s + drift * time, mount)
    roll += correlated_noise(rng, time, 0.4, 1.0) + rng.normal(size=len(time)) * 0.15
    pitch += correlated_noise(rng, time, 0.4, 3.0) + rng.normal(size=len(time)) * 0.15
    return made_track(time, roll, pitch, **more)


def log_of(flight: Flight, times: Array) -> hz.AttitudeLog:
    """The log of its autopilot."""
    roll, pitch = flight.attitude(times)
    return hz.AttitudeLog(time_s=times, roll_deg=roll, pitch_deg=pitch, name="a.csv", format="table")
