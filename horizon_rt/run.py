"""From a user's wishes to a run: source, camera, tracker and sinks put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from horizon_rt._version import __version__
from horizon_rt.camera.profile import CameraProfile, load_profile
from horizon_rt.config import DEFAULT_HFOV_DEG, TrackOptions
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.pipeline import RunSummary, run_pipeline
from horizon_rt.sinks import ImageSink, Overlay, Sink, SinkContext, TelemetrySink, VideoSink, WindowSink
from horizon_rt.sources import Source, SourceInfo
from horizon_rt.tracker import HorizonTracker

__all__ = ["Outputs", "camera_for", "default_outputs", "make_tracker", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What a run writes: telemetry files ('-' for stdout), one overlay (a folder for pictures), a window."""

    telemetry: tuple[str, ...] = ()
    overlay: Path | None = None
    window: bool = False

    @property
    def paths(self) -> list[Path]:
        """The files and folders that will exist after a whole run."""
        files = [Path(target) for target in self.telemetry if target != "-"]
        return files if self.overlay is None else [*files, self.overlay]


def default_outputs(folder: Path, name: str, *, still: bool) -> Outputs:
    """Telemetry and overlay in a folder, as `--out` and `batch` write them."""
    overlay = folder / (f"{name}.overlay" if still else f"{name}.overlay.mp4")
    return Outputs(telemetry=(str(folder / f"{name}.jsonl"),), overlay=overlay)


def camera_for(options: TrackOptions, info: SourceInfo) -> CameraProfile:
    """The lens that the options give for this source; raises CameraModelError."""
    if options.camera_profile is not None:
        return load_profile(options.camera_profile).fit_to(info.width, info.height)
    return CameraProfile.from_hfov(info.width, info.height, options.hfov_deg or DEFAULT_HFOV_DEG)


def make_tracker(options: TrackOptions, info: SourceInfo) -> HorizonTracker:
    """A tracker for this source; pictures that stand alone are not filtered."""
    return HorizonTracker(
        camera_for(options, info).model,
        smooth="none" if info.still else options.smooth,
        model=options.model,
        device=options.device,
    )


def run(
    source: Source,
    options: TrackOptions,
    outputs: Outputs,
    *,
    on_frame: Callable[[Frame, Horizon], None] | None = None,
) -> RunSummary:
    """Track a source into outputs; see `run_pipeline`. Raises HorizonError."""
    try:
        tracker = make_tracker(options, source.info)
        sinks = _open_sinks(outputs, source.info, options, tracker.model)
    except BaseException:
        source.close()
        raise
    return run_pipeline(source, tracker, sinks, on_frame=on_frame)


def _open_sinks(outputs: Outputs, info: SourceInfo, options: TrackOptions, model: str) -> list[Sink]:
    profile = camera_for(options, info)
    context = SinkContext(
        source=info.name,
        width=info.width,
        height=info.height,
        camera=profile.model,
        frame_rate=info.frame_rate,
        model=model,
        version=__version__,
        assumed=(f"hfov {profile.model.hfov_deg:.4g}°",) if profile.assumed else (),
        still=info.still,
    )
    overlay = Overlay(profile.model)
    sinks: list[Sink] = []
    try:
        sinks.extend(TelemetrySink(target, context) for target in outputs.telemetry)
        if outputs.overlay is not None:
            sinks.append(_overlay_sink(outputs.overlay, context, overlay, info))
        if outputs.window:
            sinks.append(WindowSink(context, overlay))
    except BaseException:
        for sink in sinks:
            sink.abort()
        raise
    return sinks


def _overlay_sink(target: Path, context: SinkContext, overlay: Overlay, info: SourceInfo) -> Sink:
    if info.still:
        return ImageSink(target, context, overlay)
    return VideoSink(target, context, overlay, audio_from=info.name if info.kind == "file" else None)
