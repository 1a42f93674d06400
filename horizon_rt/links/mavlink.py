"""MAVLink 2 (common dialect): HEARTBEAT, ATTITUDE, ODOMETRY and STATUSTEXT.

ATTITUDE is for ground stations, on-screen displays and logs. ODOMETRY carries the covariance of roll and
pitch; what a horizon cannot tell (position, heading, velocity) has a huge variance. Autopilots fuse it at
their own choice: PX4 takes no roll and pitch from it.
"""

from __future__ import annotations

import math
import time
from typing import Any

from horizon_rt.geometry import roll_pitch_quaternion
from horizon_rt.horizon import Horizon, State
from horizon_rt.links.address import LinkAddress
from horizon_rt.system.extras import require

__all__ = ["Mavlink"]

_HUGE = 1e6  # m², rad² and their squares by second
_LOCAL_FRD, _BODY_FRD = 20, 12
_ONBOARD_COMPUTER, _NO_AUTOPILOT = 18, 8
_ODOMETRY_COMPONENT = 197
_VISION = 2
_ACTIVE, _STANDBY = 4, 3
_NOTICE, _INFO = 5, 6
_UPPER = [(i, j) for i in range(6) for j in range(i, 6)]


class Mavlink:
    """Encodes horizons as MAVLink messages of one system and component."""

    def __init__(self, address: LinkAddress) -> None:
        """Raises MissingExtra where pymavlink is not installed, ValueError for ids that are none."""
        require("links", "MAVLink")
        from pymavlink.dialects.v20 import common

        system = int(address.options.get("system", 1))
        component = int(address.options.get("component", _ODOMETRY_COMPONENT))
        if not (1 <= system <= 255 and 1 <= component <= 255):
            raise ValueError("system and component are bytes")
        self._mavlink = common.MAVLink(None, srcSystem=system, srcComponent=component)
        self._state: State = "lost"
        self._resets = 0
        self._boot_s = time.monotonic()

    def encode(self, horizon: Horizon) -> bytes:
        """See `formats.Encoder`."""
        parts = [self._state_text(horizon)]
        if horizon.attitude is not None:
            # ATTITUDE has no place for how sure it is.
            parts += [] if horizon.state == "acquiring" else [self._attitude(horizon)]
            parts.append(self._odometry(horizon))
        return b"".join(parts)

    def idle(self) -> bytes:
        """See `formats.Encoder`."""
        status = _ACTIVE if self._state in ("tracking", "coasting") else _STANDBY
        heartbeat = self._mavlink.heartbeat_encode(_ONBOARD_COMPUTER, _NO_AUTOPILOT, 0, 0, status)
        return self._pack(heartbeat)

    def _state_text(self, horizon: Horizon) -> bytes:
        before, self._state = self._state, horizon.state
        if before == self._state:
            return b""
        if before == "lost":
            self._resets = (self._resets + 1) % 256
        severity = _INFO if self._state == "tracking" else _NOTICE
        text = self._mavlink.statustext_encode(severity, f"horizon {self._state}".encode())
        return self._pack(text)

    def _pack(self, message: Any) -> bytes:
        """The bytes of a message, numbered as the one after the last."""
        packed = bytes(message.pack(self._mavlink))
        self._mavlink.seq = (self._mavlink.seq + 1) % 256
        return packed

    def _ms(self) -> int:
        return int(1e3 * (time.monotonic() - self._boot_s)) % 2**32

    def _attitude(self, horizon: Horizon) -> bytes:
        roll, pitch, roll_rate, pitch_rate = _radians(horizon)
        message = self._mavlink.attitude_encode(self._ms(), roll, pitch, 0.0, roll_rate, pitch_rate, 0.0)
        return self._pack(message)

    def _odometry(self, horizon: Horizon) -> bytes:
        roll, pitch, roll_rate, pitch_rate = _radians(horizon)
        roll_sd, pitch_sd = (math.radians(sd or 0.0) for sd in (horizon.roll_sd_deg, horizon.pitch_sd_deg))
        pose = [_HUGE, _HUGE, _HUGE, roll_sd**2, pitch_sd**2, _HUGE]
        message = self._mavlink.odometry_encode(
            time_usec=1000 * self._ms(),
            frame_id=_LOCAL_FRD,
            child_frame_id=_BODY_FRD,
            x=0.0,
            y=0.0,
            z=0.0,
            q=list(roll_pitch_quaternion(roll, pitch)),
            vx=0.0,
            vy=0.0,
            vz=0.0,
            rollspeed=roll_rate,
            pitchspeed=pitch_rate,
            yawspeed=0.0,
            pose_covariance=[pose[i] if i == j else 0.0 for i, j in _UPPER],
            velocity_covariance=[_HUGE if i == j else 0.0 for i, j in _UPPER],
            reset_counter=self._resets,
            estimator_type=_VISION,
            quality=max(1, round(100 * horizon.observation.confidence)),
        )
        return self._pack(message)


def _radians(horizon: Horizon) -> tuple[float, float, float, float]:
    """Roll, pitch and their rates; a rate that is not known is 0."""
    values = (horizon.roll_deg, horizon.pitch_deg, horizon.roll_rate_dps, horizon.pitch_rate_dps)
    roll, pitch, roll_rate, pitch_rate = (math.radians(value or 0.0) for value in values)
    return roll, pitch, roll_rate, pitch_rate
