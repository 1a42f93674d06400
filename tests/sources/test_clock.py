"""Times of frames: always apart, in the source and in what is written of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sinks import horizon
from support.sources import moving_frames

from horizon_rt.sources import open_source
from horizon_rt.sources.clock import MIN_INTERVAL_S, PresentationClock, StreamClock


def test_neighbouring_frames_are_never_closer_than_telemetry_can_say() -> None:
    """Stamps as in damaged files: microseconds after each other, or beyond what floating point resolves."""
    generator = np.random.default_rng(3)
    for period_s in (0.04, 1e-6, 1e-12):
        clock = PresentationClock(origin_s=None, period_s=period_s)
        stamps = np.cumsum(10 ** generator.uniform(-9, 3, 400)).tolist()
        stamps[20:60:4] = [2.0**62, -(2.0**62), 1e17, 1e12, None, 9.2e18, -1e15, 3e9, None, 2.0**33]
        times = [clock.stamp(stamp) for stamp in stamps]
        assert np.diff(times).min() >= 1.99e-4
        written = [replace(horizon(), time_s=time_s).to_dict()["time_s"] for time_s in times]
        assert np.diff(written).min() > 0
        assert written == pytest.approx(times, abs=5.1e-5)


def test_a_file_with_stamps_microseconds_apart_gives_frames_that_are_apart(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "clip.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.codec_context.time_base = 64, 48, Fraction(1, 25)
        stream.time_base = Fraction(1, 1_000_000)
        stamps_us = [0, 40_000, 40_001, 40_002, 300_000]
        for index, picture in enumerate(moving_frames(5)):
            picture.pts, picture.time_base = index, Fraction(1, 25)
            for packet in stream.encode(picture):
                packet.time_base = stream.time_base
                packet.pts = packet.dts = stamps_us[index]
                out.mux(packet)
    times = [frame.time_s for frame in open_source(tmp_path / "clip.mp4")]
    assert len(times) == 5
    assert np.diff(times).min() >= 1.99e-4


@given(st.floats(0, 1e9))
def test_times_of_neighbouring_frames_are_never_written_alike(seconds: float) -> None:
    clock = PresentationClock(origin_s=0.0, period_s=MIN_INTERVAL_S)
    times = [clock.stamp(seconds), clock.stamp(None)]
    written = [replace(horizon(), time_s=time_s).to_dict()["time_s"] for time_s in times]
    assert written[0] < written[1]


def stamped(arrivals: list[tuple[float, float]]) -> list[float]:
    clock = StreamClock()
    return [clock.stamp(stamp_s, now_s) for stamp_s, now_s in arrivals]


def test_what_piled_up_while_connecting_keeps_its_intervals() -> None:
    """Seven frames come at once; a second connection goes on at this machine's time."""
    first = [(index / 30, max(0.0, (index - 6) / 30) + index / 1000) for index in range(30)]
    second = [(stamp_s, now_s + 5.0) for stamp_s, now_s in first]
    times = stamped([*first, *second])
    assert times == pytest.approx([stamp_s + base_s for base_s in (0, 5) for stamp_s, _ in first])


@pytest.mark.parametrize("piled", [1, 2, 5])
def test_rare_pictures_may_lead_by_seconds(piled: int) -> None:
    arrivals = [(float(index), max(0.2, index - piled + 1.2)) for index in range(20)]
    assert np.diff(stamped(arrivals)) == pytest.approx(np.ones(19))


def test_a_clock_that_jumps_is_followed_by_this_machines() -> None:
    steady = [(index / 10, 0.2 + index / 10) for index in range(20)]
    jumped = [(stamp_s + 3600.0, now_s + 2.0) for stamp_s, now_s in steady]
    times = stamped([*steady, *jumped])
    assert times[20] == pytest.approx(2.2, abs=0.01)
    assert np.diff(times[20:]) == pytest.approx([0.1] * 19)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=2))
def test_a_stream_never_goes_back(arrivals: list[tuple[float, float]]) -> None:
    assert np.all(np.diff(stamped(arrivals)) > 0)
