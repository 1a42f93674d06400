"""The smoother against batch least squares over all frames at once, and on what happens to recordings."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.cli import RunCli, lines
from support.tracking import DT, NOTHING, seen

import horizon_rt as hz
from horizon_rt.camera import Camera
from horizon_rt.errors import SourceError
from horizon_rt.frame import Frame
from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Change, Horizon
from horizon_rt.options import RunOptions
from horizon_rt.pipeline.outputs import default_outputs
from horizon_rt.pipeline.run import run
from horizon_rt.sources import open_source
from horizon_rt.tracking import Track, TrackFilter, TrackSettings, smooth_horizons, smooth_tracks

PLAIN = TrackSettings(max_noise_scale=1.0, usual_s=1.0, forgetting_s=2.0)


def _rolls(tracks: list[Track]) -> NDArray[np.float64]:
    return np.array([math.nan if t.attitude is None else t.attitude.up.roll_deg for t in tracks])


def _batch(
    times: NDArray[np.float64], seen: NDArray[np.float64], sd: float, density: float, rate_sd: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions (n,) and their variances by normal equations; NaN is a frame without measurement."""
    n = len(times)
    information, right = np.zeros((2 * n, 2 * n)), np.zeros(2 * n)
    information[1, 1] = rate_sd**-2
    for k in range(n):
        if np.isfinite(seen[k]):
            information[2 * k, 2 * k] += sd**-2
            right[2 * k] += seen[k] / sd**2
        if k:
            dt = times[k] - times[k - 1]
            q = density * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
            residual = np.zeros((2, 2 * n))
            residual[:, 2 * k : 2 * k + 2] = np.eye(2)
            residual[:, 2 * k - 2 : 2 * k] = -np.array([[1, dt], [0, 1]])
            information += residual.T @ np.linalg.inv(q) @ residual
    covariance = np.linalg.inv(information)
    return (covariance @ right)[::2], covariance.diagonal()[::2]


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_near_level_it_is_least_squares_over_all_frames(seed: int) -> None:
    rng, sd_deg = np.random.default_rng(seed), 0.05
    sd = math.radians(sd_deg)
    times = np.cumsum(rng.uniform(0.01, 0.08, 60))
    truth = 0.002 * np.sin(2 * times)
    rolls = truth + rng.normal(0, sd, 60)
    rolls[rng.random(60) < 0.2] = math.nan
    rolls[0] = truth[0]
    ups = [UpVector.from_vector(np.array([x, -1.0, 0.0])) for x in np.nan_to_num(rolls)]
    frames = [
        (t, seen(u, sd_deg) if np.isfinite(x) else NOTHING) for t, u, x in zip(times, ups, rolls, strict=True)
    ]
    tracks = smooth_tracks(frames, PLAIN)
    density = math.radians(PLAIN.acceleration_dps2) ** 2
    expected, variances = _batch(times, rolls, sd, density, math.radians(PLAIN.start_rate_dps))
    last = int(np.flatnonzero(np.isfinite(rolls))[-1])
    for k in range(last + 1):
        estimate = tracks[k].attitude
        assert estimate is not None
        assert estimate.up.x == pytest.approx(expected[k], abs=1e-3 * sd)
        assert estimate.covariance[0, 0] == pytest.approx(variances[k], rel=1e-3)


def test_it_has_no_lag_and_a_smaller_error_than_the_filter() -> None:
    rng = np.random.default_rng(4)
    times = np.arange(300) * DT
    truth = 30 * np.sin(1.5 * times)
    frames = [
        (t, seen(UpVector.from_roll_pitch(r + rng.normal(0, 0.4), rng.normal(0, 0.4)), 0.4))
        for t, r in zip(times, truth, strict=True)
    ]
    forward = TrackFilter()
    causal = _rolls([forward.update(*frame) for frame in frames]) - truth
    offline = _rolls(smooth_tracks(frames)) - truth
    assert np.sqrt(np.mean(offline**2)) < 0.75 * np.sqrt(np.mean(causal[2:] ** 2))
    moving = np.gradient(truth, times)
    assert abs(np.mean(offline * moving) / np.mean(moving**2)) < 0.1 * DT  # seconds behind


def test_a_gap_is_bridged_with_a_sigma_that_holds() -> None:
    """Random motions of the filter's own model; half a second of each is not seen."""
    rng, errors = np.random.default_rng(5), []
    for _ in range(60):
        rate, roll, frames, truth = rng.normal(0, 20), 0.0, [], []
        for k in range(60):
            rate += rng.normal(0, PLAIN.acceleration_dps2 * math.sqrt(DT))
            roll += rate * DT
            truth.append(roll)
            noisy = UpVector.from_roll_pitch(roll + rng.normal(0, 0.2), rng.normal(0, 0.2))
            frames.append((k * DT, NOTHING if 25 <= k < 38 else seen(noisy, 0.2)))
        tracks = smooth_tracks(frames, PLAIN)
        assert {track.state for track in tracks[25:38]} == {"coasting"}
        for k in (25, 31, 37):
            estimate = tracks[k].attitude
            assert estimate is not None
            errors.append((estimate.up.roll_deg - truth[k]) / estimate.sd_deg[0])
    assert np.mean(np.square(errors)) == pytest.approx(1, abs=0.35)


