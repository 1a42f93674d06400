"""`calibrate --from-horizon`: the lens of rendered flights, and footage that cannot tell it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.cli import RunCli

from horizon_rt.camera import Camera, load_profile
from horizon_rt.geometry import HorizonLine
from horizon_rt.pipeline.corners import match_corners
from horizon_rt.pipeline.horizon_edge import horizon_points
from horizon_rt.pipeline.turning import TurnCollector

FLIGHT = "synth:mountains?seed=4&size=480x270&fps=12.5&seconds=14"
LEVEL = HorizonLine(0.0, 0.0)


def picture(width: int = 320, height: int = 240) -> np.ndarray:
    """Texture of a few px, brighter above the middle row."""
    rough = np.random.default_rng(2).normal(size=(height, width)).astype(np.float32)
    above = np.arange(height)[:, None] < height / 2
    return (
        (40 * cv2.GaussianBlur(rough, (0, 0), 2.0) * 5 + np.where(above, 170, 80))
        .clip(0, 255)
        .astype(np.uint8)
    )


def test_the_lens_of_a_flight_is_found_and_written(cli: RunCli, tmp_path: Path) -> None:
    out = tmp_path / "found.toml"
    done = cli("calibrate", "--from-horizon", f"{FLIGHT}&hfov=95", "--out", out)
    assert done.code == 0, done.err
    model = load_profile(out).model
    truth = Camera.from_hfov(480, 270, 95)
    assert abs(np.log(model.fx / truth.fx)) < 3 * model.focal_sd
    assert model.hfov_deg == pytest.approx(95, rel=0.03)
    assert 0.01 <= model.focal_sd <= 0.02
    shown = {line.partition(":")[0] for line in done.out.splitlines()}
    assert {"field of view", "focal length", "k1", "written"} <= shown


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("synth:fields?motion=rest&size=320x180&seconds=2", "turns were found and 6 are needed"),
        ("synth:fields?seconds=0.2&size=320x180", "tracked in 0 of 5 frames"),
    ],
)
def test_footage_that_cannot_tell_is_refused_in_a_line(
    cli: RunCli, tmp_path: Path, source: str, reason: str
) -> None:
    done = cli("calibrate", "--from-horizon", source, "--out", tmp_path / "no.toml")
    assert done.code == 1
    assert reason in done.errors[-1]
    assert "missing: " in done.errors[-1]
    assert not (tmp_path / "no.toml").exists()


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("synth:fields", "--columns", "9"),
        ("synth:fields", "--report", "r.html"),
        ("synth:fields", "--lens", "kannala-brandt"),
        ("synth:fields", "--max-frames", "9"),
    ],
)
def test_options_of_boards_are_a_usage_error(cli: RunCli, tmp_path: Path, options: tuple[str, ...]) -> None:
    assert cli("calibrate", "--from-horizon", *options, "--out", tmp_path / "no.toml").code == 2


def test_pictures_that_stand_alone_are_refused(cli: RunCli, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture())
    done = cli("calibrate", "--from-horizon", tmp_path, "--out", tmp_path / "no.toml")
    assert done.code == 1
    assert "give a recording" in done.errors[-1]


def test_matches_lie_where_the_picture_was_turned_to_and_their_errors_are_as_said() -> None:
    first, generator = picture(), np.random.default_rng(3)
    turned = np.array([[0.996, -0.087, 18.0], [0.087, 0.996, -9.0], [0, 0, 1.0]])
    last = cv2.warpPerspective(first, turned, (320, 240), flags=cv2.INTER_CUBIC, borderValue=100)
    noisy = [
        (one + 3 * generator.normal(size=one.shape)).clip(0, 255).astype(np.uint8) for one in (first, last)
    ]
    roughly = turned + np.array([[0, 0, 1.5], [0, 0, -1.0], [0, 0, 0]])
    found = match_corners(*noisy, roughly, LEVEL)
    assert len(found.before) > 100
    exact = cv2.perspectiveTransform(found.before[:, None], turned)[:, 0]
    errors = np.einsum("nij,nj->ni", np.linalg.inv(np.linalg.cholesky(found.covariance)), found.after - exact)
    assert 0.4 < np.sqrt(np.median(errors**2) / 0.455) < 1.6


def test_points_of_the_horizon_lie_on_a_bent_edge() -> None:
    y, x = np.mgrid[:240, :320]
    edge = 118 + 4 * np.sin(x / 100)
    luma = (60 + 120 / (1 + np.exp((y - edge) / 0.7))).astype(np.uint8)
    found = horizon_points(luma, HorizonLine(0.0, 0.5))
    assert len(found) > 30
    assert found[:, 1] == pytest.approx(118 + 4 * np.sin(found[:, 0] / 100), abs=0.1)


def test_a_picture_at_rest_gives_no_turn() -> None:
    collector = TurnCollector(320, 240)
    for k in range(80):
        collector.update(picture(), k / 25, LEVEL)
    assert collector.turns == []
    assert collector.still > 0
