"""The turn and the zoom of every frame of a recording, made with all of its attitudes at hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.geometry import wrap_radians
from horizon_rt.levelling.envelope import upper_envelope
from horizon_rt.levelling.geometry import Shutter, Turn, fits, needed_zoom
from horizon_rt.levelling.trajectory import AttitudeTrack, held, segments, slow_mean

__all__ = ["LevelPlan", "LevelSettings", "plan_level"]

Array = NDArray[np.float64]
_PITCH_S = 5.0  # standard deviation of the mean that the pitch is held at
_STEEPEST = math.radians(60.0)
_ZOOM_RATE, _ZOOM_SMOOTH_S = 0.3, 1.0  # of the logarithm of the zoom a second
_TABLE = np.radians(np.arange(0.0, 181.0, 1.0))
_HALVINGS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSettings:
    """How to level: the horizon's roll, or its pitch, too; 0..1 of the way; and what may show.

    `zoom` is the fixed one, None where it follows the need up to `most_zoom`. With `shows_black` nothing is
    cut off. `readout_s` is the time from the first row to the last of a rolling shutter.
    """

    lock: Literal["roll", "roll+pitch"] = "roll"
    strength: float = 1.0
    zoom: float | None = None
    most_zoom: float = 2.2
    shows_black: bool = False
    readout_s: float = 0.0

    @property
    def limit(self) -> float:
        """The largest zoom."""
        return self.most_zoom if self.zoom is None else self.zoom


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPlan:
    """The turn and zoom (N,) of every frame; `is_limited` (N,) where the zoom did not allow all of it."""

    turn: Turn
    zoom: Array
    is_limited: NDArray[np.bool_]


def plan_level(track: AttitudeTrack, camera: Camera, settings: LevelSettings) -> LevelPlan:
    """The plan for frames of one size, whose lens `camera` is."""
    roll, pitch = np.empty(len(track.time_s)), np.zeros(len(track.time_s))
    for part in segments(track.starts):
        roll[part] = held(track.time_s[part], track.roll[part], track.is_sure[part])
        if settings.lock == "roll+pitch":
            pitch[part] = _pitch_turn(track, part)
    wanted = Turn(
        roll=roll if settings.strength == 1 else settings.strength * _let_go(roll),
        pitch=np.clip(settings.strength * pitch, -_STEEPEST, _STEEPEST),
        shutter=_shutter(track, camera, settings.readout_s),
    )
    turn = wanted if settings.shows_black else _possible(camera, wanted, settings.limit)
    zoom = _zoom(track, camera, turn, settings)
    return LevelPlan(turn=turn, zoom=zoom, is_limited=_differ(turn, wanted))


def _pitch_turn(track: AttitudeTrack, part: slice) -> Array:
    """From the pitch of each frame to its slow mean."""
    time_s, sure = track.time_s[part], track.is_sure[part]
    pitch = held(time_s, np.nan_to_num(track.pitch[part]), sure)
    return slow_mean(time_s, pitch, np.where(sure, 1.0, 1e-6), spread_s=_PITCH_S) - pitch


def _shutter(track: AttitudeTrack, camera: Camera, readout_s: float) -> Shutter | None:
    """Where the horizon of a frame lies, nearest to the optical axis, is when its attitude was seen."""
    if not readout_s:
        return None
    sure = track.is_sure
    roll, pitch = np.where(sure, track.roll, 0.0), np.where(sure, track.pitch, 0.0)
    pitch = np.clip(pitch, -_STEEPEST, _STEEPEST)
    ahead = np.stack([np.sin(pitch) * np.sin(roll), np.sin(pitch) * np.cos(roll), np.cos(pitch)], axis=-1)
    row = np.nan_to_num(camera.project(ahead)[:, 1], nan=camera.cy)
    return Shutter(
        readout_s=readout_s,
        roll_rate=np.where(sure, np.nan_to_num(track.roll_rate), 0.0),
        pitch_rate=np.where(sure, np.nan_to_num(track.pitch_rate), 0.0),
        row=np.clip(row, 0.0, camera.height - 1.0),
    )


def _possible(camera: Camera, wanted: Turn, limit: float) -> Turn:
    """What the largest zoom allows. Where that is not every roll, the turn is let go beyond 90°."""
    largest = _largest_roll(camera, limit)
    if largest < math.pi:
        wanted = replace(wanted, roll=np.clip(_let_go(wanted.roll), -largest, largest))
    return _with_less_pitch(camera, wanted, limit)


def _let_go(roll: Array) -> Array:
    """The roll up to ±90°; beyond, it falls to 0 at ±180°, where a part of it would jump: inverted flight is
    then shown inverted.
    """
    wrapped = wrap_radians(roll)
    return np.asarray(np.sign(wrapped) * np.minimum(np.abs(wrapped), math.pi - np.abs(wrapped)))


def _largest_roll(camera: Camera, zoom: float) -> float:
    """Up to which roll either way this zoom shows nothing beyond the picture; π for every one."""
    angles = np.concatenate([_TABLE, -_TABLE])
    inside = fits(camera, np.full(len(angles), zoom), Turn(roll=angles, pitch=np.zeros(len(angles))))
    both = inside[: len(_TABLE)] & inside[len(_TABLE) :]
    return math.pi if both.all() else float(_TABLE[max(int(np.argmin(both)) - 1, 0)])


def _with_less_pitch(camera: Camera, turn: Turn, limit: float) -> Turn:
    """As much of the pitch as the largest zoom allows, found by bisection."""
    zoom = np.full(len(turn.roll), limit)
    beyond = ~fits(camera, zoom, turn)
    if not beyond.any():
        return turn
    low, high = np.zeros(len(zoom)), np.ones(len(zoom))
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        inside = fits(camera, zoom, replace(turn, pitch=middle * turn.pitch))
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return replace(turn, pitch=np.where(beyond, low, 1.0) * turn.pitch)


def _zoom(track: AttitudeTrack, camera: Camera, turn: Turn, settings: LevelSettings) -> Array:
    if settings.shows_black:
        return np.ones(len(turn.roll))
    if settings.zoom is not None:
        return np.full(len(turn.roll), settings.zoom)
    needed = np.log(needed_zoom(camera, turn, most=settings.most_zoom))
    for part in segments(track.starts):
        needed[part] = upper_envelope(
            track.time_s[part], needed[part], rate=_ZOOM_RATE, smooth_s=_ZOOM_SMOOTH_S
        )
    return np.exp(needed)


def _differ(turn: Turn, wanted: Turn) -> NDArray[np.bool_]:
    roll = wrap_radians(turn.roll - wanted.roll)
    return (np.abs(roll) > 1e-6) | (np.abs(turn.pitch - wanted.pitch) > 1e-6)
