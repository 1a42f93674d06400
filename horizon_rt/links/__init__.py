"""Telemetry to other programs and devices: MAVLink, NMEA 0183, MQTT and JSON lines.

`open_link` is the one way in; each link sends the newest attitude at its own rate from its own thread, so
that none can hold up the tracker.
"""

from __future__ import annotations

from horizon_rt.links.opening import open_link
from horizon_rt.links.sender import Counts, LinkSink

__all__ = ["Counts", "LinkSink", "open_link"]
