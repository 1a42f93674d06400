"""Recordings: segments, their rotation and quota, a full disk, and what came before the start."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections import namedtuple
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from support import ROOT
from support.cli import full_disk
from support.recording import RATE, feed, feed_slowly, read_segments, recorder, wait_for
from support.sinks import frame, noisy_frame

from horizon_rt.errors import OptionsError, OutputError
from horizon_rt.recording.options import RecordOptions

SCHEMA = json.loads((ROOT / "docs" / "telemetry.schema.json").read_text())
pytestmark = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")


def test_segments_follow_one_another(tmp_path: Path) -> None:
    with recorder(tmp_path / "new" / "folder", segment="2s") as sink:
        feed_slowly(sink, range(5 * RATE + 7))
    segments = read_segments(tmp_path / "new" / "folder", SCHEMA)
    assert [len(segment.rows) for segment in segments] == [60, 60, 37]
    assert [segment.header["frames"] for segment in segments] == [60, 60, 37]
    for segment in segments:
        since_first = np.subtract(segment.row_times_s, segment.row_times_s[0])
        assert segment.times_s == pytest.approx(since_first, abs=1e-3)
    times = [time_s for segment in segments for time_s in segment.row_times_s]
    assert times == pytest.approx(np.arange(5 * RATE + 7) / RATE, abs=1e-4)
    assert all(a < b for a, b in pairwise(times))
    names = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    stems = ["2026-03-01T09-30-00.125Z", "2026-03-01T09-30-02.125Z", "2026-03-01T09-30-04.125Z"]
    assert names == [f"{stem}.{kind}" for stem in stems for kind in ("jsonl", "mp4")]
    assert (sink.tally.recorded, sink.tally.dropped, sink.tally.segments) == (157, 0, 3)


def test_a_whole_segment_is_a_plain_file(tmp_path: Path) -> None:
    with recorder(tmp_path) as sink:
        feed_slowly(sink, range(3 * RATE))
    boxes, data = [], next(tmp_path.glob("*.mp4")).read_bytes()
    while data:  # ISO/IEC 14496-12, 4.2
        size, kind = int.from_bytes(data[:4]), data[4:8].decode()
        size = int.from_bytes(data[8:16]) if size == 1 else size
        boxes.append(kind)
        data = data[size:]
    assert set(boxes) == {"ftyp", "free", "mdat", "moov"}


def test_size_rotates_too(tmp_path: Path) -> None:
    with recorder(tmp_path, segment_size="400kB") as sink:
        feed_slowly(sink, range(4 * RATE), noise=(320, 240))
    segments = read_segments(tmp_path)
    assert len(segments) > 1
    assert sum(len(segment.rows) for segment in segments) == 4 * RATE
    assert all(len(segment.times_s) == len(segment.rows) for segment in segments)


def test_the_quota_deletes_the_oldest_of_its_own(tmp_path: Path) -> None:
    foreign = tmp_path / "2026-03-01T09-30-00.125Z.txt"
    others = [foreign, tmp_path / "holiday.mp4", tmp_path / "2026-03-01.jsonl"]
    for other in others:
        other.write_bytes(bytes(500_000))
    sizes = []
    with recorder(tmp_path, segment="1s", keep="600kB") as sink:
        for second in range(12):
            feed_slowly(sink, range(second * RATE, (second + 1) * RATE), noise=(96, 64))
            sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()) - 1_500_000)
    assert all(other.stat().st_size == 500_000 for other in others)
    for other in others:
        other.unlink()
    segments = read_segments(tmp_path)
    assert 1 < len(segments) < 12
    assert segments[-1].row_times_s[-1] == pytest.approx(12 - 1 / RATE, abs=1e-3)
    assert all(a.row_times_s[-1] < b.row_times_s[0] for a, b in pairwise(segments))
    largest = max(path.stat().st_size for path in tmp_path.glob("*.mp4"))
    assert max(sizes) < 600_000 + 1.5 * largest


def test_a_restart_overwrites_nothing(tmp_path: Path) -> None:
    for _ in range(3):  # the clock of a machine without a battery may start at the same time again
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        with recorder(tmp_path) as sink:
            feed_slowly(sink, range(20))
        assert {path: path.read_bytes() for path in before} == before
    assert [len(segment.rows) for segment in read_segments(tmp_path)] == [20, 20, 20]
    assert sorted(path.stem for path in tmp_path.glob("*.mp4")) == [
        "2026-03-01T09-30-00.125Z",
        "2026-03-01T09-30-00.125Z-2",
        "2026-03-01T09-30-00.125Z-3",
    ]


def test_a_restart_names_what_a_killed_run_left(tmp_path: Path) -> None:
    with recorder(tmp_path) as sink:
        feed_slowly(sink, range(20))
    video, telemetry = next(tmp_path.glob("*.mp4")), next(tmp_path.glob("*.jsonl"))
    lines = telemetry.read_bytes()
    video.rename(f"{video}.partial")
    telemetry.unlink()
    Path(f"{telemetry}.partial").write_bytes(lines + b'{"frame": 20, "ti')
    empty = tmp_path / "2026-03-01T09-31-00.000Z.mp4.partial"
    empty.touch()
    foreign = tmp_path / "mine.mp4.partial"
    foreign.touch()
    recorder(tmp_path).close()
    assert {path.name for path in tmp_path.iterdir()} == {video.name, telemetry.name, foreign.name}
    assert telemetry.read_bytes() == lines


def test_a_folder_belongs_to_one_recorder(tmp_path: Path) -> None:
    with recorder(tmp_path), pytest.raises(OutputError, match="another run is writing it"):
        recorder(tmp_path)
    recorder(tmp_path).close()


def test_a_full_disk_ends_recording_until_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with recorder(tmp_path, retry_s=0.2) as sink:
        with full_disk(300_000):
            count = 0
            while not sink.failure:
                feed_slowly(sink, range(count, count + 4), noise=(320, 240))
                count += 4
        assert sink.failure == "File too large"
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "tracking goes on" in caplog.text
        time.sleep(0.3)
        feed_slowly(sink, range(count, count + 3 * RATE), noise=(320, 240))
        assert sink.failure == ""
        assert "recording goes on" in caplog.text
    first, second = read_segments(tmp_path)
    assert count > len(first.rows) >= len(first.times_s) > 0
    assert 2 * RATE <= len(second.rows) == len(second.times_s) <= 3 * RATE  # from a key frame on
    assert not list(tmp_path.glob("*.partial"))
    tally = sink.tally
    assert tally.recorded + tally.dropped == count + 3 * RATE
    assert tally.failures == 1


def test_a_recording_that_lacks_its_end_says_so(tmp_path: Path) -> None:
    sink = recorder(tmp_path)
    with full_disk(300_000):
        while not sink.failure:
            feed_slowly(sink, range(4), noise=(320, 240))
        with pytest.raises(OutputError, match="the end is not recorded: File too large"):
            sink.close()


def test_the_last_of_the_disk_is_left_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    usage = namedtuple("usage", "total used free")
    free = [10**9]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, free[0]))
    with recorder(tmp_path, retry_s=0.1) as sink:
        feed_slowly(sink, range(2 * RATE))
        free[0] = 10**8
        feed_slowly(sink, range(2 * RATE, 5 * RATE))
        assert sink.failure == "No space left on device"
        free[0] = 10**9
        time.sleep(0.2)
        feed_slowly(sink, range(5 * RATE, 6 * RATE))
    first, second = read_segments(tmp_path)
    assert (len(first.rows), len(first.times_s)) == (2 * RATE, 2 * RATE)
    assert (len(second.rows), len(second.times_s)) == (RATE, RATE)
    assert [record.message.split(": ")[1] for record in caplog.records[:2]] == [
        "recording stops",
        "recording goes on",
    ]


@pytest.mark.parametrize(("seconds", "before"), [("0", 0), ("1s", 1), ("2.5s", 2.5), ("1min", 5)])
def test_a_start_reaches_back(tmp_path: Path, seconds: str, before: float) -> None:
    with recorder(tmp_path, record_on_demand=True, pre_trigger=seconds) as sink:
        for index in range(7 * RATE):
            if index == 5 * RATE + 11:
                assert not list(tmp_path.iterdir())
                sink.start()
            feed(sink, [index])
            wait_for(lambda: not sink.waiting)
        assert sink.recording
    (segment,) = read_segments(tmp_path)
    first_s, last_s = segment.row_times_s[0], segment.row_times_s[-1]
    assert last_s == pytest.approx(7 - 1 / RATE, abs=1e-3)
    now_s = 5 + 10 / RATE
    least = min(before, now_s)
    assert least - 1.5 / RATE <= now_s - first_s <= least + 1.0
    assert len(segment.rows) == len(segment.times_s) == round((last_s - first_s) * RATE) + 1


def test_a_start_without_pictures_writes_what_is_there(tmp_path: Path) -> None:
    with recorder(tmp_path, record_on_demand=True) as sink:
        feed(sink, range(RATE))
        sink.start()
        wait_for(lambda: sink.tally.recorded == RATE)
        sink.stop()
        wait_for(lambda: len([*tmp_path.glob("*.mp4"), *tmp_path.glob("*.jsonl")]) == 2)


def test_it_is_started_and_stopped_again(tmp_path: Path) -> None:
    with recorder(tmp_path, record_on_demand=True, pre_trigger="0") as sink:
        for second in range(4):
            if second % 2:
                sink.stop()
                sink.stop()
                feed(sink, range(second * RATE, second * RATE + 20))
            else:
                sink.start()
                sink.start()
                feed_slowly(sink, range(second * RATE, (second + 1) * RATE))
    assert [(s.row_times_s[0], len(s.rows), len(s.times_s)) for s in read_segments(tmp_path)] == [
        (0.0, RATE, RATE),
        (2.0, RATE, RATE),
    ]
    assert sink.tally.dropped == 0


def test_what_is_too_much_is_dropped_and_counted(tmp_path: Path) -> None:
    large = noisy_frame(0, width=1920, height=1080)
    with recorder(tmp_path) as sink:
        feed(sink, range(120), like=large)
    (segment,) = read_segments(tmp_path)
    assert sink.tally.dropped > 0
    assert sink.tally.recorded + sink.tally.dropped == 120
    assert sink.tally.recorded == len(segment.rows) == len(segment.times_s)


def test_another_size_begins_another_segment(tmp_path: Path) -> None:
    with recorder(tmp_path) as sink:
        feed_slowly(sink, range(20))
        feed_slowly(sink, range(20, 40), like=frame(width=65, height=49))
    first, second = read_segments(tmp_path, SCHEMA)
    assert (len(first.rows), len(second.rows)) == (20, 20)
    assert [(s.header["width"], s.header["height"]) for s in (first, second)] == [(96, 64), (65, 49)]
    assert len(second.times_s) == 20


@pytest.mark.parametrize("overlay", [False, True])
def test_the_picture_is_recorded_as_it_came_or_with_its_overlay(tmp_path: Path, overlay: bool) -> None:
    with recorder(tmp_path, record_overlay=overlay) as sink:
        feed_slowly(sink, range(8), like=frame(width=320, height=240))
    with av.open(str(next(tmp_path.glob("*.mp4")))) as container:
        lumas = [picture.to_ndarray()[:240].astype(int) for picture in container.decode(video=0)]
    changed = max(float((abs(luma - 60) > 20).mean()) for luma in lumas)
    assert (changed > 0.005) == overlay


def test_a_long_silence_is_in_the_times(tmp_path: Path) -> None:
    with recorder(tmp_path, segment="6h") as sink:
        feed_slowly(sink, range(RATE))
        feed_slowly(sink, range(3000 * RATE, 3001 * RATE))  # 50 minutes later
    (segment,) = read_segments(tmp_path)
    assert segment.times_s == pytest.approx(segment.row_times_s, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"record": ""}, "--record takes a folder"),
        ({"record": "rtsp://a/b"}, "--record takes a folder"),
        ({"keep": "20GB"}, "--keep goes with --record FOLDER"),
        ({"record": "a", "segment": "soon"}, "--segment takes an amount such as 30s"),
        ({"record": "a", "segment": "7h"}, "between 1s and 6h"),
        ({"record": "a", "segment": "0"}, "between 1s and 6h"),
        ({"record": "a", "segment_size": "-1GB"}, "--segment-size takes an amount"),
        ({"record": "a", "keep": "0"}, "--keep is more than nothing"),
        ({"record": "a", "pre_trigger": "1h"}, "--pre-trigger is at most 10min"),
    ],
)
def test_what_is_asked_wrongly_is_told(options: dict[str, str], words: str) -> None:
    with pytest.raises(OptionsError, match=words):
        RecordOptions(**options)  # type: ignore[arg-type]


def test_a_log_line_says_what_was_done(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "horizon_rt")
    with recorder(tmp_path) as sink:
        feed_slowly(sink, range(8))
    assert "8 frames recorded in 1 segment, 0 dropped" in caplog.text


def test_a_small_quota_is_one(tmp_path: Path) -> None:
    options = RecordOptions(record=str(tmp_path), keep="3")
    assert (options.keep_bytes, options.segment_bytes) == (3, 1)
