"""Lens calibration from views of a flat board (Zhang 2000), by OpenCV's calibrateCamera or `fisheye_fit`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.board import Board, ChessBoard
from horizon_rt.camera.brown import BrownConrady
from horizon_rt.camera.camera import Camera
from horizon_rt.camera.fisheye import KannalaBrandt
from horizon_rt.camera.lens_fit import (
    FEWEST_VIEWS,
    LENSES,
    LensFit,
    check_fit,
    fit_without_outliers,
    fitted_model,
    rms_at,
)
from horizon_rt.camera.missing import missing_views
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.camera.views import BoardView, Survey, ViewPlace, covered_share, select, survey
from horizon_rt.errors import CalibrationError
from horizon_rt.frame import Frame

__all__ = ["Calibration", "ViewError", "calibrate_lens"]

_GOOD_COVERAGE = 0.5
_AUTO = "auto"
_MUCH_BETTER = 0.67  # of the RMS, with which a fisheye goes before Brown and Conrady
_SURE_RMS = (
    0.3  # px at 1280 columns, with which it stands in for them; what is refused may have no lens at all
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewError(ViewPlace):
    """How well the lens explains one view: RMS of the corners in px, and the board's distance in mm."""

    rms_px: float
    distance_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A calibrated lens and how it came about.

    `looks` counts the frames searched for the board, `found` those that showed it, `views` those used.
    `coverage` is the share 0..1 of the image that the board covered in them. `focal_sd_px` are the standard
    deviations of fx and fy, `sd` those of all that was fitted, by name. `points` (n, 2) are all points used
    and `residuals` (n, 2) those minus where the lens says that they are, in px. `missing` says which views
    the set lacks, and `advice` holds lines on what would make the calibration better.
    """

    profile: CameraProfile
    views: tuple[ViewError, ...]
    looks: int
    found: int
    coverage: float
    focal_sd_px: tuple[float, float]
    sd: Mapping[str, float]
    points: NDArray[np.float64] = field(repr=False)
    residuals: NDArray[np.float64] = field(repr=False)
    missing: tuple[str, ...]
    advice: tuple[str, ...]

    @property
    def rms_px(self) -> float:
        """Root mean square of the reprojection error over all corners, in px."""
        return self.profile.rms_px or 0.0


def calibrate_lens(
    frames: Iterable[Frame],
    *,
    columns: int = 9,
    rows: int = 6,
    square_mm: float = 25.0,
    max_frames: int = 40,
    name: str = "camera",
    board: Board | None = None,
    lens: str = _AUTO,
    on_look: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Calibrate a lens from pictures or a video of a `board`, by default a chessboard with `columns` x `rows`
    inner corners and squares of `square_mm`.

    `lens` is the model to fit, a key of `LENSES`; 'auto' takes Brown and Conrady's, but a fisheye where that
    alone explains the views, or explains them much better. Of all views up to `max_frames` sharp and diverse
    ones are used. `square_mm` sets the scale of the reported distances only. `on_look(frames searched, boards
    found)` reports progress.

    Raises CalibrationError, with advice, when fewer than 6 diverse views show the board, when they cannot
    tell the focal length to 2 %, when the lens does not explain them to about one pixel, or when the
    distortion found cannot be inverted over the whole image.
    """
    if max_frames < FEWEST_VIEWS:
        raise CalibrationError(f"at least {FEWEST_VIEWS} views are needed, got a limit of {max_frames}")
    if lens not in (_AUTO, *LENSES):
        raise CalibrationError(f"no lens model {lens}; there are {', '.join((*LENSES, _AUTO))}")
    board = board or ChessBoard(columns=columns, rows=rows, square_mm=square_mm)
    found = survey(frames, board, on_look)
    views = select(found, max_frames)
    _check_views(found, views)
    best = _best(found, views) if lens == _AUTO else _fitted(found, views, lens)
    source = f"{board.kind}, {len(best.views)} views"
    profile = CameraProfile(name=name, model=best.model, rms_px=best.fit.rms, source=source)
    used = {view.index for view in best.views}
    left_out = [view.label for view in views if view.index not in used]
    return _report(found, best, profile, left_out)


