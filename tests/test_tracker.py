"""The tracker as a whole, with a stand-in for the net that knows the horizon, and once with the real one."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import numpy as np
import pytest
from support.fitting import degrees_between, ideal, up_vector

import horizon_rt
from horizon_rt.bench.late import LateTracker
from horizon_rt.camera import Camera
from horizon_rt.errors import CameraModelError, DeviceError, OptionsError, WeightsError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.segmentation import Segmentation, Segmenter
from horizon_rt.segmentation.letterbox import input_size
from horizon_rt.sources.synthetic import SyntheticOptions, make_clip
from horizon_rt.tracker import HorizonTracker


class _Oracle:
    """Segments by the truth: the roll is the frame's time in degrees times `speed`, the pitch is 4°."""

    def __init__(self, speed: float = 10.0, *, blind: tuple[int, ...] = ()) -> None:
        self.speed, self.blind = speed, blind

    def up(self, frame: Frame) -> np.ndarray:
        return up_vector(self.speed * frame.time_s, 4.0)

    def segment(self, frame: Frame, *, careful: bool = False) -> Segmentation:
        rows, columns = input_size(frame.width, frame.height)
        camera = Camera.from_hfov(frame.width, frame.height, 70)
        seen = ideal(camera, self.up(frame), columns, rows)
        return replace(seen, presence=0.01) if frame.index in self.blind else seen


def _tracker(oracle: _Oracle, **options: object) -> HorizonTracker:
    return HorizonTracker(segmenter=oracle, **options)  # type: ignore[arg-type]


def _frame(
    index: int, size: tuple[int, int] = (1920, 1080), *, decoded_at_s: float = 0.0, live: bool = False
) -> Frame:
    plane = np.full((size[1], size[0]), index % 7, np.uint8)
    return Frame((plane,), index, index / 25, decoded_at_s=decoded_at_s, live=live)


def _up(horizon: Horizon) -> np.ndarray:
    assert horizon.up is not None
    return horizon.up.as_array()


def test_it_follows_the_truth_with_rates_and_lines() -> None:
    oracle = _Oracle(speed=20.0)
    tracker = _tracker(oracle, key_frames=False)
    for k in range(60):
        horizon = tracker.update(_frame(k))
        assert degrees_between(_up(horizon), oracle.up(_frame(k))) < 0.3
    assert (horizon.state, horizon.view, horizon.frame, horizon.time_s) == (
        "tracking",
        "horizon",
        59,
        59 / 25,
    )
    assert horizon.roll_rate_dps == pytest.approx(20, abs=1)
    assert horizon.pitch_rate_dps == pytest.approx(0, abs=1)
    assert horizon.roll_sd_deg is not None
    assert 0 < horizon.roll_sd_deg < 5
    focal = 960 / math.tan(math.radians(35))
    assert horizon.line is not None
    assert horizon.line.offset_px == pytest.approx(focal * math.tan(math.radians(4)), abs=8)
    assert horizon.line.angle_deg == pytest.approx(-horizon.roll_deg)  # type: ignore[operator]
    assert horizon.measured_line is not None


def test_it_tells_where_the_horizon_will_be() -> None:
    oracle = _Oracle(speed=20.0)
    tracker = _tracker(oracle)
    with pytest.raises(ValueError, match="before the first frame"):
        tracker.at(0.0)
    for k in range(60):
        last = tracker.update(_frame(k))
    ahead = tracker.at(59 / 25 + 0.2)
    assert degrees_between(_up(ahead), up_vector(20 * (59 / 25 + 0.2), 4.0)) < 0.3
    assert (ahead.frame, ahead.time_s, ahead.observation) == (59, 59 / 25 + 0.2, last.observation)
    assert ahead.latency_ms is None
    assert ahead.roll_sd_deg > last.roll_sd_deg  # type: ignore[operator]
    tracker.reset()
    with pytest.raises(ValueError, match="before the first frame"):
        tracker.at(0.0)


