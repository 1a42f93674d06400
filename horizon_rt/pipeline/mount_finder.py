"""The mount of a camera, from the horizon that it sees while its vehicle is known to be level."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.errors import CalibrationError
from horizon_rt.frame import Frame
from horizon_rt.geometry import Mount, UpVector
from horizon_rt.horizon import Horizon, Measurement, roll_pitch_sd_deg
from horizon_rt.options import RunOptions
from horizon_rt.pipeline.run import camera_for, make_tracker
from horizon_rt.pipeline.stages import run_pipeline
from horizon_rt.sinks import Sink
from horizon_rt.sources import Source

__all__ = ["LevelMount", "Seen", "find_mount", "level_mount"]

Array = NDArray[np.float64]
_LEAST_FRAMES = 20
_LEAST_SHARE = 0.8
_LEAST_OF_TIME = 0.5
_MOST_SPREAD_DEG, _MOST_SD_DEG = 1.0, 1.0
_OUTLIER_SIGMAS = 4.0
_RAYLEIGH_MEDIAN = 1.1774  # of the distance from the centre, in standard deviations of each axis
_LEAST_SCALE_RAD = math.radians(0.25)  # what lies within a degree counts as spread, not as elsewhere
_BLOCKS = 10  # over which the mean is compared: frames that follow one another err alike


class Seen(NamedTuple):
    """A frame since the horizon was first tracked; `measurement` is None where it was not."""

    time_s: float
    measurement: Measurement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelMount:
    """A mount with the standard deviations of its roll and pitch in degrees.

    `spread_deg` are those of roll and pitch from frame to frame; `frames` were used, of `seconds`.
    """

    mount: Mount
    sd_deg: tuple[float, float]
    spread_deg: tuple[float, float]
    frames: int
    seconds: float


class _Collector(Sink):
    """Keeps what is seen for so many seconds from the first frame on that is tracked."""

    def __init__(self, seconds: float) -> None:
        self.seen: list[Seen] = []
        self._seconds = seconds
        self._first_s: float | None = None
        self._now_s = 0.0

    @property
    def wants_stop(self) -> bool:
        """Whether the time is over, for which it also waits for a first tracked frame."""
        since_s = self.seen[0].time_s if self.seen else self._first_s
        return since_s is not None and self._now_s - since_s >= self._seconds

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self._now_s = frame.time_s
        self._first_s = frame.time_s if self._first_s is None else self._first_s
        tracked = horizon.observation.measurement if horizon.state == "tracking" else None
        if self.seen or tracked is not None:
            self.seen.append(Seen(frame.time_s, tracked))

    def _finish(self) -> None:
        pass


def find_mount(
    source: Source, options: RunOptions, *, seconds: float = 10.0, yaw_deg: float = 0.0
) -> LevelMount:
    """Track a source for some seconds and close it; see `level_mount`.

    A source that ends before half of the time is over says too little. Raises HorizonError, and
    KeyboardInterrupt where a signal ended it.
    """
    with source:
        if source.info.is_image_set:
            raise CalibrationError(f"{source.info.name}: a mount is found in a camera, stream or recording")
        profile, collector = camera_for(options, source.info), _Collector(seconds)
        tracker = make_tracker(options, source.info, profile, real_time=source.info.live)
        if run_pipeline(source, tracker, [collector]).interrupted:
            raise KeyboardInterrupt
    seen = collector.seen
    if not seen:
        raise CalibrationError(f"no horizon was tracked within {seconds:g} s; look at it with `live` first")
    lasted_s = seen[-1].time_s - seen[0].time_s
    if lasted_s < _LEAST_OF_TIME * seconds:
        raise CalibrationError(
            f"the source ended {lasted_s:.1f} s after the horizon was first tracked, of {seconds:g} s; "
            "ask for less with --seconds"
        )
    return _with_doubt_of_lens(level_mount(seen, yaw_deg=yaw_deg), profile.model)


def level_mount(seen: list[Seen], *, yaw_deg: float = 0.0) -> LevelMount:
    """The mount of a camera whose vehicle was level all the time: its up vectors, averaged without outliers.

    Its variance is what the means of tenths of the time differ by, and the correlated part of the
    measurements, which no average takes away. Raises CalibrationError where fewer than 20 frames or 80 % of
    them were tracked, more than 20 % lie elsewhere, roll or pitch vary by more than 1° (one standard
    deviation), or are known to no better than 1° but for an assumed lens.
    """
    used = [Seen(time_s, measured) for time_s, measured in seen if measured is not None]
    if len(used) < max(_LEAST_FRAMES, _LEAST_SHARE * len(seen)):
        raise CalibrationError(
            f"the horizon was tracked in {len(used)} of {len(seen)} frames, too few for a mount; "
            "look for a clear horizon, or ask for more --seconds"
        )
    times, ups, correlated = _arrays(used)
    fits = _inliers(ups)
    up = UpVector.from_vector(ups[fits].mean(axis=0))
    spread = roll_pitch_sd_deg(up, np.cov(ups[fits].T))
    _check_still(float(fits.mean()), spread)
    covariance = _covariance_of_mean(times[fits], ups[fits]) + correlated[fits].mean(axis=0)
    return LevelMount(
        mount=Mount(roll_deg=up.roll_deg, pitch_deg=up.pitch_deg, yaw_deg=yaw_deg),
        sd_deg=_checked_sd(up, covariance),
        spread_deg=spread,
        frames=int(fits.sum()),
        seconds=float(times[-1] - times[0]),
    )


def _with_doubt_of_lens(found: LevelMount, camera: Camera) -> LevelMount:
    """The same with what an assumed focal length adds to the sigmas."""
    up = UpVector.from_roll_pitch(found.mount.roll_deg, found.mount.pitch_deg)
    error = camera.focal_error(up)
    if error is None:
        return found
    lens = roll_pitch_sd_deg(up, np.outer(error, error))
    roll, pitch = (math.hypot(*both) for both in zip(found.sd_deg, lens, strict=True))
    return replace(found, sd_deg=(roll, pitch))


def _arrays(used: list[Seen]) -> tuple[Array, Array, Array]:
    """Times (N,), up vectors (N, 3) and the correlated parts of their covariances (N, 3, 3)."""
    measured = [one.measurement for one in used if one.measurement is not None]
    ups, correlated = [m.up.as_array() for m in measured], [m.correlated for m in measured]
    return np.array([one.time_s for one in used]), np.array(ups), np.array(correlated)


def _check_still(share: float, spread_deg: tuple[float, float]) -> None:
    if share < _LEAST_SHARE or max(spread_deg) > _MOST_SPREAD_DEG:
        roll, pitch = spread_deg
        raise CalibrationError(
            f"the camera moved too much: {100 - 100 * share:.0f} % of the frames lie elsewhere, the others "
            f"vary by {roll:.2f}° of roll and {pitch:.2f}° of pitch; keep the vehicle level and still"
        )


def _checked_sd(up: UpVector, covariance: Array) -> tuple[float, float]:
    sd = roll_pitch_sd_deg(up, covariance)
    if max(sd) > _MOST_SD_DEG:
        raise CalibrationError(
            f"the mount would be known to ±{sd[0]:.1f}° of roll and ±{sd[1]:.1f}° of pitch only; "
            "look for a clearer horizon"
        )
    return sd


def _inliers(ups: Array) -> NDArray[np.bool_]:
    """Which unit vectors (N, 3) lie within four standard deviations of their median."""
    centre = np.median(ups, axis=0)
    away = np.linalg.norm(ups - centre / np.linalg.norm(centre), axis=1)
    scale = max(float(np.median(away)) / _RAYLEIGH_MEDIAN, _LEAST_SCALE_RAD)
    return np.asarray(away <= _OUTLIER_SIGMAS * scale)


def _covariance_of_mean(times: Array, ups: Array) -> Array:
    """Covariance (3, 3) of the mean, from the means of blocks of time, which err nearly independently."""
    span = max(float(times[-1] - times[0]), math.ulp(1.0))
    block = np.minimum((_BLOCKS * (times - times[0]) / span).astype(int), _BLOCKS - 1)
    means = np.array([ups[block == number].mean(axis=0) for number in np.unique(block)])
    return np.asarray(np.cov(means.T) / len(means))
