"""Repeated pictures and cuts: what the watch says, and what the track makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from support.tracking import DT, NOTHING, seen

from horizon_rt.geometry import UpVector
from horizon_rt.tracking import SceneChangeDetector, TrackFilter


def _noisy(level: float, seed: int, depth: int = 8) -> np.ndarray:
    top = 2**depth - 1
    values = np.random.default_rng(seed).normal(level * top, 0.04 * top, (240, 320)).clip(0, top)
    return values.astype(np.uint8 if depth == 8 else np.uint16)


@pytest.mark.parametrize("depth", [8, 10])
def test_repeats_cuts_and_what_is_neither(depth: int) -> None:
    watch = SceneChangeDetector()
    levels = [(0.3, 1), (0.3, 2), (0.3, 2), (0.34, 3), (0.8, 4), (0.8, 5), (0.8, 5)]
    said = [watch.update(_noisy(*level, depth), bit_depth=depth) for level in levels]
    assert said == ["none", "none", "repeated", "none", "cut", "none", "repeated"]


def test_a_flat_picture_that_moves_is_not_repeated() -> None:
    """A horizon between two of the rows that a sparse look sees."""
    watch, rows = SceneChangeDetector(), np.arange(240)[:, None] * np.ones((1, 320))
    said = [watch.update(np.where(rows < edge, 200, 60).astype(np.uint8)) for edge in (115, 118, 118, 121)]
    assert said == ["none", "none", "repeated", "none"]


def test_pictures_of_another_size_follow_on_nothing() -> None:
    watch = SceneChangeDetector()
    watch.update(_noisy(0.3, 1))
    assert watch.update(_noisy(0.3, 1)[:100]) == "none"
    assert watch.update(np.zeros((1, 1), np.uint8)) == "none"


def test_a_cut_starts_the_track_at_once_where_it_does_not_fit() -> None:
    track = TrackFilter()
    for k in range(10):
        track.update(k * DT, seen(UpVector.from_roll_pitch(5, 0), 0.2))
    fits = seen(UpVector.from_roll_pitch(5, 0), 0.2, "cut")
    assert track.update(10 * DT, fits).state == "tracking"
    other = seen(UpVector.from_roll_pitch(40, 0), 0.2, "cut")
    states = [track.update(11 * DT, other)]
    states += [track.update(k * DT, seen(UpVector.from_roll_pitch(40, 0), 0.2)) for k in (12, 13)]
    assert [s.state for s in states] == ["acquiring", "acquiring", "tracking"]
    assert states[0].attitude is not None
    assert states[0].attitude.up.roll_deg == pytest.approx(40, abs=1e-6)


@pytest.mark.parametrize("speed", [0.0, 40.0])
def test_a_frozen_picture_says_nothing_until_it_must_be_rest(speed: float) -> None:
    track = TrackFilter()
    for k in range(40):
        track.update(k * DT, seen(UpVector.from_roll_pitch(speed * k * DT, 0), 0.2))
    frozen = seen(UpVector.from_roll_pitch(speed * 39 * DT, 0), 0.2, "repeated")
    after = [track.update(k * DT, frozen) for k in range(40, 100)]
    assert [a.state for a in after[:6]] == ["tracking"] * 6
    assert {a.state for a in after[7:49]} == {"coasting"}
    assert [a.state for a in after[54:]] == ["tracking"] * 6
    moved, settled = after[9].attitude, after[-1].attitude
    assert moved is not None
    assert settled is not None
    assert moved.up.roll_deg == pytest.approx(speed * 49 * DT, abs=2)
    assert moved.sd_deg[0] > 2
    assert settled.up.roll_deg == pytest.approx(speed * 39 * DT, abs=0.5)


def test_a_still_picture_is_tracked_from_the_start() -> None:
    track = TrackFilter()
    still = [seen(UpVector.from_roll_pitch(5, 0), 0.2, "repeated" if k else "none") for k in range(6)]
    states = [track.update(k * DT, one).state for k, one in enumerate(still)]
    assert states == ["acquiring", "acquiring", "tracking", "tracking", "tracking", "tracking"]


def test_a_blind_frame_is_no_rival() -> None:
    track = TrackFilter()
    for k in range(5):
        track.update(k * DT, NOTHING)
    assert track.update(0.2, NOTHING).state == "lost"
