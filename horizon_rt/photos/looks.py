"""How far a photograph is tilted: looked at as it is, and mirrored, levelled and cropped.

Sigma says how well a look fits; whether another look would find the same line, it knows in part only. Five
looks cost little where nobody waits, and where they agree they are right (docs/straighten.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horizon_rt.camera import Camera
from horizon_rt.photos.crop import Crop
from horizon_rt.photos.photo import Pixels
from horizon_rt.sources.images import frame_from_image
from horizon_rt.tracker import HorizonTracker

__all__ = ["Tilt", "first_look", "more_looks"]

_MARGIN = 1 / 12  # of each side, that the last look leaves out


@dataclass(frozen=True, slots=True)
class Tilt:
    """Of the horizon, in degrees, positive where its right end lies lower, with one standard deviation.

    `spread_deg` is what the looks differ by, None after one.
    """

    angle_deg: float
    sd_deg: float
    spread_deg: float | None = None


def first_look(pixels: Pixels, tracker: HorizonTracker) -> Tilt | None:
    """The tilt of a picture, grey or BGR; None where it shows no horizon."""
    height, width = pixels.shape[:2]
    tracker.camera = Camera.assumed(width, height)
    horizon = tracker.update(frame_from_image(np.ascontiguousarray(pixels), index=0))
    if horizon.line is None or horizon.attitude is None:
        return None
    return Tilt(horizon.line.angle_deg, horizon.attitude.sd_deg[0])


def more_looks(pixels: Pixels, first: Tilt, tracker: HorizonTracker) -> Tilt | None:
    """The median of five looks; None where one of them shows no horizon."""
    height, width = pixels.shape[:2]
    levelled = Crop(width, height, first.angle_deg).of(pixels)
    rows, columns = (round(side * _MARGIN) for side in levelled.shape[:2])
    inner = levelled[rows : levelled.shape[0] - rows, columns : levelled.shape[1] - columns]
    looks = [
        (0.0, 1, first),
        (0.0, -1, first_look(pixels[:, ::-1], tracker)),
        (first.angle_deg, 1, first_look(levelled, tracker)),
        (first.angle_deg, -1, first_look(levelled[:, ::-1], tracker)),
        (first.angle_deg, 1, first_look(inner, tracker)),
    ]
    angles = [start + sign * seen.angle_deg for start, sign, seen in looks if seen is not None]
    if len(angles) < len(looks):
        return None
    sds = [seen.sd_deg for _, _, seen in looks if seen is not None]
    return Tilt(float(np.median(angles)), float(np.median(sds)), max(angles) - min(angles))
