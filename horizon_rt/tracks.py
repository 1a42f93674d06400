"""A whole run, or telemetry that is there already, as arrays."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import SourceError, SourceNotFound
from horizon_rt.pipeline.stages import RunSummary
from horizon_rt.sinks import RecordSink
from horizon_rt.sinks.records import read_header, read_records
from horizon_rt.system.extras import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from horizon_rt.horizon import Horizon

__all__ = ["AttitudeLog", "Recorded", "Track", "load_track"]

_NUMBERS = (
    "time_s", "roll_deg", "pitch_deg", "roll_sd_deg", "pitch_sd_deg", "roll_rate_dps", "pitch_rate_dps",
    "confidence", "angle_deg", "offset_px",
)  # fmt: skip
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One element of each array for each frame, all of shape (n,); NaN where there is no estimate.

    Angles are in degrees, rates in degrees per second, times in seconds; `state` and `view` are words
    (docs/conventions.md), `file` the names of pictures that stand alone, else empty. `header` is that of the
    telemetry, where it was loaded, and `summary` what the run did.
    """

    frame: NDArray[np.int64]
    time_s: Array
    roll_deg: Array
    pitch_deg: Array
    roll_sd_deg: Array
    pitch_sd_deg: Array
    roll_rate_dps: Array
    pitch_rate_dps: Array
    confidence: Array
    angle_deg: Array
    offset_px: Array
    state: NDArray[np.str_]
    view: NDArray[np.str_]
    file: tuple[str, ...] = ()
    header: Mapping[str, Any] = field(default_factory=dict, repr=False)
    summary: RunSummary = field(default_factory=RunSummary, repr=False)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        known = np.isfinite(self.roll_deg)
        return f"Track({len(self)} frames, {known.sum()} with an attitude)"

    @property
    def frames(self) -> int:
        """How many frames were tracked."""
        return self.summary.frames

    @property
    def share_with_horizon(self) -> float:
        """Share of frames that show a horizon, 0..1."""
        return self.summary.share_with_horizon

    @property
    def fps(self) -> float:
        """Frames per second of wall time; 0 where the track was loaded."""
        return self.summary.fps

    @property
    def interrupted(self) -> bool:
        """Whether a signal cut the run short."""
        return self.summary.interrupted

    @property
    def warnings(self) -> list[str]:
        """What the source had to say."""
        return self.summary.warnings

    def to_pandas(self) -> DataFrame:
        """A table with a row for each frame; raises MissingExtra without pandas."""
        require("tables", "Track.to_pandas")
        from pandas import DataFrame

        columns = {name: getattr(self, name) for name in ("frame", *_NUMBERS, "state", "view")}
        return DataFrame(columns | ({"file": self.file} if self.file else {}))

    def plot(self, figure: Figure | None = None) -> Figure:
        """Roll and pitch over time with bands of two sigmas, into a Matplotlib figure, a new one by default.

        In a notebook it shows by itself; elsewhere `figure.savefig("track.png")` writes it. Raises
        MissingExtra without Matplotlib.
        """
        require("report", "Track.plot")
        from matplotlib.figure import Figure as NewFigure

        figure = NewFigure(figsize=(9, 5), layout="constrained") if figure is None else figure
        x, label = (self.frame, "picture") if self.file else (self.time_s, "time, s")
        rows = figure.subplots(2, 1, sharex=True)
        for axes, name in zip(rows, ("roll", "pitch"), strict=True):
            value, sd = getattr(self, f"{name}_deg"), getattr(self, f"{name}_sd_deg")
            axes.fill_between(x, value - 2 * sd, value + 2 * sd, alpha=0.25, linewidth=0, label="±2 sigma")
            axes.plot(x, value, "o" if self.file else "-", linewidth=1, markersize=3, label=name)
            axes.set_ylabel(f"{name}, °")
            axes.grid(alpha=0.3)
            axes.legend(loc="upper right")
        rows[-1].set_xlabel(label)
        return figure


@dataclass(frozen=True, slots=True, kw_only=True)
class AttitudeLog:
    """Roll and pitch of a vehicle over time, by instruments of its own; all arrays are (n,).

    Times are seconds on the log's own clock. Angles are in degrees, positive with the right wing down and the
    nose up, NaN where there are none. `name` is that of the file and `format` of its format.
    """

    time_s: Array
    roll_deg: Array
    pitch_deg: Array
    name: str = ""
    format: str = ""

    def __len__(self) -> int:
        return len(self.time_s)

    def __repr__(self) -> str:
        return f"AttitudeLog({self.name!r}, {self.format}, {len(self)} samples)"


class Recorded(RecordSink):
    """A sink that keeps the rows of a run in memory, some 100 bytes a frame; `track` makes arrays of them."""

    def __init__(self, *, pictures: bool = False) -> None:
        self._still = pictures
        self._frame = array("q")
        self._numbers = {name: array("d") for name in _NUMBERS}
        self._words: dict[str, list[str]] = {"state": [], "view": []}
        self._files: list[str] = []

    def put(self, horizon: Horizon) -> None:
        """See `RecordSink`."""
        self.add(horizon.to_dict())

    def add(self, row: Mapping[str, Any]) -> None:
        """Take a row of telemetry; raises KeyError, TypeError or ValueError for what is none."""
        self._frame.append(row["frame"])
        for name, values in self._numbers.items():
            value = row.get(name)
            values.append(np.nan if value is None else value)
        for name, words in self._words.items():
            words.append(str(row[name]))
        if "file" in row:
            self._files.append(str(row["file"]))

    def track(self, summary: RunSummary, header: Mapping[str, Any] | None = None) -> Track:
        """What is kept so far."""
        numbers = {name: np.array(values, float) for name, values in self._numbers.items()}
        return Track(
            **numbers,
            frame=np.array(self._frame, np.int64),
            state=np.array(self._words["state"], np.str_),
            view=np.array(self._words["view"], np.str_),
            file=tuple(self._files),
            header=header or {},
            summary=summary,
        )

    @property
    def summary(self) -> RunSummary:
        """What the rows say of the run that made them."""
        states, views = (Counter(self._words[name]) for name in ("state", "view"))
        known: dict[Any, int] = dict(states)
        return RunSummary(frames=len(self._frame), with_horizon=views["horizon"], states=known)

    def _finish(self) -> None:
        pass


def load_track(telemetry: str | Path) -> Track:
    """The track of a JSON lines file, as `hz.track` and `horizon-rt track` write it; raises SourceError.

    A last line that is cut off is left out, with a warning in the log.
    """
    path, rows = Path(telemetry), Recorded()
    if not path.exists():
        raise SourceNotFound(f"{path}: no such file; check the name")
    try:
        header = read_header(path)
        for row in read_records(path):
            rows.add(row)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path}: no whole telemetry as JSON lines ({error})") from error
    return rows.track(rows.summary, header)
