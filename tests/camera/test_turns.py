"""A lens from turns of the camera, against points turned exactly: by OpenCV and SciPy, not by ours."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from horizon_rt.camera.turn_fit import fit_turns
from horizon_rt.camera.turns import Turn
from horizon_rt.geometry.rotation import rotations

Array = NDArray[np.float64]
WIDTH, HEIGHT = 640, 360
MATRIX = np.array([[0, 0, (WIDTH - 1) / 2], [0, 0, (HEIGHT - 1) / 2], [0, 0, 1]])
INSIDE = np.array([WIDTH - 1, HEIGHT - 1])
UNTIL = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)


class Flight:
    """What a camera with this lens sees in turns of so many degrees (pitch, yaw, roll)."""

    def __init__(
        self, hfov_deg: float, k1: float = 0.0, *, seed: int = 0, degrees: tuple[float, ...] = (4, 6, 8)
    ) -> None:
        self.focal = WIDTH / 2 / math.tan(math.radians(hfov_deg) / 2)
        self.matrix = MATRIX + np.diag([self.focal, self.focal, 0])
        self.bend = np.array([k1, 0, 0, 0])
        self.generator = np.random.default_rng(seed)
        self.degrees = degrees

    def rays(self, points: Array) -> Array:
        flat = cv2.undistortPoints(points[:, None], self.matrix, self.bend, criteria=UNTIL)[:, 0]
        rays = np.column_stack([flat, np.ones(len(flat))])
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))

    def pixels(self, rays: Array) -> Array:
        """Of those that are seen."""
        rays = rays[rays[:, 2] > 0.1]
        return np.asarray(cv2.projectPoints(rays, np.zeros(3), np.zeros(3), self.matrix, self.bend)[0][:, 0])

    def horizon(self, up: Array, noise: float) -> Array:
        """Points of it, 30 at most."""
        forward = np.array([0, 0, 1.0]) - up[2] * up
        forward /= np.linalg.norm(forward)
        azimuth = np.linspace(-1, 1, 400)[:, None]
        points = self.pixels(np.cos(azimuth) * forward + np.sin(azimuth) * np.cross(forward, up))
        points = points[((points > 0) & (points < INSIDE)).all(axis=1)]
        points = points[np.linspace(0, len(points) - 1, 30).astype(int)]
        return np.asarray(points + noise * self.generator.normal(size=points.shape))

    def turn(self, noise: float, outliers: float) -> Turn:
        roll, pitch = self.generator.normal(size=2) * (0.25, 0.04)
        up = np.array([-math.cos(pitch) * math.sin(roll), -math.cos(pitch) * math.cos(roll), math.sin(pitch)])
        matrix = Rotation.from_rotvec(self.generator.normal(size=3) * self.degrees, degrees=True).as_matrix()
        way = np.array([0.1, 0.0, 0.5]) * self.generator.uniform(0.5, 1.5)
        before = self.generator.uniform((0, 0), INSIDE, (150, 2))
        rays = self.rays(before)
        before, rays = before[rays @ up > -0.15], rays[rays @ up > -0.15]
        near = np.maximum(0, -rays @ up)[:, None]
        after = self.pixels((rays - near * way) @ matrix.T)
        seen = ((after > 0) & (after < INSIDE)).all(axis=1)
        before, after = before[seen], after[seen] + noise * self.generator.normal(size=(int(seen.sum()), 2))
        wrong = self.generator.random(len(after)) < outliers
        after[wrong] += 8 * self.generator.normal(size=(int(wrong.sum()), 2))
        covariance = np.tile(noise**2 * np.eye(2), (len(after), 1, 1))
        horizons = self.horizon(up, noise), self.horizon(matrix @ up, noise)
        sky = self.horizon(up, 0.0)[15] + 5 * up[:2] / np.linalg.norm(up[:2])
        return Turn(before, after, covariance, rays[seen] @ up > 0, *horizons, sky)

    def turns(self, count: int = 12, *, noise: float = 0.2, outliers: float = 0.1) -> list[Turn]:
        return [self.turn(noise, outliers) for _ in range(count)]


@pytest.mark.parametrize(
    ("hfov_deg", "k1"), [(50, 0.0), (50, -0.2), (70, -0.15), (70, 0.05), (95, 0.0), (120, 0.0)]
)
def test_a_lens_is_found_within_its_sigmas(hfov_deg: float, k1: float) -> None:
    flight = Flight(hfov_deg, k1, seed=int(hfov_deg))
    fit = fit_turns(flight.turns(), WIDTH, HEIGHT)
    focal_sd, bend_sd = np.sqrt(np.diag(fit.covariance))[:2]
    found, bend = fit.lens.values[:2]
    assert abs(found - math.log(flight.focal)) < 3 * focal_sd
    assert abs(found - math.log(flight.focal)) < 0.01
    truth = k1 * (math.hypot(WIDTH, HEIGHT) / 2 / flight.focal) ** 2
    assert abs(bend - truth) < 3 * bend_sd
    assert fit.lens.k1 == pytest.approx(k1, abs=0.02)
    assert 0.01 < focal_sd < 0.02  # what errs alike in all turns is not averaged


def test_exact_points_give_the_exact_lens() -> None:
    flight = Flight(80, -0.1, seed=3)
    turns = flight.turns(8, noise=1e-4, outliers=0.0)
    fit = fit_turns(turns, WIDTH, HEIGHT)
    assert math.exp(fit.lens.values[0]) == pytest.approx(flight.focal, rel=1e-4)
    assert fit.lens.k1 == pytest.approx(-0.1, abs=1e-4)
    assert fit.lens.values[2:5] == pytest.approx([0, 0, 0], abs=1e-2)


def test_sigmas_of_noise_are_those_of_many_flights() -> None:
    errors, sds = [], []
    for seed in range(8):
        flight = Flight(75, seed=100 + seed, degrees=(1, 1.5, 4))
        fit = fit_turns(flight.turns(8, noise=0.4), WIDTH, HEIGHT)
        errors.append(fit.lens.values[0] - math.log(flight.focal))
        sds.append(math.sqrt(fit.covariance[0, 0] - 0.01**2))
    ratio = np.std(errors) / np.sqrt(np.mean(np.square(sds)))
    assert 0.4 < ratio < 1.6


def test_a_roll_alone_tells_no_focal_length() -> None:
    fit = fit_turns(Flight(70, degrees=(0, 0, 15)).turns(), WIDTH, HEIGHT)
    assert math.sqrt(fit.covariance[0, 0]) > 0.02


def test_rotations_are_those_of_scipy() -> None:
    vectors = np.random.default_rng(5).normal(size=(50, 3)) * np.geomspace(1e-9, 2, 50)[:, None]
    assert rotations(vectors) == pytest.approx(Rotation.from_rotvec(vectors).as_matrix(), abs=1e-12)
