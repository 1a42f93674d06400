"""The lens of a camera from its footage alone: from the horizon, and from what is far away as it turns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.camera.lens_fit import holds_at_border
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.camera.turn_fit import TurnFit, fit_turns
from horizon_rt.errors import CalibrationError
from horizon_rt.frame import Frame
from horizon_rt.frame.colour import to_eight_bits
from horizon_rt.options import Engine
from horizon_rt.pipeline.turning import TurnCollector
from horizon_rt.sources import Source
from horizon_rt.tracker import HorizonTracker

__all__ = ["FootageLens", "find_lens"]

_FEWEST_TURNS, _MOST_TURNS = 6, 120
_LEAST_TRACKED = 0.3
_WORST_SD, _WORST_EXCESS = 0.02, 20.0
_LEAST_PAN = 0.02  # of the width, by which the picture shifts from the first frame of a turn to the last
_STEP = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class FootageLens:
    """A lens from footage. `hfov_sd_deg` and `k1_sd` are standard deviations, as is `profile.model.focal_sd`;
    `turns` were used, with so many `points` in all, of `tracked` frames in which the horizon was seen.
    """

    profile: CameraProfile
    hfov_sd_deg: float
    k1: float
    k1_sd: float
    turns: int
    points: int
    tracked: int


def find_lens(
    source: Source,
    *,
    seconds: float = 60.0,
    name: str = "camera",
    engine: Engine | None = None,
    on_look: Callable[[int, int], None] | None = None,
) -> FootageLens:
    """The lens of a recording, or of so many `seconds` of a live source; nothing is known of it before.

    `on_look(frames, turns)` reports progress. Raises CalibrationError where the footage cannot tell, and says
    what it lacks.
    """
    info = source.info
    if info.is_image_set:
        raise CalibrationError(f"{info.name}: pictures that stand alone tell no lens; give a recording")
    if info.pixel_aspect != 1:
        raise CalibrationError(f"{info.name}: its pixels are not square; scale it to square ones first")
    camera = Camera.assumed(info.width, info.height)
    tracker, turns = HorizonTracker(camera, engine=engine), TurnCollector(info.width, info.height)
    small, frames, tracked, start_s = camera.resized(*turns.size), 0, 0, None
    for frame in source:
        start_s = frame.time_s if start_s is None else start_s
        horizon = tracker.update(frame)
        measured = horizon.observation.measurement if horizon.state == "tracking" else None
        frames, tracked = frames + 1, tracked + (measured is not None)
        turns.update(_luma(frame), frame.time_s, None if measured is None else small.line(measured.up))
        if on_look is not None:
            on_look(frames, len(turns.turns))
        if len(turns.turns) >= _MOST_TURNS or (info.live and frame.time_s - start_s > seconds):
            break
    _check_seen(frames, tracked, turns)
    return _lens_of_turns(turns, info.width, info.height, name=name, tracked=tracked)


def _lens_of_turns(seen: TurnCollector, width: int, height: int, *, name: str, tracked: int) -> FootageLens:
    """The lens for pictures of this size; raises CalibrationError where the turns cannot tell it."""
    fit = fit_turns(seen.turns, *seen.size)
    focal_sd, k1_sd = _sd(fit, lambda lens: math.log(lens.focal_px)), _sd(fit, _k1)
    hfov_sd = _sd(fit, lambda lens: lens.hfov_deg)
    camera = fit.lens.camera
    _check_fit(fit, focal_sd, hfov_sd / camera.hfov_deg)
    model = replace(camera.resized(width, height), focal_sd=focal_sd)
    source = f"calibrated from the horizon, {len(seen.turns)} turns"
    return FootageLens(
        profile=CameraProfile(name=name, model=model, source=source),
        hfov_sd_deg=hfov_sd,
        k1=_k1(camera),
        k1_sd=k1_sd,
        turns=len(seen.turns),
        points=len(fit.points),
        tracked=tracked,
    )


def _luma(frame: Frame) -> NDArray[np.uint8]:
    """With 8 bits."""
    return np.ascontiguousarray(to_eight_bits(frame.arrays()[0], frame.sampling.bit_depth))


def _k1(camera: Camera) -> float:
    return float(getattr(camera.distortion, "k1", 0.0))


def _sd(fit: TurnFit, of: Callable[[Camera], float]) -> float:
    """Standard deviation of what a lens says, by linear propagation."""
    here = of(fit.lens.camera)
    scale = np.sqrt(np.diag(fit.covariance)) * _STEP
    steps = scale * np.eye(len(scale))
    slope = np.array([(of(fit.lens.moved(step).camera) - here) / step.sum() for step in steps])
    return float(np.sqrt(slope @ fit.covariance @ slope))


def _check_seen(frames: int, tracked: int, seen: TurnCollector) -> None:
    if tracked < max(2, _LEAST_TRACKED * frames):
        raise CalibrationError(
            f"the horizon was tracked in {tracked} of {frames} frames, too few for a lens; missing: footage "
            "that shows it most of the time"
        )
    if len(seen.turns) >= _FEWEST_TURNS:
        return
    many = f"{len(seen.turns)} turns were found and {_FEWEST_TURNS} are needed"
    if seen.still >= len(seen.turns) and seen.still:
        raise CalibrationError(
            f"the camera hardly moved: {many}; missing: turns to the left and right, up and down"
        )
    raise CalibrationError(
        f"{many}; missing: longer footage, or more to follow far away, such as clouds, hills or a coast"
    )


def _check_fit(fit: TurnFit, focal_sd: float, share: float) -> None:
    if fit.excess > _WORST_EXCESS:
        raise CalibrationError(
            "the picture does not move as that of a turning camera with a fixed lens; switch off zoom and "
            "stabilisation"
        )
    if not holds_at_border(fit.lens.camera):
        raise CalibrationError(
            "the distortion found does not hold up to the picture's corners; missing: footage in which the "
            "horizon passes near them"
        )
    if share <= _WORST_SD and focal_sd <= _WORST_SD:
        return
    lacks = "longer footage, with more to follow far away"
    if _pan(fit) < _LEAST_PAN * fit.lens.width:
        lacks = "turns to the left and right, or up and down, as a roll alone tells no field of view"
    percent = 100 * max(share, focal_sd)
    raise CalibrationError(
        f"the footage leaves the field of view uncertain by {percent:.1f} %, {100 * _WORST_SD:g} are allowed"
        f"; missing: {lacks}"
    )


def _pan(fit: TurnFit) -> float:
    """Root mean square of the shift of the picture's middle in a turn, in px."""
    forward = fit.motions.rotations[:, :, 2]
    return fit.lens.camera.focal_px * float(
        np.sqrt(np.mean(np.arctan2(np.hypot(*forward[:, :2].T), forward[:, 2]) ** 2))
    )
