"""What a link sends: bytes made of the newest horizon."""

from __future__ import annotations

import json
import math
from typing import Protocol

from horizon_rt.horizon import Horizon

__all__ = ["Encoder", "JsonLines", "Nmea", "row_json"]


class Encoder(Protocol):
    """Turns horizons into what a link sends."""

    def encode(self, horizon: Horizon) -> bytes:
        """The messages of a horizon; none where it says nothing."""

    def idle(self) -> bytes:
        """What is sent once a second whether or not there is a frame."""


def row_json(horizon: Horizon) -> bytes:
    """The row of telemetry (schema horizon-rt/1)."""
    return json.dumps(horizon.to_dict(), separators=(",", ":"), allow_nan=False).encode()


class JsonLines:
    """The row of telemetry (schema horizon-rt/1), a line each."""

    def encode(self, horizon: Horizon) -> bytes:
        """See `Encoder`."""
        return row_json(horizon) + b"\n"

    def idle(self) -> bytes:
        """See `Encoder`."""
        return b""


class Nmea:
    """NMEA 0183 XDR: pitch, positive with the bow up, and roll, positive with the starboard side down."""

    def encode(self, horizon: Horizon) -> bytes:
        """See `Encoder`."""
        if horizon.pitch_deg is None or horizon.roll_deg is None or horizon.state == "acquiring":
            return b""  # it has no place for how sure they are
        fields = f"YXXDR,A,{_degrees(horizon.pitch_deg)},D,PTCH,A,{_degrees(horizon.roll_deg)},D,ROLL"
        checksum = 0
        for byte in fields.encode():
            checksum ^= byte
        return f"${fields}*{checksum:02X}\r\n".encode()

    def idle(self) -> bytes:
        """See `Encoder`."""
        return b""


def _degrees(value: float) -> str:
    return f"{round(value, 1) + 0.0:.1f}" if math.isfinite(value) else ""  # −0.0 becomes 0.0
