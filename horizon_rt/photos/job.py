"""Photographs looked at, and those turned whose tilt is known well enough."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from horizon_rt.errors import OutputError
from horizon_rt.photos.crop import Crop
from horizon_rt.photos.inputs import Task
from horizon_rt.photos.looks import Tilt, first_look, more_looks
from horizon_rt.photos.mark import is_ours
from horizon_rt.photos.opening import open_photo
from horizon_rt.photos.options import StraightenOptions
from horizon_rt.photos.photo import Photo
from horizon_rt.photos.sidecar import crop_sidecar
from horizon_rt.reports.table import Table
from horizon_rt.system.files import write_atomic
from horizon_rt.system.messages import error_reason
from horizon_rt.system.progress import NO_PROGRESS, Progress
from horizon_rt.system.units import counted
from horizon_rt.tracker import HorizonTracker

__all__ = ["Straightened", "result_table", "straighten_photos", "unsure_advice"]

_log = logging.getLogger(__name__)

Status = Literal["turned", "left", "failed"]
_NOT_SURE = "not sure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Straightened:
    """What became of a photograph.

    `written` is its copy or sidecar, where it is turned; `reason` says why it is left alone or has failed.
    `tilt_deg` is that of its horizon, positive where the right end lies lower (the opposite of roll), and
    `sd_deg` its standard deviation; both are None where no horizon is found. `spread_deg` is what several
    looks differ by, None where one was enough to leave it alone.
    """

    photo: Path
    status: Status
    reason: str = ""
    tilt_deg: float | None = None
    sd_deg: float | None = None
    spread_deg: float | None = None
    written: Path | None = None


def straighten_photos(
    tasks: Sequence[Task],
    options: StraightenOptions,
    *,
    xmp: bool = False,
    overwrite: bool = False,
    progress: Progress = NO_PROGRESS,
    on_result: Callable[[Straightened], object] = lambda result: None,
) -> list[Straightened]:
    """Turn the photographs whose horizon is known and tilted; stops early only when interrupted.

    With `xmp` a sidecar takes the place of the copy. What exists already is left; with `overwrite` what
    earlier runs wrote is replaced. Raises WeightsError and OutputError; what is wrong with a single
    photograph is in its result.
    """
    tracker = HorizonTracker(smooth="none", engine=options.engine)
    results: list[Straightened] = []
    with progress.start("photographs", len(tasks)) as counted:
        for task in tasks:
            try:
                result = _straighten(task, tracker, options, xmp=xmp, overwrite=overwrite)
            except KeyboardInterrupt:
                break
            results.append(result)
            counted.advance()
            on_result(result)
    return results


def _straighten(
    task: Task, tracker: HorizonTracker, options: StraightenOptions, *, xmp: bool, overwrite: bool
) -> Straightened:
    try:
        if reason := _why_kept(task.target, xmp=xmp, overwrite=overwrite):
            return Straightened(photo=task.photo, status="left", reason=reason)
        photo = open_photo(task.photo)
        tilt, reason = _look(photo, tracker, options)
        if tilt is not None and not reason:
            data = _sidecar(photo, tilt) if xmp else _copy(photo, tilt)
            write_atomic(task.target, data)
    except OutputError:
        raise
    except Exception as error:
        _log.debug("%s", task.photo, exc_info=True)
        return Straightened(photo=task.photo, status="failed", reason=error_reason(error, task.photo))
    return Straightened(
        photo=task.photo,
        status="left" if reason else "turned",
        reason=reason,
        tilt_deg=None if tilt is None else tilt.angle_deg,
        sd_deg=None if tilt is None else tilt.sd_deg,
        spread_deg=None if tilt is None else tilt.spread_deg,
        written=None if reason else task.target,
    )


def _why_kept(target: Path, *, xmp: bool, overwrite: bool) -> str:
    """Empty where the target may be written."""
    if not os.path.lexists(target):
        return ""
    if not overwrite:
        return f"{target} exists already"
    return (
        "" if is_ours(target, xmp=xmp) else f"{target} is not by horizon-rt; delete it or give another --out"
    )


def _look(photo: Photo, tracker: HorizonTracker, options: StraightenOptions) -> tuple[Tilt | None, str]:
    """The tilt, and why the photograph is left alone, if it is."""
    first = first_look(photo.shown, tracker)
    if first is None or (reason := _why_left(first, options)):
        return first, "no horizon" if first is None else reason
    tilt = more_looks(photo.shown, first, tracker)
    if tilt is None:
        return first, f"{_NOT_SURE} (mirrored or cropped it shows none)"
    return tilt, _why_left(tilt, options)


def _why_left(tilt: Tilt, options: StraightenOptions) -> str:
    """Empty where it is to be turned."""
    if tilt.sd_deg >= options.most_sd:
        return f"{_NOT_SURE} (± {tilt.sd_deg:.2g}°)"
    if tilt.spread_deg is not None and tilt.spread_deg >= options.most_spread:
        return f"{_NOT_SURE} (looks differ by {tilt.spread_deg:.2g}°)"
    turn = abs(tilt.angle_deg)
    if turn > options.most_turn:
        return f"tilted too far ({turn:.0f}°)"
    return f"already level ({turn:.2f}°)" if turn < options.least_turn else ""


def unsure_advice(results: Sequence[Straightened], options: StraightenOptions) -> str:
    """What would turn more of them, in a line; empty where nothing would."""
    tilts = [one.tilt_deg for one in results if one.reason.startswith(_NOT_SURE) and one.tilt_deg is not None]
    count = sum(abs(tilt) >= options.least_turn for tilt in tilts)
    if not count:
        return ""
    photos = counted(count, "photograph")
    return f"{photos} may be tilted, but not for sure; --most-sd and --most-spread allow for more"


def _copy(photo: Photo, tilt: Tilt) -> bytes:
    return photo.encode(Crop(*photo.size, tilt.angle_deg).of(photo.pixels))


def _sidecar(photo: Photo, tilt: Tilt) -> bytes:
    return crop_sidecar(photo.stored_size, photo.orientation, tilt.angle_deg)


def result_table(results: Sequence[Straightened]) -> Table:
    """A row for each photograph, and the sum."""
    rows = tuple(
        (
            result.photo.name,
            result.status,
            "" if result.tilt_deg is None else f"{result.tilt_deg:+.2f}°",
            "" if result.sd_deg is None else f"{result.sd_deg:.2g}°",
            result.reason or str(result.written),
        )
        for result in results
    )
    count = Counter(result.status for result in results)
    sums = ", ".join(f"{count[status]} {status}" for status in ("turned", "left", "failed") if count[status])
    head = ("photograph", "status", "tilt", "sigma", "written to, or why not")
    return Table("photograph", "", head, rows, foot=(counted(len(results), "photograph"), sums, "", "", ""))
