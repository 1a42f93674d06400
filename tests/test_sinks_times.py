"""Times of pictures that a video file can hardly hold: gaps of hours, slow time lapses."""

from __future__ import annotations

import itertools
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from sinks_support import context, frame, frame_times, horizon

from horizon_rt.sinks import Overlay, VideoSink
from horizon_rt.sources import open_source

pytestmark = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
HOUR_S = 3600.0


def overlay(path: Path, times_s: list[float], *, frame_rate: float | None = 30.0) -> list[float]:
    """The times that an independent reader finds in an overlay of pictures at these times."""
    opened = context(frame_rate=frame_rate)
    with VideoSink(path, opened, Overlay(opened.camera)) as video:
        for index, time_s in enumerate(times_s):
            video.write(frame(index, time_s=time_s), horizon(index))
    return frame_times(path)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_gap_longer_than_the_format_holds_is_shortened(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    times = [index / 25 + (8 * HOUR_S if index >= 10 else 0) for index in range(30)]
    read = overlay(tmp_path / f"v.{suffix}", times)
    assert len(read) == 30
    steps = np.diff(read)
    assert np.delete(steps, 9) == pytest.approx(np.full(28, 0.04), abs=1e-4)
    assert 0.8 * HOUR_S < steps[9] < 2**28 / 90_000
    assert [r.getMessage().partition(": ")[2] for r in caplog.records] == [
        f"{suffix.upper()} cannot hold the gap of 8.0 h before 8.0 h, it is shortened; Matroska (.mkv) can"
    ]


def test_a_gap_of_an_hour_costs_no_picture_its_time(tmp_path: Path) -> None:
    """FFmpeg takes all delays for damage once one is longer than 2^28 ticks."""
    times = [index / 25 + (HOUR_S if index >= 10 else 0) for index in range(30)]
    read = np.array(overlay(tmp_path / "v.mp4", times))
    assert read[:10] == pytest.approx(times[:10], abs=1e-4)
    assert np.diff(read[10:]) == pytest.approx(np.full(19, 0.04), abs=1e-4)


def test_matroska_holds_any_gap(tmp_path: Path) -> None:
    times = [0.0, 0.04, 8 * HOUR_S, 1000 * HOUR_S]
    assert overlay(tmp_path / "v.mkv", times) == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize("encoder", ["libx264", "mpeg4"])
def test_any_gaps_at_all_give_every_picture(tmp_path: Path, encoder: str) -> None:
    """Encoders hold pictures back, so that several gaps count together."""
    generator = np.random.default_rng(7)
    gaps = 10 ** generator.uniform(-3, 7, 60)
    opened = context()
    with VideoSink(path := tmp_path / "v.mp4", opened, Overlay(opened.camera), encoder=encoder) as video:
        for index, time_s in enumerate(np.cumsum(gaps)):
            video.write(frame(index, time_s=float(time_s)), horizon(index))
    read = frame_times(path)
    assert len(read) == 60
    assert all(a < b for a, b in itertools.pairwise(read))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("period_s", [1.0, 90.0, 2500.0, 7 * HOUR_S])
def test_a_slow_time_lapse_keeps_its_times(tmp_path: Path, suffix: str, period_s: float) -> None:
    times = [index * period_s for index in range(12)]
    read = overlay(tmp_path / f"v.{suffix}", times, frame_rate=1 / period_s)
    assert read == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize("rate_hz", [1e-12, 1e-6, 1e6, 1e12])
def test_absurd_frame_rates_do_no_harm(tmp_path: Path, rate_hz: float) -> None:
    times = [0.0, 0.04, 0.08]
    assert overlay(tmp_path / "v.mp4", times, frame_rate=rate_hz) == pytest.approx(times, abs=1e-4)


def test_a_time_lapse_is_read_and_written_at_its_own_times(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "lapse.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=Fraction(1, 2100))
        stream.width, stream.height, stream.codec_context.time_base = 96, 64, Fraction(1, 1000)
        for index in range(5):
            picture = av.VideoFrame.from_ndarray(np.full((96, 96), 90, np.uint8), "yuv420p")
            picture.pts, picture.time_base = index * 2_100_000, Fraction(1, 1000)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    with open_source(tmp_path / "lapse.mp4") as lapse:
        rate, times = lapse.info.frame_rate, [read.time_s for read in lapse]
    assert times == pytest.approx([index * 2100 for index in range(5)])
    assert overlay(tmp_path / "v.mp4", times, frame_rate=rate) == pytest.approx(times, abs=1e-3)
