"""Attitude in the formats of other programs, written from rows of telemetry."""
