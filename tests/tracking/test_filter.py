"""States of the track: when it starts, coasts, is lost, and gives way to its rival."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Measurement, Observation
from horizon_rt.options import Motion
from horizon_rt.synth.trajectory import make_trajectory
from horizon_rt.tracking import NoFilter, Track, TrackFilter, TrackSettings
from horizon_rt.tracking.smoother import smooth_tracks

SD = math.radians(0.3)
NOTHING = Observation(view="unknown", confidence=0.0, sky_fraction=0.5)


def seen(roll: float, pitch: float = 0.0) -> Observation:
    up = UpVector.from_roll_pitch(roll, pitch)
    u = up.as_array()
    covariance = SD**2 * (np.eye(3) - np.outer(u, u))
    measurement = Measurement(up=up, covariance=covariance, inliers=50)
    return Observation(view="horizon", confidence=0.95, sky_fraction=0.5, measurement=measurement)


def _confirmed(roll: float = 0.0, settings: TrackSettings | None = None) -> tuple[TrackFilter, float]:
    track = TrackFilter(settings)
    for k in range(10):
        track.update(k * 0.04, seen(roll))
    return track, 0.36


def _roll(track: Track) -> float:
    assert track.attitude is not None
    return track.attitude.up.roll_deg


def test_three_agreeing_frames_make_a_track() -> None:
    track = TrackFilter()
    states = [track.update(k * 0.04, seen(10)).state for k in range(4)]
    assert states == ["acquiring", "acquiring", "tracking", "tracking"]


def test_frames_without_a_horizon_before_the_first_are_lost() -> None:
    track = TrackFilter()
    assert [track.update(k * 0.04, NOTHING) for k in range(3)] == [Track("lost", None)] * 3


def test_it_coasts_and_is_lost_after_two_seconds_exactly() -> None:
    track, now = _confirmed(5, TrackSettings(lost_sd_deg=180))
    states = {}
    for k in range(1, 70):
        states[k] = track.update(now + k * 0.04, NOTHING).state
    assert {states[k] for k in range(1, 50)} == {"coasting"}
    assert {states[k] for k in range(52, 70)} == {"lost"}


def test_a_coasting_track_is_lost_where_its_sigma_says_nothing_and_back_with_one_frame() -> None:
    track, now = _confirmed(5)
    answers = [track.update(now + k * 0.04, NOTHING) for k in range(1, 50)]
    assert {answer.state for answer in answers} == {"coasting", "lost"}
    assert all(max(a.attitude.sd_deg) < 12.5 for a in answers if a.attitude is not None)
    assert answers[24].state == "coasting"
    assert answers[-1] == Track("lost", None)
    assert track.update(now + 2.0, seen(6)).state == "tracking"


def test_a_coasting_track_slows_down() -> None:
    track = TrackFilter()
    for k in range(30):
        track.update(k * 0.04, seen(k * 2.0))
    rolls = [_roll(track.update(1.16 + k * 0.04, NOTHING)) for k in range(1, 20)]
    assert rolls[0] == pytest.approx(60, abs=0.5)
    assert np.all(np.diff(rolls) > 0)
    assert rolls[-1] == pytest.approx(60 + 50 * 0.5 * (1 - math.exp(-0.72 / 0.5)), abs=1.5)


def test_a_coasting_track_is_back_with_one_accepted_frame() -> None:
    track, now = _confirmed(5)
    assert track.update(now + 0.04, NOTHING).state == "coasting"
    assert track.update(now + 0.08, seen(5)).state == "tracking"


def test_the_sigma_grows_while_coasting_and_shrinks_after() -> None:
    track, now = _confirmed(5)
    sizes = []
    for k in range(1, 20):
        estimate = track.update(now + k * 0.04, NOTHING).attitude
        assert estimate is not None
        sizes.append(np.trace(estimate.covariance))
    assert (np.diff(sizes) > 0).all()
    after = track.update(now + 0.8, seen(5)).attitude
    assert after is not None
    assert np.trace(after.covariance) < sizes[0]


def test_an_unconfirmed_track_is_given_up_after_a_second() -> None:
    track = TrackFilter()
    track.update(0.0, seen(0))
    assert track.update(0.9, NOTHING).state == "acquiring"
    assert track.update(1.1, NOTHING).state == "lost"


@pytest.mark.parametrize("rate_dps", [0, 100, 400, -720])
def test_an_error_that_frames_share_keeps_its_sigma_while_the_camera_rolls(rate_dps: float) -> None:
    track, sds = TrackFilter(), []
    for k in range(90):
        up = UpVector.from_roll_pitch((rate_dps * k / 30 + 180) % 360 - 180, 0.0)
        to_up = np.linalg.pinv(up.roll_pitch_jacobian())
        shared = to_up @ np.diag(np.radians([2.0, 0.2]) ** 2) @ to_up.T
        white = up.isotropic_covariance(0.05)
        measured = Measurement(up=up, covariance=shared + white, inliers=50, white=white)
        observation = Observation(view="horizon", confidence=0.95, sky_fraction=0.5, measurement=measured)
        found = track.update(k / 30, observation).attitude
        assert found is not None
        sds.append(found.sd_deg)
    roll_sd, pitch_sd = np.mean(sds[60:], axis=0)
    assert roll_sd == pytest.approx(2.0, rel=0.02)
    assert pitch_sd < 0.3


def test_the_gate_refuses_a_single_outlier() -> None:
    track, now = _confirmed(5)
    after = track.update(now + 0.04, seen(60))
    assert after.state == "coasting"
    assert _roll(after) == pytest.approx(5, abs=0.1)
    assert track.update(now + 0.08, seen(5)).state == "tracking"


def test_outliers_that_do_not_agree_with_each_other_never_take_over() -> None:
    track, now = _confirmed(5)
    for k, roll in enumerate([90, -90, 180, 60, -120, 30] * 3, 1):
        answer = track.update(now + k * 0.04, seen(roll if k % 2 else 5))
        assert abs(_roll(answer) - 5) < 1


def test_a_wrong_track_gives_way_to_three_frames_that_agree() -> None:
    track, now = _confirmed(5)
    states = [track.update(now + k * 0.04, seen(60)) for k in (1, 2, 3, 4)]
    assert [s.state for s in states] == ["coasting", "coasting", "tracking", "tracking"]
    assert _roll(states[1]) == pytest.approx(5, abs=0.1)
    assert _roll(states[2]) == pytest.approx(60, abs=0.1)


def test_a_rival_forgets_what_disagrees_with_it() -> None:
    """90, 90, then -90 three times: the last three agree."""
    track, now = _confirmed(0)
    rolls = [90, 90, -90, -90, -90]
    answers = [track.update(now + k * 0.04, seen(r)) for k, r in enumerate(rolls, 1)]
    assert [a.state for a in answers] == ["coasting"] * 4 + ["tracking"]
    assert _roll(answers[-1]) == pytest.approx(-90, abs=0.1)


def test_a_thousand_contradictory_frames_in_a_second_are_hardly_believed() -> None:
    rng, (track, now) = np.random.default_rng(0), _confirmed()
    answers = [
        track.update(now + k * 1e-3, seen(rng.uniform(-180, 180), rng.uniform(-89, 89)))
        for k in range(1, 1500)
    ]
    assert sum(answer.state == "tracking" for answer in answers) < 30, "those near the track by chance"


@pytest.mark.parametrize("jump", [-0.04, -100.0, 6.0, 1e6])
def test_a_long_gap_or_time_that_goes_back_starts_anew(jump: float) -> None:
    track, now = _confirmed(5)
    after = track.update(now + jump, seen(-70))
    assert after.state == "acquiring"
    assert _roll(after) == pytest.approx(-70)
    assert track.update(now + jump + 0.04, seen(-70)).state == "acquiring"
    assert track.update(now + jump + 0.08, seen(-70)).state == "tracking"


def test_frames_of_one_timestamp_are_taken() -> None:
    track = TrackFilter()
    for k in range(30):
        answer = track.update((k // 2) * 0.04, seen(7))
    assert answer.state == "tracking"
    assert _roll(answer) == pytest.approx(7, abs=0.05)
    assert track.update((k // 2) * 0.04, NOTHING).state == "tracking"


@settings(max_examples=40, deadline=None)
@given(speed=st.floats(-180, 180), start=st.floats(-180, 180), seed=st.integers(0, 50))
def test_a_steady_roll_is_followed_at_any_rate_through_every_angle(
    speed: float, start: float, seed: int
) -> None:
    """Irregular frames of 10 to 60 per second; no coasting once confirmed, and the right rate."""
    rng, track, now, states = np.random.default_rng(seed), TrackFilter(), 3.0, []
    for _ in range(60):
        now += float(rng.uniform(1 / 60, 1 / 10))
        answer = track.update(now, seen(start + speed * now))
        states.append(answer.state)
    assert set(states[12:]) == {"tracking"}
    assert answer.attitude is not None
    assert answer.attitude.rate is not None
    truth = UpVector.from_roll_pitch(start + speed * now, 0)
    assert answer.attitude.up.angle_to(truth) < 1.0
    rate = math.degrees(float((answer.attitude.up.roll_pitch_jacobian() @ answer.attitude.rate)[0]))
    assert rate == pytest.approx(speed, abs=6)


@pytest.mark.parametrize("every", [2, 3, 5, 10, 25])
@pytest.mark.parametrize(("motion", "seconds"), [("flight", 5.0), ("flight", 12.0), ("aerobatics", 8.0)])
def test_every_nth_frame_of_a_flight_is_followed(motion: Motion, seconds: float, every: int) -> None:
    path, rng = make_trajectory(motion, seconds, seed=3), np.random.default_rng(every)
    track, frames, steps = (
        TrackFilter(),
        list[tuple[float, Observation]](),
        range(0, round(25 * seconds), every),
    )
    truths = [path.at(step / 25).up for step in steps]
    for step, up in zip(steps, truths, strict=True):
        roll, pitch = np.array([up.roll_deg, up.pitch_deg]) + rng.normal(0, 0.2, 2)
        frames.append((step / 25, seen(roll, pitch)))
    causal = [track.update(*frame) for frame in frames]
    for tracks in (causal, smooth_tracks(frames)):
        found = [one.attitude.up.angle_to(up) for one, up in zip(tracks, truths, strict=True) if one.attitude]
        assert len(found) == len(frames)
        assert max(found) < 2.0


def test_straight_up_and_over_the_top() -> None:
    track = TrackFilter()
    for k in range(180):
        pitch = 2.0 * k
        up = np.array([0.0, -math.cos(math.radians(pitch)), math.sin(math.radians(pitch))])
        cov = SD**2 * (np.eye(3) - np.outer(up, up))
        measurement = Measurement(up=UpVector.from_vector(up), covariance=cov, inliers=9)
        answer = track.update(
            k * 0.04, Observation(view="horizon", confidence=0.9, sky_fraction=0.5, measurement=measurement)
        )
        if k > 10:
            assert answer.state == "tracking"
            assert answer.attitude is not None
            assert answer.attitude.up.angle_to(measurement.up) < 0.5


def test_filtering_reduces_the_noise_of_a_smooth_motion() -> None:
    rng, track, raw, filtered = (
        np.random.default_rng(4),
        TrackFilter(TrackSettings(acceleration_dps2=5)),
        [],
        [],
    )
    for k in range(400):
        truth = 20 * math.sin(0.5 * k * 0.04)
        noisy = truth + math.degrees(SD) * rng.normal()
        answer = track.update(k * 0.04, seen(noisy))
        raw.append(noisy - truth)
        filtered.append(_roll(answer) - truth)
    assert np.std(filtered[20:]) < 0.75 * np.std(raw[20:])


def test_the_track_at_another_time_is_moved_by_its_rate() -> None:
    """A steady roll of 40°/s: ahead and back, where a held estimate would be off by up to 12°."""
    track = TrackFilter()
    for k in range(50):
        last = track.update(k * 0.04, seen(40 * k * 0.04))
    now, sizes = 49 * 0.04, []
    for ahead in (-0.1, 0.0, 0.05, 0.1, 0.3):
        found = track.at(now + ahead)
        assert found.state == "tracking"
        assert found.attitude is not None
        assert _roll(found) == pytest.approx(40 * (now + ahead), abs=0.6)
        sizes.append(found.attitude.sd_deg[0])
    assert sizes[1] == min(sizes)
    assert sizes[1:] == sorted(sizes[1:])
    assert _roll(track.at(now)) == _roll(last)
    assert _roll(track.update(50 * 0.04, seen(80.0))) == pytest.approx(80, abs=0.5)  # it stayed as it was


def test_at_is_lost_where_coasting_would_be() -> None:
    track, now = _confirmed(5)
    assert [track.at(now + s).state for s in (0.0, 0.9, 1.9, 2.1)] == ["tracking", "tracking", "lost", "lost"]


def test_the_lasting_error_of_sure_frames_is_not_held_against_less_sure_ones() -> None:
    """Sure frames, then ones with a lasting error of 0.5°: whatever it is, the track's sigma covers it."""
    rng, ratios = np.random.default_rng(3), []
    for _ in range(60):
        track, off = TrackFilter(), float(rng.normal(0, 0.5))
        for k in range(40):
            error, lasting = (0.0, 0.01) if k < 25 else (off, 0.5)
            up = UpVector.from_roll_pitch(error, 0)
            noise = up.isotropic_covariance(0.02)
            covariance = noise + up.isotropic_covariance(lasting)
            measured = Measurement(up=up, covariance=covariance, inliers=9, white=noise)
            seen_now = Observation(view="horizon", confidence=1, sky_fraction=0.5, measurement=measured)
            estimate = track.update(k * 0.04, seen_now).attitude
            assert estimate is not None
            if k >= 25:
                ratios.append(abs(estimate.up.roll_deg) / estimate.sd_deg[0])
    assert np.mean(np.array(ratios) > 2) < 0.1


