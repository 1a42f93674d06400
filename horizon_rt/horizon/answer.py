"""What the tracker says of a frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from horizon_rt.geometry import HorizonLine, Mount, Range, UpVector
from horizon_rt.geometry.earth import dip
from horizon_rt.horizon import row
from horizon_rt.horizon.attitude import Attitude
from horizon_rt.horizon.observation import Observation, View
from horizon_rt.horizon.sighting import Lens, Side, Sighting, range_of, side_of, sighted

__all__ = ["Horizon", "State"]

State = Literal["acquiring", "tracking", "coasting", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """The tracker's answer for one frame.

    `attitude` is the camera's, None where there is no estimate, and so are all angles, sigmas and rates:
    those are the vehicle's where a `mount` is given, else the camera's. `line` is the horizon on an image
    without distortion (None straight up or down), as it is seen: lowered by the dip where a `height_m` of the
    camera above the sea is given. Without a filter (`--smooth none`) the attitude is that of `observation`
    and the rates are None. `width` and `height` are those of the image in px. `latency_ms` and `time_utc`,
    the system's clock when the frame came, are those of live frames and None for recordings. `camera` is the
    lens for this picture; without it points of the picture cannot be told.
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
    camera: Lens | None = None
    height_m: float | None = None

    def __repr__(self) -> str:
        what = self.in_words or f"no estimate, view {self.view}"
        return f"<Horizon at {self.time_s:.3f} s: {what}, {self.state}>"

    @property
    def in_words(self) -> str:
        """Roll and pitch with their sigmas; empty where there is no estimate."""
        angles = (("roll", self.roll_deg, self.roll_sd_deg), ("pitch", self.pitch_deg, self.pitch_sd_deg))
        return ", ".join(_angle(name, value, sd) for name, value, sd in angles if value is not None)

    def to_dict(self) -> dict[str, object]:
        """The row of telemetry: what JSON lines hold of this frame (docs/telemetry.schema.json).

        Pictures that stand alone have `file`, their size and the ends of the line, too.
        """
        attitude, measured = self.vehicle, self._measured
        inliers = 0 if self.observation.measurement is None else self.observation.measurement.inliers
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
            "measured": measured
            and row.measured_fields(measured, self.measured_line, inliers, self.observation.sky_fraction),
            "latency_ms": row.number(self.latency_ms),
        }
        if self.time_utc is not None:
            values["time_utc"] = row.utc_field(self.time_utc)
        if self.file is None:
            return values
        return {**values, **row.picture_fields(self.line, self.width, self.height), "file": self.file}

    @property
    def dip_deg(self) -> float:
        """Angle of the visible horizon below level in degrees; 0 where no height is given."""
        return 0.0 if self.height_m is None else math.degrees(dip(self.height_m))

    def range_to(self, x: float, y: float) -> Range | None:
        """Distance and its standard deviation in m of the point of the sea at an image point in px.

        None above the horizon or within one standard deviation of it, and without an estimate. The
        standard deviation is that of the attitude, and of an assumed lens; an error of the height counts in
        proportion. See `geometry.earth`. Raises ValueError where no height was given.
        """
        if self.height_m is None:
            raise ValueError("a range needs the camera's height over the sea: height_m, or --height")
        seen = self._sighted([(x, y)])
        return None if seen is None else range_of(seen, self.height_m)

    def above(self, x: float, y: float) -> float | None:
        """Probability, 0..1, that an image point in px lies above the horizon; None without an estimate."""
        seen = self._sighted([(x, y)])
        if seen is None or not np.isfinite(seen.elevation[0]):
            return None
        higher = float(seen.elevation[0]) + math.radians(self.dip_deg)
        return 0.5 * math.erfc(-higher / max(float(seen.sd[0]), 1e-12) / math.sqrt(2))

    def side_of(self, box: ArrayLike) -> Side | None:
        """On which side of the horizon a box x1, y1, x2, y2 in px lies: 'sky' or 'sea', all of it, beyond two
        standard deviations; else 'horizon'. None without an estimate.
        """
        x1, y1, x2, y2 = np.asarray(box, np.float64)
        seen = self._sighted([(x1, y1), (x2, y1), (x1, y2), (x2, y2)])
        return None if seen is None else side_of(seen, math.radians(self.dip_deg))

    def sky_filter(self, boxes: ArrayLike) -> NDArray[np.bool_]:
        """Which of the boxes (N, 4), x1, y1, x2, y2 in px, to keep (N,): all but those in the sky."""
        sides = [self.side_of(box) for box in np.asarray(boxes, np.float64).reshape(-1, 4)]
        return np.array([side != "sky" for side in sides], bool)

    def _sighted(self, points: ArrayLike) -> Sighting | None:
        if self.attitude is None or self.camera is None:
            return None
        return sighted(self.camera, self.attitude, points)

    @property
    def up(self) -> UpVector | None:
        """The up vector in the camera's axes."""
        return None if self.attitude is None else self.attitude.up

    @property
    def vehicle(self) -> Attitude | None:
        """The attitude of the vehicle; the camera's where no mount is given."""
        return None if self.attitude is None else self.attitude.of_vehicle(self.mount)

    @property
    def _measured(self) -> Attitude | None:
        """The vehicle's attitude of this frame alone."""
        found = self.observation.measurement
        if found is None:
            return None
        error = None
        if self.camera is not None:
            error = self.camera.focal_error(found.up, math.radians(self.dip_deg))
        return Attitude(up=found.up, covariance=found.covariance, focal_error=error).of_vehicle(self.mount)

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
