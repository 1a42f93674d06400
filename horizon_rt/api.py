"""What a script needs beside a tracker: a picture with the overlay, whole runs, an overlay video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from horizon_rt.camera import Camera
from horizon_rt.options import RunOptions, from_flat, option_fields
from horizon_rt.pipeline.level_options import LevelOptions
from horizon_rt.sinks import SinkContext
from horizon_rt.sinks.drawing import DrawOptions
from horizon_rt.sinks.overlay import Overlay
from horizon_rt.sinks.video import VideoSink as _VideoSink

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from horizon_rt.batches.work import Result
    from horizon_rt.frame import Frame
    from horizon_rt.horizon import Horizon
    from horizon_rt.photos.job import Straightened
    from horizon_rt.pipeline.levelling import LevelSummary
    from horizon_rt.sources import Source
    from horizon_rt.tracker import HorizonTracker
    from horizon_rt.tracks import Track

__all__ = ["VideoSink", "batch", "draw", "level", "straighten", "track"]


def draw(frame: Frame, horizon: Horizon, camera: Camera | None = None, **options: Any) -> NDArray[np.uint8]:
    """The frame with the overlay as BGR (height, width, 3) uint8.

    `camera` is that of the tracker (`tracker.camera`); without one the lens is assumed, as a tracker does.
    `options` are the fields of `DrawOptions`, such as `draw="line,band"`. Raises OptionsError.
    """
    lens = camera or Camera.assumed(frame.width, frame.height)
    style = from_flat(DrawOptions, options).style("live" if frame.live else "recording")
    return Overlay(lens, style=style).render(frame, horizon).to_bgr()[: frame.height, : frame.width]


def track(
    source: str | int | Path,
    *,
    out: Path | str | None = None,
    telemetry: Path | str | None = None,
    overlay: Path | str | None = None,
    **options: Any,
) -> Track:
    """Track a whole source into arrays and, where they are asked for, files, as `horizon-rt track` does.

    `out` is a folder for telemetry and overlay; `telemetry` and `overlay` name single files. `options` are
    the fields of `RunOptions`, `Lens`, `Engine` and `Part`, such as `smooth="offline"`, `hfov_deg=95`,
    `model="small"`. The track holds some 100 bytes a frame, and what the run did (`summary`). Raises
    HorizonError; Ctrl-C ends the run cleanly.
    """
    from horizon_rt.pipeline.outputs import Outputs, check_taken, default_outputs
    from horizon_rt.pipeline.run import run
    from horizon_rt.sources import open_source
    from horizon_rt.sources.names import output_name
    from horizon_rt.tracks import Recorded

    chosen = from_flat(RunOptions, options)
    opened = open_source(source, **chosen.source_fields)
    outputs = Outputs(
        telemetry=() if telemetry is None else (str(telemetry),),
        overlay=None if overlay is None else Path(overlay),
    )
    if out is not None:
        usual = default_outputs(Path(out), output_name(opened.info), is_image_set=opened.info.is_image_set)
        check_taken(usual, opened.info)
        outputs = Outputs(
            telemetry=(*usual.telemetry, *outputs.telemetry), overlay=outputs.overlay or usual.overlay
        )
    rows = Recorded(pictures=opened.info.is_image_set)
    summary = run(opened, chosen, outputs, also=[rows])
    return rows.track(summary)


def straighten(
    *photos: str | Path,
    out: Path | str | None = None,
    xmp: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> list[Straightened]:
    """Turn photographs level, as `horizon-rt straighten` does; what became of each, in order.

    `photos` are files, folders or patterns; copies go to the folder `out`, else to `straightened` beside
    each. `options` are the fields of `StraightenOptions` and `Engine`, such as `most_sd=0.5`. Raises
    HorizonError; what is wrong with a single photograph is in its result.
    """
    from horizon_rt.photos.inputs import find_photos
    from horizon_rt.photos.job import straighten_photos
    from horizon_rt.photos.options import StraightenOptions

    tasks = find_photos(photos, None if out is None else Path(out), xmp=xmp)
    return straighten_photos(tasks, from_flat(StraightenOptions, options), xmp=xmp, overwrite=overwrite)


def batch(*inputs: str | Path, out: Path | str, **options: Any) -> list[Result]:
    """Track many recordings into the folder `out`, as `horizon-rt batch` does; what became of each.

    `inputs` are files, folders or patterns. `options` are the fields of `BatchOptions`, `DrawOptions`,
    `EncodeOptions`, `RunOptions`, `Lens`, `Engine` and `Part`, such as `write="telemetry,report"`,
    `resume=True`, `jobs=2` (which starts processes: have the script call it under `if __name__ ==
    "__main__"`). Raises HorizonError; what is wrong with a single recording is in its result. Ctrl-C ends the
    batch cleanly: what was under way and what was not begun, as its `reason` says, is "interrupted".
    """
    from horizon_rt.batches.job import prepare
    from horizon_rt.batches.options import BatchOptions
    from horizon_rt.batches.work import Result

    own = {item.name for item, _ in option_fields(BatchOptions)} - {"watch", "settle", "dry_run"}
    how = from_flat(BatchOptions, {name: value for name, value in options.items() if name in own})
    chosen = from_flat(RunOptions, {name: value for name, value in options.items() if name not in own})
    job = prepare([str(one) for one in inputs], Path(out), chosen, how)
    results = job.run()
    job.write_page(results)
    return results + [Result(item, "interrupted", reason="not begun") for item in job.not_begun(results)]


def level(
    source: str | Path, out: Path | str, *, preview: Path | str | None = None, **options: Any
) -> LevelSummary:
    """Write a recording with its horizon kept level, as `horizon-rt level` does.

    `preview` is a picture of some frames to write, the source above. `options` are the fields of
    `LevelOptions`, `Lens`, `Engine`, `Part` and `EncodeOptions`, such as `crop="keep"`,
    `lock="roll+pitch"`, `hfov_deg=95`, `start_s=10`. Raises HorizonError; Ctrl-C ends the run cleanly.
    """
    from horizon_rt.pipeline.levelling import level_video
    from horizon_rt.sources import open_source

    chosen = from_flat(LevelOptions, options)
    opened = open_source(source, **chosen.source_fields)
    return level_video(opened, Path(out), chosen, preview=None if preview is None else Path(preview))


class VideoSink(_VideoSink):
    """An overlay video of a source and its tracker: `with VideoSink("out.mp4", source, tracker) as sink`,
    then `sink.write(frame, horizon)` for each frame. The sound of a file goes along.
    """

    def __init__(
        self, target: Path | str, source: Source, tracker: HorizonTracker, *, encoder: str | None = None
    ) -> None:
        """Open the file; raises OutputError."""
        from horizon_rt.pipeline.outputs import local_file

        info = source.info
        camera = tracker.camera or Camera.assumed(info.width, info.height)
        context = SinkContext(
            source=info.name,
            width=info.width,
            height=info.height,
            camera=camera,
            frame_rate=info.frame_rate,
            model=tracker.model,
        )
        super().__init__(target, context, Overlay(camera), audio_from=local_file(info), encoder=encoder)
