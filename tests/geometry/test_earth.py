"""Dip and range against a ray that is walked to the sphere, and published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horizon_rt.geometry.earth import EARTH_RADIUS_M, REFRACTION, dip, horizon_distance, sea_range

RADIUS_M = EARTH_RADIUS_M / (1 - REFRACTION)
heights = st.floats(2, 500)


def cast(height_m: float, depression: float) -> float:
    """Distance along a sphere of the effective radius to where a straight ray meets it: the roots of
    |c + t d|² = R², in 80-bit floats.
    """
    high = np.longdouble
    c = np.array([high(0), high(RADIUS_M) + high(height_m)])
    d = np.array([np.cos(high(depression)), -np.sin(high(depression))])
    half, rest = c @ d, c @ c - high(RADIUS_M) ** 2
    t = -half - np.sqrt(half * half - rest)
    x, y = c + t * d
    return float(high(RADIUS_M) * np.arctan2(x, y))


def depression_of(height_m: float, distance_m: float) -> float:
    """Angle below level of a point of the sphere, by its place."""
    angle = distance_m / RADIUS_M
    across, down = RADIUS_M * math.sin(angle), height_m + 2 * RADIUS_M * math.sin(angle / 2) ** 2
    return math.atan2(down, across)


@settings(max_examples=200, deadline=None)
@given(height=heights, share=st.floats(0, 0.9))
def test_ranges_are_those_of_a_ray_cast_to_the_sphere(height: float, share: float) -> None:
    distance = 50 + share * (0.9 * horizon_distance(height) - 50)
    depression = depression_of(height, distance)
    found = sea_range(height, depression, 1e-9)
    assert found is not None
    assert found.distance_m == pytest.approx(cast(height, depression), rel=1e-6)
    assert found.distance_m == pytest.approx(distance, rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(height=st.floats(0.1, 100_000))
def test_the_dip_is_the_angle_of_the_tangent(height: float) -> None:
    assert math.cos(dip(height)) == pytest.approx(RADIUS_M / (RADIUS_M + height), abs=1e-12)
    assert dip(height) == pytest.approx(depression_of(height, horizon_distance(height)), rel=1e-9)


@pytest.mark.parametrize("height", [2, 10, 45.0])
def test_the_dip_is_near_the_nautical_almanacs(height: float) -> None:
    """1.76′ √h, for a refraction of 0.165; Bowditch's distance is 2.08 nautical miles √h, for 0.14."""
    assert math.degrees(dip(height)) * 60 == pytest.approx(1.76 * math.sqrt(height), rel=0.025)
    assert horizon_distance(height) == pytest.approx(2.08 * 1852 * math.sqrt(height), rel=0.01)


def test_no_dip_at_the_sea() -> None:
    assert dip(0.0) == 0.0


@pytest.mark.parametrize("height", [2.0, 30.0, 500.0])
@pytest.mark.parametrize("margin", [0.0, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("share", [0.003, 0.3])
def test_two_sigmas_hold_95_percent(height: float, margin: float, share: float) -> None:
    """A point that lies `margin` standard deviations below the horizon, seen with that error, a `share` of
    the dip: beyond them lies what happens once in 20 times, wherever the point is.
    """
    sd = share * dip(height)
    true = dip(height) + margin * sd
    errors = sd * np.random.default_rng(3).standard_normal(2000)
    found = [sea_range(height, true + error, sd) for error in errors]
    told = [one for one in found if one is not None]
    assert len(told) > (0.95 if margin > 2.9 else 0.1) * len(found)
    distance = cast(height, true + 1e-12)  # not quite where rounding loses the sphere
    wrong = sum(abs(one.distance_m - distance) > 2 * one.sd_m for one in told)
    assert wrong < 0.06 * len(found)


def test_no_range_at_the_horizon_or_above() -> None:
    sd = 1e-4
    for depression in (-0.1, 0.0, dip(30.0), dip(30.0) + 0.9 * sd):
        assert sea_range(30.0, depression, sd) is None
    assert sea_range(30.0, dip(30.0) + 1.1 * sd, sd) is not None
    assert sea_range(0.0, 0.1, sd) is None


def test_straight_down_is_no_distance() -> None:
    found = sea_range(100.0, math.pi / 2, 0.01)
    assert found is not None
    assert found.distance_m == pytest.approx(0, abs=1e-6)
    assert found.sd_m == pytest.approx(1.0, rel=0.01)
