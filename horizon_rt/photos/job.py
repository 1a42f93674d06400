"""Photographs looked at, and those turned whose tilt is known well enough."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from horizon_rt.camera import Camera
from horizon_rt.camera.profile_files import load_profile
from horizon_rt.errors import OutputError
from horizon_rt.horizon import Horizon
from horizon_rt.photos.crop import Crop
from horizon_rt.photos.inputs import Task
from horizon_rt.photos.opening import open_photo
from horizon_rt.photos.options import StraightenOptions
from horizon_rt.photos.photo import Photo
from horizon_rt.photos.sidecar import crop_sidecar
from horizon_rt.reports.table import Table
from horizon_rt.sources.images import frame_from_image
from horizon_rt.system.files import write_atomic
from horizon_rt.system.messages import error_line
from horizon_rt.system.progress import NO_PROGRESS, Progress
from horizon_rt.tracker import HorizonTracker

__all__ = ["Straightened", "result_table", "straighten_photos"]

_log = logging.getLogger(__name__)

Status = Literal["turned", "left", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Straightened:
    """What became of a photograph.

    `written` is its copy or sidecar, where it is turned; `reason` says why it is left alone or has failed.
    `tilt_deg` is how it was held, positive where the right end of the horizon lies lower, and `sd_deg` its
    standard deviation; both are None where no horizon is found.
    """

    photo: Path
    status: Status
    reason: str = ""
    tilt_deg: float | None = None
    sd_deg: float | None = None
    written: Path | None = None


def _why_left(horizon: Horizon, options: StraightenOptions) -> str:
    """Why a photograph that shows this is left alone; empty for one that is to be turned."""
    if horizon.line is None or horizon.attitude is None:
        return "no horizon"
    if (sd := horizon.attitude.sd_deg[0]) >= options.most_sd:
        return f"not sure (± {sd:.2g}°)"
    if (turn := abs(horizon.line.angle_deg)) > options.most_turn:
        return f"tilted too far ({turn:.0f}°)"
    return f"already level ({turn:.2f}°)" if turn < options.least_turn else ""


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

    With `xmp` a sidecar takes the place of the copy. What exists already is left unless `overwrite`. Raises
    CameraModelError, WeightsError and OutputError; what is wrong with a single photograph is in its result.
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
        if os.path.lexists(task.target) and not overwrite:
            return Straightened(photo=task.photo, status="left", reason=f"{task.target} exists already")
        photo = open_photo(task.photo)
        horizon = _look(photo, tracker, options)
        reason = _why_left(horizon, options)
        tilt = None if horizon.line is None else horizon.line.angle_deg
        sd = None if horizon.attitude is None else horizon.attitude.sd_deg[0]
        if reason or tilt is None:
            return Straightened(photo=task.photo, status="left", reason=reason, tilt_deg=tilt, sd_deg=sd)
        data = _sidecar(photo, tilt) if xmp else photo.encode(Crop(*photo.size, tilt).of(photo.pixels))
        write_atomic(task.target, data)
    except OutputError:
        raise
    except Exception as error:
        _log.debug("%s", task.photo, exc_info=True)
        return Straightened(photo=task.photo, status="failed", reason=error_line(error))
    return Straightened(photo=task.photo, status="turned", tilt_deg=tilt, sd_deg=sd, written=task.target)


def _look(photo: Photo, tracker: HorizonTracker, options: StraightenOptions) -> Horizon:
    width, height = photo.size
    tracker.camera = _camera(options, width, height)
    return tracker.update(frame_from_image(photo.shown, index=0))


def _camera(options: StraightenOptions, width: int, height: int) -> Camera:
    lens = options.lens
    if lens.camera_profile is None:
        return (
            Camera.assumed(width, height)
            if lens.hfov_deg is None
            else Camera.from_hfov(width, height, lens.hfov_deg)
        )
    return load_profile(lens.camera_profile).fit_to(width, height).model


def _sidecar(photo: Photo, tilt_deg: float) -> bytes:
    return crop_sidecar(photo.stored_size, photo.orientation, tilt_deg)


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
    return Table("photograph", "", head, rows, foot=(f"{len(results)} photographs", sums, "", "", ""))
