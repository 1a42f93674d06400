"""What is measured of a recording: speed, latency, stages, references, CPU time and memory."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from horizon_rt.bench.clips import RATE_HZ
from horizon_rt.bench.results import Quartiles, Result
from horizon_rt.camera import Camera
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon, Observation
from horizon_rt.imaging.canvas import Canvas
from horizon_rt.imaging.video_writer import VideoWriter
from horizon_rt.options import DecoderChoice, Engine
from horizon_rt.pipeline.stages import Analysis, RunSummary, run_pipeline
from horizon_rt.sinks import Overlay, Sink, SinkContext, TelemetrySink, VideoSink
from horizon_rt.sources import Source, SourceInfo, WrappedSource, open_source
from horizon_rt.system.host import peak_memory_mb
from horizon_rt.tracker import HorizonTracker

__all__ = ["STAGES", "FirstFrames", "LatencyClock", "Plan", "measure"]

STAGES = ("decode", "preprocess", "segment", "fit", "refine", "align", "track")
_WARM_UP = 10  # frames
_NOTHING = Horizon(
    frame=0, time_s=0.0, state="lost", observation=Observation(view="unknown", confidence=0, sky_fraction=0.5)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a recording is measured: at most so many of its frames, each speed `repeats` times.

    `batch` are the frames that a GPU takes at a time. Without `overlay` no video is encoded. `threads` are
    those of the decoder (0: one for each core).
    """

    engine: Engine = field(default_factory=Engine)
    decoder: DecoderChoice = "auto"
    frames: int = 300
    repeats: int = 3
    overlay: bool = True
    threads: int = 0

    def tracker(self, camera: Camera | None = None, *, real_time: bool = False) -> HorizonTracker:
        """The tracker that is measured; raises what it raises."""
        return HorizonTracker(camera, engine=self.engine, real_time=real_time)


class FirstFrames(WrappedSource):
    """The first frames of a recording."""

    def __init__(self, source: Source, frames: int) -> None:
        super().__init__(source)
        self._left = frames

    def _next_frame(self) -> Frame | None:
        self._left -= 1
        return self._source.read() if self._left >= 0 else None


class _Idle(Analysis):
    """An analysis that does nothing."""

    def update(self, frame: Frame) -> Horizon:
        return _NOTHING


class _Encode(Sink):
    """The pictures as they are, in the same format as an overlay."""

    def __init__(self, target: Path, rate_hz: float | None) -> None:
        self._writer = VideoWriter(target, frame_rate=rate_hz)

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self._writer.write(Canvas.from_frame(frame), frame.time_s)

    def _finish(self) -> None:
        self._writer.close()

    def _abandon(self) -> None:
        self._writer.abort()


class LatencyClock(Sink):
    """Milliseconds from a decoded frame until its telemetry was written; put it after that sink."""

    def __init__(self) -> None:
        self.latency_ms: list[float] = []

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self.latency_ms.append(1e3 * (time.perf_counter() - frame.decoded_at_s))

    def _finish(self) -> None:
        pass


class _Runs:
    """The runs of one plan over one recording."""

    def __init__(self, path: Path, plan: Plan, folder: Path) -> None:
        self._path, self._plan, self._folder = path, plan, folder
        with self.open() as source:
            self.info: SourceInfo = source.info
        self.camera = Camera.assumed(self.info.width, self.info.height)
        self.tracker = plan.tracker(self.camera)

    def open(self, *, threads: int | None = None) -> Source:
        plan = self._plan
        threads = plan.threads if threads is None else threads
        decoder = plan.engine.decoder(plan.decoder)
        return FirstFrames(open_source(self._path, threads=threads, decoder=decoder), plan.frames)

    def pipeline(
        self, analysis: Analysis, sinks: Sequence[Sink] = (), *, real_time: bool = False
    ) -> RunSummary:
        self.tracker.reset()
        summary = run_pipeline(self.open(), analysis, sinks, real_time=real_time)
        if summary.signalled:
            raise KeyboardInterrupt
        return summary

    def telemetry(self) -> Sink:
        return TelemetrySink(str(self._folder / "t.jsonl"), self._context())

    def video(self) -> Sink:
        return VideoSink(self._folder / "overlay.mp4", self._context(), Overlay(self.camera))

    def encode(self) -> Sink:
        return _Encode(self._folder / "plain.mp4", self.info.frame_rate)

    def _context(self) -> SinkContext:
        info = self.info
        return SinkContext(
            source=info.name, width=info.width, height=info.height, camera=self.camera,
            frame_rate=info.frame_rate, model=self.tracker.model,
        )  # fmt: skip


