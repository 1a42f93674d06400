"""From a track to the answer for a frame."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from horizon_rt.camera import Camera
from horizon_rt.frame import Frame
from horizon_rt.geometry import HorizonLine, Mount
from horizon_rt.geometry.earth import dip
from horizon_rt.horizon import Attitude, Horizon, Observation
from horizon_rt.tracking.filter import Track
from horizon_rt.tracking.smoother import smooth_tracks

__all__ = ["answer_at", "answer_for", "smooth_horizons"]


def answer_for(
    frame: Frame,
    observation: Observation,
    track: Track,
    camera: Camera,
    mount: Mount | None = None,
    height_m: float | None = None,
) -> Horizon:
    """A frame's observation and track with their image lines; mount and height are those of the camera."""
    down = 0.0 if height_m is None else dip(height_m)
    measured = observation.measurement
    age_s = time.perf_counter() - frame.decoded_at_s if frame.live else None
    return Horizon(
        frame=frame.index,
        time_s=frame.time_s,
        state=track.state,
        observation=observation,
        attitude=_of_lens(track.attitude, camera, down),
        line=_line(track.attitude, camera, down),
        measured_line=None if measured is None else camera.line(measured.up, down),
        latency_ms=None if age_s is None else 1e3 * age_s,
        file=frame.name,
        width=frame.width,
        height=frame.height,
        time_utc=None if age_s is None else datetime.now(UTC) - timedelta(seconds=age_s),
        mount=mount,
        camera=camera,
        height_m=height_m,
    )


def answer_at(last: Horizon, time_s: float, track: Track, camera: Camera) -> Horizon:
    """The answer for another time than that of the last frame."""
    return replace(_with_track(last, track, camera), time_s=time_s, time_utc=None)


def smooth_horizons(horizons: Sequence[Horizon], camera: Camera) -> list[Horizon]:
    """The horizons of a whole recording, each with what all of its frames tell (see `smooth_tracks`).

    Only their times and observations count, not how they were filtered before; those of a tracker that looks
    at every frame (`smooth='none'`, or `key_frames=False`) are the best. `camera` is the lens for the frames'
    size.
    """
    tracks = smooth_tracks((horizon.time_s, horizon.observation) for horizon in horizons)
    return [_with_track(horizon, track, camera) for horizon, track in zip(horizons, tracks, strict=True)]


def _with_track(horizon: Horizon, track: Track, camera: Camera) -> Horizon:
    down = math.radians(horizon.dip_deg)
    line, attitude = _line(track.attitude, camera, down), _of_lens(track.attitude, camera, down)
    return replace(horizon, state=track.state, attitude=attitude, line=line, camera=camera, latency_ms=None)


def _line(attitude: Attitude | None, camera: Camera, down: float) -> HorizonLine | None:
    return None if attitude is None else camera.line(attitude.up, down)


def _of_lens(attitude: Attitude | None, camera: Camera, down: float) -> Attitude | None:
    """The attitude with what an assumed focal length adds to its uncertainty."""
    if attitude is None or not camera.focal_sd:
        return attitude
    return replace(attitude, focal_error=camera.focal_error(attitude.up, down))