def test_after_a_cut_the_new_place_holds_from_its_first_frame() -> None:
    frames = [(k * DT, seen(UpVector.from_roll_pitch(5 if k < 40 else -30, 0), 0.2)) for k in range(80)]
    rolls = _rolls(smooth_tracks(frames))
    assert rolls[:40] == pytest.approx(5, abs=0.2)
    assert rolls[40:] == pytest.approx(-30, abs=0.2)


def test_frames_that_fit_nothing_do_not_pull() -> None:
    wrong = {20, 21, 50}
    frames = [(k * DT, seen(UpVector.from_roll_pitch(40 if k in wrong else 5, 0), 0.2)) for k in range(80)]
    tracks = smooth_tracks(frames)
    assert _rolls(tracks) == pytest.approx(5, abs=0.2)
    assert {k for k, track in enumerate(tracks) if track.state == "coasting"} == wrong


def test_states_where_nothing_isseen() -> None:
    up = UpVector.from_roll_pitch(5, 0)
    frames = [(k * DT, seen(up, 0.2) if 100 <= k < 110 or k == 10 else NOTHING) for k in range(250)]
    states = [track.state for track in smooth_tracks(frames)]
    assert set(states[:10]) == {"lost"}
    assert states[10] == "acquiring"
    assert set(states[100:110]) == {"tracking"}
    assert set(states[110:159]) == {"coasting"}
    assert set(states[161:]) == {"lost"}
    assert smooth_tracks([]) == []


def test_a_doubtful_track_is_not_called_one() -> None:
    up = UpVector.from_roll_pitch(5, 0)
    doubtful = replace(seen(up, 0.2), confidence=0.6)
    tracks = smooth_tracks([(k * DT, doubtful if k < 50 else NOTHING) for k in range(130)])
    assert {track.state for track in tracks[:99]} == {"acquiring"}
    assert _rolls(tracks[:50]) == pytest.approx(5, abs=0.01)
    assert {track.state for track in tracks[101:]} == {"lost"}


def test_a_track_that_says_nearly_nothing_is_not_called_one() -> None:
    measured = seen(UpVector.from_roll_pitch(5, 0), 15.0)
    assert measured.measurement is not None
    wide = replace(measured, measurement=replace(measured.measurement, white=0.0 * np.eye(3)))
    assert {track.state for track in smooth_tracks([(k * DT, wide) for k in range(20)])} == {"acquiring"}


@given(
    st.lists(
        st.tuples(
            st.one_of(st.just(DT), st.floats(-1, 8)),
            st.one_of(st.none(), st.tuples(st.sampled_from([0.0, 40.0, 180.0]), st.floats(-89, 89))),
            st.sampled_from(["none", "none", "repeated", "cut"]),
        ),
        max_size=40,
    )
)
@settings(max_examples=200, deadline=None)
def test_anything_can_be_smoothed(steps: list[tuple[float, tuple[float, float] | None, Change]]) -> None:
    times = np.cumsum([step for step, *_ in steps])
    frames = [
        (float(t), NOTHING if at is None else seen(UpVector.from_roll_pitch(*at), 0.3, change))
        for t, (_, at, change) in zip(times, steps, strict=True)
    ]
    tracks = smooth_tracks(frames)
    assert len(tracks) == len(frames)
    for track in tracks:
        assert (track.attitude is None) == (track.state == "lost")
        if track.attitude is not None:
            assert np.isfinite(track.attitude.covariance).all()
            assert np.linalg.eigvalsh(track.attitude.covariance)[0] > -1e-12


def test_smooth_horizons_keeps_what_wasseen() -> None:
    camera = Camera.from_hfov(96, 64, 70)
    up = UpVector.from_roll_pitch(5, 1)
    said = [
        Horizon(frame=k, time_s=k * DT, state="lost", observation=seen(up, 0.2), latency_ms=3.0)
        for k in range(9)
    ]
    smoothed = hz.smooth_horizons(said, camera)
    assert smooth_horizons is hz.smooth_horizons
    assert [h.observation for h in smoothed] == [h.observation for h in said]
    assert {h.state for h in smoothed} == {"tracking"}
    assert {h.latency_ms for h in smoothed} == {None}
    assert smoothed[4].roll_deg == pytest.approx(5, abs=1e-3)
    line = smoothed[4].line
    assert line is not None
    assert line.angle_deg == pytest.approx(-5, abs=1e-3)
    lost = hz.smooth_horizons([replace(h, observation=NOTHING) for h in smoothed], camera)
    assert {(h.state, h.up, h.line, h.roll_sd_deg) for h in lost} == {("lost", None, None, None)}


