"""Fitting a lens to views of a board, and judging the fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.board import Board
from horizon_rt.camera.brown import BrownConrady
from horizon_rt.camera.camera import Camera
from horizon_rt.camera.distortion import DISTORTIONS
from horizon_rt.camera.fisheye import KannalaBrandt
from horizon_rt.camera.fisheye_fit import joint_jacobian, solve_fisheye_views
from horizon_rt.camera.views import BoardView, Survey
from horizon_rt.errors import CalibrationError, CameraModelError

__all__ = [
    "FEWEST_VIEWS",
    "LENSES",
    "PARAMETERS",
    "LensFit",
    "check_fit",
    "fit_without_outliers",
    "fitted_model",
    "holds_at_border",
    "rms_at",
    "solve_brown",
    "solve_fisheye",
]

Matrix = NDArray[np.float64]
PARAMETERS = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3")
"""What is fitted of Brown and Conrady's lens, in the order of a fit's covariance."""
_FISHEYE_PARAMETERS = ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4")
_NO_LENS = "no lens explains these views: film a flat board, near, far and tilted"

FEWEST_VIEWS = 6
# A sound calibration of a sharp lens stays below 0.5 px at 1280 columns.
_WORST_RMS = 1.0  # px at 1280 columns, in proportion for larger pictures
_WORST_FOCAL_SD = 0.02
_OUTLIER = 3.0  # times the median error of the views
_WORST_BORDER_SD = 0.03  # of the image's width
_ROUNDS = 2
_SIGNIFICANT = 3.0  # standard deviations that the last term must differ from zero
_TERM_STEP = 1e-6
_BEYOND = 1.1  # times as far as points lie, a fisheye's picture may reach


@dataclass(frozen=True, slots=True)
class LensFit:
    """What a solver found: RMS in px, lens, poses and sigmas.

    `lens` is the model's name, and `covariance` that of its `parameters`, with zeros for what was held fixed;
    `turns` and `places` are the pose of the board in each view, as OpenCV's rvec and tvec, and `residuals`
    the points found minus those of the fit, (n, 2) in px for each view. Points lie up to `reach_px` from
    the middle of a picture that may end in a circle.
    """

    rms: float
    matrix: Matrix
    distortion: Matrix
    covariance: Matrix
    turns: Sequence[Matrix] = ()
    places: Sequence[Matrix] = ()
    residuals: Sequence[Matrix] = ()
    lens: str = BrownConrady.name
    reach_px: float = math.inf

    @property
    def parameters(self) -> tuple[str, ...]:
        """What was fitted, by name."""
        return _FISHEYE_PARAMETERS if self.lens == KannalaBrandt.name else PARAMETERS

    @property
    def sd(self) -> Matrix:
        """Standard deviations of the `parameters`."""
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

    shifts, camera = [], fitted_camera(fit, 1, 1)
    for view, turn, place in zip(views, fit.turns, fit.places, strict=True):
        turned = np.asarray(cv2.Rodrigues(turn)[0], np.float64)

        def project(points: Matrix, turned: Matrix = turned, place: Matrix = place) -> Matrix:
            return camera.project(np.asarray(points, np.float64) @ turned.T + place)

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


def solve_fisheye(found: Survey, views: Sequence[BoardView]) -> LensFit:
    """With k4, and then k3 and k2, where the views show them."""
    for terms in (4, 3, 2, 1):
        fit = _solve_fisheye(found, views, terms)
        last = terms - 1
        if terms == 1 or abs(fit.distortion[last]) >= _SIGNIFICANT * fit.sd[4 + last]:
            break
    return fit


LENSES: dict[str, Callable[[Survey, Sequence[BoardView]], LensFit]] = {
    BrownConrady.name: solve_brown,
    KannalaBrandt.name: solve_fisheye,
}
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
        raise CalibrationError(_NO_LENS) from error
    jacobians = [jacobian[:, :15] for _, jacobian in pictures]
    return LensFit(
        rms=float(rms),
        matrix=np.asarray(matrix, np.float64),
        distortion=np.ravel(distortion).astype(np.float64),
        covariance=_covariance(jacobians, float(rms), 8 if flags & cv2.CALIB_FIX_K3 else 9),
        turns=[np.ravel(turn).astype(np.float64) for turn in turns],
        places=[np.ravel(place).astype(np.float64) for place in places],
        residuals=[
            view.corners.astype(np.float64) - np.asarray(shown).reshape(-1, 2)
            for view, (shown, _) in zip(views, pictures, strict=True)
        ],
    )


def _solve_fisheye(found: Survey, views: Sequence[BoardView], terms: int) -> LensFit:
    import cv2

    every = found.board.object_points().astype(np.float64)
    points = [every[view.ids] for view in views]
    corners = [view.corners.astype(np.float64) for view in views]
    solved = solve_fisheye_views(points, corners, found.width, found.height, terms=terms)
    if solved is None:
        raise CalibrationError(_NO_LENS)
    residuals = -solved.residuals(points, corners)
    rms = float(np.sqrt((residuals**2).sum(axis=1).mean()))
    camera, ends = solved.camera, np.cumsum([len(one) for one in points])[:-1]
    assert isinstance(camera.distortion, KannalaBrandt)
    return LensFit(
        rms=rms,
        matrix=np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]]),
        distortion=np.array(camera.distortion.coefficients),
        covariance=_covariance(solved.jacobians(points, corners), rms, 4 + terms),
        turns=[np.ravel(cv2.Rodrigues(turned)[0]).astype(np.float64) for turned in solved.rotations],
        places=list(solved.translations),
        residuals=np.split(residuals, ends),
        lens=KannalaBrandt.name,
        reach_px=float(np.hypot(*(np.concatenate(corners) - (camera.cx, camera.cy)).T).max()),
    )


def _covariance(jacobians: Sequence[NDArray[Any]], rms: float, lens: int) -> Matrix:
    """That of the parameters of the lens, of which the first `lens` were free, by linear propagation; inf on
    the diagonal where unknown.

    OpenCV's own sigmas come from a pseudo-inverse and turn small where the views do not determine the lens at
    all. `jacobians` are as in `joint_jacobian`.
    """
    full, size = joint_jacobian(jacobians, lens), jacobians[0].shape[1] - 6
    rows = len(full)
    scale = np.linalg.norm(full, axis=0)
    scaled = full / np.where(scale > 0, scale, 1.0)
    covariance = np.zeros((size, size))
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
    return fitted_camera(fit, found.width, found.height)


def fitted_camera(fit: LensFit, width: int, height: int) -> Camera:
    """The lens of a fit for pictures of this size; raises CalibrationError where it is none."""
    (fx, _, cx), (_, fy, cy), _ = fit.matrix.tolist()
    terms = dict(zip(fit.parameters[4:], fit.distortion.tolist(), strict=False))
    try:
        distortion = DISTORTIONS[fit.lens](**terms)
        return Camera(width=width, height=height, fx=fx, fy=fy, cx=cx, cy=cy, distortion=distortion)
    except CameraModelError as error:
        raise CalibrationError(_NO_LENS) from error


def rms_at(rms_px: float, width: int) -> float:
    """What an RMS at 1280 columns is at this width: as much, or in proportion for larger pictures."""
    return rms_px * max(1.0, width / 1280)


def check_fit(fit: LensFit, model: Camera, missing: Sequence[str] = ()) -> None:
    """Raise CalibrationError for a bad RMS, a lens that is not determined, or a fold inside the image.

    `missing` says which views the set lacks.
    """
    lacks = f"; missing: {', '.join(missing)}" if missing else ""
    if not fit.rms <= (worst := rms_at(_WORST_RMS, model.width)):
        raise CalibrationError(
            f"the lens explains the corners to {fit.rms:.2f} px RMS only, {worst:.2f} are allowed: keep "
            "the board flat, and zoom, focus and stabilisation fixed; fisheyes need --lens kannala-brandt"
        )
    if not (share := max(fit.sd[0] / model.fx, fit.sd[1] / model.fy)) <= _WORST_FOCAL_SD:
        raise CalibrationError(
            f"the views leave the focal length uncertain by {100 * share:.1f} %: tilt the board by 20 to 45° "
            f"in several directions{lacks}"
        )
    border = _border(model, fit.reach_px)
    if not holds_at_border(model, fit.reach_px):
        raise CalibrationError(
            f"the distortion found does not hold up to the image's corners: film the board there{lacks}"
        )
    if not (sd := _border_sd(fit, model, border)) <= _WORST_BORDER_SD * model.width:
        raise CalibrationError(
            f"the views leave the distortion uncertain by {sd:.0f} px at the border: film the board "
            f"there{lacks}"
        )


def _border_sd(fit: LensFit, model: Camera, border: Matrix) -> float:
    """The largest standard deviation of the distortion in px, over points of the image."""
    rays, terms = model.rays(border), fit.distortion
    covariance = fit.covariance[4:, 4:]
    if not np.isfinite(covariance).all():
        return float("inf")
    moved = [
        fitted_camera(replace(fit, distortion=terms + step), model.width, model.height).project(rays)
        for step in _TERM_STEP * np.eye(len(terms))
    ]
    bent = np.stack([(one - model.project(rays)) / _TERM_STEP for one in moved], axis=2)
    return float(np.sqrt(np.nanmax(np.einsum("nij,jk,nik->n", bent, covariance, bent))))


def holds_at_border(model: Camera, reach_px: float = math.inf) -> bool:
    """Whether the lens has rays all around the image's border, or where points within `reach_px` end."""
    return not np.isnan(model.rays(_border(model, reach_px))).any()


def _border(model: Camera, reach_px: float) -> Matrix:
    """Points (80, 2) around the image's border, or where a fisheye's points end before it."""
    t, low, high = np.linspace(-0.5, 0.5, 20), np.full(20, -0.5), np.full(20, 0.5)
    unit = np.concatenate([np.stack(pair, axis=1) for pair in ((t, low), (t, high), (low, t), (high, t))])
    border = unit * (model.width - 1, model.height - 1)
    limit_px = max(_BEYOND * reach_px, (min(model.width, model.height) - 1) / 2)
    border *= np.minimum(1.0, limit_px / np.hypot(*border.T))[:, None]
    return np.asarray(border + np.array([(model.width - 1) / 2, (model.height - 1) / 2]))
