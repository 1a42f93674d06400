"""`live --level`: what shows pictures shows them level."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from horizon_rt.camera import Camera
from horizon_rt.frame import Frame
from horizon_rt.geometry import Mount
from horizon_rt.horizon import Horizon, Measurement
from horizon_rt.levelling import Leveller, RollFollower, Turn
from horizon_rt.sinks import Sink

__all__ = ["LevelledSink", "levelled_horizon"]

_SURE_DEG = 4.0
_LEVEL = Mount(roll_deg=0.0, pitch_deg=0.0)


class LevelledSink(Sink):
    """Another sink, which gets every picture turned level, all of it, with black corners.

    Its horizons are those of the turned pictures; their mount is turned, too, so that angles stay the same.
    """

    def __init__(self, sink: Sink, camera: Camera) -> None:
        self._sink, self._camera = sink, camera
        self._follower = RollFollower()
        self._leveller = Leveller(camera, black=True)

    @property
    def wants_stop(self) -> bool:
        """Whether the other sink wants it."""
        return self._sink.wants_stop

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        camera = self._camera.for_size(frame.width, frame.height)
        if camera != self._camera:
            self._camera, self._leveller = camera, Leveller(camera, black=True)
        roll = self._follower.update(frame.time_s, _sure_roll(horizon))
        turn = Turn(roll=np.array([roll]), pitch=np.zeros(1))
        self._sink.write(self._leveller.level(frame, turn, 1.0), levelled_horizon(horizon, roll, camera))

    def _finish(self) -> None:
        self._sink.close(complete=self._complete)

    def _abandon(self) -> None:
        self._sink.abort()


def _sure_roll(horizon: Horizon) -> float | None:
    """The roll of the camera in rad, None where it is not sure."""
    attitude = horizon.attitude
    if attitude is None or horizon.state == "acquiring" or max(attitude.sd_deg) > _SURE_DEG:
        return None
    return math.radians(attitude.up.roll_deg)


def levelled_horizon(horizon: Horizon, roll: float, camera: Camera) -> Horizon:
    """The horizon in a picture out of which this roll in rad was turned; the vehicle's angles stay."""
    turned = Mount(roll_deg=_wrapped(math.degrees(roll)), pitch_deg=0.0)
    mount = horizon.mount or _LEVEL
    attitude = None if horizon.attitude is None else horizon.attitude.of_vehicle(turned)
    measured = horizon.observation.measurement
    seen = None if measured is None else _measurement(measured, turned)
    return replace(
        horizon,
        attitude=attitude,
        line=None if attitude is None else camera.line(attitude.up),
        measured_line=None if seen is None else camera.line(seen.up),
        observation=replace(horizon.observation, measurement=seen),
        mount=replace(mount, roll_deg=_wrapped(mount.roll_deg - math.degrees(roll))),
    )


def _measurement(measured: Measurement, turned: Mount) -> Measurement:
    return replace(
        measured,
        up=turned.vehicle_up(measured.up),
        covariance=turned.vehicle_covariance(measured.covariance),
        white=None if measured.white is None else turned.vehicle_covariance(measured.white),
    )


def _wrapped(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0
