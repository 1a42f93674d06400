"""Telemetry against the log of a flight: clocks aligned, the mounting offset found, errors counted."""

from horizon_rt.comparison.compare import Comparison, compare
from horizon_rt.comparison.statistics import AxisErrors, StateErrors

__all__ = ["AxisErrors", "Comparison", "StateErrors", "compare"]