class _Fitted(NamedTuple):
    """A fit that passed all checks, with the views that it used and what these lack."""

    views: list[BoardView]
    fit: LensFit
    model: Camera
    missing: list[str]


def _fitted(found: Survey, views: list[BoardView], lens: str) -> _Fitted:
    """Raises CalibrationError."""
    views, fit = fit_without_outliers(found, views, lens)
    model = fitted_model(found, fit)
    missing = missing_views(found, views, fit)
    check_fit(fit, model, missing)
    return _Fitted(views, fit, model, missing)


def _best(found: Survey, views: list[BoardView]) -> _Fitted:
    """By Brown and Conrady, or by a fisheye; raises CalibrationError as the first does where both fail."""
    brown, fisheye = (_tried(found, views, lens) for lens in (BrownConrady.name, KannalaBrandt.name))
    if isinstance(brown, CalibrationError):
        if isinstance(fisheye, CalibrationError) or fisheye.fit.rms > rms_at(_SURE_RMS, found.width):
            raise brown
        return fisheye
    if isinstance(fisheye, CalibrationError):
        return brown
    return fisheye if fisheye.fit.rms < _MUCH_BETTER * brown.fit.rms else brown


def _tried(found: Survey, views: list[BoardView], lens: str) -> _Fitted | CalibrationError:
    try:
        return _fitted(found, views, lens)
    except CalibrationError as error:
        return error


def _check_views(found: Survey, views: Sequence[BoardView]) -> None:
    if len(views) >= FEWEST_VIEWS:
        return
    board = found.board
    if len(found.views) < FEWEST_VIEWS:
        advice = (
            "take more"
            if len(found.views) == found.looks
            else "check the options of the board, the light, the blur, and that the whole board with its "
            "white margin is in the picture"
        )
        raise CalibrationError(
            f"the {board.kind} was found in {len(found.views)} of {found.looks} pictures and {FEWEST_VIEWS} "
            f"are needed: {advice}"
        )
    raise CalibrationError(
        f"the board was found in {len(found.views)} pictures but in only {len(views)} different places, and "
        f"{FEWEST_VIEWS} are needed: move it to all corners of the picture, near and far, and tilt it"
    )


def _report(found: Survey, best: _Fitted, profile: CameraProfile, left_out: Sequence[str]) -> Calibration:
    views, fit = best.views, best.fit
    coverage = covered_share(views, found.width, found.height)
    errors = tuple(
        ViewError(
            index=view.index,
            time_s=view.time_s,
            name=view.name,
            rms_px=float(rms),
            distance_mm=float(np.linalg.norm(centre)),
        )
        for view, rms, centre in zip(views, fit.view_rms, fit.centres(found.board), strict=True)
    )
    return Calibration(
        profile=profile,
        views=errors,
        looks=found.looks,
        found=len(found.views),
        coverage=coverage,
        focal_sd_px=(float(fit.sd[0]), float(fit.sd[1])),
        sd={name: float(sd) for name, sd in zip(fit.parameters, fit.sd, strict=True) if sd > 0},
        points=np.concatenate([view.corners for view in views]).astype(np.float64),
        residuals=np.concatenate(fit.residuals),
        missing=tuple(best.missing),
        advice=tuple(_advice(len(views), coverage, best.missing, left_out)),
    )


def _advice(views: int, coverage: float, missing: Sequence[str], left_out: Sequence[str]) -> list[str]:
    advice = [f"these views would help: {', '.join(missing)}"] if missing else []
    if coverage < _GOOD_COVERAGE:
        advice.append(
            f"the board covered {coverage:.0%} of the picture: film it near the edges and corners too"
        )
    if views < 2 * FEWEST_VIEWS:
        advice.append(f"{views} views were used: {2 * FEWEST_VIEWS} or more make the result steadier")
    if left_out:
        advice.append(
            f"left out, as the lens explains their points far worse than the others': {', '.join(left_out)}"
        )
    return advice
