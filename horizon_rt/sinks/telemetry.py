"""Telemetry, one record a frame: JSON lines (schema horizon-rt/1) and CSV with the same columns."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from horizon_rt.errors import OutputError
from horizon_rt.sinks.base import PartialFile, Sink, SinkContext

if TYPE_CHECKING:
    from horizon_rt.camera import CameraModel
    from horizon_rt.frame import Frame
    from horizon_rt.geometry import HorizonLine
    from horizon_rt.horizon import Horizon

__all__ = ["SCHEMA", "TELEMETRY_SUFFIXES", "TelemetrySink", "header", "record"]

SCHEMA = "horizon-rt/1"
TELEMETRY_SUFFIXES = (".jsonl", ".ndjson", ".csv")

_COLUMNS = (
    "frame",
    "time_s",
    "state",
    "view",
    "confidence",
    "roll_deg",
    "pitch_deg",
    "roll_sd_deg",
    "pitch_sd_deg",
    "roll_rate_dps",
    "pitch_rate_dps",
    "angle_deg",
    "offset_px",
)
_MEASURED = (
    "roll_deg",
    "pitch_deg",
    "roll_sd_deg",
    "pitch_sd_deg",
    "angle_deg",
    "offset_px",
    "inliers",
    "sky_fraction",
)


def _number(value: float | None) -> float | None:
    """At most 6 significant digits; None for what JSON cannot say."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}") + 0.0  # −0.0 becomes 0.0


def _time(value: float) -> float | None:
    """As `_number`, but never coarser than a millisecond, so that hours keep their order."""
    return round(value, 3) if 1000 <= abs(value) < math.inf else _number(value)


def _line(line: HorizonLine | None) -> dict[str, Any]:
    return {
        "angle_deg": None if line is None else _number(line.angle_deg),
        "offset_px": None if line is None else _number(line.offset_px),
    }


def _measured(horizon: Horizon) -> dict[str, Any] | None:
    measurement = horizon.observation.measurement
    if measurement is None:
        return None
    roll_sd, pitch_sd = measurement.sd_deg
    return {
        "roll_deg": _number(measurement.up.roll_deg),
        "pitch_deg": _number(measurement.up.pitch_deg),
        "roll_sd_deg": _number(roll_sd),
        "pitch_sd_deg": _number(pitch_sd),
        **_line(horizon.measured_line),
        "inliers": int(measurement.inliers),
        "sky_fraction": _number(horizon.observation.sky_fraction),
    }


def record(horizon: Horizon, file: str | None = None) -> dict[str, Any]:
    """One telemetry object; `file` (or `horizon.file`) is added for pictures from a folder."""
    values = {
        "frame": int(horizon.frame),
        "time_s": _time(horizon.time_s),
        "state": horizon.state,
        "view": horizon.view,
        "confidence": _number(horizon.confidence),
        "roll_deg": _number(horizon.roll_deg),
        "pitch_deg": _number(horizon.pitch_deg),
        "roll_sd_deg": _number(horizon.roll_sd_deg),
        "pitch_sd_deg": _number(horizon.pitch_sd_deg),
        "roll_rate_dps": _number(horizon.roll_rate_dps),
        "pitch_rate_dps": _number(horizon.pitch_rate_dps),
        **_line(horizon.line),
        "measured": _measured(horizon),
        "latency_ms": _number(horizon.latency_ms),
    }
    name = horizon.file if horizon.file is not None else file
    return values if name is None else {**values, "file": name}


def header(context: SinkContext) -> dict[str, Any]:
    """The first line of a JSON lines file."""
    values = {
        "schema": SCHEMA,
        "source": context.source,
        "width": context.width,
        "height": context.height,
        "camera": _camera(context.camera),
        "model": context.model,
        "version": context.version,
    }
    if context.frame_rate is not None:
        values["frame_rate"] = _number(context.frame_rate)
    return {**values, "assumed": list(context.assumed)} if context.assumed else values


