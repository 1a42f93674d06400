"""Fitting a lens to views of a board, and judging the fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.board import Board
from horizon_rt.camera.brown import BrownConrady
from horizon_rt.camera.camera import Camera
from horizon_rt.camera.views import BoardView, Survey
from horizon_rt.errors import CalibrationError

__all__ = [
    "FEWEST_VIEWS",
    "LENSES",
    "PARAMETERS",
    "LensFit",
    "check_fit",
    "fit_without_outliers",
    "fitted_model",
    "solve_brown",
]

Matrix = NDArray[np.float64]
PARAMETERS = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3")
"""What is fitted, in the order of a fit's covariance."""

FEWEST_VIEWS = 6
# A sound calibration of a sharp lens stays below 0.5 px at 1280 columns.
_WORST_RMS = 1.0  # px at 1280 columns, in proportion for larger pictures
_WORST_FOCAL_SD = 0.02
_OUTLIER = 3.0  # times the median error of the views
_WORST_BORDER_SD = 0.03  # of the image's width
_ROUNDS = 2
_SIGNIFICANT = 3.0  # standard deviations that k3 must differ from zero


@dataclass(frozen=True, slots=True)
class LensFit:
    """What a solver found: RMS in px, lens, poses and sigmas.

    `covariance` (9, 9) is that of fx, fy, cx, cy, k1, k2, p1, p2, k3, with zeros for what was held fixed;
    `turns` and `places` are the pose of the board in each view, as OpenCV's rvec and tvec, and `residuals`
    the points found minus those of the fit, (n, 2) in px for each view.
    """

    rms: float
    matrix: Matrix
    distortion: Matrix
    covariance: Matrix
    turns: Sequence[Matrix] = ()
    places: Sequence[Matrix] = ()
    residuals: Sequence[Matrix] = ()

    @property
    def sd(self) -> Matrix:
        """Standard deviations of fx, fy, cx, cy, k1, k2, p1, p2, k3; (9,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def view_rms(self) -> Matrix:
        """RMS of the residuals of each view in px."""
        return np.array([np.sqrt((one**2).sum(axis=1).mean()) for one in self.residuals])

    def normals(self) -> Matrix:
        """The board's normal in each view in camera axes, away from the camera, (n, 3)."""
        import cv2

        turns = [np.asarray(cv2.Rodrigues(turn)[0], np.float64)[:, 2] for turn in self.turns]
        return np.array([axis * np.sign(axis[2] or 1.0) for axis in turns]).reshape(-1, 3)

    def centres(self, board: Board) -> list[Matrix]:
        """The middle of the board in each view, in mm in camera axes."""
        import cv2

        middle = board.object_points().mean(axis=0)
        poses = zip(self.turns, self.places, strict=True)
        return [np.asarray(cv2.Rodrigues(turn)[0], np.float64) @ middle + np.ravel(at) for turn, at in poses]


def fit_without_outliers(
    found: Survey, views: list[BoardView], lens: str = "brown-conrady"
) -> tuple[list[BoardView], LensFit]:
    """Fit, drop views with points found in wrong places, and fit once more.

    `lens` is a key of `LENSES`. Where points seem to lie elsewhere than they do, as centres of circles, the
    fit is repeated with what it says of that.
    """
    solve = LENSES[lens]
    fit = solve(found, views)
    limit = _OUTLIER * float(np.median(fit.view_rms))
    kept = [view for view, rms in zip(views, fit.view_rms, strict=True) if rms <= limit]
    if FEWEST_VIEWS <= len(kept) < len(views):
        views, fit = kept, solve(found, kept)
    for _ in range(_ROUNDS):
        if not np.any(shifts := _biases(found.board, fit, views)):
            break
        moved = [
            replace(view, corners=(view.corners - shift).astype(np.float32))
            for view, shift in zip(views, shifts, strict=True)
        ]
        fit = solve(found, moved)
    return views, fit


def _biases(board: Board, fit: LensFit, views: Sequence[BoardView]) -> list[Any]:
    """By how much the points of each view seem to lie elsewhere, (n, 2) in px, or zeros."""
    import cv2

    shifts = []
    for view, turn, place in zip(views, fit.turns, fit.places, strict=True):

        def project(points: Matrix, turn: Matrix = turn, place: Matrix = place) -> Matrix:
            pixels = cv2.projectPoints(points, turn, place, fit.matrix, fit.distortion)[0]
            return np.asarray(pixels, np.float64).reshape(-1, 2)

        bias = np.broadcast_to(board.bias_px(project), (len(board.object_points()), 2))
        shifts.append(bias[view.ids])
    return shifts if any(np.any(shift) for shift in shifts) else []


def solve_brown(found: Survey, views: Sequence[BoardView]) -> LensFit:
    """With k3 where the views show it, otherwise without, as a free k3 spoils the image's corners."""
    import cv2

    fit = _solve(found, views, 0)
    if abs(fit.distortion[4]) < _SIGNIFICANT * fit.sd[8]:
        return _solve(found, views, cv2.CALIB_FIX_K3)
    return fit


LENSES: dict[str, Callable[[Survey, Sequence[BoardView]], LensFit]] = {"brown-conrady": solve_brown}
"""The solver of each lens model, by its name."""