@pytest.mark.parametrize("frames", [0, 1, 8])
def test_a_covariance_that_is_no_number_is_no_measurement(frames: int) -> None:
    track, up = TrackFilter(), UpVector.from_roll_pitch(5, 0)
    for k in range(frames):
        track.update(k * 0.04, seen(5.0))
    broken = Measurement(up=up, covariance=np.full((3, 3), math.nan), inliers=9)
    observed = Observation(view="horizon", confidence=1, sky_fraction=0.5, measurement=broken)
    after = [track.update((frames + k) * 0.04, observed) for k in range(12)]
    assert {a.state for a in after} <= {"lost", "acquiring", "coasting", "tracking"}
    assert all(np.isfinite(a.attitude.covariance).all() for a in after if a.attitude)
    assert after[-1].state == ("lost" if not frames else "acquiring" if frames == 1 else "coasting")
    assert _roll(track.update(2.5, seen(40.0))) == pytest.approx(40, abs=1)


def test_all_noise_by_rounding_is_fine() -> None:
    """A noise that is above its covariance by rounding: the lasting part is a trace below 0."""
    track, up = TrackFilter(), UpVector.from_roll_pitch(5, 0)
    covariance = up.isotropic_covariance(0.2)
    measured = Measurement(up=up, covariance=covariance, inliers=9, white=covariance * (1 + 1e-15))
    observed = Observation(view="horizon", confidence=1, sky_fraction=0.5, measurement=measured)
    assert [track.update(k * 0.04, observed).state for k in range(4)][2:] == ["tracking", "tracking"]


