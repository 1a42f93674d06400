"""A result of a benchmark."""

from __future__ import annotations

from dataclasses import replace

from horizon_rt.bench.measure import STAGES
from horizon_rt.bench.results import Quartiles, Result


def bench_result(**changes: object) -> Result:
    stages = {name: Quartiles(0.9, 1.0, 1.1) for name in STAGES}
    usual = Result(
        clip="1x1",
        model="m",
        backend="b",
        frames=9,
        speeds={"decode": Quartiles(90, 100, 110)},
        stages=stages,
        latency_ms={"p50": 1.0},
        live_fps=30,
        live_frames=9,
        dropped=0,
        cpu_s_per_frame=0.01,
        peak_memory_mb=1,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]