def test_without_a_filter_each_frame_is_on_its_own() -> None:
    tracker = _tracker(_Oracle(blind=(2,)), smooth="none")
    states = [tracker.update(_frame(k)) for k in range(4)]
    assert [h.state for h in states] == ["tracking", "tracking", "lost", "tracking"]
    assert states[2].up is None
    assert states[2].line is None
    for horizon in (states[0], states[3]):
        assert horizon.observation.measurement is not None
        assert horizon.up == horizon.observation.measurement.up
        assert (horizon.roll_rate_dps, horizon.pitch_rate_dps) == (None, None)
        assert horizon.roll_sd_deg == pytest.approx(horizon.observation.measurement.sd_deg[0])


def test_blind_frames_are_coasted_through() -> None:
    tracker = _tracker(_Oracle(speed=30, blind=tuple(range(20, 30))), key_frames=False)
    for k in range(40):
        horizon = tracker.update(_frame(k))
        if 20 <= k < 30:
            assert horizon.state == "coasting"
            assert horizon.measured_line is None
            assert degrees_between(_up(horizon), up_vector(30 * k / 25, 4)) < 3
    assert horizon.state == "tracking"


def test_another_size_takes_the_lens_along_and_starts_the_track_again() -> None:
    oracle = _Oracle()
    tracker = _tracker(oracle)
    for k in range(5):
        tracker.update(_frame(k))
    after = tracker.update(_frame(5, (1280, 720)))
    assert after.state == "acquiring"
    assert degrees_between(_up(after), oracle.up(_frame(5))) < 0.1
    assert after.line is not None
    assert after.line.offset_px == pytest.approx(
        640 / math.tan(math.radians(35)) * math.tan(math.radians(4)), abs=2
    )


def test_the_first_size_again_starts_the_track_again_too() -> None:
    tracker = _tracker(_Oracle())
    for k in range(5):
        tracker.update(_frame(k))
    tracker.update(_frame(5, (1280, 720)))
    for k in range(6, 10):
        tracker.update(_frame(k, (1280, 720)))
    assert tracker.update(_frame(10)).state == "acquiring"


def test_a_given_lens_is_used_at_its_size() -> None:
    camera = Camera.from_hfov(1920, 1080, 70)
    tracker = _tracker(_Oracle(), camera=camera)
    assert [tracker.update(_frame(k, (960, 540))).state for k in range(3)] == [
        "acquiring",
        "acquiring",
        "tracking",
    ]
    assert tracker.camera == camera


def test_a_reset_forgets_the_track() -> None:
    tracker = _tracker(_Oracle())
    for k in range(5):
        tracker.update(_frame(k))
    tracker.reset()
    assert tracker.update(_frame(5)).state == "acquiring"


def test_latency_counts_from_the_arrival() -> None:
    tracker = _tracker(_Oracle())
    assert tracker.update(_frame(0)).latency_ms is None
    start = time.perf_counter()
    before = datetime.now(UTC)
    horizon = tracker.update(_frame(1, decoded_at_s=start - 0.2, live=True))
    assert horizon.latency_ms is not None
    assert 200 <= horizon.latency_ms <= 200 + 1e3 * (time.perf_counter() - start)
    assert horizon.time_utc is not None
    assert abs(before - timedelta(seconds=0.2) - horizon.time_utc) < timedelta(seconds=0.1)


def test_a_recording_has_neither_latency_nor_a_time_of_day() -> None:
    horizon = _tracker(_Oracle()).update(_frame(0, decoded_at_s=time.perf_counter()))
    assert (horizon.latency_ms, horizon.time_utc) == (None, None)


def test_the_name_of_a_picture_comes_along() -> None:
    frame = replace(_frame(0), name="a.png")
    assert _tracker(_Oracle(), smooth="none").update(frame).file == "a.png"


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(WeightsError, match="no model 'huge'"):
        HorizonTracker(model="huge")