@pytest.mark.parametrize("away", [5.1, -5.1, math.inf, math.nan])
def test_far_from_the_last_frame_there_is_no_track(away: float) -> None:
    track, now = _confirmed(5)
    assert track.at(now + away) == Track("lost", None)
    assert TrackFilter().at(away) == Track("lost", None)


def test_without_a_filter_the_last_frame_stays() -> None:
    track = NoFilter()
    assert track.at(0.0) == Track("lost", None)
    last = track.update(1.0, seen(5))
    assert track.at(1.5) is last


def test_no_filter_passes_each_frame_on() -> None:
    plain, observation = NoFilter(), seen(33)
    found, given = plain.update(0.0, observation), observation.measurement
    assert given is not None
    assert found.attitude is not None
    assert (found.state, found.attitude.up, found.attitude.rate) == ("tracking", given.up, None)
    assert found.attitude.covariance is given.covariance
    assert plain.update(-5.0, NOTHING) == Track("lost", None)


def test_sky_and_ground_do_not_change_places_in_three_frames() -> None:
    track, now = _confirmed(5)
    states = [track.update(now + k * 0.04, seen(-175)).state for k in range(1, 12)]
    assert states == ["coasting"] * 8 + ["tracking"] * 3
    assert _roll(track.at(now + 11 * 0.04)) == pytest.approx(-175, abs=0.5)
