"""Plans of whole recordings: level where the horizon is sure, never black, no jump but at cuts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horizon_rt.camera import Camera
from horizon_rt.levelling import AttitudeTrack, LevelSettings, plan_level, source_points

CAMERA = Camera.from_hfov(320, 180, 70)


def track(roll_deg: Any, pitch_deg: Any = 0.0, *, cut: int | None = None, sd_deg: Any = 0.5) -> AttitudeTrack:
    """25 frames a second with these angles."""
    roll = np.radians(np.asarray(roll_deg, float))
    time_s = np.arange(len(roll)) / 25
    starts = np.arange(len(roll)) == 0
    if cut is not None:
        starts[cut] = True
    pitch = np.radians(np.broadcast_to(pitch_deg, roll.shape).astype(float))
    return AttitudeTrack(
        time_s=time_s,
        roll=(roll + np.pi) % (2 * np.pi) - np.pi,
        pitch=pitch,
        sd=np.radians(np.broadcast_to(sd_deg, roll.shape).astype(float)),
        roll_rate=np.gradient(np.unwrap(roll), time_s),
        pitch_rate=np.gradient(pitch, time_s),
        starts=starts,
    )


def beyond_px(plan: Any, camera: Camera = CAMERA) -> float:
    """How far the corners of the levelled pictures lie outside of the recording's."""
    w, h = camera.width - 1.0, camera.height - 1.0
    corners = np.array(
        [(0, 0), (w, 0), (0, h), (w, h), (w / 2, 0), (w / 2, h), (0, h / 2), (w, h / 2)], float
    )
    found = source_points(camera, corners, plan.zoom, plan.turn)
    return float(np.maximum(-found, found - [w, h]).max())


def residual_deg(plan: Any, source: AttitudeTrack) -> np.ndarray:
    return np.degrees((source.roll - plan.turn.roll + np.pi) % (2 * np.pi) - np.pi)


MANOEUVRES = st.lists(st.floats(-200, 200), min_size=2, max_size=8)


@given(MANOEUVRES)
def test_any_flight_is_level_and_shows_no_black(keys: list[float]) -> None:
    roll = np.interp(np.linspace(0, len(keys) - 1, 40 * len(keys)), np.arange(len(keys)), keys)
    source = track(roll)
    plan = plan_level(source, CAMERA, LevelSettings())
    np.testing.assert_allclose(residual_deg(plan, source), 0.0, atol=1e-9)
    assert beyond_px(plan) < 0.01
    assert not plan.is_limited.any()
    assert np.abs(np.diff(np.log(plan.zoom))).max() <= 0.3 / 25 * 1.001


@given(MANOEUVRES, st.floats(1.0, 2.0), st.sampled_from(["roll", "roll+pitch"]), st.booleans())
def test_what_the_zoom_does_not_allow_is_left_without_a_jump(
    keys: list[float], limit: float, lock: Any, is_fixed: bool
) -> None:
    roll = np.interp(np.linspace(0, len(keys) - 1, 40 * len(keys)), np.arange(len(keys)), keys)
    pitch = 8 * np.sin(np.arange(len(roll)) / 30)
    zoom = {"zoom": limit} if is_fixed else {"most_zoom": limit}
    plan = plan_level(track(roll, pitch), CAMERA, LevelSettings(lock=lock, **zoom))
    assert beyond_px(plan) < 0.05
    assert plan.zoom.max() <= limit + 1e-9
    assert np.abs(np.diff(plan.turn.roll)).max() <= np.radians(np.abs(np.diff(roll)).max()) + 1e-6


def test_keep_levels_everything_at_zoom_one() -> None:
    source = track(np.linspace(0, 360, 250))
    plan = plan_level(source, CAMERA, LevelSettings(shows_black=True))
    np.testing.assert_allclose(residual_deg(plan, source), 0.0, atol=1e-9)
    assert (plan.zoom == 1).all()


@given(MANOEUVRES, st.floats(0, 0.99))
def test_a_part_of_the_turn_has_no_jump_at_inverted_flight(keys: list[float], strength: float) -> None:
    roll = np.interp(np.linspace(0, len(keys) - 1, 40 * len(keys)), np.arange(len(keys)), keys)
    plan = plan_level(track(roll), CAMERA, LevelSettings(strength=strength))
    assert np.abs(np.diff(plan.turn.roll)).max() <= np.radians(np.abs(np.diff(roll)).max()) + 1e-6


def test_strength_is_the_share_of_the_tilt_that_goes() -> None:
    source = track(np.linspace(-40, 40, 100))
    plan = plan_level(source, CAMERA, LevelSettings(strength=0.75))
    np.testing.assert_allclose(residual_deg(plan, source), 0.25 * np.degrees(source.roll), atol=1e-9)
    none = plan_level(source, CAMERA, LevelSettings(strength=0.0))
    np.testing.assert_allclose(none.turn.roll, 0.0)
    np.testing.assert_allclose(none.zoom, 1.0)


def test_the_pitch_is_held_at_its_slow_mean() -> None:
    pitch = 5 + 3 * np.sin(2 * np.pi * np.arange(1500) / 50)
    plan = plan_level(track(np.zeros(1500), pitch), CAMERA, LevelSettings(lock="roll+pitch"))
    levelled = pitch + np.degrees(plan.turn.pitch)
    assert np.ptp(levelled[250:-250]) < 0.1
    assert levelled.mean() == pytest.approx(5.0, abs=0.05)


def test_a_wide_sigma_holds_the_last_sure_attitude() -> None:
    sd = np.where((np.arange(300) > 100) & (np.arange(300) < 250), 20.0, 0.5)
    roll = np.where(sd > 1, 90.0, 12.0)
    plan = plan_level(track(roll, sd_deg=sd), CAMERA, LevelSettings())
    np.testing.assert_allclose(np.degrees(plan.turn.roll), 12.0, atol=0.01)


def test_a_cut_ends_what_is_smooth() -> None:
    roll = np.where(np.arange(200) < 100, 0.0, 40.0)
    smooth, cut = (plan_level(track(roll, cut=c), CAMERA, LevelSettings()) for c in (None, 100))
    assert cut.zoom[99] == pytest.approx(1.0, abs=1e-3)
    assert cut.zoom[100] > 1.9
    assert smooth.zoom[99] > 1.7