def _camera(camera: CameraModel) -> dict[str, Any]:
    fields: dict[str, Any] = dataclasses.asdict(camera) if dataclasses.is_dataclass(camera) else {}
    shape = {"width": camera.width, "height": camera.height, "focal_px": camera.focal_px}
    plain: dict[str, Any] = _plain({**shape, **fields})
    return {"model": type(camera).__name__, **plain}


def _plain(value: Any) -> Any:
    """The same value of JSON types alone."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return _number(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


class _Encoder(Protocol):
    def header(self, context: SinkContext) -> str: ...
    def row(self, values: dict[str, Any]) -> str: ...


class _JsonLines:
    def header(self, context: SinkContext) -> str:
        return self.row(header(context))

    def row(self, values: dict[str, Any]) -> str:
        return json.dumps(values, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n"


class _Csv:
    """A plain table with one line of column names; an empty cell is null."""

    def header(self, context: SinkContext) -> str:
        columns = ["frame", "time_s", "state", "view", "confidence", "roll_deg", "pitch_deg"]
        columns += [
            "roll_sd_deg",
            "pitch_sd_deg",
            "roll_rate_dps",
            "pitch_rate_dps",
            "angle_deg",
            "offset_px",
        ]
        columns += [f"measured_{name}" for name in _MEASURED] + ["latency_ms"]
        self._columns = [*columns, "file"] if context.still else columns
        return self._text(self._columns)

    def row(self, values: dict[str, Any]) -> str:
        measured = values.pop("measured") or {}
        flat = {**values, **{f"measured_{name}": value for name, value in measured.items()}}
        return self._text([flat.get(name) for name in self._columns])

    @staticmethod
    def _text(cells: list[Any]) -> str:
        csv.writer(text := io.StringIO(), lineterminator="\n").writerow(cells)
        return text.getvalue()


class _Stdout:
    """Standard output as a file of whole lines."""

    def __init__(self) -> None:
        sys.stdout.flush()
        binary = getattr(sys.stdout, "buffer", None)
        # The raw file below the buffer: nothing is left to flush when the reader goes away.
        self._file = getattr(binary, "raw", binary)

    def write(self, data: bytes) -> int:
        if self._file is None:
            return sys.stdout.write(data.decode())
        view = memoryview(data)
        while view.nbytes:
            view = view[self._file.write(view) or 0 :]
        return len(data)

    def failure(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write telemetry to standard output: {error.strerror or error}")

    def commit(self) -> None:
        pass

    def close(self) -> None:
        pass

    def truncate(self, size: int) -> None:
        pass


class TelemetrySink(Sink):
    """Writes a record a frame to a .jsonl or .csv file, or as JSON lines to standard output for '-'.

    Each line goes to the system at once and whole, so that a killed run leaves complete lines.
    """

    def __init__(self, target: Path | str, context: SinkContext) -> None:
        """Open and write the header; raises OutputError."""
        self._encoder = _encoder(target)
        self._still = context.still
        self._file = _Stdout() if str(target) == "-" else PartialFile(target)
        self._size = 0
        try:
            self._put(self._encoder.header(context))
        except OutputError:
            self.abort()
            raise

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self._put(self._encoder.row(record(horizon, frame.name if self._still else None)))

    def _put(self, line: str) -> None:
        data = line.encode("utf-8", "backslashreplace")  # a file name that is no UTF-8
        try:
            self._size += self._file.write(data)
        except OSError as error:
            self._file.truncate(self._size)
            raise self._file.failure(error) from error

    def _finish(self) -> None:
        self._file.commit()

    def _abandon(self) -> None:
        self._file.close()


def _encoder(target: Path | str) -> _Encoder:
    suffix = Path(target).suffix.lower()
    if str(target) == "-" or suffix in (".jsonl", ".ndjson") or os.fspath(target).startswith("/dev/"):
        return _JsonLines()
    if suffix == ".csv":
        return _Csv()
    known = ", ".join(TELEMETRY_SUFFIXES)
    raise OutputError(f"cannot write telemetry to {target}: unknown extension {suffix!r}; use {known} or -")
