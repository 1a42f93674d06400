"""What the tracker says of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from horizon_rt.geometry import HorizonLine, Mount, UpVector
from horizon_rt.horizon import row
from horizon_rt.horizon.attitude import Attitude
from horizon_rt.horizon.observation import Observation, View

__all__ = ["Horizon", "State"]

State = Literal["acquiring", "tracking", "coasting", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """The tracker's answer for one frame.

    `attitude` is the camera's, None where there is no estimate, and so are all angles, sigmas and rates:
    those are the vehicle's where a `mount` is given, else the camera's. `line` is the horizon on an image
    without distortion (None straight up or down). Without a filter (`--smooth none`) the attitude is that of
    `observation` and the rates are None. `width` and `height` are those of the image in
    px. `latency_ms` and `time_utc`, the system's clock when the frame came, are those of live frames and None
    for recordings.
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
    width: int | None = None
    height: int | None = None
    time_utc: datetime | None = None
    mount: Mount | None = None

    def __repr__(self) -> str:
        angles = (("roll", self.roll_deg, self.roll_sd_deg), ("pitch", self.pitch_deg, self.pitch_sd_deg))
        said = [_angle(name, value, sd) for name, value, sd in angles if value is not None]
        what = ", ".join(said) or f"no estimate, view {self.view}"
        return f"<Horizon at {self.time_s:.3f} s: {what}, {self.state}>"

    def to_dict(self) -> dict[str, object]:
        """The row of telemetry: what JSON lines hold of this frame (docs/telemetry.schema.json).

        Pictures that stand alone have `file`, their size and the ends of the line, too.
        """
        measurement, attitude = self.observation.measurement, self.vehicle
        roll, pitch = (None, None) if attitude is None else (attitude.up.roll_deg, attitude.up.pitch_deg)
        roll_sd, pitch_sd = (None, None) if attitude is None else attitude.sd_deg
        roll_rate, pitch_rate = (attitude.rates_dps if attitude else None) or (None, None)
        values: dict[str, object] = {
            "frame": int(self.frame),
            "time_s": row.time_field(self.time_s),
            "state": self.state,
            "view": self.view,
            "confidence": row.number(self.confidence),
            "roll_deg": row.number(roll),
            "pitch_deg": row.number(pitch),
            "roll_sd_deg": row.number(roll_sd),
            "pitch_sd_deg": row.number(pitch_sd),
            "roll_rate_dps": row.number(roll_rate),
            "pitch_rate_dps": row.number(pitch_rate),
            **row.line_fields(self.line),
            "measured": measurement
            and row.measured_fields(
                measurement, self.measured_line, self.observation.sky_fraction, self.mount
            ),
            "latency_ms": row.number(self.latency_ms),
        }
        if self.time_utc is not None:
            values["time_utc"] = row.utc_field(self.time_utc)
        if self.file is None:
            return values
        return {**values, **row.picture_fields(self.line, self.width, self.height), "file": self.file}

    @property
    def up(self) -> UpVector | None:
        """The up vector in the camera's axes."""
        return None if self.attitude is None else self.attitude.up

    @property
    def vehicle(self) -> Attitude | None:
        """The attitude of the vehicle; the camera's where no mount is given."""
        return None if self.attitude is None else self.attitude.of_vehicle(self.mount)

    @property
    def roll_deg(self) -> float | None:
        """Roll of the vehicle in degrees, positive with the right wing down."""
        return None if (vehicle := self.vehicle) is None else vehicle.up.roll_deg

    @property
    def pitch_deg(self) -> float | None:
        """Pitch of the vehicle in degrees, positive nose up."""
        return None if (vehicle := self.vehicle) is None else vehicle.up.pitch_deg

    @property
    def roll_sd_deg(self) -> float | None:
        """One standard deviation of roll in degrees."""
        return None if (vehicle := self.vehicle) is None else vehicle.sd_deg[0]

    @property
    def pitch_sd_deg(self) -> float | None:
        """One standard deviation of pitch in degrees."""
        return None if (vehicle := self.vehicle) is None else vehicle.sd_deg[1]

    @property
    def roll_rate_dps(self) -> float | None:
        """Rate of roll in degrees per second; None without a filter."""
        rates = None if (vehicle := self.vehicle) is None else vehicle.rates_dps
        return None if rates is None else rates[0]

    @property
    def pitch_rate_dps(self) -> float | None:
        """Rate of pitch in degrees per second; None without a filter."""
        rates = None if (vehicle := self.vehicle) is None else vehicle.rates_dps
        return None if rates is None else rates[1]

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
