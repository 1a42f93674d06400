"""The sinks of a run, opened in the order of writing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from horizon_rt.links import LinkSink, open_link
from horizon_rt.pipeline.levelled_sink import LevelledSink, LiveLevel
from horizon_rt.pipeline.outputs import Outputs, local_file
from horizon_rt.pipeline.watch import Watch
from horizon_rt.sinks import ImageSink, Overlay, Sink, SinkContext, VideoSink, WindowSink, open_telemetry
from horizon_rt.sinks.drawing import Style
from horizon_rt.sources import Source
from horizon_rt.system.extras import require

if TYPE_CHECKING:
    from horizon_rt.recording.recorder import Recorder

__all__ = ["Notices", "OnLine", "OnRecorder", "open_sinks"]

_log = logging.getLogger(__name__)
AnySink = TypeVar("AnySink", bound=Sink)
OnLine = Callable[[str], object]
OnRecorder = Callable[["Recorder"], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """Who is told of what the sinks do: `page` where the page is, and its token, once it is served; `line`,
    from any thread, which link has sent its first message, and where a snapshot of the window lies; and
    `recorder` gets the recorder, to start and stop it.
    """

    page: OnLine = _log.info
    line: OnLine = _log.info
    recorder: OnRecorder = lambda _: None


def open_sinks(
    outputs: Outputs, context: SinkContext, source: Source, watch: Watch, notices: Notices, opened: ExitStack
) -> list[Sink]:
    """The sinks in the order of writing; the first is closed last, so that telemetry vouches for the rest.

    `opened` aborts them when it ends, which has no effect on those that are closed by then. Raises
    HorizonError.
    """

    def kept(sink: AnySink) -> AnySink:
        opened.callback(sink.abort)
        return sink

    level = LiveLevel(context.camera) if outputs.level else None

    def shown(sink: Sink) -> Sink:
        return kept(sink) if level is None else kept(LevelledSink(kept(sink), level))

    style = outputs.drawing.style
    links = [kept(open_link(address, tell=notices.line)) for address in outputs.links]
    pictures, recorder = list[Sink](), None
    if outputs.overlay is not None:
        pictures.append(shown(_overlay_sink(outputs.overlay, context, source, outputs)))
    if outputs.report is not None:
        pictures.append(kept(_report_sink(outputs.report, context, outputs.overlay)))
    if outputs.thumbnails is not None:
        from horizon_rt.reports.moments import ThumbnailSink

        pictures.append(kept(ThumbnailSink(outputs.thumbnails, context)))
    if outputs.rerun is not None:
        pictures.append(kept(_rerun_sink(outputs.rerun, context, style("recording"))))
    if outputs.recording.record is not None:
        # Not before OpenCV, whose windows hang where PyAV has loaded another libxcb first.
        from horizon_rt.recording.recorder import Recorder

        recorder = kept(
            Recorder(outputs.recording, context, style=style("recording"), quality=outputs.coding.quality)
        )
        pictures.append(recorder)
        notices.recorder(recorder)
    if outputs.window:
        pictures.append(shown(WindowSink(context, style=style("live"), tell=notices.line, recorder=recorder)))
    if outputs.web is not None:
        overlay = Overlay(context.camera, style=style("live"))
        page = _web_sink(outputs.web, context, overlay, source, watch, links, recorder, notices.page)
        pictures.append(shown(page))
    telemetry = [kept(open_telemetry(target, context)) for target in outputs.telemetry]
    return [*telemetry, *links, *pictures]


def _web_sink(
    place: str,
    context: SinkContext,
    overlay: Overlay,
    source: Source,
    watch: Watch,
    links: Sequence[LinkSink],
    recorder: Recorder | None,
    tell: OnLine,
) -> Sink:
    """The page draws in threads of its own, so that it has an overlay of its own."""
    require("web", "--web")
    from horizon_rt.web.sink import WebSink

    sink = WebSink(
        place,
        context,
        overlay,
        health=lambda: source.health,
        hanging=lambda: sorted(watch.hanging),
        links=links,
        recorder=recorder,
    )
    token = "" if sink.token is None else f", its token is {sink.token}"
    tell(f"the page is at {sink.url}{token}")
    return sink


def _report_sink(target: Path, context: SinkContext, overlay: Path | None) -> Sink:
    require("report", "a report")
    from horizon_rt.reports.recording import ReportSink

    return ReportSink(target, context, video=overlay)


def _rerun_sink(target: Path, context: SinkContext, style: Style) -> Sink:
    require("rerun", "--rerun")
    from horizon_rt.sinks.rerun import RerunSink

    return RerunSink(target, context, style)


def _overlay_sink(target: Path, context: SinkContext, source: Source, outputs: Outputs) -> Sink:
    """With the tags of a file, and the sound of one that is tracked as a whole."""
    style = outputs.drawing.style("pictures" if context.is_image_set else "recording")
    overlay = Overlay(context.camera, style=style)
    if outputs.boxes is not None:
        from horizon_rt.detections.drawing import BoxOverlay

        overlay = BoxOverlay(context.camera, outputs.boxes, style=style)
    if context.is_image_set:
        return ImageSink(target, context, overlay)
    from horizon_rt.imaging.tags import VideoTags  # not before OpenCV, see open_sinks

    file = local_file(source.info)
    tags = None if file is None else VideoTags.of(file)
    return VideoSink(
        target,
        context,
        overlay,
        audio_from=file if context.is_whole else None,
        coding=outputs.coding,
        tags=tags,
    )
