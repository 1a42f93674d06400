"""The demonstration: a rendered flight, tracked and compared with its truth."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from horizon_rt.frame import Frame
from horizon_rt.geometry import wrap_degrees
from horizon_rt.horizon import Horizon
from horizon_rt.options import DEFAULT_HFOV_DEG, Lens, RunOptions
from horizon_rt.pipeline.outputs import default_outputs
from horizon_rt.pipeline.run import run
from horizon_rt.pipeline.stages import OnFrame, RunSummary
from horizon_rt.reports.table import Table
from horizon_rt.sources.synthetic import open_synthetic

__all__ = ["Demo"]


class Demo:
    """One rendered clip, its outputs, and the errors found.

    `scene` and the other options are those of `synth:` sources. Raises SourceError for what is none.
    """

    def __init__(
        self, scene: str, out: Path, *, motion: str, size: str, seconds: float, seed: int = 0
    ) -> None:
        options = {"motion": motion, "size": size, "seconds": seconds, "seed": seed, "hfov": DEFAULT_HFOV_DEG}
        self.source = open_synthetic(f"{scene}?{urlencode(options)}")
        self.outputs = default_outputs(out, "demo", is_image_set=False)
        self._track = RunOptions(lens=Lens(hfov_deg=DEFAULT_HFOV_DEG))
        self._rows: list[tuple[float, float, float, float]] = []

    def run(self, on_frame: OnFrame | None = None) -> RunSummary:
        """Track the clip and gather the errors; raises HorizonError."""

        def compare(frame: Frame, horizon: Horizon) -> None:
            self._compare(horizon)
            if on_frame is not None:
                on_frame(frame, horizon)

        return run(self.source, self._track, self.outputs, on_frame=compare)

    def _compare(self, horizon: Horizon) -> None:
        truth = self.source.clip.truth(horizon.frame).up
        if horizon.up is None or horizon.roll_sd_deg is None or horizon.pitch_sd_deg is None:
            return
        roll = wrap_degrees(horizon.up.roll_deg - truth.roll_deg)
        pitch = horizon.up.pitch_deg - truth.pitch_deg
        self._rows.append((roll, pitch, roll / horizon.roll_sd_deg, pitch / horizon.pitch_sd_deg))

    def table(self) -> Table:
        """Error percentiles and how often the truth lay within two sigma."""
        errors = np.abs(np.array(self._rows).reshape(-1, 4))
        rows = [_error_row(name, errors[:, [k, k + 2]]) for k, name in enumerate(("roll", "pitch"))]
        head = ("error against truth", "median", "95 %", "max", "within ±2 sigma")
        return Table(head[0], "", head, tuple(rows))


def _error_row(name: str, errors: NDArray[np.float64]) -> tuple[str, ...]:
    """Of errors in degrees and in sigmas (n, 2)."""
    if len(errors) == 0:
        return name, "no estimate", "", "", ""
    values = np.percentile(errors[:, 0], [50, 95, 100])
    return name, *(f"{v:.2f}°" for v in values), f"{100 * np.mean(errors[:, 1] <= 2):.0f} %"
