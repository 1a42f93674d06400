"""When the net looks at a frame: the rule, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Attitude, Measurement, Observation, State
from horizon_rt.tracking import KeyFrames, Track

UP = UpVector.from_roll_pitch(3, 2)


def track(state: State = "tracking", sd_deg: float = 0.1) -> Track:
    return Track(state, Attitude(up=UP, covariance=UP.isotropic_covariance(sd_deg)))


def seen() -> Observation:
    measurement = Measurement(up=UP, covariance=UP.isotropic_covariance(0.1), inliers=60)
    return Observation(view="horizon", confidence=0.9, sky_fraction=0.5, measurement=measurement)


def due(keys: KeyFrames, time_s: float, predicted: Track | None = None, **more: bool) -> bool:
    return keys.is_due(time_s, predicted or track(), **{"cut": False, "is_contested": False, **more})


def rested(rate_hz: float = 30.0, frames: int = 40) -> tuple[KeyFrames, list[int], float]:
    """A schedule after so many frames of a sure track, the numbers of its key frames, and the time."""
    keys, found = KeyFrames(), []
    for k in range(frames):
        if due(keys, k / rate_hz):
            keys.look(k / rate_hz, seen(), track())
            found.append(k)
        else:
            keys.follow()
    return keys, found, (frames - 1) / rate_hz


def test_the_interval_doubles_up_to_half_a_second() -> None:
    _, found, _ = rested(frames=80)
    assert found == [0, 1, 3, 7, 15, 30, 45, 60, 75]


@pytest.mark.parametrize("rate_hz", [1.0, 2.0])
def test_every_frame_of_a_slow_source_is_one(rate_hz: float) -> None:
    assert rested(rate_hz, 9)[1] == list(range(9))


def test_what_makes_a_key_frame() -> None:
    keys, _, now = rested()
    now += 1 / 30
    assert not due(keys, now)
    assert due(keys, now, cut=True)
    assert due(keys, now, is_contested=True)
    assert due(keys, now, track("coasting"))
    assert due(keys, now, track("acquiring"))
    assert due(keys, now, Track("lost", None))
    assert due(keys, now, track(sd_deg=0.21))
    assert due(keys, now - 100)


def test_a_key_frame_that_disagrees_brings_the_next_at_once() -> None:
    sky = Observation(view="sky", confidence=1.0, sky_fraction=1.0)
    for shown in (seen(), sky):
        keys, _, now = rested()
        keys.look(now + 0.1, shown, track("coasting"))
        assert due(keys, now + 0.14)


def test_without_an_edge_only_the_frame_after_a_key_frame_that_agreed_passes() -> None:
    keys, _, now = rested()
    keys.look(now + 0.1, seen(), track())
    assert keys.may_pass(track(sd_deg=0.101))
    assert not keys.may_pass(track(sd_deg=0.12))
    keys.follow()
    assert not keys.may_pass(track())


def test_without_a_track_the_net_looks_ten_times_a_second() -> None:
    keys, found = KeyFrames(), []
    nothing, lost = Observation(view="sky", confidence=1.0, sky_fraction=1.0), Track("lost", None)
    for k in range(60):
        if due(keys, k / 30, lost):
            keys.look(k / 30, nothing, lost)
            found.append(k)
        else:
            keys.follow()
    assert found[:3] == [0, 1, 3]
    assert set(np.diff(found[2:])) <= {3, 4}


def test_a_run_that_begins_later_soon_looks_at_the_same_frames() -> None:
    def looks(first: int) -> list[int]:
        keys, found = KeyFrames(), []
        for k in range(first, 400):
            if due(keys, k / 30):
                keys.look(k / 30, seen(), track())
                found.append(k)
            else:
                keys.follow()
        return [k for k in found if k >= 200]

    assert looks(0) == looks(37) == looks(101)
    assert set(np.diff(looks(0))) == {15}