def _solve(found: Survey, views: Sequence[BoardView], flags: int) -> LensFit:
    import cv2

    every = found.board.object_points()
    points = [every[view.ids] for view in views]
    corners = [view.corners[:, None, :] for view in views]
    try:
        rms, matrix, distortion, turns, places = cv2.calibrateCamera(
            points, corners, (found.width, found.height), np.eye(3), np.zeros(5), flags=flags
        )
        pictures = [
            cv2.projectPoints(one, turn, place, matrix, distortion)[:2]
            for one, turn, place in zip(points, turns, places, strict=True)
        ]
    except cv2.error as error:
        raise CalibrationError(
            "no lens explains these views: film a flat board, near, far and tilted"
        ) from error
    jacobians = [jacobian[:, :15] for _, jacobian in pictures]
    return LensFit(
        rms=float(rms),
        matrix=np.asarray(matrix, np.float64),
        distortion=np.ravel(distortion).astype(np.float64),
        covariance=_covariance(jacobians, float(rms), with_k3=not flags & cv2.CALIB_FIX_K3),
        turns=[np.ravel(turn).astype(np.float64) for turn in turns],
        places=[np.ravel(place).astype(np.float64) for place in places],
        residuals=[
            view.corners.astype(np.float64) - np.asarray(shown).reshape(-1, 2)
            for view, (shown, _) in zip(views, pictures, strict=True)
        ],
    )


def _covariance(jacobians: Sequence[NDArray[Any]], rms: float, *, with_k3: bool) -> Matrix:
    """That of fx, fy, cx, cy, k1, k2, p1, p2, k3, by linear propagation; (9, 9), inf on the diagonal where
    unknown.

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
    covariance = np.zeros((9, 9))
    try:
        inverse = np.linalg.inv(scaled.T @ scaled)[:lens, :lens]
    except np.linalg.LinAlgError:
        covariance[range(lens), range(lens)] = np.inf
        return covariance
    residual2 = rms * rms / 2 * rows / max(rows - full.shape[1], 1)
    covariance[:lens, :lens] = inverse * residual2 / np.outer(scale[:lens], scale[:lens])
    unknown = [k for k in range(lens) if not inverse[k, k] > 0]
    covariance[unknown, unknown] = np.inf
    return covariance


def fitted_model(found: Survey, fit: LensFit) -> Camera:
    """The lens of a fit; raises CalibrationError where it is none."""
    k1, k2, p1, p2, k3 = (float(v) for v in fit.distortion[:5])
    (fx, _, cx), (_, fy, cy), _ = fit.matrix.tolist()
    if not (np.isfinite(fit.matrix).all() and np.isfinite(fit.distortion).all() and min(fx, fy) > 0):
        raise CalibrationError("no lens explains these views: film a flat board, near, far and tilted")
    distortion = BrownConrady(k1=k1, k2=k2, p1=p1, p2=p2, k3=k3)
    return Camera(width=found.width, height=found.height, fx=fx, fy=fy, cx=cx, cy=cy, distortion=distortion)


def check_fit(fit: LensFit, model: Camera, missing: Sequence[str] = ()) -> None:
    """Raise CalibrationError for a bad RMS, a lens that is not determined, or a fold inside the image.

    `missing` says which views the set lacks.
    """
    lacks = f"; missing: {', '.join(missing)}" if missing else ""
    if not fit.rms <= (worst := _WORST_RMS * max(1.0, model.width / 1280)):
        raise CalibrationError(
            f"the lens explains the corners to {fit.rms:.2f} px RMS only, {worst:.2f} are allowed: keep "
            "the board flat, and zoom, focus and stabilisation fixed; fisheye lenses are not supported yet"
        )
    if not (share := max(fit.sd[0] / model.fx, fit.sd[1] / model.fy)) <= _WORST_FOCAL_SD:
        raise CalibrationError(
            f"the views leave the focal length uncertain by {100 * share:.1f} %: tilt the board by 20 to 45° "
            f"in several directions{lacks}"
        )
    border = _border(model.width, model.height)
    if np.isnan(model.rays(border)).any():
        raise CalibrationError(
            f"the distortion found does not hold up to the image's corners: film the board there{lacks}"
        )
    if not (sd := _border_sd(fit, model)) <= _WORST_BORDER_SD * model.width:
        raise CalibrationError(
            f"the views leave the distortion uncertain by {sd:.0f} px at the border: film the board "
            f"there{lacks}"
        )


def _border_sd(fit: LensFit, model: Camera) -> float:
    """The largest standard deviation of the distortion in px, over the border of the image."""
    import cv2

    rays = model.rays(_border(model.width, model.height))
    none = np.zeros(3)
    jacobian = cv2.projectPoints(rays, none, none, fit.matrix, fit.distortion)[1]
    bent = np.asarray(jacobian, np.float64)[:, 10:15].reshape(-1, 2, 5)
    covariance = fit.covariance[4:, 4:]
    if not np.isfinite(covariance).all():
        return float("inf")
    return float(np.sqrt(np.einsum("nij,jk,nik->n", bent, covariance, bent).max()))


def _border(width: int, height: int) -> NDArray[np.float64]:
    """Points around the image's border; shape (80, 2)."""
    t, low, high = np.linspace(-0.5, 0.5, 20), np.full(20, -0.5), np.full(20, 0.5)
    unit = np.concatenate([np.stack(pair, axis=1) for pair in ((t, low), (t, high), (low, t), (high, t))])
    border: NDArray[np.float64] = unit * (width - 1, height - 1) + ((width - 1) / 2, (height - 1) / 2)
    return border