def test_the_real_net_takes_colour_and_grey() -> None:
    clip = make_clip(SyntheticOptions(kind="fields", size="640x360", seconds=1))
    for grey in (False, True):
        tracker = horizon_rt.HorizonTracker(device="cpu")
        for k in range(6):
            frame = clip.frame(k)
            horizon = tracker.update(replace(frame, planes=frame.planes[:1]) if grey else frame)
            assert 0 <= horizon.confidence <= 1
            assert 0 <= horizon.observation.sky_fraction <= 1


@pytest.mark.parametrize("smooth", ["causal", "none"])
@pytest.mark.parametrize("grey", [False, True])
def test_an_easy_sea_is_followed_by_the_shipped_net(smooth: str, grey: bool) -> None:
    clip = make_clip(SyntheticOptions(kind="sea", size="640x360", seconds=4.0, seed=2))
    tracker = HorizonTracker(smooth=smooth, device="cpu")  # type: ignore[arg-type]
    for k in range(8):
        frame, pose = clip.frame(k), clip.truth(k)
        horizon = tracker.update(replace(frame, planes=frame.planes[:1]) if grey else frame)
        assert horizon.view == "horizon"
        assert degrees_between(_up(horizon), up_vector(pose.roll_deg, pose.pitch_deg)) < 2
    assert horizon.state == "tracking"


def test_without_a_filter_the_order_of_frames_does_not_matter() -> None:
    tracker = _tracker(_Oracle(), smooth="none")
    forwards = [tracker.update(_frame(k)).up for k in range(5)]
    assert [tracker.update(_frame(k)).up for k in reversed(range(5))] == forwards[::-1]


def test_a_damaged_frame_is_no_cut_and_neither_is_the_next() -> None:
    tracker = HorizonTracker()
    changes = []
    for k in range(8):
        frame = _frame(k)
        if k == 4:
            frame = replace(frame, planes=tuple(np.full_like(p, 128) for p in frame.planes), damaged=True)
        changes.append(tracker.update(frame).observation.change)
    assert "cut" not in changes


@pytest.mark.parametrize("image", [np.zeros((8, 8, 3), np.uint8), None], ids=["array", "None"])
def test_an_image_is_no_frame(image: object) -> None:
    with pytest.raises(ValueError, match="from_bgr"):
        HorizonTracker().update(image)  # type: ignore[arg-type]


def test_time_that_does_not_go_on_is_refused() -> None:
    tracker = _tracker(_Oracle())
    tracker.update(_frame(5))
    for k in (5, 4):
        with pytest.raises(
            ValueError, match=rf"not go on: a frame at {k / 25:g} s after one at 0\.2 s; .*reset\(\)"
        ):
            tracker.update(_frame(k))
    assert tracker.update(_frame(6)).time_s == 6 / 25
    with pytest.raises(ValueError, match="nan"):
        tracker.update(replace(_frame(7), time_s=math.nan))
    tracker.reset()
    assert tracker.update(_frame(0)).state == "acquiring"


def test_the_lens_may_be_given_by_its_field_of_view() -> None:
    horizon = _tracker(_Oracle(), hfov=95).update(_frame(0))
    assert horizon.up is not None
    assert horizon.line is not None
    offset = 960 / math.tan(math.radians(95 / 2)) * math.tan(math.radians(horizon.up.pitch_deg))
    assert horizon.line.offset_px == pytest.approx(offset, abs=0.1)
    for hfov in (0, 180, math.nan):
        with pytest.raises(CameraModelError, match="field of view"):
            HorizonTracker(hfov=hfov)
    with pytest.raises(ValueError, match="give one"):
        HorizonTracker(Camera.from_hfov(96, 64, 70), hfov=70)


def test_a_horizon_says_in_one_line_what_it_is() -> None:
    tracker = _tracker(_Oracle())
    for k in range(4):
        said = repr(tracker.update(_frame(k)))
    found = re.fullmatch(
        r"<Horizon at 0\.120 s: roll (\S+)° ± \d\.\d\d°, pitch (\S+)° ± \d\.\d\d°, tracking>", said
    )
    assert found, said
    assert [float(angle) for angle in found.groups()] == pytest.approx([1.2, 4.0], abs=0.3)
    blind = _tracker(_Oracle(blind=(0,))).update(_frame(0))
    assert repr(blind) == f"<Horizon at 0.000 s: no estimate, view {blind.view}, lost>"


