"""A track against the log of the same flight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.fields import mount, table
from horizon_rt.comparison.alignment import Alignment, align
from horizon_rt.comparison.motion import Attitudes, motion_of
from horizon_rt.comparison.statistics import StateErrors, errors_by_state
from horizon_rt.errors import CameraModelError, SourceError
from horizon_rt.geometry import Mount, wrap_degrees
from horizon_rt.geometry.rotation import rotations
from horizon_rt.geometry.up_vector import roll_pitch_deg
from horizon_rt.horizon.row import number
from horizon_rt.tracks import AttitudeLog, Track

__all__ = ["Comparison", "compare"]

Array = NDArray[np.float64]
_USED = ("tracking",)  # states whose attitude the clocks are aligned by
_LARGEST_YAW_SD_DEG = 5.0
_TURN = 1e-5  # rad, of a numerical derivative


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A track against a log: how the two were aligned, and the errors that are left.

    All arrays have an element for each frame of the track, NaN where there is none: the time of the log, and
    its roll and pitch as seen from the track's axes, through `mount`. `mount` is what turns the log's axes
    into those of the track, found from the two, with standard deviations of its roll, pitch and yaw in
    degrees; where `mount_applied` is false, it is told but not taken out. The yaw is 0, with a standard
    deviation of NaN, where the motion does not tell it. `camera_mount` is that of the camera in the log's
    axes: as `mount`, but for a track that had a mount of its own.
    """

    track: Track = field(repr=False)
    log: AttitudeLog = field(repr=False)
    alignment: Alignment
    mount: Mount
    mount_sd_deg: tuple[float, float, float]
    mount_applied: bool
    camera_mount: Mount
    log_time_s: Array = field(repr=False)
    log_roll_deg: Array = field(repr=False)
    log_pitch_deg: Array = field(repr=False)
    errors: Mapping[str, StateErrors]

    @property
    def roll_error_deg(self) -> Array:
        """Roll of the track minus that of the log in degrees, (n,), in [-180, 180)."""
        return np.asarray(wrap_degrees(self.track.roll_deg - self.log_roll_deg))

    @property
    def pitch_error_deg(self) -> Array:
        """Pitch of the track minus that of the log in degrees, (n,)."""
        return np.asarray(self.track.pitch_deg - self.log_pitch_deg)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        one = self.alignment
        return {
            "source": self.track.header.get("source"),
            "log": {"name": self.log.name, "format": self.log.format, "samples": len(self.log)},
            "offset_s": round(one.offset_s, 6),
            "offset_sd_s": number(one.offset_sd_s),
            "drift_ppm": None if one.drift is None else number(1e6 * one.drift),
            "drift_sd_ppm": None if one.drift_sd is None else number(1e6 * one.drift_sd),
            "offset_at_s": number(one.middle_s),
            "correlation": number(one.correlation),
            "overlap_s": number(one.overlap_s),
            "mount": {name: number(value) for name, value in asdict(self.mount).items()},
            "mount_sd_deg": [number(value) for value in self.mount_sd_deg],
            "mount_applied": self.mount_applied,
            "camera_mount": {name: number(value) for name, value in asdict(self.camera_mount).items()},
            "errors": {name: value.to_dict() for name, value in self.errors.items()},
        }


def compare(
    track: Track,
    log: AttitudeLog,
    *,
    offset_s: float | None = None,
    within_s: float = 30.0,
    mount: bool = True,
) -> Comparison:
    """Align a track with the log of its flight and tell its errors.

    The clocks are aligned by the rates of the two, whatever the mount. Where an offset (log time minus
    telemetry time) is known roughly, give it as `offset_s`, good to `within_s` seconds. Without `mount` the
    mounting offset is told, but stays in the errors. Raises SourceError, with the reason, where the two
    cannot be aligned.
    """
    if track.file:
        raise SourceError("the telemetry is that of pictures that stand alone, which have no rates")
    used = np.isin(track.state, _USED)
    ours = Attitudes.of(track.time_s[used], track.roll_deg[used], track.pitch_deg[used])
    theirs = Attitudes.of(log.time_s, log.roll_deg, log.pitch_deg)
    bounds = None if offset_s is None else (offset_s - within_s, offset_s + within_s)
    alignment = align(
        motion_of(ours, what="the telemetry"), motion_of(theirs, what=log.name or "the log"), bounds
    )
    rotation, sd_deg = _mount(alignment)
    return _comparison(track, log, theirs, alignment, rotation, sd_deg, mount)


def _mount(alignment: Alignment) -> tuple[Array, tuple[float, float, float]]:
    """The rotation to take, and the standard deviations of its roll, pitch and yaw in degrees.

    A turn about the vehicle's vertical that the motion does not tell is left out as yaw: roll and pitch are
    then what a level vehicle shows. Where the camera looks straight up or down, roll and yaw are one angle.
    """
    rotation = alignment.rotation
    steps = rotations(_TURN * np.repeat(np.eye(3), 2, axis=0) * np.tile([1.0, -1.0], 3)[:, None])
    turns = [_angles_of(step @ rotation) for step in steps]
    jacobian = np.column_stack([wrap_degrees(a - b) for a, b in zip(turns[::2], turns[1::2], strict=True)])
    jacobian /= 2 * _TURN
    roll, pitch, yaw = np.sqrt(np.diag(jacobian @ alignment.rotation_covariance @ jacobian.T)).tolist()
    vertical = rotation @ np.array([0.0, 1.0, 0.0])
    turned = float(np.degrees(np.sqrt(vertical @ alignment.rotation_covariance @ vertical)))
    if turned <= _LARGEST_YAW_SD_DEG:
        return rotation, (roll, pitch, yaw)
    found = Mount.from_rotation(rotation)
    plain = Mount(roll_deg=found.roll_deg, pitch_deg=found.pitch_deg)
    return plain.rotation, (roll, pitch, np.nan)


def _angles_of(rotation: Array) -> Array:
    """Roll, pitch and yaw (3,) in degrees of the mount of a rotation."""
    mount = Mount.from_rotation(rotation)
    return np.array([mount.roll_deg, mount.pitch_deg, mount.yaw_deg])


def _comparison(
    track: Track,
    log: AttitudeLog,
    theirs: Attitudes,
    alignment: Alignment,
    rotation: Array,
    sd_deg: tuple[float, float, float],
    applied: bool,
) -> Comparison:
    at = alignment.log_time(track.time_s)
    up, known = theirs.at(at)
    roll, pitch = roll_pitch_deg(up @ rotation.T if applied else up)
    roll[~known] = pitch[~known] = np.nan
    error = np.column_stack([wrap_degrees(track.roll_deg - roll), track.pitch_deg - pitch])
    sd = np.column_stack([track.roll_sd_deg, track.pitch_sd_deg])
    own = np.eye(3) if (given := _mount_of(track)) is None else given.rotation
    return Comparison(
        track=track,
        log=log,
        alignment=alignment,
        mount=Mount.from_rotation(rotation),
        mount_sd_deg=sd_deg,
        mount_applied=applied,
        camera_mount=Mount.from_rotation(own @ rotation),
        log_time_s=np.where(known, at, np.nan),
        log_roll_deg=roll,
        log_pitch_deg=pitch,
        errors=errors_by_state(track.state, known, error, sd),
    )


def _mount_of(track: Track) -> Mount | None:
    """That of the header; raises SourceError for what is none."""
    given = track.header.get("mount")
    if given is None:
        return None
    try:
        return mount(table(track.header, "mount"))
    except CameraModelError as error:
        raise SourceError(f"the telemetry's header has no mount that can be used: {error}") from error
