"""A recording for the Rerun viewer: roll and pitch with their sigmas, the state, and some pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rerun as rr

from horizon_rt.errors import OutputError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon, State
from horizon_rt.sinks.base import Sink, SinkContext
from horizon_rt.sinks.drawing import Style
from horizon_rt.sinks.jpeg import overlay_jpeg
from horizon_rt.sinks.overlay import Overlay
from horizon_rt.system.files import AtomicFile

__all__ = ["RerunSink"]

_PICTURES_HZ = 5.0
_FLUSH_S = 10.0
_SEVERITY: dict[State, str] = {"tracking": "INFO", "coasting": "WARN", "acquiring": "INFO", "lost": "WARN"}
_SUFFIX = ".rrd"


class RerunSink(Sink):
    """Writes an .rrd file on the timelines `frame`, `time` (seconds of the source) and, live, `utc`.

    `attitude/roll` and `attitude/pitch` are three lines in degrees: the value, and two sigma below and
    above; they are cleared where the estimate ends. `state` is a log of its changes, `picture` holds at most
    five a second.
    """

    def __init__(self, target: Path | str, context: SinkContext, style: Style | None = None) -> None:
        """Open the file; raises OutputError."""
        if Path(target).suffix.lower() != _SUFFIX:
            raise OutputError(f"cannot write {target}: a Rerun recording ends in {_SUFFIX}")
        self._overlay = Overlay(context.camera, style=style or Style(rate=False))
        self._file = AtomicFile(target)  # its lock and its name; Rerun writes by itself
        self._recording: Any = rr.RecordingStream("horizon-rt")
        try:
            self._recording.save(self._file.path)
        except RuntimeError as error:
            self._file.close()
            raise self._file.failure(OSError(0, str(error))) from error
        self._state: State | None = None
        self._has_attitude = False
        self._next_picture_s = float("-inf")
        self._recording.log("source", rr.TextDocument(context.source), static=True)
        for angle in ("roll", "pitch"):
            names = [angle, f"{angle} - 2 sigma", f"{angle} + 2 sigma"]
            self._recording.log(f"attitude/{angle}", rr.SeriesLines(names=names), static=True)

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self._recording.set_time("frame", sequence=horizon.frame)
        self._recording.set_time("time", duration=horizon.time_s)
        if horizon.time_utc is not None:
            self._recording.set_time("utc", timestamp=horizon.time_utc)
        self._log_attitude(horizon)
        if horizon.state != self._state:
            self._state = horizon.state
            self._recording.log("state", rr.TextLog(horizon.state, level=_SEVERITY[horizon.state]))
        if horizon.time_s >= self._next_picture_s:
            self._next_picture_s = horizon.time_s + 1 / _PICTURES_HZ
            data = overlay_jpeg(self._overlay, frame, horizon)
            self._recording.log("picture", rr.EncodedImage(contents=data, media_type="image/jpeg"))

    def _log_attitude(self, horizon: Horizon) -> None:
        angles = {
            "roll": (horizon.roll_deg, horizon.roll_sd_deg),
            "pitch": (horizon.pitch_deg, horizon.pitch_sd_deg),
        }
        for name, (value, sd) in angles.items():
            if value is not None and sd is not None:
                lines = rr.Scalars([value, value - 2 * sd, value + 2 * sd])
                self._recording.log(f"attitude/{name}", lines)
        if self._has_attitude and horizon.attitude is None:
            self._recording.log("attitude", rr.Clear(recursive=True))
        self._has_attitude = horizon.attitude is not None

    def _end(self) -> None:
        """Have Rerun write all that it holds, and let go of the file; raises OSError."""
        try:
            self._recording.flush(timeout_sec=_FLUSH_S)
        except RuntimeError as error:
            raise OSError(0, str(error).splitlines()[0]) from error
        finally:
            self._recording.disconnect()

    def _finish(self) -> None:
        try:
            self._end()
        except OSError as error:
            self._file.close()
            raise self._file.failure(error) from error
        self._file.commit()

    def _abandon(self) -> None:
        try:
            self._end()
        except OSError as error:
            raise self._file.failure(error) from error
        finally:
            self._file.close()