def test_a_tracker_cannot_look_ahead() -> None:
    with pytest.raises(ValueError, match="smooth_horizons"):
        hz.HorizonTracker(smooth="offline")


def test_track_offline_with_and_without_pictures(cli: RunCli, tmp_path: Path) -> None:
    clip = "synth:sea?motion=boat&size=320x192&seconds=2&seed=3"
    both = cli("track", clip, "--smooth", "offline", "--out", str(tmp_path))
    assert both.code == 0, both.err
    alone = cli("track", clip, "--smooth", "offline", "--telemetry", "-")
    assert alone.code == 0, alone.err
    written = next(tmp_path.glob("*.jsonl"))
    assert written.read_text().splitlines()[1:] == alone.out.splitlines()[1:]
    assert next(tmp_path.glob("*.mp4")).stat().st_size > 1000
    records = lines(written)[1:]
    assert len(records) == 50
    assert {r["state"] for r in records} == {"tracking"}  # from the first frame
    assert {r["latency_ms"] for r in records} == {None}


def test_an_interrupted_look_leaves_telemetry_alone(tmp_path: Path) -> None:
    source = open_source("synth:sea?motion=boat&size=320x192&seconds=60&seed=3")
    seen: list[int] = []

    def look(frame: Frame, horizon: Horizon) -> None:
        seen.append(frame.index)
        if len(seen) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    outputs = default_outputs(tmp_path, "x", is_image_set=False)
    summary = run(source, RunOptions(smooth="offline"), outputs, on_first_pass=look)
    assert summary.interrupted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.jsonl"]
    records = lines(tmp_path / "x.jsonl")[1:]
    assert [r["frame"] for r in records] == seen
    assert sum(summary.states.values()) == len(records)


def test_a_recording_that_ends_earlier_when_read_again_is_an_error(
    tmp_path: Path,
) -> None:
    source = open_source("synth:sea?motion=boat&size=320x192&seconds=1&seed=3")
    shorter = open_source("synth:sea?motion=boat&size=320x192&seconds=0.8&seed=3")
    source.reopener = lambda: shorter
    with pytest.raises(SourceError, match="5 frames earlier"):
        run(source, RunOptions(smooth="offline"), default_outputs(tmp_path, "x", is_image_set=False))
    assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".partial")]
    assert shorter.closed


def test_a_signal_at_the_last_frame_of_the_first_look_counts(tmp_path: Path) -> None:
    source = open_source("synth:sea?motion=boat&size=320x192&seconds=0.4&seed=3")

    def look(frame: Frame, horizon: Horizon) -> None:
        if frame.index == 9:
            os.kill(os.getpid(), signal.SIGINT)

    outputs = default_outputs(tmp_path, "x", is_image_set=False)
    assert run(source, RunOptions(smooth="offline"), outputs, on_first_pass=look).interrupted
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]


def test_what_cannot_be_read_twice_is_refused(cli: RunCli, tmp_path: Path) -> None:
    live = cli("track", "lavfi:testsrc2=size=96x64:rate=30", "--smooth", "offline", "--telemetry", "-")
    assert live.code == 1
    assert "needs a recording" in live.err
    assert cli("live", "synth:sea", "--smooth", "offline").code == 2


@pytest.mark.parametrize("still_s", [2.5, 4.9])
def test_a_camera_that_comes_to_rest_is_tracked_to_the_end(still_s: float) -> None:
    frames = [
        (k * DT, seen(UpVector.from_roll_pitch(min(k, 25) * 0.1, 0), 0.2, "repeated" if k > 25 else "none"))
        for k in range(25 + round(still_s / DT))
    ]
    tracks = smooth_tracks(frames)
    assert all(t.attitude is not None for t in tracks)
    assert tracks[-1].state == "tracking"
    assert _rolls(tracks)[-1] == pytest.approx(2.5, abs=0.5)


def test_a_stream_that_stops_while_a_rival_grows_keeps_its_frames_apart() -> None:
    rolls = [5.0] * 20 + [40.0] * 2 + [40.0] * 3 + [40.0] * 10
    changes: list[Change] = ["none"] * 22 + ["repeated"] * 3 + ["none"] * 10
    frames = [
        (k * DT, seen(UpVector.from_roll_pitch(roll, 0), 0.2, change))
        for k, (roll, change) in enumerate(zip(rolls, changes, strict=True))
    ]
    tracks = smooth_tracks(frames)
    assert len(tracks) == len(frames)
    assert _rolls(tracks) == pytest.approx(np.array(rolls), abs=0.3)
