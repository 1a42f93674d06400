"""Metrics against an independent computation from points on the lines."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from horizon_rt.geometry import HorizonLine
from horizon_rt.metrics import LineError, line_error, summarise

W, H = 640, 480
QUICK = settings(max_examples=200, deadline=None)
lines = st.builds(HorizonLine, angle_deg=st.floats(-180, 180), offset_px=st.floats(-400, 400))


def _points(line: HorizonLine) -> tuple[np.ndarray, np.ndarray]:
    """A point on the line and its direction, from the definition: n·p + offset = 0 about the centre."""
    a = math.radians(line.angle_deg)
    normal, centre = np.array([math.sin(a), -math.cos(a)]), np.array([(W - 1) / 2, (H - 1) / 2])
    return centre - line.offset_px * normal, np.array([math.cos(a), math.sin(a)])


def _height(line: HorizonLine, x: float) -> float:
    point, along = _points(line)
    return float(point[1] + along[1] * (x - point[0]) / along[0])


def _column(line: HorizonLine, y: float) -> float:
    point, along = _points(line)
    return float(point[0] + along[0] * (y - point[1]) / along[1])


def _angle(a: HorizonLine, b: HorizonLine) -> float:
    u, v = _points(a)[1], _points(b)[1]
    return math.degrees(math.atan2(abs(u[0] * v[1] - u[1] * v[0]), float(u @ v)))


@QUICK
@given(estimate=lines, truth=lines)
def test_errors_are_those_of_points_on_the_lines(estimate: HorizonLine, truth: HorizonLine) -> None:
    for line in (estimate, truth):
        a = abs(math.remainder(line.angle_deg, 90))
        assume(a > 0.01 or line.angle_deg in (0, 180, -180))
        assume(abs(abs(line.angle_deg) - 90) > 0.01)
    error = line_error(estimate, truth, W, H)
    assert error.dphi_deg == pytest.approx(_angle(estimate, truth), abs=1e-6)
    middle = (W - 1) / 2
    assert error.dy_px == pytest.approx(
        abs(_height(estimate, middle) - _height(truth, middle)), rel=1e-6, abs=1e-6
    )
    if abs(abs(truth.angle_deg) - 90) < 45:
        assume(abs(math.sin(math.radians(estimate.angle_deg))) > 1e-6)
        e = max(abs(_column(estimate, y) - _column(truth, y)) for y in (0, H - 1)) / W
    else:
        e = max(abs(_height(estimate, x) - _height(truth, x)) for x in (0, W - 1)) / H
    expected = 1.0 if _angle(estimate, truth) > 90 else min(e, 1.0)
    assert error.e == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("angle", [0.0, 44.0, 46.0, 90.0, -90.0, 135.0, 180.0, -180.0])
def test_a_perfect_estimate_has_no_error(angle: float) -> None:
    line = HorizonLine(angle, 30.0)
    error = line_error(line, line, W, H)
    assert (error.e, error.dphi_deg) == (0, 0)
    assert error.dy_px in (0, None)


def test_known_errors() -> None:
    lower = line_error(HorizonLine(0, 48), HorizonLine(0, 0), W, H)
    assert (lower.e, lower.dy_px, lower.dphi_deg) == (pytest.approx(0.1), pytest.approx(48), 0)
    beside = line_error(HorizonLine(90, 64), HorizonLine(90, 0), W, H)
    assert beside.e == pytest.approx(0.1)
    across_the_cut = line_error(HorizonLine(179, 0), HorizonLine(-179, 0), W, H)
    assert across_the_cut.dphi_deg == pytest.approx(2)
    assert across_the_cut.e < 0.05


def test_the_sky_on_the_wrong_side_is_no_estimate() -> None:
    error = line_error(HorizonLine(180, 0), HorizonLine(0, 0), W, H)
    assert (error.e, error.dphi_deg) == (1.0, 180)


def test_a_level_estimate_of_a_vertical_truth_and_the_reverse_count_fully() -> None:
    assert line_error(HorizonLine(0, 10), HorizonLine(90, 10), W, H).e == 1
    error = line_error(HorizonLine(90, 10), HorizonLine(1, 10), W, H)
    assert error.e == 1
    assert error.dy_px is None or error.dy_px > 1e6


def test_no_estimate_counts_one() -> None:
    assert line_error(None, HorizonLine(0, 0), W, H) == LineError(1.0)


@settings(max_examples=50, deadline=None)
@given(errors=st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_auc_is_the_area_under_the_cumulative_curve(errors: list[float]) -> None:
    """The share of frames below each error, integrated from 0 to 0.25 by fine sums."""
    grid = (np.arange(25000) + 0.5) / 100000
    area = 100 * np.mean([np.mean(np.array(errors) <= e) for e in grid[::10]])
    assert summarise([LineError(e, 0.0, 0.0) for e in errors])["auc"] == pytest.approx(area, abs=0.2)


def test_percentiles_are_over_frames_with_an_estimate() -> None:
    rng = np.random.default_rng(0)
    dy, dphi = rng.exponential(3, 99), rng.exponential(1, 99)
    errors = [LineError(0.01, float(a), float(b)) for a, b in zip(dy, dphi, strict=True)] + [
        LineError(1.0)
    ] * 5
    row = summarise(errors)
    assert (row["frames"], row["found"]) == (104, 99)
    ordered = np.sort(dy)  # of 99 values these percentiles fall on or between neighbours
    assert row["dy_px"] == pytest.approx(
        [(ordered[24] + ordered[25]) / 2, ordered[49], ordered[93] * 0.9 + ordered[94] * 0.1]
    )
    assert row["dphi_deg"] == pytest.approx(np.quantile(dphi, [0.25, 0.5, 0.95]))


def test_a_vertical_line_counts_as_found_and_does_not_spoil_the_percentiles() -> None:
    line = HorizonLine(90, 5)
    row = summarise([line_error(line, line, W, H), LineError(0.1, 4.0, 1.0)])
    assert (row["found"], row["dy_px"]) == (2, [4.0, 4.0, 4.0])


def test_nothing_to_summarise() -> None:
    row = summarise([])
    assert (row.pop("frames"), row.pop("found")) == (0, 0)
    assert set(row.values()) == {None}
