"""The belief in a horizon: averaged over time, begun anew at a cut, and what a track says of itself by it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tracking import DT, NOTHING, seen

from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Observation
from horizon_rt.tracking import Presence, TrackFilter, believed_throughout

UP = UpVector.from_roll_pitch(3, 2)


def look(confidence: float, sd_deg: float = 0.3) -> Observation:
    return replace(seen(UP, sd_deg), confidence=confidence)


def refusal(confidence: float = 0.95) -> Observation:
    return replace(NOTHING, confidence=confidence)


def after(*looks: Observation) -> Presence:
    presence = Presence()
    for k, observation in enumerate(looks):
        presence.update(k * DT, observation)
    return presence


def log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_there_is_no_belief_before_the_first_look() -> None:
    assert not Presence().is_believed
    assert Presence().probability == 0.5


def test_log_odds_are_averaged_over_time() -> None:
    presence, memory_s = after(look(0.9), look(0.6)), Presence().settings.memory_s
    share = 1 - math.exp(-DT / memory_s)
    expected = (1 - share) * log_odds(0.9) + share * log_odds(0.6)
    assert log_odds(presence.probability) == pytest.approx(expected)


@pytest.mark.parametrize("count", [1, 10, 200])
def test_looks_alike_are_no_surer_together(count: int) -> None:
    assert after(*[look(0.6)] * count).probability == pytest.approx(0.6)


def test_belief_comes_above_one_probability_and_goes_below_a_lower_one() -> None:
    settings = Presence().settings
    between = 0.5 * (settings.believed + settings.doubted)
    assert not after(*[look(between)] * 50).is_believed
    assert after(look(0.99), *[look(between)] * 50).is_believed
    assert not after(look(0.99), *[look(settings.doubted - 0.02)] * 80).is_believed


def test_a_cut_begins_anew() -> None:
    new = replace(look(0.95), change="cut")
    assert after(*[refusal()] * 50, new).probability == pytest.approx(0.95)
    assert after(*[look(0.95)] * 50, replace(refusal(), change="cut")).probability < 0.5


@pytest.mark.parametrize("first", [look(0.7), refusal(0.3), replace(look(0.99), is_key=False)])
def test_belief_ends_at_a_cut(first: Observation) -> None:
    """Also where the frame of the cut tells nothing."""
    new = replace(first, change="cut")
    assert not after(*[look(0.95)] * 50, new, *[look(0.7)] * 50).is_believed


def test_a_horizon_is_believed_soon_after_a_long_time_without() -> None:
    presence, frames = after(*[refusal(1.0)] * 200), 0
    while not presence.is_believed:
        frames += 1
        presence.update((199 + frames) * DT, look(0.95))
    assert 2 <= frames <= 10


def test_frames_without_a_look_tell_nothing() -> None:
    before = after(look(0.9)).probability
    followed = replace(look(0.1), is_key=False)
    repeated = replace(look(0.1), change="repeated")
    assert after(look(0.9), followed, repeated, NOTHING).probability == before


def test_a_doubtful_track_is_not_called_one() -> None:
    track = TrackFilter()
    states = {track.update(k * DT, look(0.6)).state for k in range(50)}
    assert states == {"acquiring"}
    assert track.at(51 * DT).state == "acquiring"
    states = [track.update((50 + k) * DT, look(0.97)).state for k in range(10)]
    assert states[-1] == "tracking"


def test_a_track_that_says_nearly_nothing_is_not_called_one() -> None:
    track = TrackFilter()
    measured = look(0.97, sd_deg=15.0).measurement
    assert measured is not None
    wide = replace(look(0.97), measurement=replace(measured, white=0.0 * measured.covariance))
    assert {track.update(k * DT, wide).state for k in range(20)} == {"acquiring"}


def throughout(*looks: Observation) -> list[bool]:
    return believed_throughout([(k * DT, observation) for k, observation in enumerate(looks)])


@given(st.lists(st.floats(0.51, 0.99), max_size=40))
def test_in_a_recording_looks_before_and_after_count_alike(confidences: list[float]) -> None:
    looks = [look(confidence) for confidence in confidences]
    assert throughout(*looks) == throughout(*looks[::-1])[::-1]


def test_in_a_recording_belief_is_there_from_the_first_look() -> None:
    settings = Presence().settings
    between = look(0.5 * (settings.believed + settings.doubted))
    assert not any(throughout(*[between] * 50))
    assert all(throughout(*[between] * 10, *[look(0.97)] * 20))
    assert all(throughout(NOTHING, NOTHING, *[look(0.97)] * 3, NOTHING))


def test_in_a_recording_a_moment_of_doubt_passes() -> None:
    told = throughout(*[look(0.97)] * 30, *[look(0.55)] * 2, *[look(0.97)] * 30)
    assert all(told)
    told = throughout(*[look(0.97)] * 30, *[refusal()] * 30, *[look(0.97)] * 30)
    assert all(told[:30])
    assert not any(told[42:48])
    assert all(told[60:])


@pytest.mark.parametrize("confidence", [0.76, 0.8, 0.9])
def test_in_a_recording_belief_is_there_to_the_last_look_at_a_horizon(confidence: float) -> None:
    told = throughout(*[look(confidence)] * 60, *[refusal()] * 60)
    assert all(told[:60])
    assert not any(told[80:])
    told = throughout(*[refusal()] * 60, *[look(confidence)] * 60)
    assert not any(told[:40])
    assert all(told[60:])


def test_in_a_recording_each_scene_is_believed_for_itself() -> None:
    new = replace(look(0.55), change="cut")
    assert throughout(*[look(0.97)] * 20, new, *[look(0.55)] * 20) == [True] * 20 + [False] * 21
    back = replace(look(0.97), change="cut")
    assert throughout(*[look(0.55)] * 20, back, *[look(0.97)] * 20) == [False] * 20 + [True] * 21


def test_in_a_recording_without_looks_there_is_no_belief() -> None:
    assert throughout() == []
    assert throughout(NOTHING, replace(look(0.97), is_key=False)) == [False, False]
