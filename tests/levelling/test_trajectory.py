"""The attitude to level by, and the zoom over time: what holds of every recording."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from horizon_rt.levelling.envelope import upper_envelope
from horizon_rt.levelling.trajectory import held, segments, slow_mean

FRAMES = st.integers(2, 80)
STEPS_S = st.floats(0.01, 0.2)


@st.composite
def recordings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times of any rhythm, angles in rad, and whether they are sure."""
    count = draw(FRAMES)
    steps = draw(hnp.arrays(np.float64, count, elements=STEPS_S))
    angle = draw(hnp.arrays(np.float64, count, elements=st.floats(-3.1, 3.1)))
    sure = draw(hnp.arrays(np.bool_, count))
    return np.cumsum(steps), angle, sure


@given(recordings())
def test_a_sure_angle_is_kept_up_to_whole_turns(recording: tuple[np.ndarray, ...]) -> None:
    time_s, angle, sure = recording
    turns = (held(time_s, angle, sure) - angle)[sure] / (2 * np.pi)
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-9)


@given(recordings())
def test_between_sure_angles_nothing_swings_beyond_them(recording: tuple[np.ndarray, ...]) -> None:
    time_s, angle, sure = recording
    found, known = held(time_s, angle, sure), np.flatnonzero(sure)
    settling = np.radians(20) * 0.25
    for a, b in itertools.pairwise(known):
        low, high = sorted((found[a], found[b]))
        assert (found[a : b + 1] >= low - settling - 1e-9).all()
        assert (found[a : b + 1] <= high + settling + 1e-9).all()


def test_a_lost_horizon_is_held_and_taken_up_over_a_second() -> None:
    time_s = np.arange(0, 10, 0.04)
    sure = (time_s < 3) | (time_s > 7)
    angle = np.where(time_s < 5, np.radians(10), np.radians(-20))
    found = np.degrees(held(time_s, np.where(sure, angle, np.nan), sure))
    np.testing.assert_allclose(found[(time_s > 3) & (time_s < 5.9)], 10.0, atol=1e-9)
    assert np.abs(np.diff(found)).max() < 0.04 * 60 * 1.6  # 30° in a second, eased


def test_before_the_first_sure_frame_and_after_the_last_theirs_is_held() -> None:
    sure = np.array([False, False, True, False])
    assert held(np.arange(4.0), np.array([1.0, 2.0, 0.5, 3.0]), sure).tolist() == [0.5] * 4
    assert held(np.arange(4.0), np.full(4, np.nan), np.zeros(4, bool)).tolist() == [0.0] * 4


def test_a_full_roll_stays_unwrapped() -> None:
    roll = np.radians(np.linspace(0, 720, 200))
    wrapped = (roll + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose(held(np.arange(200) / 25, wrapped, np.ones(200, bool)), roll, atol=1e-9)


def test_segments_go_from_start_to_start() -> None:
    starts = np.array([True, False, False, True, True, False])
    assert list(segments(starts)) == [slice(0, 3), slice(3, 4), slice(4, 6)]


def test_the_slow_mean_of_a_constant_is_that_and_unsure_values_count_little() -> None:
    time_s = np.arange(0, 60, 0.04)
    values = np.where(np.arange(1500) % 2, 5.0, -100.0)
    weights = np.where(values == 5.0, 1.0, 1e-9)
    np.testing.assert_allclose(slow_mean(time_s, values, weights, spread_s=5.0), 5.0, atol=1e-5)


@given(recordings(), st.floats(0.05, 1.0), st.floats(0.2, 2.0))
def test_an_envelope_is_enough_and_no_larger_than_the_largest(
    recording: tuple[np.ndarray, ...], rate: float, smooth_s: float
) -> None:
    time_s, needed, _ = recording
    found = upper_envelope(time_s, needed, rate=rate, smooth_s=smooth_s)
    assert (found >= needed - 1e-12).all()
    assert (found <= needed.max() + 1e-9).all()


@given(hnp.arrays(np.float64, st.integers(2, 120), elements=st.floats(0, 1)), st.floats(0.05, 1.0), STEPS_S)
def test_an_envelope_of_regular_frames_changes_no_faster_than_its_rate(
    needed: np.ndarray, rate: float, step_s: float
) -> None:
    time_s = step_s * np.arange(len(needed))
    found = upper_envelope(time_s, needed, rate=rate, smooth_s=1.0)
    assert np.abs(np.diff(found)).max() <= rate * step_s * (1 + 1e-6) + 1e-9


def test_an_envelope_looks_ahead() -> None:
    time_s = np.arange(0, 10, 0.04)
    needed = np.where(time_s >= 6, 0.6, 0.0)
    found = upper_envelope(time_s, needed, rate=0.3, smooth_s=1.0)
    before = found[(time_s > 4.6) & (time_s < 5.4)]
    assert (np.diff(before) > 0).all()
    assert found[0] == pytest.approx(0.0)
