"""What is seen twice while a camera turns, and how a lens explains it.

Between two frames a camera turns by R and moves by t. The ray r of a point far away becomes R r; that of a
point on level ground, whose inverse distance is ρ/h with ρ = −r·u below the horizon and the height h,
becomes R (r − ρ t/h): a homography of the plane (Hartley and Zisserman 2004, 13.1), whose vanishing line is
the horizon. So do clouds, a layer that drifts. Points of the horizon lie on r·u = 0 and r·R u = 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.brown import BrownConrady
from horizon_rt.camera.camera import Camera
from horizon_rt.camera.distortion import NO_DISTORTION
from horizon_rt.geometry.rotation import rotation_of, rotations

__all__ = ["GLOBALS", "LOCALS", "BentLens", "Motions", "Turn", "Views", "first_motions"]

Array = NDArray[np.float64]
GLOBALS, LOCALS = 6, 11
_REWEIGHED = 8
_LEAST_FORWARD = 0.2  # of a ray of the horizon, so that a residual in px stays one at wide angles


class Turn(NamedTuple):
    """Two frames of which the second is turned: points (N, 2) in px followed from the first to the second,
    with the covariance (N, 2, 2) of that, and which are above the horizon; points (M, 2) on the horizon in
    each, and on which side of it the sky is: a point (2,) in the sky of the first.
    """

    before: Array
    after: Array
    covariance: Array
    above: NDArray[np.bool_]
    horizon_before: Array
    horizon_after: Array
    sky: Array


@dataclass(frozen=True, slots=True)
class BentLens:
    """What all frames share, for pictures of one size.

    `values` (6,) are the logarithm of the focal length in px; the distortion at the corner, as a share of the
    radius; how far the principal point lies off the centre, x and y in px; the angle in rad by which what is
    seen as the horizon lies below level; and the sine of the elevation at which clouds of a flat layer would
    be as far away as those on the horizon are, whose layer is curved.
    """

    width: int
    height: int
    values: Array

    @property
    def radius(self) -> float:
        """From the centre of the picture to its corner in px."""
        return 0.5 * math.hypot(self.width, self.height)

    @property
    def k1(self) -> float:
        """Of Brown and Conrady."""
        return float(self.values[1]) * math.exp(2 * float(self.values[0])) / self.radius**2

    @property
    def camera(self) -> Camera:
        """The lens; raises CameraModelError for what is none."""
        focal, (dx, dy) = math.exp(float(self.values[0])), self.values[2:4]
        k1 = self.k1
        return Camera(
            width=self.width,
            height=self.height,
            fx=focal,
            fy=focal,
            cx=(self.width - 1) / 2 + float(dx),
            cy=(self.height - 1) / 2 + float(dy),
            distortion=BrownConrady(k1=k1) if k1 else NO_DISTORTION,
        )

    def moved(self, step: Array) -> Self:
        """With a step (6,) added."""
        return replace(self, values=self.values + step)


@dataclass(frozen=True, slots=True)
class Motions:
    """Of each pair of frames (P): rotations (P, 3, 3); translations (P, 6) in the axes of the first frame, in
    heights above the ground and in heights of the clouds above the camera; and its up vectors (P, 3).
    """

    rotations: Array
    translations: Array
    up: Array

    def moved(self, step: Array) -> Motions:
        """With steps (P, 11): rotation in rad, translations, up vector in its tangent plane in rad."""
        along = np.einsum("pij,pi->pj", _tangents(self.up), step[:, 9:])
        up = self.up + along
        return Motions(
            rotations(step[:, :3]) @ self.rotations,
            self.translations + step[:, 3:9],
            up / np.linalg.norm(up, axis=1, keepdims=True),
        )


@dataclass(frozen=True, slots=True)
class Views:
    """Turns laid side by side; `of` and `of_horizon` tell the pair of each row."""

    before: Array
    after: Array
    covariance: Array
    above: NDArray[np.bool_]
    of: NDArray[np.intp]
    horizon: Array
    of_horizon: NDArray[np.intp]
    is_later: NDArray[np.bool_]
    pairs: int

    @classmethod
    def of_turns(cls, turns: Sequence[Turn]) -> Self:
        """Of at least one turn."""
        pairs = np.arange(len(turns))
        horizons = [one for turn in turns for one in (turn.horizon_before, turn.horizon_after)]
        sizes = np.array([len(one) for one in horizons])
        return cls(
            np.concatenate([turn.before for turn in turns]),
            np.concatenate([turn.after for turn in turns]),
            np.concatenate([turn.covariance for turn in turns]),
            np.concatenate([turn.above for turn in turns]),
            np.repeat(pairs, [len(turn.before) for turn in turns]),
            np.concatenate(horizons),
            np.repeat(np.repeat(pairs, 2), sizes),
            np.repeat(np.tile([False, True], len(turns)), sizes),
            len(turns),
        )

    def residuals(self, lens: BentLens, motions: Motions) -> tuple[Array, Array]:
        """Of the points (N, 2) and of the horizon (M,), in px; NaN where the lens sees nothing."""
        camera = lens.camera
        rays = camera.rays(self.before)
        there = self._turned(rays - self._parallax(lens, rays, motions), motions)
        return camera.project(there) - self.after, self._off_horizon(lens, motions)

    def parallaxes(self, lens: BentLens, motions: Motions) -> Array:
        """By how much points (N, 2) in px move for the translation alone; NaN where the lens sees nothing."""
        camera = lens.camera
        rays = camera.rays(self.before)
        near = self._turned(rays - self._parallax(lens, rays, motions), motions)
        return camera.project(near) - camera.project(self._turned(rays, motions))

    def _turned(self, rays: Array, motions: Motions) -> Array:
        return np.einsum("nij,nj->ni", motions.rotations[self.of], rays)

    def _parallax(self, lens: BentLens, rays: Array, motions: Motions) -> Array:
        """Translations (N, 3) by the distances of points of the ground, or of the clouds."""
        height = np.einsum("ni,ni->n", rays, motions.up[self.of])[:, None]
        shifts = motions.translations[self.of]
        ground, clouds = np.maximum(-height, 0.0), np.maximum(height, 0.0) + float(lens.values[5])
        return np.where(self.above[:, None], clouds * shifts[:, 3:], ground * shifts[:, :3])

    def _off_horizon(self, lens: BentLens, motions: Motions) -> Array:
        camera, dip = lens.camera, float(lens.values[4])
        later = np.einsum("pij,pj->pi", motions.rotations, motions.up)
        up = np.where(self.is_later[:, None], later[self.of_horizon], motions.up[self.of_horizon])
        rays = camera.rays(self.horizon)
        forward = np.maximum(rays[:, 2], _LEAST_FORWARD)
        return np.asarray(camera.focal_px * (np.einsum("ni,ni->n", rays, up) + dip) / forward)


def first_motions(views: Views, turns: Sequence[Turn], camera: Camera) -> Motions:
    """Where to begin with a lens: planes through the horizons, and rotations of points as if all were far."""
    up = np.array([_plane(camera, turn.horizon_before, turn.sky) for turn in turns])
    turned = np.array([_rotation(camera.rays(turn.before), camera.rays(turn.after)) for turn in turns])
    return Motions(turned, np.zeros((views.pairs, 6)), up)


def _plane(camera: Camera, points: Array, sky: Array) -> Array:
    """Unit normal (3,) of the plane nearest to the rays of points (M, 2), towards a point in the sky."""
    rays = camera.rays(points)
    seen = rays[np.isfinite(rays).all(axis=1)]
    normal = np.linalg.eigh(seen.T @ seen)[1][:, 0]
    return np.asarray(normal if normal @ camera.rays(sky[None])[0] > 0 else -normal)


def _rotation(before: Array, after: Array) -> Array:
    """The rotation (3, 3) that takes unit rays (N, 3) nearest to others (Kabsch 1976), with less weight for
    those that it does not.
    """
    seen = np.isfinite(before + after).all(axis=1)
    before, after, weight = before[seen], after[seen], np.ones(int(seen.sum()))
    for _ in range(_REWEIGHED):
        turned = rotation_of((after * weight[:, None]).T @ before)
        errors = ((after - before @ turned.T) ** 2).sum(axis=1)
        weight = 1 / (1 + errors / max(float(np.median(errors)), 1e-18))
    return turned


def _tangents(up: Array) -> Array:
    """Two orthonormal vectors (P, 2, 3) across each unit vector (P, 3)."""
    least = np.eye(3)[np.abs(up).argmin(axis=1)]
    first = np.cross(up, least)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(up, first)], axis=1)
