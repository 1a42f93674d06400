"""What `horizon-rt bench` was asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from horizon_rt._version import __version__
from horizon_rt.bench.clips import write_clip
from horizon_rt.bench.machine import describe
from horizon_rt.bench.measure import Plan, measure
from horizon_rt.bench.results import Report
from horizon_rt.config import BackendChoice
from horizon_rt.errors import SourceError
from horizon_rt.sources import open_source
from horizon_rt.tracker import HorizonTracker

__all__ = ["SIZES", "BenchJob"]

SIZES = ((1280, 720), (1920, 1080), (3840, 2160))
# Takes a line that says what is being done.
OnPart = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchJob:
    """Every model with every backend on every recording: `source`, or rendered clips of these sizes.

    `plan` says how; its own model and backend do not count.
    """

    plan: Plan
    source: Path | None = None
    sizes: tuple[tuple[int, int], ...] = SIZES
    models: tuple[str | None, ...] = (None,)
    backends: tuple[BackendChoice, ...] = ("torchscript",)

    def run(self, on_part: OnPart = lambda part: None) -> Report:
        """Measure; raises SourceError for what is no recording, and what a tracker raises."""
        plans = [replace(self.plan, model=m, backend=b) for m, b in product(self.models, self.backends)]
        for plan in plans:
            HorizonTracker(model=plan.model, backend=plan.backend, device=plan.device)  # or raise now
        results = []
        with self._recordings(on_part) as recordings:
            for path, plan in product(recordings, plans):
                on_part(f"{path.name}: {plan.model or 'default model'}, {plan.backend}")
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
            for width, height in self.sizes:
                on_part(f"encoding a clip of {width}x{height}")
                paths.append(Path(folder, f"{width}x{height}.mp4"))
                write_clip(paths[-1], (width, height), self.plan.frames)
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
