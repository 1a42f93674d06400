"""Levelled video: the horizon is tracked through all of a recording, which is then read again and turned."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from horizon_rt.camera import Camera
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.errors import SourceError
from horizon_rt.frame import Frame
from horizon_rt.geometry import wrap_radians
from horizon_rt.horizon import Horizon, Observation
from horizon_rt.imaging.tags import VideoTags
from horizon_rt.levelling import AttitudeTrack, Leveller, LevelSettings, plan_level
from horizon_rt.options import RunOptions
from horizon_rt.pipeline.level_options import LevelOptions
from horizon_rt.pipeline.level_sink import LevelSink, PlannedPart, Preview
from horizon_rt.pipeline.outputs import Outputs, check_targets, local_file
from horizon_rt.pipeline.run import camera_for, make_tracker
from horizon_rt.pipeline.stages import Analysis, OnFrame, RunSummary, run_pipeline
from horizon_rt.pipeline.two_pass import SecondReading
from horizon_rt.sinks import Sink
from horizon_rt.sources import Source, SourceInfo
from horizon_rt.tracking import NoFilter, Track, TrackSettings, smooth_tracks

__all__ = ["LevelSummary", "Observed", "level_video"]

# An edge is seen to hundredths of a degree, so that the track may turn more sharply than one that is
# predicted: with less the smoother cuts the corners of a manoeuvre.
_SETTINGS = TrackSettings(coast_s=5.0, acceleration_dps2=60.0)
_LONGEST_GAP_S = 5.0
_SLOW_HZ = 5.0
_NOTHING = Observation(view="unknown", confidence=0.0, sky_fraction=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSummary:
    """What levelling did: the run as a whole, and whether it came as far as to write the video; the share of
    frames whose attitude was sure, and of those that the zoom did not allow to level; the largest turn in
    degrees, and the smallest and largest zoom.
    """

    run: RunSummary
    is_written: bool = False
    sure: float = 0.0
    limited: float = 0.0
    largest_turn_deg: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame of the first pass, without its picture."""

    index: int
    time_s: float
    size: tuple[int, int]
    observation: Observation


class Observed(Sink):
    """Keeps what was seen in each frame, and no picture."""

    def __init__(self) -> None:
        self.frames: list[Seen] = []

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        size = frame.width, frame.height
        self.frames.append(Seen(frame.index, frame.time_s, size, horizon.observation))

    def _finish(self) -> None:
        """Nothing is open."""


class _Planned(Analysis):
    """In the place of a tracker at the second reading: the frames must be those of the first."""

    def __init__(self, seen: Sequence[Seen], tracks: Sequence[Track]) -> None:
        self._known = zip(seen, tracks, strict=True)

    def update(self, frame: Frame) -> Horizon:
        one, track = next(self._known, (None, None))
        if (
            one is None
            or track is None
            or (one.index, one.size) != (frame.index, (frame.width, frame.height))
        ):
            raise SourceError("the recording shows other frames when it is read again; it may have changed")
        return Horizon(frame=frame.index, time_s=frame.time_s, state=track.state, observation=_NOTHING)


def level_video(
    source: Source,
    out: Path,
    options: LevelOptions,
    *,
    preview: Path | None = None,
    observed: Observed | None = None,
    on_first_pass: OnFrame | None = None,
    on_frame: OnFrame | None = None,
) -> LevelSummary:
    """Write the levelled video of a recording, and close it; raises HorizonError.

    The recording is tracked first (`on_first_pass`) and read once more to be turned (`on_frame`). Between
    them its observations are kept, but no picture; a causal run with the same options may have `observed`
    them already. A signal ends it as `run_pipeline` says; during the first
    pass no video is left.
    """
    with source, ExitStack() as opened:
        _check(source, out, preview)
        file = local_file(source.info)
        tags = VideoTags() if file is None else VideoTags.of(file)
        profile = replace(camera_for(options, source.info), mount=None)
        part = options.part
        shown = None if preview is None else Preview(preview)
        sink = LevelSink(
            out,
            source.info,
            audio_from=file,
            from_s=part.from_s,
            is_whole=part.is_whole,
            preview=shown,
            tags=tags,
            coding=options.coding,
        )
        opened.callback(sink.abort)
        first = RunSummary()
        if observed is None or not _serves(options, source.info, profile):
            observed = Observed()
            tracker = make_tracker(_tracking(options, source.info), source.info, profile)
            first = run_pipeline(source, tracker, [observed], on_frame=on_first_pass)
        seen = observed.frames
        if first.signalled or not seen:
            first.interrupted = first.signalled
            return LevelSummary(run=first)
        tracks = _alone(seen) if _is_slow(source.info) else _smoothed(seen)
        parts, summary = _planned(seen, tracks, profile, options)
        sink.begin(parts)
        again = SecondReading(source.reopen(), len(seen))
        second = run_pipeline(again, _Planned(seen, tracks), [sink], on_frame=on_frame)
        second.seconds += first.seconds
        second.with_horizon, second.unseen, second.states = first.with_horizon, first.unseen, first.states
        second.warnings = list(dict.fromkeys(first.warnings + second.warnings))
        return replace(summary, run=second, is_written=second.frames > 0)


