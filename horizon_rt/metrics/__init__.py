"""Accuracy against truth, as pure numbers: metrics named as the field names them."""

from horizon_rt.metrics.detection import summarise_refusal
from horizon_rt.metrics.lines import LineError, line_error, summarise
from horizon_rt.metrics.masks import MaskCounts
from horizon_rt.metrics.sequences import AttitudeError, summarise_attitude, summarise_sequences
from horizon_rt.metrics.uncertainty import summarise_uncertainty

__all__ = [
    "AttitudeError",
    "LineError",
    "MaskCounts",
    "line_error",
    "summarise",
    "summarise_attitude",
    "summarise_refusal",
    "summarise_sequences",
    "summarise_uncertainty",
]
