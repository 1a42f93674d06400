"""Lines laid onto rendered edges whose place is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.edges import apart_px, half_plane

from horizon_rt.geometry import HorizonLine
from horizon_rt.label.snap import refine_line, visible_span

W, H = 320, 240


def _cases(count: int, seed: int) -> list[tuple[HorizonLine, HorizonLine]]:
    """True lines at any tilt, and lines drawn up to 4 px beside them."""
    rng = np.random.default_rng(seed)
    true = [HorizonLine(rng.uniform(-180, 180), rng.uniform(-60, 60)) for _ in range(count)]
    return [
        (t, HorizonLine(t.angle_deg + rng.uniform(-0.6, 0.6), t.offset_px + rng.uniform(-3, 3))) for t in true
    ]


@pytest.mark.parametrize(
    ("blur", "noise", "contrast", "limit_px"),
    [
        (0, 0, 120, 0.08),
        (0, 0, -120, 0.08),
        (1, 2, 60, 0.06),
        (0, 0, 4, 0.06),
        (2, 4, 30, 0.4),
        (1, 8, 20, 0.6),
    ],
)
def test_a_line_drawn_beside_an_edge_comes_to_lie_on_it(
    blur: float, noise: float, contrast: float, limit_px: float
) -> None:
    errors = []
    for i, (true, drawn) in enumerate(_cases(8, seed=3)):
        luma = half_plane(
            true, W, H, sky=128 + contrast / 2, ground=128 - contrast / 2, blur_px=blur, noise=noise, seed=i
        )
        edge = refine_line(luma, drawn)
        assert edge is not None
        assert np.sign(edge.gradient) == np.sign(contrast)
        errors.append(apart_px(edge.line, true, W, H))
    assert max(errors) < limit_px


@pytest.mark.parametrize("angle", [0.0, 90.0, -90.0, 180.0, 45.0, 89.99])
def test_level_vertical_and_inverted_edges(angle: float) -> None:
    true = HorizonLine(angle, 10.25)
    edge = refine_line(half_plane(true, W, H), HorizonLine(angle + 0.4, 12.0))
    assert edge is not None
    assert apart_px(edge.line, true, W, H) < 0.1


def test_an_edge_hidden_on_a_third_of_its_length_is_found() -> None:
    true = HorizonLine(3.0, 5.0)
    luma = half_plane(true, W, H, blur_px=1, noise=2)
    luma[60:180, 40:140] = 20
    edge = refine_line(luma, HorizonLine(2.7, 7.0))
    assert edge is not None
    assert edge.share < 0.8
    assert apart_px(edge.line, true, W, H) < 0.15


def test_the_strongest_of_two_edges_within_reach_is_taken() -> None:
    y = np.arange(H)[:, None]
    steps = np.where(y < 118, 200, np.where(y < 124, 180, 60)) * np.ones((1, W))
    edge = refine_line(steps.astype(np.uint8), HorizonLine(0.0, 0.0))
    assert edge is not None
    assert abs(edge.line.offset_px - (123.5 - (H - 1) / 2)) < 0.1


def test_an_edge_out_of_reach_is_left_alone() -> None:
    luma = half_plane(HorizonLine(0.0, 0.0), W, H)
    assert refine_line(luma, HorizonLine(0.0, 30.0)) is None
    assert refine_line(luma, HorizonLine(0.0, 30.0), reach_px=35.0) is not None


@pytest.mark.parametrize("sigma", [2.0, 10.0, 40.0])
@pytest.mark.parametrize("grain_px", [0.0, 2.0])
def test_texture_without_an_edge_is_refused(sigma: float, grain_px: float) -> None:
    rng = np.random.default_rng(int(sigma))
    for _ in range(4):
        noise = rng.normal(0, 1, (H, W))
        if grain_px:
            noise = cv2.GaussianBlur(noise, (0, 0), grain_px)
        luma = np.clip(128 + sigma * noise / noise.std(), 0, 255).astype(np.uint8)
        assert refine_line(luma, HorizonLine(rng.uniform(-30, 30), rng.uniform(-30, 30))) is None


def test_flat_pictures_and_ramps_are_refused() -> None:
    y = np.arange(H)[:, None] * np.ones((1, W))
    for picture in (np.full((H, W), 90.0), y, 20 + 0.2 * y, y**2 / 400):
        assert refine_line(picture.astype(np.uint8), HorizonLine(2.0, 3.0)) is None


def test_a_line_that_hardly_touches_the_picture_is_refused() -> None:
    luma = half_plane(HorizonLine(0.0, 0.0), W, H)
    assert refine_line(luma, HorizonLine(0.0, 500.0)) is None
    assert refine_line(luma, HorizonLine(45.0, (W + H) / 2**1.5 - 6)) is None


@pytest.mark.parametrize(
    ("line", "span"),
    [
        (HorizonLine(0.0, 0.0), (-(W - 1) / 2, (W - 1) / 2)),
        (HorizonLine(90.0, 20.0), (-(H - 1) / 2, (H - 1) / 2)),
        (HorizonLine(180.0, 5.0), (-(W - 1) / 2, (W - 1) / 2)),
        (HorizonLine(0.0, 120.0), None),
        (HorizonLine(90.0, 160.0), None),
    ],
)
def test_where_a_line_crosses_the_picture(line: HorizonLine, span: tuple[float, float] | None) -> None:
    found = visible_span(line, W, H)
    assert found == (None if span is None else pytest.approx(span))