def _check(source: Source, out: Path, preview: Path | None) -> None:
    info = source.info
    if info.live or info.is_image_set:
        other = "`live --level` levels a camera" if info.live else "`straighten` levels photographs"
        raise SourceError(f"{info.name}: levelled video is made of a recording; {other}")
    if source.reopener is None:
        raise SourceError(f"{info.name} cannot be read twice, as levelling needs it; save it to a file first")
    # The preview is checked as an overlay would be: neither may be the source, or the other.
    for one in (out, preview):
        if one is not None:
            check_targets(Outputs(overlay=one, rerun=preview if one is out else None), info)


def _is_slow(info: SourceInfo) -> bool:
    """Whether pictures come so rarely, as of a time lapse, that one says nothing of the next."""
    return info.frame_rate is not None and info.frame_rate < _SLOW_HZ


def _serves(options: LevelOptions, info: SourceInfo, profile: CameraProfile) -> bool:
    """Whether levelling observes a source as a causal run does."""
    return not _is_slow(info) and camera_for(options, info).model == profile.model


def _tracking(options: LevelOptions, info: SourceInfo) -> RunOptions:
    """The edge is followed between key frames, as in a causal run; the smoother then takes what was seen."""
    return RunOptions(
        smooth="none" if _is_slow(info) else "causal",
        lens=options.lens,
        engine=options.engine,
        decoder=options.decoder,
        key_frames=options.key_frames,
        part=options.part,
        rotate=options.rotate,
    )


def _alone(seen: Sequence[Seen]) -> list[Track]:
    """What each frame shows by itself."""
    alone = NoFilter()
    return [alone.update(one.time_s, one.observation) for one in seen]


def _smoothed(seen: Sequence[Seen]) -> list[Track]:
    """The track at each frame, of each shot by itself; a repeated picture has that of the one it repeats.

    A shot that is too short to confirm a track has what each of its frames shows.
    """
    tracks: list[Track] = []
    for shot in _shots(seen):
        fresh = [k for k, one in enumerate(shot) if k == 0 or one.observation.change != "repeated"]
        pictures = [shot[k] for k in fresh]
        if len(pictures) < _SETTINGS.confirm_frames:
            known = _alone(pictures)
        else:
            known = smooth_tracks(((one.time_s, one.observation) for one in pictures), _SETTINGS)
        lengths = np.diff([*fresh, len(shot)]).tolist()
        tracks += [track for track, length in zip(known, lengths, strict=True) for _ in range(length)]
    return tracks


def _shots(seen: Sequence[Seen]) -> Iterator[Sequence[Seen]]:
    """The frames from cut to cut."""
    cuts = [k for k, one in enumerate(seen) if one.observation.change == "cut" and k > 0]
    for first, last in itertools.pairwise([0, *cuts, len(seen)]):
        yield seen[first:last]


def _planned(
    seen: Sequence[Seen], tracks: Sequence[Track], profile: CameraProfile, options: LevelOptions
) -> tuple[list[PlannedPart], LevelSummary]:
    """A part for each run of frames of one size."""
    settings = LevelSettings(
        lock=options.lock,
        strength=options.strength,
        zoom=options.fixed_zoom,
        most_zoom=options.most_zoom,
        shows_black=options.crop == "keep",
        readout_s=profile.readout_s or 0.0,
    )
    parts, sure = [], 0
    for size, group in groupby(zip(seen, tracks, strict=True), key=lambda pair: pair[0].size):
        pairs = list(group)
        camera: Camera = profile.model.for_size(*size)
        track = _attitude_track(*zip(*pairs, strict=True), lock=options.lock)
        plan = plan_level(track, camera, settings)
        leveller = Leveller(camera, black=settings.shows_black)
        parts.append(PlannedPart(frames=len(pairs), leveller=leveller, plan=plan))
        sure += int(track.is_sure.sum())
    turns = np.concatenate([np.abs(wrap_radians(part.plan.turn.roll)) for part in parts])
    zooms = np.concatenate([part.plan.zoom for part in parts])
    limited = sum(int(part.plan.is_limited.sum()) for part in parts)
    return parts, LevelSummary(
        run=RunSummary(),
        sure=sure / len(seen),
        limited=limited / len(seen),
        largest_turn_deg=math.degrees(float(turns.max())),
        zoom=(float(zooms.min()), float(zooms.max())),
    )


def _attitude_track(seen: Sequence[Seen], tracks: Sequence[Track], *, lock: str) -> AttitudeTrack:
    """The columns of what was tracked, with the sigma of what is locked; what is still being acquired is left
    out.
    """
    rows = np.full((len(tracks), 5), np.nan)
    for k, track in enumerate(tracks):
        if track.attitude is not None and track.state in ("tracking", "coasting"):
            up = track.attitude.up
            rates = track.attitude.rates_dps or (0.0, 0.0)
            roll_sd, pitch_sd = track.attitude.sd_deg
            sd = roll_sd if lock == "roll" else max(roll_sd, pitch_sd)
            rows[k] = (up.roll_deg, up.pitch_deg, sd, *rates)
    time_s = np.array([one.time_s for one in seen])
    cuts = np.array([one.observation.change == "cut" for one in seen])
    starts = cuts | (np.diff(time_s, prepend=-math.inf) > _LONGEST_GAP_S)
    roll, pitch, sd, roll_rate, pitch_rate = np.radians(rows).T
    return AttitudeTrack(
        time_s=time_s,
        roll=roll,
        pitch=pitch,
        sd=sd,
        roll_rate=roll_rate,
        pitch_rate=pitch_rate,
        starts=starts,
    )
