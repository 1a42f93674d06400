"""A camera's own .gcsv whose accelerometer gives way to the horizon: its gyroscope, our gravity."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import SourceError
from horizon_rt.sidecars.attitude import camera_mount, camera_up, has_attitude
from horizon_rt.sidecars.base import Header, Row
from horizon_rt.sidecars.gyroflow import MAGIC, to_gyroflow

__all__ = ["GyroLog", "MergedGcsv", "read_gyro_log"]

_LARGEST = 1 << 30
_GAP_S = 0.5  # between frames, beyond which gravity is not interpolated
_AXES = "XYZ"
_ACCELEROMETER = ("ax", "ay", "az")


@dataclass(frozen=True, slots=True)
class GyroLog:
    """The fields of the head in order, the names of the columns, and the samples (n, columns).

    `cells` are the samples as their own text.
    """

    fields: dict[str, str]
    columns: tuple[str, ...]
    samples: NDArray[np.float64]
    cells: list[list[str]]

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Time of each sample in seconds, (n,)."""
        return self.samples[:, self.columns.index("t")] * float(self.fields.get("tscale", "0.001"))

    def own_axes(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Vectors (n, 3) of Gyroflow's axes in those of the sensor.

        The orientation names for each of Gyroflow's axes one of the sensor, in lower case where it is turned
        round.
        """
        own = np.empty_like(vectors)
        for axis, name in enumerate(self.fields.get("orientation", _AXES)):
            own[:, _AXES.index(name.upper())] = vectors[:, axis] * (1 if name.isupper() else -1)
        return own


def read_gyro_log(path: Path) -> GyroLog:
    """A .gcsv file; raises SourceError."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is larger than 1 GiB")
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return _parsed(lines)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SourceError(f"{path}: not a .gcsv log of a gyroscope ({reason})") from error


def _parsed(lines: list[str]) -> GyroLog:
    if not lines or not lines[0].startswith(MAGIC):
        raise ValueError(f"it does not begin with '{MAGIC}'")
    start = next((i for i, line in enumerate(lines) if line.split(",")[0].strip() == "t"), None)
    if start is None:
        raise ValueError("it has no line of columns that begins with t")
    columns = tuple(name.strip() for name in lines[start].split(","))
    if not {"gx", "gy", "gz"} <= set(columns):
        raise ValueError("it has no columns gx, gy, gz")
    pairs = (line.partition(",") for line in lines[1:start] if line.strip())
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    if sorted(fields.get("orientation", _AXES).upper()) != list(_AXES):
        raise ValueError(f"orientation {fields['orientation']!r} is none of X, Y and Z")
    rows = [line.strip().split(",")[: len(columns)] for line in lines[start + 1 :] if line.strip()]
    samples = np.array([[float(cell) for cell in row] for row in rows])
    if samples.shape != (len(rows), len(columns)) or not len(rows) or not np.isfinite(samples).all():
        raise ValueError("it has no samples, or one without all columns")
    log = GyroLog(fields, columns, samples, rows)
    if not (np.diff(log.times_s) >= 0).all():
        raise ValueError("its times run backwards")
    return log


class MergedGcsv:
    """The log with gravity between frames interpolated; elsewhere it keeps its accelerometer, or zeros, which
    Gyroflow ignores. All other columns stay as they were written. Both clocks begin with the recording.
    """

    def __init__(self, header: Header, log: GyroLog) -> None:
        self._mount, self._log = camera_mount(header), log
        self._frames: list[tuple[float, NDArray[np.float64]]] = []

    def head(self) -> str:
        """See `TextFormat`."""
        fields = "".join(f"{name},{value}\n" for name, value in self._log.fields.items())
        scale = "" if "ascale" in self._log.fields else "ascale,1.0\n"
        return f"{MAGIC}\n{fields}{scale}"

    def row(self, row: Row) -> str:
        """See `TextFormat`."""
        if has_attitude(row):
            up = to_gyroflow(camera_up(row, self._mount).as_array())
            self._frames.append((float(row["time_s"] or 0.0), up))
        return ""

    def tail(self) -> str:
        """See `TextFormat`."""
        log = self._log
        columns = [*log.columns, *(name for name in _ACCELEROMETER if name not in log.columns)]
        at = [columns.index(name) for name in _ACCELEROMETER]
        has_own = columns == list(log.columns)
        known, up = self._gravity(log.times_s)
        gravity = np.zeros((len(known), 3))
        gravity[known] = log.own_axes(up[known]) / float(log.fields.get("ascale", "1"))
        lines = [",".join(columns)]
        for cells, is_known, vector in zip(log.cells, known, gravity, strict=True):
            row = [*cells, *[""] * (len(columns) - len(cells))]
            if is_known or not has_own:
                for place, value in zip(at, vector, strict=True):
                    row[place] = f"{value:.9g}"
            lines.append(",".join(row))
        return "\n".join([*lines, ""])

    def _gravity(self, times_s: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """At which times it is known, and the up vectors (n, 3) there."""
        if not self._frames:
            return np.zeros(len(times_s), bool), np.zeros((len(times_s), 3))
        at = np.array([time for time, _ in self._frames])
        ups = np.array([up for _, up in self._frames])
        after = np.clip(np.searchsorted(at, times_s), 1, max(len(at) - 1, 1)) if len(at) > 1 else None
        up = np.column_stack([np.interp(times_s, at, ups[:, axis]) for axis in range(3)])
        up /= np.linalg.norm(up, axis=1, keepdims=True)
        near = np.abs(times_s[:, None] - at[[0, -1]]).min(axis=1) <= _GAP_S
        if after is None:
            return near, up
        inside = (times_s >= at[0]) & (times_s <= at[-1])
        return np.where(inside, at[after] - at[after - 1] <= _GAP_S, near), up
