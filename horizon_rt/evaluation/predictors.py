"""What is evaluated: a model that runs now, or the telemetry of a run that is finished."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera, fields
from horizon_rt.datasets import LabelledFrame
from horizon_rt.datasets.text import LARGEST_ANGLES, finite
from horizon_rt.errors import CameraModelError, DatasetError
from horizon_rt.geometry import HorizonLine, Mount, UpVector
from horizon_rt.horizon import Horizon, View
from horizon_rt.sinks.records import SCHEMA
from horizon_rt.system.json import parse_object
from horizon_rt.tracking import smooth_horizons

if TYPE_CHECKING:
    from horizon_rt.frame import Frame
    from horizon_rt.tracker import HorizonTracker

__all__ = ["Estimate", "Predictor", "TelemetryPredictor", "TrackerPredictor"]

_LONGEST_LINE = 1 << 20
_LEAST_SD_DEG = 1e-9  # its square and that of an error over it are numbers still


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What was said of a frame; `up` (camera axes) and the rest are None where there was no estimate.

    `logits` of 'above the horizon' (height, width) are there where the net ran just now.
    """

    view: View
    up: UpVector | None = None
    line: HorizonLine | None = None
    roll_sd_deg: float | None = None
    pitch_sd_deg: float | None = None
    logits: NDArray[np.float32] | None = None


class Predictor(Protocol):
    """Something that says where the horizon is; `camera` is its lens, None to take that of the dataset.

    With a `mount` its sigmas are those of the roll and pitch of the vehicle that the camera is fixed to.
    """

    name: str
    camera: Camera | None
    mount: Mount | None

    def covers(self, labelled: LabelledFrame) -> bool:
        """Whether it says anything of this recording."""
        ...

    def restart(self) -> None:
        """Forget what was before, as another recording begins."""
        ...

    def look_ahead(self, frames: Iterable[tuple[Frame, Camera]]) -> None:
        """See all frames of a recording, so that its estimates are smoothed offline."""
        ...

    def estimate(self, frame: Frame, camera: Camera, *, filtered: bool) -> Estimate:
        """The estimate for a frame: of the filter, or of the frame alone."""
        ...


class TrackerPredictor:
    """A tracker that runs now; its own lens is replaced by that of the dataset."""

    def __init__(self, tracker: HorizonTracker, name: str | None = None) -> None:
        self.name = name or tracker.model
        self.camera: Camera | None = None
        self.mount: Mount | None = None
        self._tracker = tracker
        self._known: dict[int, Horizon] = {}

    @property
    def backend(self) -> str:
        """What runs the net."""
        return self._tracker.backend

    def covers(self, labelled: LabelledFrame) -> bool:
        """Always."""
        return True

    def restart(self) -> None:
        """See `Predictor`."""
        self._tracker.reset()
        self._known = {}

    def look_ahead(self, frames: Iterable[tuple[Frame, Camera]]) -> None:
        """See `Predictor`."""
        said: list[Horizon] = []
        for frame, camera in frames:
            self._use(camera)
            said.append(self._tracker.update(frame, self._tracker.segment(frame)))
        if self._tracker.camera is not None:
            self._known = {h.frame: h for h in smooth_horizons(said, self._tracker.camera)}

    def _use(self, camera: Camera) -> None:
        if self._tracker.camera != camera:
            self._tracker.camera = camera

    def estimate(self, frame: Frame, camera: Camera, *, filtered: bool) -> Estimate:
        """See `Predictor`."""
        self._use(camera)
        segmentation = self._tracker.segment(frame, careful=not filtered)
        known = self._known.get(frame.index)
        horizon = known or self._tracker.update(frame, None if filtered else segmentation)
        logits = segmentation.picture_logits(frame.width, frame.height)
        measured = horizon.observation.measurement
        if not filtered and measured is not None:
            roll_sd, pitch_sd = measured.sd_deg
            return Estimate(
                view=horizon.view,
                up=measured.up,
                line=horizon.measured_line,
                roll_sd_deg=roll_sd,
                pitch_sd_deg=pitch_sd,
                logits=logits,
            )
        if not filtered or horizon.up is None:
            return Estimate(view=horizon.view, logits=logits)
        return Estimate(
            view=horizon.view,
            up=horizon.up,
            line=horizon.line,
            roll_sd_deg=horizon.roll_sd_deg,
            pitch_sd_deg=horizon.pitch_sd_deg,
            logits=logits,
        )


