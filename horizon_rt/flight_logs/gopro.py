"""Gravity as cameras of GoPro measure it, from the metadata track of their films (.mp4).

GRAV is the direction of gravity in the axes of the camera's body, x right, y down, z forward; IORI turns
these into the axes of the picture, which stabilisation has turned. Both are there for every frame
(github.com/gopro/gpmf-parser, "HERO8 Black"). In a log of a HERO11 GRAV is what the accelerometer reads at
rest, which is up, in the order x, z, y of axes that point left, up and back: gravity in the opposite axes.
IORI has the same order (issue 180), and turns GRAV as in gyroflow/src/core/gyro_source/mod.rs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from horizon_rt.flight_logs.samples import Samples, check_count
from horizon_rt.geometry.up_vector import roll_pitch_deg
from horizon_rt.metadata.gpmf import items

__all__ = ["read_gopro"]

Array = NDArray[np.float64]
_DEVICE = b"DEVC"
_NUMBERS = {b"GRAV": 3, b"IORI": 4}


def read_gopro(path: Path) -> Samples:
    """Roll and pitch of the picture by the time in the film in s, nan where gravity is not known; nothing
    where the film has no such track. Raises ValueError for what is no film, or a damaged one.
    """
    import av

    times, gravities, count = [np.empty(0)], [np.empty((0, 3))], 0
    try:
        with av.open(path) as film:
            for packet in film.demux(film.streams.data) if film.streams.data else ():
                data = bytes(packet)
                if packet.pts is None or not data.startswith(_DEVICE):
                    continue
                gravity = _gravity(data)
                share = np.arange(len(gravity)) / max(1, len(gravity))
                times.append((packet.pts + (packet.duration or 0) * share) * float(packet.time_base))
                gravities.append(gravity)
                count += len(gravity)
                check_count(count)
    except av.error.FFmpegError as error:
        raise ValueError(error.strerror) from error
    return np.concatenate(times), *roll_pitch_deg(-np.concatenate(gravities))


def _gravity(payload: bytes) -> Array:
    """(n, 3) in the axes of the picture, of any length; nan for zeros, which HERO8 writes."""
    found = {key: np.empty((0, number)) for key, number in _NUMBERS.items()}
    for item in items(payload):
        if item.key in _NUMBERS and item.kind == b"s":
            number = _NUMBERS[item.key]
            whole = len(item.data) // (2 * number) * number
            found[item.key] = np.frombuffer(item.data, ">i2", whole).reshape(-1, number).astype(np.float64)
    gravity, orientation = found.values()
    gravity[~gravity.any(axis=1)] = np.nan
    if len(orientation):
        nearest = np.arange(len(gravity)) * len(orientation) // max(1, len(gravity))
        gravity = _turned(gravity, orientation[nearest])
    return gravity


def _turned(vectors: Array, quaternions: Array) -> Array:
    """Vectors (n, 3) turned by quaternions (n, 4), w first, of any length but zero, which turns nothing."""
    w, axis = quaternions[:, :1], quaternions[:, 1:]
    square = np.square(quaternions).sum(axis=1, keepdims=True)
    twice = 2 * np.cross(axis, vectors)
    return vectors + (w * twice + np.cross(axis, twice)) / np.maximum(square, 1)
