"""What `horizon-rt bench` was asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

from horizon_rt._version import __version__
from horizon_rt.bench.clips import RATE_HZ, write_clip
from horizon_rt.bench.machine import describe
from horizon_rt.bench.measure import Plan, measure
from horizon_rt.bench.results import Report
from horizon_rt.errors import SourceError
from horizon_rt.options import BATCH, DeviceChoice, Engine
from horizon_rt.segmentation.backend import precisions_of
from horizon_rt.segmentation.backends import installed_backends, runs_on_gpu
from horizon_rt.sources import open_source
from horizon_rt.system.processor import has_bfloat16

__all__ = ["SIZES", "BenchJob", "every_engine"]

SIZES = ((1280, 720), (1920, 1080), (3840, 2160))
_BATCHES = (1, 8, 32)
# Takes a line that says what is being done.
OnPart = Callable[[str], object]


def every_engine(device: DeviceChoice) -> tuple[Engine, ...]:
    """All backends that are installed for a device, in its precisions; on a GPU with some batches."""
    found: list[Engine] = []
    for backend in installed_backends():
        engine = Engine(backend=backend, device=device)
        on_gpu = runs_on_gpu(engine)
        if on_gpu or device != "cuda":
            pairs = product(precisions_of(backend, on_gpu=on_gpu), _BATCHES if on_gpu else (BATCH,))
            found += [
                replace(engine, precision=precision, batch=batch)
                for precision, batch in pairs
                if precision != "bfloat16" or has_bfloat16()
            ]
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchJob:
    """Every model with every engine on every recording: `source`, or rendered clips of these sizes and frame
    rates.

    `plan` says how; its own model and engine do not count.
    """

    plan: Plan
    source: Path | None = None
    sizes: tuple[tuple[int, int], ...] = SIZES
    models: tuple[str | None, ...] = (None,)
    engines: tuple[Engine, ...] = field(default_factory=lambda: (Engine(),))
    rates_hz: tuple[float, ...] = (RATE_HZ,)

    def run(self, on_part: OnPart = lambda part: None) -> Report:
        """Measure; raises SourceError for what is no recording, and what a tracker raises."""
        pairs = product(self.models, self.engines)
        plans = [replace(self.plan, engine=replace(engine, model=model)) for model, engine in pairs]
        plans = list({_what_runs(plan): plan for plan in plans}.values())
        results = []
        with self._recordings(on_part) as recordings:
            for path, plan in product(recordings, plans):
                on_part(f"{path.name}: {_words(plan.engine)}")
                results.append(measure(path, plan))
        return Report(describe(), self._settings(), tuple(results))

    @contextmanager
    def _recordings(self, on_part: OnPart) -> Iterator[list[Path]]:
        if self.source is not None:
            with open_source(self.source) as opened:
                if opened.info.kind != "file":
                    raise SourceError(f"{self.source}: bench reads a video file many times; give one")
            yield [self.source]
            return
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for (width, height), rate_hz in product(self.sizes, self.rates_hz):
                on_part(f"encoding a clip of {width}x{height}")
                paths.append(Path(folder, f"{width}x{height}@{rate_hz:g}.mp4"))
                write_clip(paths[-1], (width, height), self.plan.frames, rate_hz=rate_hz)
            yield paths

    def _settings(self) -> dict[str, object]:
        return {
            "horizon-rt": __version__,
            "recording": "rendered clips" if self.source is None else str(self.source),
            "frames": self.plan.frames,
            "repeats": self.plan.repeats,
            "decoder": self.plan.decoder,
            "decoder threads": self.plan.threads or "one for each core",
        }


def _words(engine: Engine) -> str:
    return f"{engine.model or 'default model'}, {engine.backend}, {engine.precision}"


def _what_runs(plan: Plan) -> tuple[str, str, int | None]:
    """What tells plans apart: the model, its backend, on a GPU the batch. Raises what a tracker raises."""
    tracker = plan.tracker()
    return tracker.model, tracker.backend, plan.engine.batch if tracker.on_gpu else None
