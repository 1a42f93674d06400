"""The sigma of a net, set anew: known factors are found again, and a shipped model hardly moves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from horizon_rt.camera import Camera
from horizon_rt.datasets import Label
from horizon_rt.geometry import UpVector
from horizon_rt.models.weights import SigmaCalibration, find_model, load_net
from horizon_rt.training.calibration import Measure, calibrate, fitted, labelled
from horizon_rt.training.samples.pictures import Picture

BEFORE = SigmaCalibration(scale=1.0, boundary_width=0.5)


def _measure(count: int, scale: float, width: float) -> Measure:
    """Errors of a normal distribution, as if sigma² were (scale·a)² + (width·b)² for frames of their own."""
    rng = np.random.default_rng(3)
    formal, band = rng.uniform(0.1, 1.0, (2, count, 2))
    squares = rng.normal(0, 1, (count, 2)) ** 2 * ((scale * formal) ** 2 + (width * band) ** 2)

    def measure(sigma: SigmaCalibration) -> tuple[np.ndarray, np.ndarray]:
        return squares, (sigma.scale * formal) ** 2 + (sigma.boundary_width * band) ** 2

    return measure


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_a_factor_is_found_again(factor: float) -> None:
    found = fitted([_measure(800, factor, 0.5 * factor)], BEFORE)
    assert found.boundary_width == pytest.approx(0.5 * factor, rel=0.25)
    squares, variances = _measure(4000, factor, 0.5 * factor)(found)
    assert (squares <= 4 * variances).mean() == pytest.approx(0.954, abs=0.02)


def test_large_photographs_are_seen_no_larger_than_frames_of_a_video(tmp_path: Path) -> None:
    """An attitude stays what it is, and so does the field of view of the lens."""
    path = tmp_path / "large.png"
    cv2.imwrite(str(path), np.zeros((3000, 4000, 3), np.uint8))
    up = UpVector.from_roll_pitch(5, -3)
    lens = Camera.from_hfov(4000, 3000, 60)
    ((frame, camera, truth),) = labelled([Picture(path, Label(up=up, in_view=True), lens)])
    assert (frame.width, frame.height) == (camera.width, camera.height) == (1920, 1440)
    assert camera.hfov_deg == pytest.approx(60, abs=0.1)
    assert (truth.roll_deg, truth.pitch_deg) == pytest.approx((5, -3))


def test_few_frames_move_it_little_and_none_not_at_all() -> None:
    many, few = (fitted([_measure(n, 3.0, 1.5)], BEFORE).boundary_width for n in (400, 3))
    assert 0.5 < few < many
    assert fitted([], BEFORE) == BEFORE


def test_a_shipped_model_is_calibrated_already() -> None:
    card = find_model(name="nano")
    net = load_net(card).eval()
    found = calibrate(net, {}, card.sigma, input_area_px=card.input_area_px, rendered=12)
    assert 0.4 < found.boundary_width / card.sigma.boundary_width < 2.5
