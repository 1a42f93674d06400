"""Fitting a lens to views of a board, and judging the fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.brown import BrownConrady
from horizon_rt.camera.camera import Camera
from horizon_rt.camera.views import BoardView, Survey
from horizon_rt.errors import CalibrationError

__all__ = ["FEWEST_VIEWS", "LensFit", "check_fit", "fit_without_outliers", "fitted_model"]

FEWEST_VIEWS = 6
# A sound calibration of a sharp lens stays below 0.5 px at 1280 columns.
_WORST_RMS = 1.0  # px at 1280 columns, in proportion for larger pictures
_WORST_FOCAL_SD = 0.02
_OUTLIER = 3.0  # times the median error of the views
_SIGNIFICANT = 3.0  # standard deviations that k3 must differ from zero


@dataclass(frozen=True, slots=True)
class LensFit:
    """What calibrateCamera found: RMS in px, lens, the board's centres in mm, sigmas of the intrinsics."""

    rms: float
    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    centres: Sequence[NDArray[np.float64]]
    sd: NDArray[np.float64]
    view_rms: NDArray[np.float64]


def fit_without_outliers(found: Survey, views: list[BoardView]) -> tuple[list[BoardView], LensFit]:
    """Fit, drop views with corners found in wrong places, and fit once more."""
    fit = _fit(found, views)
    limit = _OUTLIER * float(np.median(fit.view_rms))
    kept = [view for view, rms in zip(views, fit.view_rms, strict=True) if rms <= limit]
    if len(kept) == len(views) or len(kept) < FEWEST_VIEWS:
        return views, fit
    return kept, _fit(found, kept)


def _fit(found: Survey, views: Sequence[BoardView]) -> LensFit:
    """With k3 where the views show it, otherwise without, as a free k3 spoils the image's corners."""
    import cv2

    fit = _solve(found, views, 0)
    if abs(fit.distortion[4]) < _SIGNIFICANT * fit.sd[8]:
        return _solve(found, views, cv2.CALIB_FIX_K3)
    return fit


def _solve(found: Survey, views: Sequence[BoardView], flags: int) -> LensFit:
    import cv2

    board = [found.board.object_points()] * len(views)
    corners = [view.corners[:, None, :] for view in views]
    guess = np.eye(3), np.zeros(5)
    try:
        rms, matrix, distortion, turns, places, _, _, errors = cv2.calibrateCameraExtended(
            board, corners, (found.width, found.height), *guess, flags=flags
        )
        jacobians = [
            cv2.projectPoints(board[0], turn, place, matrix, distortion)[1][:, :15]
            for turn, place in zip(turns, places, strict=True)
        ]
    except cv2.error as error:
        raise CalibrationError(
            "no lens explains these views: film a flat board, near, far and tilted"
        ) from error
    return LensFit(
        rms=float(rms),
        matrix=np.asarray(matrix, np.float64),
        distortion=np.ravel(distortion).astype(np.float64),
        centres=[_centre(board[0], turn, place) for turn, place in zip(turns, places, strict=True)],
        sd=_intrinsic_sd(jacobians, float(rms), with_k3=not flags & cv2.CALIB_FIX_K3),
        view_rms=np.ravel(errors).astype(np.float64),
    )


def _centre(board: NDArray[np.float32], turn: NDArray[Any], place: NDArray[Any]) -> NDArray[np.float64]:
    import cv2

    rotation = np.asarray(cv2.Rodrigues(turn)[0], np.float64)
    centre: NDArray[np.float64] = rotation @ board.mean(axis=0) + np.ravel(place)
    return centre


def _intrinsic_sd(jacobians: Sequence[NDArray[Any]], rms: float, *, with_k3: bool) -> NDArray[np.float64]:
    """Sigmas of fx, fy, cx, cy, k1, k2, p1, p2, k3, by linear propagation; shape (9,), inf where unknown.

    `jacobians` hold a row per coordinate and 6 columns of pose before the 9 of the lens. OpenCV's own
    sigmas come from a pseudo-inverse and turn small where the views do not determine the lens at all.
    """
    rows, lens = sum(map(len, jacobians)), 9 if with_k3 else 8
    full = np.zeros((rows, lens + 6 * len(jacobians)))
    first = 0
    for view, jacobian in enumerate(jacobians):
        last = first + len(jacobian)
        full[first:last, :lens] = jacobian[:, 6 : 6 + lens]
        full[first:last, lens + 6 * view : lens + 6 * view + 6] = jacobian[:, :6]
        first = last
    scale = np.linalg.norm(full, axis=0)
    scaled = full / np.where(scale > 0, scale, 1.0)
    try:
        inverse = np.diag(np.linalg.inv(scaled.T @ scaled))[:lens]
    except np.linalg.LinAlgError:
        inverse = np.full(lens, np.inf)
    residual2 = rms * rms / 2 * rows / max(rows - full.shape[1], 1)
    variance = np.where(inverse > 0, inverse, np.inf) * residual2 / scale[:lens] ** 2
    sd: NDArray[np.float64] = np.sqrt(np.append(variance, np.zeros(9 - lens)))
    return sd


def fitted_model(found: Survey, fit: LensFit) -> Camera:
    """The lens of a fit; raises CalibrationError where it is none."""
    k1, k2, p1, p2, k3 = (float(v) for v in fit.distortion[:5])
    (fx, _, cx), (_, fy, cy), _ = fit.matrix.tolist()
    if not (np.isfinite(fit.matrix).all() and np.isfinite(fit.distortion).all() and min(fx, fy) > 0):
        raise CalibrationError("no lens explains these views: film a flat board, near, far and tilted")
    distortion = BrownConrady(k1=k1, k2=k2, p1=p1, p2=p2, k3=k3)
    return Camera(width=found.width, height=found.height, fx=fx, fy=fy, cx=cx, cy=cy, distortion=distortion)


def check_fit(fit: LensFit, model: Camera) -> None:
    """Raise CalibrationError for a bad RMS, an uncertain focal length or a fold inside the image."""
    if not fit.rms <= (worst := _WORST_RMS * max(1.0, model.width / 1280)):
        raise CalibrationError(
            f"the lens explains the corners to {fit.rms:.2f} px RMS only, {worst:.2f} are allowed: keep "
            "the board flat, and zoom, focus and stabilisation fixed; fisheye lenses are not supported yet"
        )
    if not (share := max(fit.sd[0] / model.fx, fit.sd[1] / model.fy)) <= _WORST_FOCAL_SD:
        raise CalibrationError(
            f"the views leave the focal length uncertain by {100 * share:.1f} %: tilt the board by 20 to 45° "
            "in several directions"
        )
    if np.isnan(model.rays(_border(model.width, model.height))).any():
        raise CalibrationError(
            "the distortion found does not hold up to the image's corners: film the board there"
        )


def _border(width: int, height: int) -> NDArray[np.float64]:
    """Points around the image's border; shape (80, 2)."""
    t, low, high = np.linspace(-0.5, 0.5, 20), np.full(20, -0.5), np.full(20, 0.5)
    unit = np.concatenate([np.stack(pair, axis=1) for pair in ((t, low), (t, high), (low, t), (high, t))])
    border: NDArray[np.float64] = unit * (width - 1, height - 1) + ((width - 1) / 2, (height - 1) / 2)
    return border
