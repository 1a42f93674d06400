"""From options to a run: source, camera, tracker and sinks put together."""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import astuple, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from horizon_rt._version import __version__
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.camera.profile_files import load_profile
from horizon_rt.errors import OutputError, SourceError
from horizon_rt.geometry import Mount
from horizon_rt.links import LinkSink, open_link
from horizon_rt.options import DEFAULT_HFOV_DEG, RunOptions, mount_angles
from horizon_rt.pipeline.stages import OnFrame, RunSummary, run_pipeline
from horizon_rt.pipeline.team import Team
from horizon_rt.pipeline.two_pass import run_offline
from horizon_rt.pipeline.watch import Watch, telling
from horizon_rt.sinks import ImageSink, Overlay, Sink, SinkContext, VideoSink, WindowSink, open_telemetry
from horizon_rt.sinks.records import header_matches, read_header
from horizon_rt.sources import Source, SourceInfo
from horizon_rt.system.extras import require
from horizon_rt.tracker import HorizonTracker

__all__ = [
    "Outputs",
    "camera_for",
    "check_taken",
    "default_outputs",
    "expected_frames",
    "filled",
    "free_folder",
    "make_tracker",
    "open_in_background",
    "run",
]

_log = logging.getLogger(__name__)
AnySink = TypeVar("AnySink", bound=Sink)
OnLine = Callable[[str], object]
MakePage = Callable[[str, Sequence[LinkSink]], Sink]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What a run writes: telemetry files ('-' for stdout), one overlay (a folder for pictures), a Rerun
    recording, a window; the addresses of links; and where its page is served.
    """

    telemetry: tuple[str, ...] = ()
    overlay: Path | None = None
    rerun: Path | None = None
    window: bool = False
    links: tuple[str, ...] = ()
    web: str | None = None

    def of(self, name: str, number: int) -> Outputs:
        """Those of a camera, whose name and number stand for {name} and {number}."""

        def fill(path: Path | None) -> Path | None:
            return None if path is None else Path(filled(str(path), name, number))

        return replace(
            self,
            telemetry=tuple(filled(target, name, number) for target in self.telemetry),
            overlay=fill(self.overlay),
            rerun=fill(self.rerun),
            links=tuple(filled(address, name, number) for address in self.links),
            web=None if self.web is None else filled(self.web, name, number),
        )

    @property
    def places(self) -> set[str]:
        """All but the window, as they were given."""
        web = () if self.web is None else (self.web,)
        return {*self.telemetry, *map(str, self.paths), *self.links, *web}

    @property
    def shows_pictures(self) -> bool:
        """Whether anything but telemetry is asked for."""
        return self.window or any(place is not None for place in (self.overlay, self.rerun, self.web))

    @property
    def paths(self) -> list[Path]:
        """The files and folders that will exist after a whole run."""
        files = [Path(target) for target in self.telemetry if target != "-"]
        return [*files, *(path for path in (self.overlay, self.rerun) if path is not None)]


def filled(text: str, name: str, number: int) -> str:
    """A text with the name and number of a camera for {name} and {number}."""
    return text.replace("{name}", name).replace("{number}", str(number))


def default_outputs(folder: Path, name: str, *, is_image_set: bool) -> Outputs:
    """Telemetry and overlay in a folder, as `--out` and `batch` write them."""
    overlay = folder / (f"{name}.overlay" if is_image_set else f"{name}.overlay.mp4")
    return Outputs(telemetry=(str(folder / f"{name}.jsonl"),), overlay=overlay)


def free_folder(name: str) -> Path:
    """A folder in the current directory for results that nobody gave a place: new, or empty."""
    for number in itertools.count(1):
        folder = Path(f"{name}-horizon" if number == 1 else f"{name}-horizon-{number}")
        if not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir())):
            return folder
    raise AssertionError("there is always another number")


def expected_frames(info: SourceInfo) -> int | None:
    """How many frames a source declares, if only by its length and rate; None where nobody knows."""
    if info.frame_count is not None or info.duration_s is None or info.frame_rate is None:
        return info.frame_count
    return round(info.duration_s * info.frame_rate)


def camera_for(options: RunOptions, info: SourceInfo) -> CameraProfile:
    """The lens that the options give for this source, and its mount; raises CameraModelError."""
    lens = options.lens
    if lens.camera_profile is not None:
        profile = load_profile(lens.camera_profile).fit_to(info.width, info.height)
    else:
        profile = CameraProfile.from_hfov(info.width, info.height, lens.hfov_deg or DEFAULT_HFOV_DEG)
    if lens.mount is None:
        return profile
    roll, pitch, yaw = mount_angles(lens.mount)
    return replace(profile, mount=Mount(roll_deg=roll, pitch_deg=pitch, yaw_deg=yaw))


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


def run(
    source: Source,
    options: RunOptions,
    outputs: Outputs,
    *,
    real_time: bool = False,
    keep_interrupted: bool = True,
    on_frame: OnFrame | None = None,
    on_first_pass: OnFrame | None = None,
    on_page: OnLine = _log.info,
    on_line: OnLine = _log.info,
    team: Team | None = None,
    watch: Watch | None = None,
) -> RunSummary:
    """Track a source into outputs and close it; see `run_pipeline`. Raises HorizonError.

    `on_page` is told where the page is, and its token, once it is served; `on_line`, from any thread, which
    link has sent its first message, and where a snapshot of the window lies. With `smooth='offline'` it is as
    `run_offline` says, whose `on_first_pass` this is. In a thread of its own it is one of a `team`, and
    others tell what its `watch` knows.
    """
    with source, ExitStack() as opened:
        _check_targets(outputs, source.info)
        offline = options.smooth == "offline" and not source.info.is_image_set
        if offline:
            _check_repeatable(outputs, source, real_time=real_time)
        profile = camera_for(options, source.info)
        newest = real_time or source.info.live
        make = partial(make_tracker, options, source.info, profile, real_time=newest)
        tracker = make() if team is None else team.tracker(lambda first: make(shares=first))
        context = _context(source.info, profile, tracker, options)
        _log_choices(source, tracker, profile, options)
        has_sound = source.info.kind == "file" and options.part.is_whole
        if watch is None:
            watch = Watch()
            if newest:
                opened.enter_context(telling([watch]))
        page = partial(_web_sink, context=context, source=source, watch=watch, on_page=on_page)
        sound_from = source.info.name if has_sound else None
        links = [partial(open_link, address, tell=on_line) for address in outputs.links]
        window = partial(WindowSink, context, tell=on_line)
        sinks = _open_sinks(outputs, context, opened, links, window, page, sound_from=sound_from)
        if offline:
            return run_offline(
                source,
                tracker,
                sinks,
                keep_interrupted=keep_interrupted,
                on_first_pass=on_first_pass,
                on_frame=on_frame,
            )
        return run_pipeline(
            source,
            tracker,
            sinks,
            real_time=real_time,
            keep_interrupted=keep_interrupted,
            on_frame=on_frame,
            watch=watch,
            at_stop=None if team is None else team.at_stop,
        )


def _log_choices(
    source: Source, tracker: HorizonTracker, profile: CameraProfile, options: RunOptions
) -> None:
    info = source.info
    rate = "" if info.frame_rate is None else f", {info.frame_rate:.4g} frames/s"
    place = "the GPU" if source.on_gpu else "the CPU"
    _log.info("source: %s, %dx%d px%s, decoded on %s", info.name, info.width, info.height, rate, place)
    _log.info("net: %s, run by %s", tracker.model, tracker.backend)
    assumed = ", assumed" if options.lens.is_assumed else ""
    _log.info("lens: horizontal field of view %.4g°%s", profile.model.hfov_deg, assumed)
    if profile.mount is not None:
        _log.info("mount: roll %g°, pitch %g°, yaw %g°", *astuple(profile.mount))


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
        model=tracker.model,
        backend=tracker.backend,
        options=options.header_fields,
        version=__version__,
        assumed=(f"hfov {profile.model.hfov_deg:.4g}°",) if profile.assumed else (),
        is_image_set=info.is_image_set,
        pictures=info.pictures,
        mount=profile.mount,
    )


def check_taken(outputs: Outputs, info: SourceInfo) -> None:
    """Raises OutputError where telemetry of another source bears the name of one of these."""
    for path in outputs.paths:
        with suppress(OSError, ValueError, KeyError, TypeError):
            head = read_header(path)
            if not header_matches(head, info.name):
                raise OutputError(f"{path} holds the results of {head['source']}; give another folder")


def _check_targets(outputs: Outputs, info: SourceInfo) -> None:
    """Outputs replace what bears their name, which must be neither the source nor one another."""
    targets = outputs.paths
    if outputs.telemetry.count("-") > 1:
        raise OutputError("standard output is wanted for two outputs; give - once")
    for i, target in enumerate(targets):
        if info.kind in ("file", "images") and _same(target, Path(info.name)):
            raise OutputError(f"{target} is the source, which would be lost; give the output another name")
        if any(_same(target, other) for other in targets[:i] if not target.is_char_device()):
            raise OutputError(f"{target} is wanted for two outputs; give each its own name")


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.abspath(one) == os.path.abspath(other)


def _open_sinks(
    outputs: Outputs,
    context: SinkContext,
    opened: ExitStack,
    make_links: Sequence[Callable[[], LinkSink]],
    make_window: Callable[[], Sink],
    page: MakePage,
    *,
    sound_from: str | None,
) -> list[Sink]:
    """The sinks in the order of writing; the first is closed last, so that telemetry vouches for the rest.

    `opened` aborts them when it ends, which has no effect on those that are closed by then.
    """

    def kept(sink: AnySink) -> AnySink:
        opened.callback(sink.abort)
        return sink

    links = [kept(make_link()) for make_link in make_links]
    overlay, pictures = Overlay(context.camera), list[Sink]()
    if outputs.overlay is not None:
        pictures.append(kept(_overlay_sink(outputs.overlay, context, overlay, sound_from)))
    if outputs.rerun is not None:
        pictures.append(kept(_rerun_sink(outputs.rerun, context)))
    if outputs.window:
        pictures.append(kept(make_window()))
    if outputs.web is not None:
        pictures.append(kept(page(outputs.web, links)))
    telemetry = [kept(open_telemetry(target, context)) for target in outputs.telemetry]
    return [*telemetry, *links, *pictures]


def _web_sink(
    place: str,
    links: Sequence[LinkSink],
    *,
    context: SinkContext,
    source: Source,
    watch: Watch,
    on_page: OnLine,
) -> Sink:
    """The page draws in threads of its own, so that it has an overlay of its own."""
    require("web", "--web")
    from horizon_rt.web.sink import WebSink

    sink = WebSink(
        place,
        context,
        Overlay(context.camera),
        health=lambda: source.health,
        hanging=lambda: sorted(watch.hanging),
        links=links,
    )
    token = "" if sink.token is None else f", its token is {sink.token}"
    on_page(f"the page is at {sink.url}{token}")
    return sink


def _rerun_sink(target: Path, context: SinkContext) -> Sink:
    require("rerun", "--rerun")
    from horizon_rt.sinks.rerun import RerunSink

    return RerunSink(target, context)


def _overlay_sink(target: Path, context: SinkContext, overlay: Overlay, sound_from: str | None) -> Sink:
    if context.is_image_set:
        return ImageSink(target, context, overlay)
    return VideoSink(target, context, overlay, audio_from=sound_from)
