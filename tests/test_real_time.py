"""Looks that come late: what the tracker may claim meanwhile, and that it comes right again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from support.fitting import degrees_between, ideal, up_vector

from horizon_rt.bench.late import LateTracker
from horizon_rt.camera import Camera
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon, Observation
from horizon_rt.segmentation import Segmentation, Segmenter
from horizon_rt.segmentation.letterbox import input_size
from horizon_rt.tracker import HorizonTracker
from horizon_rt.tracking import RewindFilter

RATE = 30
CAMERA = Camera.from_hfov(640, 360, 70)
BELOW, ABOVE = up_vector(0.0, 8.0), up_vector(0.0, -5.0)
Say = Callable[[Frame], np.ndarray | None]


class Oracle:
    """Says where `say` has the horizon; without one, that there is none."""

    def __init__(self, say: Say) -> None:
        self.say = say

    def segment(self, frame: Frame, *, careful: bool = False) -> Segmentation:
        up = self.say(frame)
        seen = ideal(CAMERA, BELOW if up is None else up, *input_size(CAMERA.width, CAMERA.height))
        return seen if up is not None else replace(seen, presence=0.01)


def edges(*ups: np.ndarray) -> np.ndarray:
    """A picture whose tone falls at each of the lines."""
    y, x = np.mgrid[: CAMERA.height, : CAMERA.width]
    rays = CAMERA.rays(np.stack([x.ravel(), y.ravel()], axis=1).astype(float))
    shares = [np.clip(0.5 + CAMERA.focal_px * (rays @ up), 0, 1) for up in ups]
    luma = 60.0 + sum(70.0 * share for share in shares)
    return luma.reshape(CAMERA.height, CAMERA.width)


def frames(picture: Callable[[int], np.ndarray], count: int) -> Iterator[Frame]:
    """At 30 frames/s, with noise."""
    rng = np.random.default_rng(5)
    for k in range(count):
        luma = picture(k) + rng.normal(0, 3, (CAMERA.height, CAMERA.width))
        yield Frame((luma.clip(0, 255).astype(np.uint8),), k, k / RATE)


def followed(say: Say, picture: Callable[[int], np.ndarray], lag: int, count: int) -> list[Horizon]:
    with LateTracker(cast(Segmenter, Oracle(say)), lag, CAMERA) as tracker:
        return [tracker.update(frame) for frame in frames(picture, count)]


def longest(flags: list[bool]) -> int:
    """How many in a row are true at most."""
    return max((len(run) for run in "".join("x" if flag else " " for flag in flags).split()), default=0)


def off(horizon: Horizon, up: np.ndarray) -> float:
    return np.inf if horizon.up is None else degrees_between(horizon.up.as_array(), up)


@pytest.mark.parametrize("lag", [1, 2, 5, 8])
def test_an_edge_that_looks_contradict_is_given_up(lag: int) -> None:
    both = edges(BELOW, ABOVE)
    found = followed(lambda frame: BELOW if frame.index < 30 else ABOVE, lambda k: both, lag, 120)
    assert off(found[29], BELOW) < 0.3
    assert found[29].state == "tracking"
    assert longest([h.state == "tracking" and off(h, ABOVE) > 1 for h in found[30:]]) <= 0.6 * RATE
    assert off(found[-1], ABOVE) < 0.3
    assert found[-1].state == "tracking"


@pytest.mark.parametrize("lag", [2, 5, 8])
@pytest.mark.parametrize("cut_at", range(30, 36))
def test_after_a_cut_nothing_of_the_old_scene_is_claimed(lag: int, cut_at: int) -> None:
    """Also where a look was under way, and an edge lies where the horizon was."""
    before, after = edges(BELOW), edges(BELOW, ABOVE) / 4
    found = followed(
        lambda frame: BELOW if frame.index < cut_at else ABOVE,
        lambda k: before if k < cut_at else after,
        lag,
        75,
    )
    assert found[cut_at].observation.change == "cut"
    assert found[cut_at - 1].state == "tracking"
    assert not any(h.state == "tracking" and off(h, ABOVE) > 1 for h in found[cut_at:])
    assert all(h.view == "unknown" for h in found[cut_at : cut_at + 2])
    assert found[-1].state == "tracking"


def test_the_net_answers_one_at_a_time() -> None:
    """Masks that are asked for or handed over take turns with the look that runs."""
    under_way: list[int] = []
    most: list[int] = []

    def slowly(frame: Frame) -> np.ndarray:
        under_way.append(frame.index)
        most.append(len(under_way))
        time.sleep(0.02)
        under_way.remove(frame.index)
        return BELOW

    seen = edges(BELOW)
    tracker = HorizonTracker(CAMERA, segmenter=cast(Segmenter, Oracle(slowly)), real_time=True)
    for frame in frames(lambda k: seen, 20):
        mask = tracker.segment(frame) if tracker.is_looking else None
        horizon = tracker.update(frame, mask)
        assert mask is None or horizon.observation.is_key
    assert len(most) > 2
    assert max(most) == 1
    assert off(horizon, BELOW) < 0.3


def test_a_look_that_never_comes_ends_what_is_claimed() -> None:
    seen = edges(BELOW)
    with LateTracker(cast(Segmenter, Oracle(lambda frame: BELOW)), 2, CAMERA) as tracker:
        found = []
        for frame in frames(lambda k: seen, 300):
            if frame.index == 60:
                tracker.lag = 10_000
            found.append(tracker.update(frame).state)
    assert found[59] == "tracking"
    assert "tracking" not in found[60 + 2 + RATE :]
    assert found[-1] == "lost"


def test_looks_of_over_a_second_make_a_track() -> None:
    seen = edges(BELOW)
    found = followed(lambda frame: BELOW, lambda k: seen, 32, 300)
    assert sum(h.state == "tracking" for h in found) > 100


@pytest.mark.parametrize("lag", [1, 3, 5])
def test_without_an_edge_to_follow_the_state_does_not_flicker(lag: int) -> None:
    blank = np.full((CAMERA.height, CAMERA.width), 128.0)
    found = followed(lambda frame: BELOW, lambda k: blank, lag, 90)
    assert {h.state for h in found[-60:]} == {"tracking"}


@pytest.mark.parametrize("lag", [0, 3, 6])
def test_damaged_frames_leave_the_others_to_be_followed(lag: int) -> None:
    seen = edges(BELOW)
    with LateTracker(cast(Segmenter, Oracle(lambda frame: BELOW)), lag, CAMERA) as tracker:
        found = [
            tracker.update(replace(frame, damaged=frame.index % 10 == 9))
            for frame in frames(lambda k: seen, 200)
        ]
    assert sum(h.state == "tracking" for h in found[30:]) >= 0.85 * 170


def test_a_frame_that_waits_too_long_is_given_up() -> None:
    nothing = Observation(view="unknown", confidence=0.0, sky_fraction=0.5, is_key=False)
    track = RewindFilter()
    track.mark()
    for k in range(400):
        track.update(k / RATE, nothing)
        assert track.is_late(k / RATE) == (k > 15)
        assert track.is_marked == (k <= 150)
    track.unmark()
    assert not track.is_late(400 / RATE)
