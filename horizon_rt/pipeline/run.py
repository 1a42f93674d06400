"""From options to a run: source, camera, tracker and sinks put together."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass, replace
from functools import partial
from pathlib import Path

from horizon_rt._version import __version__
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.camera.profile_files import load_profile
from horizon_rt.errors import SourceError
from horizon_rt.geometry import Mount
from horizon_rt.geometry.earth import dip
from horizon_rt.horizon import Horizon
from horizon_rt.metadata import METADATA, lens_of_file, lens_of_pictures
from horizon_rt.options import RunOptions, mount_angles
from horizon_rt.pipeline.opening import Notices, OnLine, OnRecorder, open_sinks
from horizon_rt.pipeline.outputs import Outputs, check_targets
from horizon_rt.pipeline.stages import OnFrame, RunSummary, run_pipeline
from horizon_rt.pipeline.team import Team
from horizon_rt.pipeline.two_pass import run_known, run_offline
from horizon_rt.pipeline.watch import Watch, reporting
from horizon_rt.sinks import Sink, SinkContext
from horizon_rt.sources import Source, SourceInfo
from horizon_rt.system.objects import is_object
from horizon_rt.tracker import HorizonTracker

__all__ = [
    "Known",
    "assumed_lens",
    "camera_for",
    "expected_frames",
    "make_tracker",
    "open_in_background",
    "reads_twice",
    "run",
]

_log = logging.getLogger(__name__)


def expected_frames(info: SourceInfo) -> int | None:
    """How many frames a source declares, if only by its length and rate; None where nobody knows."""
    if info.frame_count is not None or info.duration_s is None or info.frame_rate is None:
        return info.frame_count
    return round(info.duration_s * info.frame_rate)


def _is_offline(options: RunOptions, info: SourceInfo) -> bool:
    """Whether a source is smoothed over its whole length; pictures that stand alone are not."""
    return options.smooth == "offline" and not info.is_image_set


def reads_twice(options: RunOptions, outputs: Outputs, info: SourceInfo) -> bool:
    """Whether a source is read once more for its pictures, when all of it is known."""
    return _is_offline(options, info) and outputs.shows_pictures


def camera_for(options: RunOptions, info: SourceInfo) -> CameraProfile:
    """The lens that the options give for this source, and its mount; raises CameraModelError."""
    lens = options.lens
    if lens.camera_profile is not None:
        profile = load_profile(lens.camera_profile)
        is_tall = profile.model.height > profile.model.width
        if options.rotate == 180 and (info.height > info.width) == is_tall:
            profile = profile.upside_down()
        profile = _fitted(profile, info)
    elif lens.hfov_deg is not None:
        profile = _stored(CameraProfile.from_hfov(*info.shown_size, lens.hfov_deg), info)
    else:
        profile = _stored(_assumed(info), info)
    if lens.mount is None:
        return profile
    roll, pitch, yaw = mount_angles(lens.mount)
    return replace(profile, mount=Mount(roll_deg=roll, pitch_deg=pitch, yaw_deg=yaw))


def _fitted(profile: CameraProfile, info: SourceInfo) -> CameraProfile:
    """The profile for pictures as they are stored or, where they have another shape, as they are shown."""
    stored = info.width, info.height
    size = stored if profile.is_for(*stored) else info.shown_size
    return _stored(profile.fit_to(*size, clockwise=not info.turned_left), info)


def _stored(profile: CameraProfile, info: SourceInfo) -> CameraProfile:
    """The profile for pictures as they are stored, whose pixels need not be square."""
    size = info.width, info.height
    if (profile.model.width, profile.model.height) == size:
        return profile
    return replace(profile, model=profile.model.resized(*size))


def _assumed(info: SourceInfo) -> CameraProfile:
    """The lens by the metadata of the source, else a guess, for pictures as they are shown."""
    size, found = info.shown_size, None
    if info.is_image_set:
        found = lens_of_pictures(info.pictures, *size)
    elif info.kind == "file" and not is_object(info.name):
        found = lens_of_file(Path(info.name), *size)
    return CameraProfile.guess(*size) if found is None else found.profile(*size)


def _assumed_of(profile: CameraProfile) -> str:
    """What is assumed of a lens that was not measured, in a line; empty where nothing is. As with `--hfov`,
    its field of view is that over the longer side.
    """
    model = profile.model
    longer = model if model.width >= model.height else model.turned()
    known = f" ({profile.source})" if profile.name == METADATA else ""
    return f"hfov {longer.hfov_deg:.4g}°{known}" if profile.assumed else ""


def assumed_lens(options: RunOptions, info: SourceInfo) -> str:
    """What a run of this source assumes of the lens, in a line; empty where that is given."""
    return _assumed_of(camera_for(options, info)) if options.lens.is_assumed else ""


def make_tracker(
    options: RunOptions,
    info: SourceInfo,
    profile: CameraProfile | None = None,
    *,
    real_time: bool = False,
    shares: HorizonTracker | None = None,
) -> HorizonTracker:
    """A tracker for this source and its lens; pictures that stand alone are not filtered. In real time it
    shares the net of another one.
    """
    profile = profile or camera_for(options, info)
    return HorizonTracker(
        profile.model,
        mount=profile.mount,
        height_m=options.lens.height_m,
        smooth="causal" if options.smooth == "causal" and not info.is_image_set else "none",
        engine=options.engine,
        key_frames=options.key_frames,
        careful=info.is_image_set or options.smooth == "none",
        real_time=real_time,
        shares=shares,
    )


def open_in_background(open_it: Callable[[], Source]) -> Source:
    """What `open_it` opens or raises; Ctrl-C ends the wait for a camera or a pipe that gives nothing."""
    outcome: list[Source | BaseException] = []

    def work() -> None:
        try:
            outcome.append(open_it())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=work, name="opener", daemon=True)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


@dataclass(frozen=True, slots=True)
class Known:
    """What was found of each frame of a recording before, and how many those are."""

    horizons: Iterable[Horizon]
    count: int


def run(
    source: Source,
    options: RunOptions,
    outputs: Outputs,
    *,
    also: Sequence[Sink] = (),
    known: Known | None = None,
    real_time: bool = False,
    keep_interrupted: bool = True,
    on_frame: OnFrame | None = None,
    on_first_pass: OnFrame | None = None,
    on_page: OnLine = _log.info,
    on_line: OnLine = _log.info,
    on_recorder: OnRecorder = lambda _: None,
    team: Team | None = None,
    watch: Watch | None = None,
) -> RunSummary:
    """Track a source into outputs, and into the sinks that come `also`, and close it; see `run_pipeline`.
    Raises HorizonError.

    `also` are sinks beside those of the outputs. With `known` horizons nothing is tracked. `on_page`,
    `on_line` and `on_recorder` are those of `Notices`. With `smooth='offline'` it is as `run_offline` says,
    whose `on_first_pass` this is. In a thread of its own it is one of a `team`, and others tell what its
    `watch` knows.
    """
    with source, ExitStack() as opened:
        check_targets(outputs, source.info)
        offline = _is_offline(options, source.info)
        if offline:
            _check_repeatable(outputs, source, real_time=real_time)
        profile = camera_for(options, source.info)
        newest = real_time or source.info.live
        make = partial(make_tracker, options, source.info, profile, real_time=newest)
        tracker = make() if team is None else team.tracker(lambda first: make(shares=first))
        context = replace(_context(source.info, profile, tracker, options), live=newest)
        _log_choices(source, tracker, profile, options)
        if watch is None:
            watch = Watch()
            if newest:
                opened.enter_context(reporting([watch]))
        notices = Notices(page=on_page, line=on_line, recorder=on_recorder)
        sinks = [*open_sinks(outputs, context, source, watch, notices, opened), *also]
        if known is not None:
            camera = tracker.camera if offline else None
            summary = run_known(source, known.horizons, known.count, sinks, camera=camera, on_frame=on_frame)
        elif offline:
            summary = run_offline(
                source,
                tracker,
                sinks,
                keep_interrupted=keep_interrupted,
                on_first_pass=on_first_pass,
                on_frame=on_frame,
            )
        else:
            summary = run_pipeline(
                source,
                tracker,
                sinks,
                real_time=real_time,
                keep_interrupted=keep_interrupted,
                on_frame=on_frame,
                watch=watch,
                at_stop=None if team is None else team.at_stop,
            )
        summary.assumed = _assumed_of(profile) if options.lens.is_assumed else ""
        return summary


def _log_choices(
    source: Source, tracker: HorizonTracker, profile: CameraProfile, options: RunOptions
) -> None:
    info = source.info
    rate = "" if info.frame_rate is None else f", {info.frame_rate:.4g} frames/s"
    place = "the GPU" if source.on_gpu else "the CPU"
    _log.info("source: %s, %dx%d px%s, decoded on %s", info.name, info.width, info.height, rate, place)
    _log.info("net: %s, run by %s", tracker.model, tracker.backend)
    assumed = f", assumed: {profile.source}" if options.lens.is_assumed else ""
    _log.info("lens: horizontal field of view %.4g°%s", profile.model.hfov_deg, assumed)
    if profile.mount is not None:
        _log.info("mount: roll %g°, pitch %g°, yaw %g°", *astuple(profile.mount))
    if options.lens.height_m is not None:
        down_deg = math.degrees(dip(options.lens.height_m))
        _log.info(
            "height: %g m, from which the horizon is %.3f° below level", options.lens.height_m, down_deg
        )


def _check_repeatable(outputs: Outputs, source: Source, *, real_time: bool) -> None:
    info = source.info
    if info.live or real_time:
        raise SourceError(f"{info.name}: offline smoothing needs a recording; use the causal filter")
    if info.kind == "stdin" and outputs.shows_pictures:
        raise SourceError("a pipe cannot be read twice, as an offline overlay needs it; ask for --telemetry")
    if source.reopener is None and outputs.shows_pictures:
        raise SourceError(f"{info.name} cannot be read twice, as an offline overlay needs it")


def _context(
    info: SourceInfo, profile: CameraProfile, tracker: HorizonTracker, options: RunOptions
) -> SinkContext:
    return SinkContext(
        source=info.name,
        width=info.width,
        height=info.height,
        camera=profile.model,
        frame_rate=info.frame_rate,
        starts_s=options.part.from_s,
        is_whole=options.part.is_whole,
        model=tracker.model,
        backend=tracker.backend,
        options=options.header_fields,
        version=__version__,
        assumed=tuple(filter(None, [_assumed_of(profile)])),
        is_image_set=info.is_image_set,
        pictures=info.pictures,
        mount=profile.mount,
        height_m=options.lens.height_m,
    )
