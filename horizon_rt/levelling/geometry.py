"""Where the pixels of a levelled picture come from.

The levelled picture is that of a camera with the same lens that is turned about the one of the recording:
pixel → ray of the lens → turned → pixel of the recording. A zoom about the principal point comes before the
lens, so that without a turn the picture stays as it is, distortion included.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera

__all__ = ["Shutter", "Turn", "fits", "needed_zoom", "source_points"]

Array = NDArray[np.float64]
_BORDER = 16  # points on each side of the border, where a straight line may become a curve
_CHUNK = 256  # frames whose border is projected at a time
_BISECTIONS = 16
_SHUTTER_STEPS = 2  # a pixel's row says when it was read, and that where it lies
_TOLERANCE_PX = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutter:
    """A rolling shutter for N frames: the first row is read `readout_s` before the last.

    `roll_rate` and `pitch_rate` (N,) are those of the camera in rad/s; the turn is exact on row `row` (N,).
    """

    readout_s: float
    roll_rate: Array
    pitch_rate: Array
    row: Array

    def part(self, which: slice) -> Shutter:
        """That of some of the frames."""
        return Shutter(
            readout_s=self.readout_s,
            roll_rate=self.roll_rate[which],
            pitch_rate=self.pitch_rate[which],
            row=self.row[which],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """How the levelled camera is turned for N frames, in rad: `roll` (N,) is taken out of the picture, and
    `pitch` (N,) added to that of the camera.
    """

    roll: Array
    pitch: Array
    shutter: Shutter | None = field(default=None)

    def part(self, which: slice) -> Turn:
        """That of some of the frames."""
        shutter = None if self.shutter is None else self.shutter.part(which)
        return Turn(roll=self.roll[which], pitch=self.pitch[which], shutter=shutter)


def source_points(camera: Camera, points: Array, zoom: Array, turn: Turn) -> Array:
    """Where levelled pixels (M, 2) lie in the N frames of the recording, (N, M, 2), in px; NaN where the lens
    sees nothing. `zoom` (N,) is 1 for the picture as it is.
    """
    centre = np.array([camera.cx, camera.cy])
    zoomed = centre + (points - centre) / zoom[:, None, None]
    rays = camera.rays(zoomed.reshape(-1, 2)).reshape(*zoomed.shape[:2], 3)
    roll, pitch, shutter = turn.roll[:, None], turn.pitch[:, None], turn.shutter
    found = _projected(camera, rays, roll, pitch)
    if shutter is not None:
        for _ in range(_SHUTTER_STEPS):
            late_s = shutter.readout_s * (found[..., 1] - shutter.row[:, None]) / camera.height
            late_s = np.clip(np.nan_to_num(late_s), -shutter.readout_s, shutter.readout_s)
            now = roll + shutter.roll_rate[:, None] * late_s, pitch - shutter.pitch_rate[:, None] * late_s
            found = _projected(camera, rays, *now)
    return found


def _projected(camera: Camera, rays: Array, roll: Array, pitch: Array) -> Array:
    """Rays (N, M, 3) of the levelled camera, turned by angles (N, 1) or (N, M) into the recording's.

    The up vector (0, −cos θ', sin θ') of the levelled camera becomes (−cos θ sin φ, −cos θ cos φ, sin θ) with
    roll φ = `roll` and pitch θ = θ' − `pitch`.
    """
    x, y, z = rays[..., 0], rays[..., 1], rays[..., 2]
    level_y = y * np.cos(pitch) - z * np.sin(pitch)
    ahead = y * np.sin(pitch) + z * np.cos(pitch)
    cosine, sine = np.cos(roll), np.sin(roll)
    turned = np.stack([x * cosine + level_y * sine, level_y * cosine - x * sine, ahead], axis=-1)
    return camera.project(turned.reshape(-1, 3)).reshape(*turned.shape[:2], 2)


def _border_points(camera: Camera, *, straight: bool = False) -> Array:
    """Points (M, 2) around the picture: its corners, and those between unless lines stay `straight`."""
    count = 2 if straight else _BORDER + 1
    x = np.linspace(0.0, camera.width - 1.0, count)
    y = np.linspace(0.0, camera.height - 1.0, count)
    sides = [np.column_stack([x, np.full_like(x, at)]) for at in (0.0, camera.height - 1.0)]
    sides += [np.column_stack([np.full_like(y, at), y]) for at in (0.0, camera.width - 1.0)]
    return np.concatenate(sides)


def fits(camera: Camera, zoom: Array, turn: Turn) -> NDArray[np.bool_]:
    """Whether the levelled pictures of N frames show nothing beyond the recording's; (N,)."""
    border = _border_points(camera, straight=camera.is_linear and turn.shutter is None)
    last = np.array([camera.width - 1.0, camera.height - 1.0])
    inside = np.empty(len(zoom), np.bool_)
    for first in range(0, len(zoom), _CHUNK):
        part = slice(first, first + _CHUNK)
        found = source_points(camera, border, zoom[part], turn.part(part))
        beyond = np.maximum(-found, found - last)  # NaN stays so, and does not fit
        inside[part] = (beyond <= _TOLERANCE_PX).all(axis=(1, 2))
    return inside


def needed_zoom(camera: Camera, turn: Turn, *, most: float) -> Array:
    """The least zoom (N,) from 1 to `most` with which nothing beyond the recording's picture shows; `most`
    where none is enough.
    """
    count = len(turn.roll)
    low, high = np.full(count, 1 / most), np.ones(count)
    low = np.where(fits(camera, high, turn), 1.0, low)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        inside = fits(camera, 1 / middle, turn)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.asarray(1 / low)
