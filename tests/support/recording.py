"""Segments of a recording, read by those who know nothing of the recorder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import jsonschema
from support.sinks import context, ffprobe, frame, frame_times, horizon, noisy_frame

from horizon_rt.frame import Frame
from horizon_rt.recording.options import RecordOptions
from horizon_rt.recording.recorder import Recorder
from horizon_rt.sinks.records import read_header, read_records

BEGIN = datetime(2026, 3, 1, 9, 30, 0, 125_000, UTC)
RATE = 30


@dataclass(frozen=True)
class Read:
    """A segment: what its telemetry says, and when its pictures are shown."""

    video: Path | None
    header: dict[str, object]
    rows: list[dict[str, object]]
    times_s: list[float]

    @property
    def row_times_s(self) -> list[float]:
        return [float(str(row["time_s"])) for row in self.rows]


def recorder(folder: Path, *, retry_s: float = 10.0, **options: object) -> Recorder:
    chosen = RecordOptions(record=str(folder), **options)  # type: ignore[arg-type]
    return Recorder(chosen, context(live=True), retry_s=retry_s)


def feed(
    sink: Recorder,
    indices: Iterable[int],
    *,
    like: Frame | None = None,
    noise: tuple[int, int] | None = None,
) -> None:
    """Frames of a source that gives RATE a second, and their horizons, which know the time of day.

    They look `like` one frame, or are `noise` of a width and height, which costs many bytes.
    """
    for index in indices:
        time_s = index / RATE
        shown = like or frame() if noise is None else noisy_frame(index, width=noise[0], height=noise[1])
        when = BEGIN + timedelta(seconds=time_s)
        row = replace(horizon(index), time_s=time_s, time_utc=when)
        sink.write(replace(shown, index=index, time_s=time_s), row)


def feed_slowly(sink: Recorder, indices: range, **how: Any) -> None:
    """As `feed`, no faster than the recorder takes them."""
    for start in range(indices.start, indices.stop, 4):
        batch = range(start, min(start + 4, indices.stop))
        done = sink.tally.recorded + sink.tally.dropped + len(batch)
        feed(sink, batch, **how)
        wait_for(lambda due=done: sink.tally.recorded + sink.tally.dropped >= due)  # type: ignore[misc]


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Fails where it does not come true in that time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def read_segments(folder: Path, schema: dict[str, object] | None = None) -> list[Read]:
    """All segments by name; fails for a file that ffprobe, PyAV or the reader of telemetry cannot read."""
    segments = []
    for telemetry in sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.partial")]):
        videos = [*folder.glob(telemetry.name.split(".jsonl")[0] + ".mp4*")]
        header, rows = read_header(telemetry), list(read_records(telemetry))
        assert telemetry.read_bytes().endswith(b"\n"), "a last line that is cut off is left out"
        if schema is not None:
            for line in (header, *rows):
                jsonschema.validate(line, schema)
        times = read_video(videos[0]) if videos else []
        segments.append(Read(videos[0] if videos else None, header, rows, times))
    videos_of = {segment.video for segment in segments}
    assert {*folder.glob("*.mp4*")} <= videos_of
    return segments


def read_video(path: Path) -> list[float]:
    """The times of its pictures, which FFmpeg and PyAV agree on."""
    assert ffprobe(path, "stream=codec_name")["streams"][0]["codec_name"] == "h264"
    times = frame_times(path)
    with av.open(str(path)) as container:
        decoded = [float(picture.time or 0) for picture in container.decode(video=0)]
    assert len(decoded) == len(times)
    return times
