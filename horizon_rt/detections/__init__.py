"""Boxes that a detector found: read, judged by the horizon, written and drawn."""

from horizon_rt.detections.boxes import Box, Boxes
from horizon_rt.detections.reading import read_boxes

__all__ = ["Box", "Boxes", "read_boxes"]
