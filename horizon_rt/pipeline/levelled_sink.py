"""`live --level`: what shows pictures shows them level."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from horizon_rt.camera import Camera
from horizon_rt.frame import Frame
from horizon_rt.geometry import Mount, wrap_degrees
from horizon_rt.horizon import Horizon, Measurement
from horizon_rt.levelling import SURE, Leveller, RollFollower, Turn
from horizon_rt.sinks import Sink

__all__ = ["LevelledSink", "LiveLevel", "levelled_horizon"]

_LEVEL = Mount(roll_deg=0.0, pitch_deg=0.0)


class LiveLevel:
    """Turns every picture of a run level, all of it, with black corners: once for all sinks that show it.

    Its horizons are those of the turned pictures; their mount is turned, too, so that angles stay the same.
    As sinks are, it is called from one thread, frame by frame; nobody may draw on its pictures.
    """

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._follower = RollFollower()
        self._leveller = Leveller(camera, black=True)
        self._last: _Levelled | None = None

    def level(self, frame: Frame, horizon: Horizon) -> tuple[Frame, Horizon]:
        """The levelled picture and its horizon; those of before where the frame is the same."""
        last = self._last
        if last is None or last.frame is not frame or last.horizon is not horizon:
            last = self._last = _Levelled(frame, horizon, *self._turned(frame, horizon))
        return last.picture, last.seen

    def _turned(self, frame: Frame, horizon: Horizon) -> tuple[Frame, Horizon]:
        camera = self._camera.for_size(frame.width, frame.height)
        if camera != self._camera:
            self._camera, self._leveller = camera, Leveller(camera, black=True)
        roll = self._follower.update(frame.time_s, _sure_roll(horizon))
        turn = Turn(roll=np.array([roll]), pitch=np.zeros(1))
        return self._leveller.level(frame, turn, 1.0), levelled_horizon(horizon, roll, camera)


class _Levelled(NamedTuple):
    frame: Frame
    horizon: Horizon
    picture: Frame
    seen: Horizon


class LevelledSink(Sink):
    """Another sink, which gets the pictures of a `LiveLevel`."""

    def __init__(self, sink: Sink, level: LiveLevel) -> None:
        self._sink, self._level = sink, level

    @property
    def wants_stop(self) -> bool:
        """Whether the other sink wants it."""
        return self._sink.wants_stop

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self._sink.write(*self._level.level(frame, horizon))

    def _finish(self) -> None:
        self._sink.close(complete=self._complete)

    def _abandon(self) -> None:
        self._sink.abort()


def _sure_roll(horizon: Horizon) -> float | None:
    """The roll of the camera in rad, None where it is not sure."""
    attitude = horizon.attitude
    if attitude is None or horizon.state == "acquiring" or math.radians(max(attitude.seen_sd_deg)) > SURE:
        return None
    return math.radians(attitude.up.roll_deg)


def levelled_horizon(horizon: Horizon, roll: float, camera: Camera) -> Horizon:
    """The horizon in a picture out of which this roll in rad was turned; the vehicle's angles stay."""
    turned = Mount(roll_deg=wrap_degrees(math.degrees(roll)), pitch_deg=0.0)
    mount = horizon.mount or _LEVEL
    attitude = None if horizon.attitude is None else horizon.attitude.of_vehicle(turned)
    measured = horizon.observation.measurement
    dip = math.radians(horizon.dip_deg)
    seen = None if measured is None else _measurement(measured, turned)
    return replace(
        horizon,
        attitude=attitude,
        line=None if attitude is None else camera.line(attitude.up, dip),
        measured_line=None if seen is None else camera.line(seen.up, dip),
        observation=replace(horizon.observation, measurement=seen),
        mount=replace(mount, roll_deg=wrap_degrees(mount.roll_deg - math.degrees(roll))),
    )


def _measurement(measured: Measurement, turned: Mount) -> Measurement:
    return replace(
        measured,
        up=turned.vehicle_up(measured.up),
        covariance=turned.vehicle_covariance(measured.covariance),
        white=None if measured.white is None else turned.vehicle_covariance(measured.white),
    )
