"""Gyroflow's .gcsv, a log of gyroscope and accelerometer, from the horizon.

Its axes (orientation XYZ) are up, left and back: Gyroflow integrates the rates (−y, x, z) of a sample as
those of a camera with x right, y up and z back, and takes an accelerometer at rest to read +1 g upwards
(gyroflow, src/core/imu_integration).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from horizon_rt._version import __version__
from horizon_rt.sidecars.attitude import camera_mount, camera_rate, camera_up, has_attitude
from horizon_rt.sidecars.base import Header, Row

__all__ = ["MAGIC", "Gcsv", "to_gyroflow"]

MAGIC = "GYROFLOW IMU LOG"
_TICKS_PER_S = 1_000_000


def to_gyroflow(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors (…, 3) of camera axes (x right, y down, z ahead) in Gyroflow's (up, left, back)."""
    return -vector[..., [1, 0, 2]]


class Gcsv:
    """Rates in rad/s, without the turn about the vertical, and the up vector in g; of estimates alone."""

    def __init__(self, header: Header) -> None:
        self._source = str(header.get("source", "")).replace("\n", " ").replace(",", " ")
        self._mount = camera_mount(header)

    def head(self) -> str:
        """See `TextFormat`."""
        lines = {
            "version": "1.3", "id": "horizon-rt", "orientation": "XYZ", "note": "from the horizon",
            "fwversion": __version__, "vendor": "horizon-rt", "videofilename": self._source,
            "tscale": f"{1 / _TICKS_PER_S:.6f}", "gscale": "1.0", "ascale": "1.0",
        }  # fmt: skip
        fields = "".join(f"{name},{value}\n" for name, value in lines.items())
        return f"{MAGIC}\n{fields}t,gx,gy,gz,ax,ay,az\n"

    def row(self, row: Row) -> str:
        """See `TextFormat`."""
        if not has_attitude(row):
            return ""
        rate = to_gyroflow(camera_rate(row, self._mount))
        up = to_gyroflow(camera_up(row, self._mount).as_array())
        cells = ",".join(f"{value + 0.0:.6f}" for value in (*rate, *up))
        return f"{round(float(row['time_s'] or 0.0) * _TICKS_PER_S)},{cells}\n"

    def tail(self) -> str:
        """See `TextFormat`."""
        return ""
