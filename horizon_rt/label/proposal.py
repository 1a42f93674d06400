"""The tracker's answer for a frame as the straight line to start from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from horizon_rt.camera import Camera
from horizon_rt.camera.projection import SkyFrame, view_radius, visible_runs
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.horizon import Observation, View

__all__ = ["Proposal", "image_line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What the tracker sees in a frame; `line` is None where it sees no horizon.

    The standard deviations are those of the line's tilt in degrees and of its distance from the image
    centre in px.
    """

    view: View
    confidence: float
    line: HorizonLine | None = None
    angle_sd_deg: float = 0.0
    offset_sd_px: float = 0.0

    @classmethod
    def of(cls, observation: Observation, camera: Camera) -> Proposal:
        """The observation of one frame on the picture of this lens."""
        measured = observation.measurement
        line = None if measured is None else image_line(measured.up, camera)
        if measured is None or line is None:
            return cls(view=observation.view, confidence=observation.confidence)
        roll_sd, pitch_sd = measured.sd_deg
        return cls(
            view=observation.view,
            confidence=observation.confidence,
            line=line,
            angle_sd_deg=roll_sd,
            offset_sd_px=math.radians(pitch_sd) * _px_per_rad(measured.up, camera),
        )


def _px_per_rad(up: UpVector, camera: Camera) -> float:
    """Of elevation, where the horizon is nearest to the optical axis: focal / cos²(pitch) for a pinhole."""
    step = 1e-4
    below, above = camera.project(SkyFrame.of(up).rays(np.zeros(2), np.array([-step, step])))
    scale = float(np.hypot(*(above - below))) / (2 * step)
    return scale if math.isfinite(scale) else camera.focal_px


def image_line(up: UpVector, camera: Camera) -> HorizonLine | None:
    """The straight line nearest to the horizon's curve in the picture; None where it is out of view.

    Total least squares through the projected horizon: exact for a lens without distortion.
    """
    sky = SkyFrame.of(up)
    points = camera.project(sky.rays(SkyFrame.azimuths(view_radius(camera)), 0.0))
    runs = visible_runs(points, camera, margin=0.0)
    if not runs:
        return None
    seen = np.concatenate(runs)
    middle = seen.mean(axis=0)
    dx, dy = np.linalg.svd(seen - middle, full_matrices=False)[2][0]
    angle = math.atan2(dy, dx)
    nx, ny = math.sin(angle), -math.cos(angle)
    if nx * up.x + ny * up.y < 0:
        nx, ny, angle = -nx, -ny, angle + math.pi
    centre = (camera.width - 1) / 2 - middle[0], (camera.height - 1) / 2 - middle[1]
    return HorizonLine(math.degrees(math.atan2(nx, -ny)), float(nx * centre[0] + ny * centre[1]))
