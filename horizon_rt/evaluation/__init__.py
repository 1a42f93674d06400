"""Accuracy against truth: metrics named as the field names them, and the runs and reports made of them."""

from horizon_rt.evaluation.lines import LineError, line_error, summarise
from horizon_rt.evaluation.masks import MaskCounts
from horizon_rt.evaluation.refusal import summarise_refusal
from horizon_rt.evaluation.sequences import AttitudeError, summarise_attitude, summarise_sequences
from horizon_rt.evaluation.uncertainty import summarise_uncertainty

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
