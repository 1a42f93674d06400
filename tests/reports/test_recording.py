"""Pages of recordings: their numbers against closed forms, and what a browser would be shown."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.cli import RunCli, full_disk
from support.horizons import answers
from support.sinks import frame
from support.sources import av_frame, chroma_size, write_clip

from horizon_rt.camera import Camera
from horizon_rt.errors import OutputError
from horizon_rt.reports.moments import HardestMoments, ThumbnailSink
from horizon_rt.reports.recording import ReportSink
from horizon_rt.reports.statistics import Statistics
from horizon_rt.reports.timeline import Timeline
from horizon_rt.sinks import SinkContext

CAMERA = Camera.from_hfov(96, 64, 70)
CONTEXT = SinkContext(source="flight.mp4", width=96, height=64, camera=CAMERA, frame_rate=25.0)


def swing(time_s: float) -> float:
    return 20 * math.sin(math.tau * time_s / 4)


SWING_RMS_DPS = 20 * math.tau / 4 / math.sqrt(2)


def test_statistics_of_a_swing() -> None:
    found = Statistics()
    for horizon in answers(2001, swing, state=lambda t: "lost" if t > 60 else "tracking"):
        found.add(horizon)
    assert found.seconds == pytest.approx(80)
    assert found.states["tracking"] == pytest.approx(60.04, abs=0.05)
    assert sum(found.bank_s.values()) == pytest.approx(found.states["tracking"])
    assert found.largest_bank_deg == pytest.approx(20, abs=0.05)
    assert found.rate_rms_dps == pytest.approx((SWING_RMS_DPS, 0), rel=0.01, abs=1e-6)
    assert found.sigma_deg[0] == pytest.approx(0.5, rel=0.01)
    # Of a sine, the share of time above half of its height is a third.
    above = sum(seconds for number, seconds in found.bank_s.items() if -180 + 5 * number >= 10)
    assert above / sum(found.bank_s.values()) == pytest.approx(1 / 3, abs=0.03)


def test_a_timeline_is_bounded_and_keeps_extremes_and_rates() -> None:
    timeline, lengths = Timeline(), []
    for horizon in answers(20_000, swing):
        timeline.add(horizon)
        lengths.append(len(timeline.intervals))
    assert max(lengths) <= 2048
    assert max(one.roll_range[1] for one in timeline.intervals) == pytest.approx(20, abs=0.05)
    assert timeline.intervals[-1].end_s == pytest.approx(19_999 * 0.04)
    starts = [one.start_s for one in timeline.intervals]
    assert starts == sorted(set(starts))
    windows = timeline.rms_rates(4.0, 100)
    assert len(windows) <= 100
    rates = [roll for _, roll, _ in windows[:-1]]
    assert rates == pytest.approx([SWING_RMS_DPS] * len(rates), rel=0.1)


def test_rates_over_time_and_in_sum_are_the_same() -> None:
    """Of frames at uneven times, in whose gaps nothing is known."""
    timeline, found = Timeline(), Statistics()
    every = list(answers(3000, swing, state=lambda t: "lost" if 20 < t < 25 else "tracking"))
    for horizon in (one for k, one in enumerate(every) if k % 7 < 3 or k % 50 == 0):
        timeline.add(horizon)
        found.add(horizon)
    ((_, *rates),) = timeline.rms_rates(1e9, 1)
    assert rates == pytest.approx(found.rate_rms_dps)


def test_gaps_stay_gaps() -> None:
    timeline = Timeline()
    for horizon in answers(100, swing, state=lambda t: "lost" if 1 < t < 2 else "tracking"):
        timeline.add(horizon)
    assert {one.start_s for one in timeline.intervals if math.isnan(one.roll_deg)} == {
        h.time_s for h in answers(100, swing) if 1 < h.time_s < 2
    }


def test_the_hardest_moments_lie_apart() -> None:
    moments = HardestMoments(CONTEXT)
    worst = {100: 8.0, 101: 9.0, 400: 7.0, 700: 6.0}
    for k, horizon in enumerate(answers(1000, swing)):
        one = answers(k + 1, swing, sd_deg=worst[k])[k] if k in worst else horizon
        moments.add(frame(k, time_s=horizon.time_s), one)
    kept = moments.in_time()
    assert len(kept) <= 12
    assert {4.0, 16.0, 28.0} <= {round(one.time_s, 2) for one in kept}
    gaps = np.diff([one.time_s for one in kept])
    assert gaps.min() >= 1.9
    assert cv2.imdecode(np.frombuffer(kept[0].jpeg, np.uint8), cv2.IMREAD_COLOR).shape[1] == 400


def write_page(path: Path, count: int = 100, video: Path | None = None) -> str:
    with ReportSink(path, CONTEXT, video=video) as sink:
        for k, horizon in enumerate(answers(count, swing, state=lambda t: "lost" if t > 3 else "tracking")):
            sink.write(frame(k, time_s=horizon.time_s), horizon)
    return path.read_text()


def test_a_page_needs_nothing_else_and_links_to_the_video(tmp_path: Path) -> None:
    page = write_page(tmp_path / "a.html", video=tmp_path / "a b.overlay.mp4")
    assert re.findall(r'(?:src|href)="(?!data:|#)([^"#]*)#t=', page) == ["a%20b.overlay.mp4"] * page.count(
        "#t="
    )
    assert page.count("<svg") == page.count("</svg>") == 3
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"|<!DOCTYPE[^>]*>', "", page)
    assert "lost: no estimate" in page


def test_a_recording_without_a_horizon_shows_no_measured_zeros(tmp_path: Path) -> None:
    with ReportSink(tmp_path / "a.html", CONTEXT) as sink:
        for k, horizon in enumerate(answers(50, swing, state=lambda t: "lost")):
            sink.write(frame(k, time_s=horizon.time_s), horizon)
    page = (tmp_path / "a.html").read_text()
    assert "No horizon was found" in page
    cells = re.findall(r"<tr><td>([^<]*)</td><td[^>]*>([^<]*)</td></tr>", page)
    assert dict(cells) == {
        "length": "0:02.0",
        "time in each state": "lost 100.0 %",
        "largest bank angle": "–",
        "turbulence: rms of the roll rate": "–",
        "turbulence: rms of the pitch rate": "–",
        "sigma of roll, of pitch": "–, –",
    }
    assert "<svg" not in page


def test_without_rates_there_is_no_plot_of_them(tmp_path: Path) -> None:
    with ReportSink(tmp_path / "a.html", CONTEXT) as sink:
        for k, one in enumerate(answers(50, swing)):
            assert one.attitude is not None
            alone = replace(one, attitude=replace(one.attitude, rate=None))
            sink.write(frame(k, time_s=one.time_s), alone)
    page = (tmp_path / "a.html").read_text()
    assert ("Turbulence over time" in page, page.count("<svg")) == (False, 2)


def test_a_page_of_hours_is_small(tmp_path: Path) -> None:
    page = write_page(tmp_path / "a.html", 9000)
    assert len(page) < 2_000_000


def test_a_page_on_a_full_disk_fails_in_one_line(tmp_path: Path) -> None:
    with full_disk(1000), pytest.raises(OutputError, match=r"cannot write .*a.html"):
        write_page(tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


def test_thumbnails_replace_those_of_an_earlier_run(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "000001.000-000025.jpg").touch()
    with ThumbnailSink(tmp_path / "t", CONTEXT) as sink:
        for k, horizon in enumerate(answers(5, swing)):
            sink.write(frame(k, time_s=horizon.time_s), horizon)
    (only,) = (tmp_path / "t").iterdir()
    assert only.stat().st_size > 0


def test_the_row_of_a_recording_without_a_horizon_holds_no_measured_zeros(
    cli: RunCli, tmp_path: Path
) -> None:
    grey = [np.full((64, 96), 120, np.uint8), *[np.full(chroma_size(96, 64, "420"), 128, np.uint8)] * 2]
    clip = write_clip(tmp_path / "grey.mkv", [av_frame("yuv420p", grey)] * 5)
    assert cli("batch", clip, "--out", tmp_path / "out", "--write=report", "--model=nano").code == 0
    [row] = re.findall("<tr><td><a.*</tr>", (tmp_path / "out" / "batch.html").read_text())
    assert re.findall("<td>([^<]*)</td>", row)[2:] == ["0 %", "0 %", "no horizon", "– / –", "–"]


def test_a_batch_has_a_page_for_each_and_one_for_all(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    out = tmp_path / "out"
    done = cli("batch", clip, tmp_path / "bad.mp4", "--out", out, "--write=report", "--model=nano")
    assert done.code == 1
    page = (out / "batch.html").read_text()
    assert 'href="flight.html"' in page
    assert "not a video that can be read" in page
    assert (out / "flight.html").read_text().count("<svg") == 3
