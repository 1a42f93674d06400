"""Roll and pitch from logs of flights: tables, ArduPilot, MAVLink, PX4, and telemetry of our own."""

from horizon_rt.flight_logs.opening import LOG_FORMATS, load_log

__all__ = ["LOG_FORMATS", "load_log"]