def measure(path: Path, plan: Plan) -> Result:
    """Measure a recording; raises SourceError for one that cannot be read, and what a tracker raises."""
    with tempfile.TemporaryDirectory() as folder:
        runs = _Runs(path, plan, Path(folder))
        stages = _stage_times(runs)
        frames = len(stages["track"])
        speeds, cpu_s = _speeds(runs, plan)
        clock = LatencyClock()
        beside = plan.tracker(runs.camera, real_time=True)
        live = runs.pipeline(beside, [runs.telemetry(), clock], real_time=True)
    settled = clock.latency_ms[_WARM_UP:] or clock.latency_ms
    return Result(
        clip=_label(runs.info),
        model=runs.tracker.model,
        backend=runs.tracker.backend + (f" x{plan.engine.batch}" if runs.tracker.on_gpu else ""),
        frames=frames,
        speeds={name: Quartiles.of(values) for name, values in speeds.items()},
        stages={name: Quartiles.of(values) for name, values in stages.items()},
        shares={name: round(len(values) / frames, 4) for name, values in stages.items()},
        latency_ms=dict(zip(("p50", "p90", "p95", "p99", "max"), _percentiles(settled), strict=True)),
        live_fps=runs.info.frame_rate or 0.0,
        live_frames=live.frames,
        dropped=live.dropped,
        cpu_s_per_frame=cpu_s,
        peak_memory_mb=peak_memory_mb(),
        gpu_memory_mb=_gpu_memory_mb(),
    )


def _label(info: SourceInfo) -> str:
    rate = "" if info.frame_rate in (None, RATE_HZ) else f"@{info.frame_rate:g}"
    return f"{info.width}x{info.height}{rate}"


def _percentiles(values: Sequence[float]) -> list[float]:
    return [round(float(v), 3) for v in np.percentile(values, [50, 90, 95, 99, 100])]


def _stage_times(runs: _Runs) -> dict[str, list[float]]:
    """Milliseconds of every stage of every frame, one after the other in this thread; decoding with one."""
    times: dict[str, list[float]] = defaultdict(list)
    last = time.perf_counter()

    def done(stage: str) -> None:
        nonlocal last
        now = time.perf_counter()
        times[stage].append(1e3 * (now - last))
        last = now

    runs.tracker.set_stage_callback(done)
    with runs.open(threads=1) as source:
        last = time.perf_counter()
        while (frame := source.read()) is not None:
            if frame.index == _WARM_UP:
                times.clear()
            done("decode")
            runs.tracker.update(frame)
            del frame
    runs.tracker.set_stage_callback()
    return {stage: times[stage] for stage in STAGES if stage in times}


def _speeds(runs: _Runs, plan: Plan) -> tuple[dict[str, list[float]], float]:
    """Frames per second of each kind of run in turn, so that a busy machine meets all of them alike, the
    shares of the references that are kept, and CPU seconds a frame of tracking.
    """
    kinds: dict[str, Callable[[], RunSummary]] = {
        "decode": lambda: runs.pipeline(_Idle()),
        "track": lambda: runs.pipeline(runs.tracker, [runs.telemetry()]),
    }
    if plan.overlay:
        kinds["decode and encode"] = lambda: runs.pipeline(_Idle(), [runs.encode()])
        kinds["track and overlay"] = lambda: runs.pipeline(runs.tracker, [runs.telemetry(), runs.video()])
    speeds: dict[str, list[float]] = defaultdict(list)
    cpu_s = []
    for _ in range(plan.repeats):
        for kind, run in kinds.items():
            start = time.process_time()
            summary = run()
            speeds[kind].append(summary.fps)
            if kind == "track":
                cpu_s.append((time.process_time() - start) / max(1, summary.frames))
        for one, reference in (("track", "decode"), ("track and overlay", "decode and encode")):
            if one in kinds:
                speeds[f"{one} / {reference}"].append(speeds[one][-1] / speeds[reference][-1])
    return dict(speeds), float(np.median(cpu_s))


def _gpu_memory_mb() -> float | None:
    import torch

    return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None