def test_the_net_looks_at_key_frames_and_the_edge_is_followed_between() -> None:
    clip = make_clip(SyntheticOptions(kind="sea", motion="boat", size="640x360", seconds=2.0, seed=3))
    errors, shares = [], []
    for key_frames in (True, False):
        tracker = HorizonTracker(clip.camera, model="small", device="cpu", key_frames=key_frames)
        horizons = [tracker.update(clip.frame(k)) for k in range(len(clip))]
        ups = [horizon.up for horizon in horizons[3:]]
        assert all(up is not None for up in ups)
        errors.append([up.angle_to(clip.truth(k).up) for k, up in enumerate(ups, 3) if up is not None])
        shares.append(np.mean([horizon.observation.is_key for horizon in horizons]))
    assert shares[0] < 0.3
    assert shares[1] == 1
    assert np.percentile(errors[0], 95) < 1.3 * np.percentile(errors[1], 95) + 0.01


def test_without_an_edge_every_second_frame_is_left_to_the_prediction() -> None:
    oracle = _Oracle(speed=20.0)
    tracker = _tracker(oracle)
    horizons = [tracker.update(_frame(k)) for k in range(60)]
    assert 0.4 < np.mean([horizon.observation.is_key for horizon in horizons[10:]]) < 0.7
    for k, horizon in enumerate(horizons[3:], 3):
        assert horizon.state == "tracking"
        assert (horizon.measured_line is None) == (not horizon.observation.is_key)
        assert degrees_between(_up(horizon), oracle.up(_frame(k))) < 0.5


def test_without_a_horizon_the_net_looks_ten_times_a_second() -> None:
    tracker = _tracker(_Oracle(blind=tuple(range(100))))
    horizons = [tracker.update(_frame(k)) for k in range(100)]
    assert {horizon.state for horizon in horizons} == {"lost"}
    assert np.flatnonzero([h.observation.is_key for h in horizons])[-3:].tolist() == [
        93,
        95,
        98,
    ]  # at 25 frames/s


def test_in_real_time_no_answer_waits_for_the_net_and_what_it_saw_is_taken_in_later() -> None:
    oracle = _Oracle(speed=20.0)
    with LateTracker(cast(Segmenter, oracle), lag=3) as tracker:
        assert [tracker.update(_frame(k)).state for k in range(3)] == ["acquiring"] * 3
        for k in range(3, 90):
            horizon = tracker.update(_frame(k))
    assert not horizon.observation.is_key
    assert horizon.state == "tracking"
    assert degrees_between(_up(horizon), oracle.up(_frame(89))) < 0.5


def test_what_goes_wrong_beside_is_raised() -> None:
    class Broken(_Oracle):
        def segment(self, frame: Frame, *, careful: bool = False) -> Segmentation:
            raise DeviceError("the net is gone")

    tracker = _tracker(Broken(), real_time=True)
    tracker.update(_frame(0))
    while tracker.is_looking:
        time.sleep(0.001)
    with pytest.raises(DeviceError, match="gone"):
        tracker.update(_frame(1))


def test_a_cut_is_looked_at() -> None:
    clip = make_clip(SyntheticOptions(kind="sea", size="640x360", seconds=1.0, seed=2))
    tracker = HorizonTracker(device="cpu")
    for k in range(20):
        frame = clip.frame(k)
        if not tracker.update(frame).observation.is_key:
            break
    else:
        raise AssertionError("no frame was followed")
    black = np.full_like(frame.planes[0], 2)
    horizon = tracker.update(replace(frame, planes=(black, *frame.planes[1:]), index=20, time_s=0.8))
    assert horizon.observation.change == "cut"
    assert horizon.observation.is_key


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(
        OptionsError, match=r"no option 'hfow'; there are camera, hfov, mount, height_m, smooth, model"
    ):
        HorizonTracker(hfow=70)  # type: ignore[call-arg]
