"""A lens from frames between which it turned: all frames at once, least squares with robust weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.descent import descended
from horizon_rt.camera.turn_cost import EXPECTED, TRANSLATION_SD, TurnState, lens_sd, weighing_of
from horizon_rt.camera.turns import GLOBALS, LOCALS, BentLens, Motions, Turn, Views, first_motions
from horizon_rt.errors import CameraModelError

__all__ = ["TurnFit", "fit_turns"]

Array = NDArray[np.float64]
_HFOVS_DEG = np.geomspace(20.0, 150.0, 9)
"""Fields of view to begin with."""
_ALL = GLOBALS + LOCALS
_STEPS = np.array([1e-5, 1e-5, 1e-2, 1e-2, 1e-5, 1e-5, *[1e-5] * LOCALS])
_FIRST_SCALES, _LEAST_SCALES = (4.0, 2.0), (0.3, 0.05)  # of points, and of horizons in px
_STILL_PX, _FEWEST_STILL = 1.0, 0.125
_FIRST_ROUNDS, _ROUNDS, _STAGES = 4, 25, 3
_DAMPING, _LEAST_GAIN = 1e-3, 1e-6
_TINY = 1e-9
# Clouds change as they drift, hills are no plane: what errs alike in all pairs, measured on rendered flights.
_MODEL_SD = np.array([0.01, 0.002, 0.0, 0.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True)
class TurnFit:
    """A fitted lens with the covariance (6, 6) of its `values`, and the motions.

    `points` are the residuals (N, 2) in px, `excess` by how much they exceed what they should be.
    """

    lens: BentLens
    covariance: Array
    motions: Motions
    points: Array
    excess: float


def fit_turns(turns: Sequence[Turn], width: int, height: int) -> TurnFit:
    """The lens that explains turns best, of all that begin with a field of view from 20 to 150°."""
    views, scales = Views.of_turns(turns), _FIRST_SCALES
    starts = [_initial(views, turns, _lens(width, height, float(hfov))) for hfov in _HFOVS_DEG]
    state = min(starts, key=lambda one: one.cost)
    for _ in range(_STAGES):
        state = _descended(state, _ROUNDS)
        scales = _scales(state)
        state = state.weighed(scales)
    state = _descended(state, _ROUNDS)
    return TurnFit(state.lens, _covariance(state), state.motions, state.points, scales[0])


def _lens(width: int, height: int, hfov_deg: float) -> BentLens:
    focal = width / 2 / math.tan(math.radians(hfov_deg) / 2)
    return BentLens(width, height, np.array([math.log(focal), *EXPECTED[1:]]))


def _initial(views: Views, turns: Sequence[Turn], lens: BentLens) -> TurnState:
    """After some steps of the motions alone."""
    motions = first_motions(views, turns, lens.camera)
    weighing = weighing_of(views, lens, motions, _FIRST_SCALES)
    return _descended(TurnState.of(views, weighing, lens, motions), _FIRST_ROUNDS, held=True)


def _scales(state: TurnState) -> tuple[float, float]:
    """By the medians: of points that the translation hardly moves, as a multiple of what they should be; of
    horizons in px.
    """
    white = np.linalg.inv(np.linalg.cholesky(state.views.covariance))
    still = np.linalg.norm(state.views.parallaxes(state.lens, state.motions), axis=1) < _STILL_PX
    chosen = still if still.mean() > _FEWEST_STILL else slice(None)
    points = np.einsum("nij,nj->ni", white, state.points)[chosen]
    found = (1.4826 * float(np.nanmedian(np.abs(one))) for one in (points, state.horizon))
    point, horizon = (max(least, one) for least, one in zip(_LEAST_SCALES, found, strict=True))
    return point, horizon


def _descended(state: TurnState, rounds: int, *, held: bool = False) -> TurnState:
    """After steps of Levenberg and Marquardt; with a `held` lens of its motions alone."""

    def step_from(state: TurnState) -> Callable[[float], TurnState | None]:
        blocks, slopes = _normal_equations(state)
        return lambda damping: _stepped(state, blocks, slopes, damping, held=held)

    return descended(state, step_from, rounds=rounds, damping=_DAMPING, least_gain=_LEAST_GAIN)


def _stepped(
    state: TurnState, blocks: Array, slopes: Array, damping: float, *, held: bool
) -> TurnState | None:
    """After one step; None where that leads to what is no lens."""
    diagonal = blocks.diagonal(axis1=1, axis2=2)
    blocks = blocks + damping * diagonal[:, :, None] * np.eye(_ALL)
    shared = np.zeros(GLOBALS)
    if not held:
        matrices, ends = _complements(blocks, slopes)
        precision = 1 / lens_sd(state.lens) ** 2
        slope = ends.sum(axis=0) + precision * state.surprise
        shared = -np.linalg.solve(matrices.sum(axis=0) + np.diag(precision), slope)
    right = slopes[:, GLOBALS:] + blocks[:, GLOBALS:, :GLOBALS] @ shared
    own = np.asarray(-np.linalg.solve(blocks[:, GLOBALS:, GLOBALS:], right[:, :, None])[:, :, 0], np.float64)
    try:
        return state.moved(shared, own)
    except CameraModelError:
        return None


def _complements(blocks: Array, slopes: Array) -> tuple[Array, Array]:
    """Normal equations (P, 6, 6), (P, 6) of the lens, in which the motion of each pair follows it (Schur)."""
    across = blocks[:, :GLOBALS, GLOBALS:]
    both = np.concatenate([across.transpose(0, 2, 1), slopes[:, GLOBALS:, None]], axis=2)
    less = across @ np.linalg.solve(blocks[:, GLOBALS:, GLOBALS:], both)
    return blocks[:, :GLOBALS, :GLOBALS] - less[:, :, :GLOBALS], slopes[:, :GLOBALS] - less[:, :, GLOBALS]


def _normal_equations(state: TurnState, *, curved: bool = False) -> tuple[Array, Array]:
    """Of each pair, (P, 17, 17) and (P, 17), in lens and motion.

    Matrices by the weights, as least squares have them, or `curved` by the second derivatives of the costs.
    """
    views, weights = state.views, state.weights
    bents = state.curvatures if curved else weights
    points, horizon = _derivatives(state)
    blocks, slopes = np.zeros((views.pairs, _ALL, _ALL)), np.zeros((views.pairs, _ALL))
    white = np.nan_to_num(state.white).ravel()
    weight, bent, of = np.repeat(weights[0], 2), np.repeat(bents[0], 2), np.repeat(views.of, 2)
    _gather(points.reshape(-1, _ALL), white, weight, bent, of, blocks, slopes)
    _gather(horizon, np.nan_to_num(state.horizon), weights[1], bents[1], views.of_horizon, blocks, slopes)
    shifts = np.arange(GLOBALS + 3, GLOBALS + 9)
    blocks[:, shifts, shifts] += 1 / TRANSLATION_SD**2
    slopes[:, shifts] += state.motions.translations / TRANSLATION_SD**2
    own = np.arange(GLOBALS, _ALL)
    blocks[:, own, own] += _TINY
    return blocks, slopes


def _gather(
    jacobian: Array,
    residual: Array,
    weight: Array,
    bent: Array,
    of: NDArray[Any],
    blocks: Array,
    slopes: Array,
) -> None:
    """Add rows to the normal equations of their pairs, which are in order."""
    starts = np.searchsorted(of, np.arange(len(blocks) + 1))
    by_cost, pull = jacobian * bent[:, None], jacobian * (weight * residual)[:, None]
    for pair, (first, last) in enumerate(pairwise(starts.tolist())):
        blocks[pair] += by_cost[first:last].T @ jacobian[first:last]
        slopes[pair] += pull[first:last].sum(axis=0)


def _derivatives(state: TurnState) -> tuple[Array, Array]:
    """Of white points (N, 2, 17) and of the horizon (M, 17), by differences; 0 where there is none."""
    points, horizon = np.empty((*state.points.shape, _ALL)), np.empty((len(state.horizon), _ALL))
    for column, size in enumerate(_STEPS):
        step = np.zeros(_ALL)
        step[column] = size
        moved = state.moved(step[:GLOBALS], np.tile(step[GLOBALS:], (state.views.pairs, 1)))
        points[:, :, column] = (moved.points - state.points) / size
        horizon[:, column] = (moved.horizon - state.horizon) / size
    white = np.einsum("nij,njk->nik", state.weighing.points, np.nan_to_num(points))
    return white, np.nan_to_num(horizon)


def _covariance(state: TurnState) -> Array:
    """Covariance (6, 6) of the lens: by its noise, or the jackknife of pairs of frames, one step from the
    solution (CR3 of MacKinnon and White 1985), whichever leaves the focal length less certain.

    What errs in a pair errs alike in all its points, and by the jackknife is counted once. What errs alike
    in all pairs adds `_MODEL_SD`.
    """
    matrices, ends = _complements(*_normal_equations(state, curved=True))
    precision = np.diag(1 / lens_sd(state.lens) ** 2)
    whole = matrices.sum(axis=0) + precision
    by_noise = np.linalg.inv(whole)
    moved = np.linalg.solve(whole - matrices, ends[:, :, None])[:, :, 0]
    by_pairs = moved.T @ moved + by_noise @ precision @ by_noise
    wider = max(by_noise, by_pairs, key=lambda one: float(one[0, 0]))
    return np.asarray(wider + np.diag(_MODEL_SD**2))
