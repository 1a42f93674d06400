"""The format of a log by its name and its first bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import HorizonError, SourceError, SourceNotFound
from horizon_rt.flight_logs.dataflash import read_dataflash
from horizon_rt.flight_logs.gopro import read_gopro
from horizon_rt.flight_logs.samples import Samples
from horizon_rt.flight_logs.table import read_table
from horizon_rt.flight_logs.tlog import read_tlog
from horizon_rt.flight_logs.ulog import ULOG_MAGIC, read_ulog
from horizon_rt.system.extras import require
from horizon_rt.system.messages import printable
from horizon_rt.tracks import AttitudeLog, load_track

__all__ = ["LOG_FORMATS", "load_log"]

Array = NDArray[np.float64]
_LARGEST = 1 << 32
_DATAFLASH = b"\xa3\x95"
LOG_FORMATS = {
    "csv": "table",
    "tsv": "table",
    "txt": "table",
    "bin": "ArduPilot DataFlash",
    "tlog": "MAVLink telemetry",
    "ulg": "PX4 ULog",
    "mp4": "GoPro metadata",
    "jsonl": "horizon-rt telemetry",
}
"""The formats by the ending of a file's name."""
_READERS: dict[str, Callable[[Path], Samples]] = {
    "table": read_table,
    "ArduPilot DataFlash": read_dataflash,
    "MAVLink telemetry": read_tlog,
    "PX4 ULog": read_ulog,
    "GoPro metadata": read_gopro,
}


def load_log(path: str | Path) -> AttitudeLog:
    """Roll and pitch of a log: a table with units in the names of its columns (.csv), ArduPilot (.bin),
    MAVLink (.tlog), PX4 (.ulg), a film of a GoPro (.mp4), or telemetry of horizon-rt (.jsonl).

    Raises SourceError, in one line, for what cannot be read, and MissingExtra where the package for a format
    is not installed.
    """
    path = Path(path)
    kind = _format(path)
    if kind == "horizon-rt telemetry":
        track = load_track(path)
        return AttitudeLog(
            time_s=track.time_s,
            roll_deg=track.roll_deg,
            pitch_deg=track.pitch_deg,
            name=path.name,
            format=kind,
        )
    if kind == "MAVLink telemetry":
        require("logs", f"{path.name} ({kind})")
    time_s, roll_deg, pitch_deg = np.asarray(_read(path, kind), np.float64).reshape(3, -1)
    if not (np.isfinite(roll_deg) & np.isfinite(pitch_deg) & np.isfinite(time_s)).any():
        raise SourceError(f"{path}: it holds no roll and pitch ({kind})")
    return _log(path, kind, time_s, roll_deg, pitch_deg)


def _log(path: Path, kind: str, time_s: Array, roll_deg: Array, pitch_deg: Array) -> AttitudeLog:
    return AttitudeLog(time_s=time_s, roll_deg=roll_deg, pitch_deg=pitch_deg, name=path.name, format=kind)


def _format(path: Path) -> str:
    if not path.exists():
        raise SourceNotFound(f"{path}: no such file; check the name")
    try:
        if path.stat().st_size > _LARGEST and path.suffix.lower() != ".mp4":
            raise SourceError(f"{path}: it is larger than {_LARGEST >> 30} GiB; cut out the flight")
        with path.open("rb") as file:
            start = file.read(len(ULOG_MAGIC))
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    if start == ULOG_MAGIC:
        return "PX4 ULog"
    if start.startswith(_DATAFLASH):
        return "ArduPilot DataFlash"
    ending = path.suffix.lower().removeprefix(".")
    if ending not in LOG_FORMATS:
        known = ", ".join(f".{name}" for name in LOG_FORMATS)
        raise SourceError(f"{path}: its name ends in none of {known}")
    return LOG_FORMATS[ending]


def _read(path: Path, kind: str) -> Samples:
    """What the reader of a format finds; libraries raise and print what they like."""
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return _READERS[kind](path)
    except HorizonError:
        raise
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or 'it cannot be read'}") from error
    except Exception as error:
        reason = printable(" ".join(str(error).split()))[:120] or type(error).__name__
        raise SourceError(f"{path}: no whole log ({kind}: {reason})") from error
