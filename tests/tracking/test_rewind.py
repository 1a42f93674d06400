"""A look that comes late: the filter is as it would be, had it come in time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Measurement, Observation
from horizon_rt.tracking import RewindFilter, TrackFilter

PASSED = Observation(view="horizon", confidence=0.9, sky_fraction=0.5, is_key=False)


def seen(roll: float) -> Observation:
    up = UpVector.from_roll_pitch(roll, 2.0)
    measurement = Measurement(up=up, covariance=up.isotropic_covariance(0.3), inliers=50)
    return Observation(view="horizon", confidence=0.9, sky_fraction=0.5, measurement=measurement)


@given(
    rolls=st.lists(st.floats(-40, 40), min_size=2, max_size=12),
    marked=st.integers(0, 11),
    late=st.integers(0, 11),
)
def test_it_is_the_filter_of_all_observations_in_their_order(
    rolls: list[float], marked: int, late: int
) -> None:
    marked, late = marked % len(rolls), late % len(rolls)
    rewind, plain = RewindFilter(), TrackFilter()
    for k, roll in enumerate(rolls):
        if k == marked:
            rewind.mark()
        rewind.update(k / 25, PASSED if k == marked else seen(roll))
        if k == max(marked, late):
            track = rewind.correct(seen(rolls[marked]))
    then = [plain.update(k / 25, seen(roll)) for k, roll in enumerate(rolls)]
    assert track.state == then[marked].state
    one, other = rewind.at(len(rolls) / 25), plain.at(len(rolls) / 25)
    assert one.state == other.state
    if one.attitude is None or other.attitude is None:
        assert one.attitude is other.attitude
        return
    np.testing.assert_allclose(one.attitude.up.as_array(), other.attitude.up.as_array(), atol=1e-12)
    np.testing.assert_allclose(one.attitude.covariance, other.attitude.covariance, atol=1e-15)


def test_without_a_frame_after_a_mark_there_is_nothing_to_correct() -> None:
    rewind = RewindFilter()
    with pytest.raises(ValueError, match="mark"):
        rewind.correct(seen(1))
    rewind.mark()
    with pytest.raises(ValueError, match="mark"):
        rewind.correct(seen(1))


def test_a_frame_that_is_passed_over_is_no_frame_without_a_horizon() -> None:
    track = TrackFilter()
    for k in range(5):
        track.update(k / 25, seen(3))
    assert [track.update(0.2 + k / 25, PASSED).state for k in range(4)] == ["tracking"] * 4
    nothing = Observation(view="unknown", confidence=0.0, sky_fraction=0.5)
    assert track.update(0.4, nothing).state == "coasting"