class TelemetryPredictor:
    """JSON lines of a finished run (schema horizon-rt/1), with the lens and the mount of their header.

    Pictures are found by their file name, frames of a video by their index; where the source of the run is
    still there, only those of that source. Pictures that the run lacks are not evaluated; such frames of its
    video count as lost. Raises DatasetError for a file that is no such telemetry.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.name, self._path = name or path.stem, path
        records = _read_records(path)
        if not records or records[0].get("schema") != SCHEMA:
            raise DatasetError(f"{path} is no telemetry: its first line is no header of schema {SCHEMA}")
        asked = records[0].get("options")
        if isinstance(asked, dict) and (asked.get("start_s") or asked.get("every")):
            raise DatasetError(f"{path} counts the frames of a part of a recording; track all of it")
        self.camera: Camera | None = _camera(path, records[0])
        self.mount = _mount(path, records[0])
        self._source = Path(str(records[0].get("source", "")))
        self._files = {str(r["file"]): r for r in records[1:] if "file" in r}
        self._frames = {r.get("frame"): r for r in records[1:] if "file" not in r}

    def covers(self, labelled: LabelledFrame) -> bool:
        """Whether these are its pictures, or the video that its header names."""
        still = labelled.frame.name is not None
        if still and labelled.frame.name not in self._files:
            return False
        if os.path.exists(self._source):  # false for what cannot be a name
            place = labelled.path.parent if still and self._source.is_dir() else labelled.path
            return self._source.resolve() == place.resolve()
        return still or self._source.name == labelled.file

    def restart(self) -> None:
        """Nothing to forget."""

    def look_ahead(self, frames: Iterable[tuple[Frame, Camera]]) -> None:
        """What is written stays."""

    def estimate(self, frame: Frame, camera: Camera, *, filtered: bool) -> Estimate:
        """See `Predictor`; a frame that the run does not tell of has no estimate."""
        record = self._frames.get(frame.index) if frame.name is None else self._files.get(frame.name)
        if record is None:
            return Estimate(view="unknown")
        try:
            return _estimate(record, self.mount, filtered=filtered)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DatasetError(
                f"{self._path}, frame {frame.index}: {type(error).__name__}: {error}"
            ) from error


def _read_records(path: Path) -> list[dict[str, Any]]:
    """The header and the records of frames; raises DatasetError."""
    records: list[dict[str, Any]] = []
    try:
        with path.open("rb") as lines:
            while line := lines.readline(_LONGEST_LINE):
                record = parse_object(line)
                if records and "file" not in record and type(record.get("frame")) is not int:
                    raise ValueError("a record has the number of its frame, or its file")
                records.append(record)
    except ValueError as error:
        if not records:
            raise DatasetError(f"{path} is no telemetry of JSON lines (.jsonl): {error}") from error
        raise DatasetError(f"{path}, line {len(records) + 1}: {error}") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    return records


def _camera(path: Path, header: dict[str, Any]) -> Camera:
    try:
        return Camera.from_dict(fields.table(header, "camera"))
    except (KeyError, TypeError, CameraModelError) as error:
        raise DatasetError(f"{path}: its header has no lens that is known here: {error}") from error


def _mount(path: Path, header: dict[str, Any]) -> Mount | None:
    try:
        return fields.mount(fields.table(header, "mount")) if "mount" in header else None
    except CameraModelError as error:
        raise DatasetError(f"{path}: its header has no mount that is one: {error}") from error


def _estimate(record: dict[str, Any], mount: Mount | None, *, filtered: bool) -> Estimate:
    view = record["view"]
    if view not in get_args(View):
        raise ValueError(f"unknown view {view!r}")
    values = record if filtered else record["measured"]
    if values is None or values["roll_deg"] is None:
        return Estimate(view=view)
    roll, pitch = (finite(values[name], largest) for name, largest in LARGEST_ANGLES.items())
    roll_sd, pitch_sd = (finite(values[name]) for name in ("roll_sd_deg", "pitch_sd_deg"))
    if min(roll_sd, pitch_sd) < _LEAST_SD_DEG:
        raise ValueError(f"a sigma is at least {_LEAST_SD_DEG:g}°, got {roll_sd:g} and {pitch_sd:g}")
    up = UpVector.from_roll_pitch(roll, pitch)
    line = values["angle_deg"], values["offset_px"]
    return Estimate(
        view=view,
        up=up if mount is None else mount.camera_up(up),
        line=None if None in line else HorizonLine(finite(line[0]), finite(line[1])),
        roll_sd_deg=roll_sd,
        pitch_sd_deg=pitch_sd,
    )
