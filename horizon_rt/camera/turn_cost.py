"""What a lens and the motions of its camera cost: weighed residuals, and what is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.turns import BentLens, Motions, Views

__all__ = ["EXPECTED", "TRANSLATION_SD", "TurnState", "Weighing", "lens_sd", "weighing_of"]

Array = NDArray[np.float64]
EXPECTED = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.015])
"""Of the values of a lens, beforehand; nothing is expected of the focal length."""
_BEND_SD, _CENTRE_SD, _DIP_SD, _LAYER_SD = 0.2, 0.01, 0.01, 0.03  # the second of the width
TRANSLATION_SD = np.array([3.0, 3.0, 3.0, 0.1, 0.1, 0.1])
"""Standard deviations of the translations of a pair of frames beforehand."""
_RELIEF = 0.1  # of what the translation alone moves a point: neither ground nor clouds are level
_CUT = 3.0  # standard deviations at which a residual weighs a quarter (Geman and McClure 1987)
_MOST_SQUARES = 1e12
_STATIONS = 8.0  # independent points of a horizon, whose hills are long


class Weighing(NamedTuple):
    """What makes residuals of points white (N, 2, 2), in 1/px; variances of the horizon (M,) in px², and what
    each of its points counts (M,).
    """

    points: Array
    horizon: Array
    share: Array


@dataclass(frozen=True, slots=True)
class TurnState:
    """A lens and motions with the residuals of points (N, 2) and of the horizon (M,) in px.

    They are NaN where the lens sees nothing, which costs as much as any residual can.
    """

    views: Views
    weighing: Weighing
    lens: BentLens
    motions: Motions
    points: Array
    horizon: Array

    @classmethod
    def of(cls, views: Views, weighing: Weighing, lens: BentLens, motions: Motions) -> Self:
        """Raises CameraModelError for what is no lens."""
        return cls(views, weighing, lens, motions, *views.residuals(lens, motions))

    def moved(self, shared: Array, own: Array) -> Self:
        """With steps (6,) of the lens and (P, 11) of the motions; raises CameraModelError."""
        return self.of(self.views, self.weighing, self.lens.moved(shared), self.motions.moved(own))

    def weighed(self, scales: tuple[float, float]) -> Self:
        """The same, weighed by these scales; see `weighing_of`."""
        return replace(self, weighing=weighing_of(self.views, self.lens, self.motions, scales))

    @property
    def white(self) -> Array:
        """Residuals of the points (N, 2) in standard deviations."""
        return np.einsum("nij,nj->ni", self.weighing.points, self.points)

    @property
    def cost(self) -> float:
        """Twice the negative logarithm of the probability, up to a constant."""
        point, horizon = self._squares
        known = (self.surprise / lens_sd(self.lens))[1:]
        shifts = self.motions.translations / TRANSLATION_SD
        robust = float(_cost(point).sum() + (self.weighing.share * _cost(horizon)).sum())
        return robust + float(known @ known) + float((shifts * shifts).sum())

    @property
    def surprise(self) -> Array:
        """How far the values (6,) of the lens lie from what is expected of them."""
        return np.asarray(self.lens.values - EXPECTED)

    @property
    def weights(self) -> tuple[Array, Array]:
        """Of white points (N,), and of the horizon (M,) in 1/px²."""
        point, horizon = self._squares
        return _weight(point), self.weighing.share * _weight(horizon) / self.weighing.horizon

    @property
    def curvatures(self) -> tuple[Array, Array]:
        """As `weights`, but the second derivatives of the costs, none below 0."""
        (point, horizon), (of_point, of_horizon) = self._squares, self.weights
        return of_point * _curved(point, 2), of_horizon * _curved(horizon, 1)

    @property
    def _squares(self) -> tuple[Array, Array]:
        """Residuals in standard deviations, squared."""
        return (self.white**2).sum(axis=1), self.horizon**2 / self.weighing.horizon


def lens_sd(lens: BentLens) -> Array:
    """Standard deviations (6,) of the values of a lens beforehand."""
    centre = _CENTRE_SD * lens.width
    return np.array([np.inf, _BEND_SD, centre, centre, _DIP_SD, _LAYER_SD])


def weighing_of(views: Views, lens: BentLens, motions: Motions, scales: tuple[float, float]) -> Weighing:
    """Covariances of points a multiple of their own, with what relief does along their parallax; horizons
    with a standard deviation in px, of which a few points of each count as independent.
    """
    relief = _RELIEF * np.nan_to_num(views.parallaxes(lens, motions))
    covariance = scales[0] ** 2 * views.covariance + relief[:, :, None] * relief[:, None, :]
    frame = 2 * views.of_horizon + views.is_later
    share = np.minimum(1.0, _STATIONS / np.bincount(frame)[frame])
    horizon = np.full(len(views.horizon), scales[1] ** 2)
    return Weighing(np.linalg.inv(np.linalg.cholesky(covariance)), horizon, share)


def _cost(squares: Array) -> Array:
    far = _bounded(squares)
    return far / (1 + far / _CUT**2)


def _weight(squares: Array) -> Array:
    return np.where(np.isnan(squares), 0.0, 1 / (1 + _bounded(squares) / _CUT**2) ** 2)


def _curved(squares: Array, size: int) -> Array:
    """Second derivatives of the costs by residuals of this size, averaged over directions, by weight."""
    far = _bounded(squares)
    return np.maximum(0.0, 1 - 4 / size * far / (_CUT**2 + far))


def _bounded(squares: Array) -> Array:
    return np.minimum(np.nan_to_num(squares, nan=_MOST_SQUARES), _MOST_SQUARES)
