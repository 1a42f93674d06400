"""The demonstration: a rendered flight, tracked and compared with its truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import numpy as np

from horizon_rt.frame import Frame
from horizon_rt.geometry import wrap_degrees
from horizon_rt.horizon import Horizon
from horizon_rt.options import DEFAULT_HFOV_DEG, Lens, RunOptions
from horizon_rt.pipeline.run import default_outputs, run
from horizon_rt.pipeline.stages import OnFrame, RunSummary
from horizon_rt.sources.synthetic import open_synthetic

if TYPE_CHECKING:
    from rich.table import Table

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
        self.outputs = default_outputs(out, "demo", still=False)
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
        from rich.table import Table

        table = Table("error against truth", "median", "95 %", "max", "within ±2 sigma")
        errors = np.abs(np.array(self._rows).reshape(-1, 4))
        for name, column in (("roll", 0), ("pitch", 1)):
            if len(errors) == 0:
                table.add_row(name, "no estimate", "", "", "")
                continue
            values = np.percentile(errors[:, column], [50, 95, 100])
            inside = 100 * np.mean(errors[:, column + 2] <= 2)
            table.add_row(name, *(f"{v:.2f}°" for v in values), f"{inside:.0f} %")
        return table
