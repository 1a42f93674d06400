"""A long recording tracked in segments that are cut at its key frames, each by itself.

A segment begins some seconds before its cut, so that its track has settled there as one that came all the
way: the frames that the net looks at are fixed by the time of the recording, and a filter forgets.
"""

from __future__ import annotations

import math
import pickle
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from av.error import FFmpegError
from av.video.stream import VideoStream

from horizon_rt.batches.work import Signals, spec_of
from horizon_rt.errors import HorizonError, SourceError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.imaging.opening import open_input
from horizon_rt.options import Part, RunOptions
from horizon_rt.pipeline.run import Known, make_tracker
from horizon_rt.pipeline.stages import run_pipeline
from horizon_rt.sources import open_source
from horizon_rt.system.objects import is_object, open_object

__all__ = [
    "DamagedTimes",
    "Segment",
    "Tracked",
    "all_meet",
    "cuts_of",
    "known_of",
    "segments_of",
    "track_segment",
]

WARM_UP_S = 15.0
"""How much earlier than its cut a segment is begun."""
_ROUNDING_S = 1e-4
_LEVEL = 1
_COMPARED_S, _SETTLED_DEG = 2.0, 1e-3
Angles = tuple[float, float, float]
"""Roll, pitch and the sigma of roll in degrees."""


class DamagedTimes(SourceError):
    """The times of a recording are repaired, which depends on all that came before: it cannot be cut."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The frames of a source from `start_s` to before `end_s` (None: from the first, to the last)."""

    source: str
    options: RunOptions
    start_s: float | None
    end_s: float | None
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Tracked:
    """The packed horizons of a segment, and how many they are; the angles of the last frames before its cut,
    and of its own last frames, by time.
    """

    count: int
    packed: bytes
    before: Mapping[float, Angles]
    last: Mapping[float, Angles]


def cuts_of(source: str | Path, length_s: float, part: Part) -> list[float]:
    """The times of key frames in s at which a recording is cut into segments of about this length; none where
    it is too short, or cannot be read from a time on.
    """
    cuts: list[float] = []
    try:
        with ExitStack() as stack:
            file: Any = source
            if is_object(str(source)):
                file = stack.enter_context(open_object(str(source)))
            container = stack.enter_context(open_input(file))
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream) or stream.start_time is None or not stream.time_base:
                return []
            whole_s = (container.duration or 0) / 1e6
            ends_s = whole_s if part.end_s is None else min(whole_s, part.end_s)
            target_s = part.from_s + length_s
            while target_s < ends_s - 0.5 * length_s:
                ticks = int(target_s / stream.time_base) + stream.start_time
                container.seek(ticks, stream=stream, backward=True)
                packet = next(p for p in container.demux(stream) if p.pts is not None)
                found_s = float(((packet.pts or 0) - stream.start_time) * stream.time_base)
                if packet.is_keyframe and found_s > (cuts[-1] if cuts else part.from_s) + 0.25 * length_s:
                    cuts.append(found_s)
                target_s += length_s
    except (FFmpegError, OSError, StopIteration, OverflowError, HorizonError):
        return []
    return cuts


def segments_of(source: str, options: RunOptions, cuts: Sequence[float], threads: int) -> list[Segment]:
    """The segments between cuts."""
    starts, ends = [options.part.start_s, *cuts], [*cuts, options.part.end_s]
    return [Segment(source, options, a, b, threads) for a, b in zip(starts, ends, strict=True)]


def track_segment(segment: Segment, signals: Signals) -> Tracked:
    """The horizons of the frames of a segment; raises DamagedTimes."""
    options, first_s = segment.options, segment.start_s
    is_first = first_s == options.part.start_s
    # What is smoothed offline is measured frame by frame.
    warm_s = 0.0 if is_first or options.smooth != "causal" else WARM_UP_S
    from_s = None if first_s is None else max(first_s - warm_s, options.part.from_s)
    start_s = (first_s or 0.0) - _ROUNDING_S
    part = Part(
        start_s=None if from_s is None or is_first else max(from_s - _ROUNDING_S, 0.0),
        end_s=segment.end_s if segment.end_s == options.part.end_s else (segment.end_s or 0) - _ROUNDING_S,
    )
    if is_first and first_s is not None:
        part = replace(part, start_s=first_s)
    before: dict[float, Angles] = {}
    kept: list[Horizon] = []

    def keep(frame: Frame, horizon: Horizon) -> None:
        if frame.time_s >= start_s:
            kept.append(horizon)
            signals.on_frame(frame, horizon)
            return
        if frame.time_s >= start_s - _COMPARED_S:
            before[horizon.time_s] = _angles(horizon)
        if signals.stopped():
            raise KeyboardInterrupt

    fields = replace(options, part=part).source_fields
    source = open_source(spec_of(segment.source), **fields, threads=segment.threads)
    with source:
        tracker = make_tracker(options, source.info)
        if run_pipeline(source, tracker, on_frame=keep).signalled:
            raise KeyboardInterrupt
        if any("timestamps unusable" in warning for warning in source.warnings):
            raise DamagedTimes(f"{segment.source}: its times are damaged")
    ends_s = kept[-1].time_s - _COMPARED_S if kept else 0.0
    last = {one.time_s: _angles(one) for one in kept if one.time_s >= ends_s}
    packed = zlib.compress(pickle.dumps(kept, pickle.HIGHEST_PROTOCOL), _LEVEL)
    return Tracked(len(kept), packed, before, last)


def _angles(horizon: Horizon) -> Angles:
    return horizon.roll_deg or 0.0, horizon.pitch_deg or 0.0, horizon.roll_sd_deg or 0.0


def all_meet(parts: Sequence[Tracked]) -> bool:
    """Whether each segment had settled before its cut: its angles there are those of the one before."""
    return all(_meet(one.last, two.before) for one, two in pairwise(parts))


def _meet(last: Mapping[float, Angles], before: Mapping[float, Angles]) -> bool:
    common = last.keys() & before.keys()
    return not before or (
        bool(common) and all(math.dist(last[time_s], before[time_s]) < _SETTLED_DEG for time_s in common)
    )


def known_of(parts: Sequence[Tracked]) -> Known:
    """The horizons of all segments, counted through."""
    return Known(_horizons(parts), sum(part.count for part in parts))


def _horizons(parts: Sequence[Tracked]) -> Iterator[Horizon]:
    first = 0
    for part in parts:
        for horizon in pickle.loads(zlib.decompress(part.packed)):
            yield replace(horizon, frame=first)
            first += 1
