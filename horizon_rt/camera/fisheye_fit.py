"""Fitting Kannala and Brandt's fisheye to views of a board, also beyond 90° from the axis.

An equidistant lens of some field of view gives each point a ray, the rays a homography to the board (Zhang
2000, for rays instead of pixels) and that its pose; all is then fitted together (Levenberg and Marquardt).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.camera import Camera
from horizon_rt.camera.descent import descended
from horizon_rt.camera.fisheye import KannalaBrandt
from horizon_rt.errors import CameraModelError
from horizon_rt.geometry.rotation import rotation_of, rotations

__all__ = ["FisheyeSolution", "joint_jacobian", "solve_fisheye_views"]

Array = NDArray[np.float64]
_HALF_FIELDS_DEG = np.linspace(35.0, 110.0, 16)
"""Of half the longer side, to begin with."""
_SHARED, _OWN = 8, 6
_STEPS, _TURN_STEP = np.array([1e-3, 1e-3, 1e-3, 1e-3, 1e-6, 1e-6, 1e-6, 1e-6]), 1e-6
_SHIFT_STEP = 1e-6  # of the distance
_TINY = 1e-12
_ROUNDS, _LEAST_GAIN = 60, 1e-10


@dataclass(frozen=True, slots=True)
class FisheyeSolution:
    """A lens with the poses of the board in its views: rotations (P, 3, 3) and translations (P, 3)."""

    camera: Camera
    rotations: Array
    translations: Array

    def moved(self, shared: Array, own: Array) -> FisheyeSolution:
        """With steps (8,) of fx, fy, cx, cy, k1 to k4 and (P, 6) of rotation and translation."""
        camera, lens = self.camera, self.camera.distortion
        assert isinstance(lens, KannalaBrandt)
        k1, k2, k3, k4 = (one + step for one, step in zip(lens.coefficients, shared[4:], strict=True))
        moved = replace(
            camera,
            fx=camera.fx + shared[0],
            fy=camera.fy + shared[1],
            cx=camera.cx + shared[2],
            cy=camera.cy + shared[3],
            distortion=KannalaBrandt(k1=k1, k2=k2, k3=k3, k4=k4),
        )
        return FisheyeSolution(moved, rotations(own[:, :3]) @ self.rotations, self.translations + own[:, 3:])

    def residuals(self, board: Sequence[Array], corners: Sequence[Array]) -> Array:
        """Pictures of points of the board (n, 3) minus where they were found, of all views (N, 2) in px."""
        poses = zip(board, self.rotations, self.translations, strict=True)
        seen = self.camera.project(np.concatenate([points @ turn.T + shift for points, turn, shift in poses]))
        return seen - np.concatenate(corners)

    def jacobians(self, board: Sequence[Array], corners: Sequence[Array]) -> list[Array]:
        """Of each view (2n, 14), by rotation and translation of the board and by the lens."""
        here, columns = self.residuals(board, corners), []
        for column in range(_OWN + _SHARED):
            shared, own = np.zeros(_SHARED), np.zeros((len(board), _OWN))
            if column < 3:
                size = _TURN_STEP
                own[:, column] = size
            elif column < _OWN:
                size = _SHIFT_STEP * float(np.abs(self.translations).max())
                own[:, column] = size
            else:
                size = _STEPS[column - _OWN]
                shared[column - _OWN] = size
            columns.append((self.moved(shared, own).residuals(board, corners) - here) / size)
        rows = np.nan_to_num(np.stack(columns, axis=2))
        ends = np.cumsum([len(points) for points in board])[:-1]
        return [part.reshape(-1, _OWN + _SHARED) for part in np.split(rows, ends)]


def solve_fisheye_views(
    board: Sequence[Array], corners: Sequence[Array], width: int, height: int, *, terms: int
) -> FisheyeSolution | None:
    """The lens with so many `terms` k1, k2 … and the poses of the board; None where there is none."""
    starts = [_initial(board, corners, width, height, float(half)) for half in _HALF_FIELDS_DEG]
    costs = [np.inf if one is None else _cost(one.residuals(board, corners)) for one in starts]
    best = starts[int(np.argmin(costs))]
    return None if best is None else _descended(best, board, corners, terms)


def _initial(
    board: Sequence[Array], corners: Sequence[Array], width: int, height: int, half_deg: float
) -> FisheyeSolution | None:
    focal = max(width, height) / 2 / np.radians(half_deg)
    centre = {"cx": (width - 1) / 2, "cy": (height - 1) / 2}
    camera = Camera(width=width, height=height, fx=focal, fy=focal, **centre, distortion=KannalaBrandt())
    poses = [_pose(points[:, :2], camera.rays(found)) for points, found in zip(board, corners, strict=True)]
    if any(pose is None for pose in poses):
        return None
    turns, shifts = zip(*(pose for pose in poses if pose is not None), strict=True)
    return FisheyeSolution(camera, np.array(turns), np.array(shifts))


def _pose(points: Array, rays: Array) -> tuple[Array, Array] | None:
    """Rotation (3, 3) and translation (3,) of a plane whose points (n, 2) are seen along rays (n, 3)."""
    if not np.isfinite(rays).all():
        return None
    middle, size = points.mean(axis=0), float(np.abs(points - points.mean(axis=0)).max())
    flat = np.column_stack([(points - middle) / size, np.ones(len(points))])
    crossed = np.cross(rays[:, None, :], np.eye(3)[None])  # rows of ray × H p
    rows = np.einsum("nik,nj->nkij", crossed, flat).reshape(-1, 9)
    matrix = np.linalg.svd(rows, full_matrices=False)[2][-1].reshape(3, 3)
    matrix = matrix if ((flat @ matrix.T) * rays).sum() > 0 else -matrix
    scale = float(np.linalg.norm(matrix[:, :2], axis=0).mean())
    first, second, shift = (matrix / scale).T
    if not scale > 0:
        return None
    turn = rotation_of(np.column_stack([first, second, np.cross(first, second)]))
    return turn, size * shift - turn[:, :2] @ middle


@dataclass(frozen=True, slots=True)
class _State:
    """A solution with its residuals (N, 2) in px."""

    solution: FisheyeSolution
    residuals: Array

    @property
    def cost(self) -> float:
        return _cost(self.residuals)


def _cost(residuals: Array) -> float:
    """Sum of squares; inf where the lens sees a point nowhere."""
    return float(np.nan_to_num((residuals**2).sum(), nan=np.inf))


def _descended(
    start: FisheyeSolution, board: Sequence[Array], corners: Sequence[Array], terms: int
) -> FisheyeSolution:
    free = 4 + terms

    def step_from(state: _State) -> Callable[[float], _State | None]:
        jacobian = joint_jacobian(state.solution.jacobians(board, corners), free)
        normal, slope = jacobian.T @ jacobian, jacobian.T @ state.residuals.ravel()

        def step(damping: float) -> _State | None:
            damped = normal + damping * np.diag(np.diag(normal) + _TINY)
            found = np.asarray(-np.linalg.solve(damped, slope), np.float64)
            shared = np.concatenate([found[:free], np.zeros(_SHARED - free)])
            try:
                moved = state.solution.moved(shared, found[free:].reshape(-1, _OWN))
            except CameraModelError:
                return None
            return _State(moved, moved.residuals(board, corners))

        return step

    first = _State(start, start.residuals(board, corners))
    return descended(first, step_from, rounds=_ROUNDS, damping=1e-3, least_gain=_LEAST_GAIN).solution


def joint_jacobian(jacobians: Sequence[Array], free: int) -> Array:
    """Of all views together, by the first `free` values of the lens and then by the pose in each view.

    `jacobians` hold, for each view, a row per coordinate and 6 columns of pose before those of the lens.
    """
    joint, first = np.zeros((sum(map(len, jacobians)), free + _OWN * len(jacobians))), 0
    for view, jacobian in enumerate(jacobians):
        rows = slice(first, first + len(jacobian))
        joint[rows, :free] = jacobian[:, _OWN : _OWN + free]
        joint[rows, free + _OWN * view : free + _OWN * (view + 1)] = jacobian[:, :_OWN]
        first += len(jacobian)
    return joint
