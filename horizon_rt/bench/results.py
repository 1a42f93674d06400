"""Results of a benchmark: as values, as JSON, and against those of another run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from horizon_rt.errors import DatasetError
from horizon_rt.system.json import parse_object

__all__ = ["SCHEMA", "Change", "Quartiles", "Report", "Result", "changes"]

SCHEMA = "horizon-rt-bench/1"


class Quartiles(NamedTuple):
    """Lower quartile, median, upper quartile."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quartiles:
        """Those of some values, at least one."""
        return cls(*(round(float(v), 4) for v in np.percentile(values, [25, 50, 75])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One recording with one model and backend.

    `speeds` are frames per second of whole runs, and of those the shares of their references; `stages`
    milliseconds in one thread, of the `shares` of the frames that go through each, which is all where it is
    not named; `latency_ms` percentiles from a decoded frame to its telemetry when
    the recording plays at `live_fps`, with the frames that came and those `dropped`.
    """

    clip: str
    model: str
    backend: str
    frames: int
    speeds: dict[str, Quartiles]
    stages: dict[str, Quartiles]
    latency_ms: dict[str, float]
    live_fps: float
    live_frames: int
    dropped: int
    cpu_s_per_frame: float
    peak_memory_mb: float | None  # not every system tells
    gpu_memory_mb: float | None = None
    shares: dict[str, float] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """What was measured."""
        return self.clip, self.model, self.backend

    @property
    def analysis_ms(self) -> float:
        """A frame's mean over all stages but decoding, of their medians."""
        return sum(self.share(name) * q.median for name, q in self.stages.items() if name != "decode")

    def share(self, stage: str) -> float:
        """Of the frames that go through a stage; that of 'fit' is the share of key frames."""
        return self.shares.get(stage, 0.0 if self.shares else 1.0)


@dataclass(frozen=True, slots=True)
class Report:
    """Results with the machine and the settings that they were measured with."""

    machine: Mapping[str, Any]
    settings: Mapping[str, Any]
    results: tuple[Result, ...]

    def to_json(self) -> str:
        """As text; see `from_json`."""
        values = {"schema": SCHEMA, "machine": self.machine, "settings": self.settings}
        return json.dumps({**values, "results": [asdict(r) for r in self.results]}, indent=1) + "\n"

    @classmethod
    def from_json(cls, path: Path) -> Report:
        """An earlier report; raises DatasetError for a file that is none."""
        try:
            values = parse_object(path.read_bytes())
            if values["schema"] != SCHEMA:
                raise ValueError(f"its schema is {values['schema']!r}")
            machine, settings, results = (values[k] for k in ("machine", "settings", "results"))
            if not (isinstance(machine, dict) and isinstance(settings, dict) and isinstance(results, list)):
                raise ValueError("machine and settings are tables, results are a list")
            return cls(machine, settings, tuple(map(_result, results)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
            raise DatasetError(f"{path} is no report of a benchmark: {reason}") from error


def _result(values: dict[str, Any]) -> Result:
    spread = {k: {n: Quartiles(*map(float, q)) for n, q in values[k].items()} for k in ("speeds", "stages")}
    shares = {str(name): float(share) for name, share in values.get("shares", {}).items()}
    return Result(**{**values, **spread, "shares": shares})


class Change(NamedTuple):
    """A figure of two runs: `factor` is new over old, `verdict` better, worse, or why it is neither."""

    key: tuple[str, str, str]
    what: str
    old: Quartiles
    new: Quartiles
    factor: float
    verdict: str


def changes(old: Report, new: Report) -> Iterator[Change]:
    """All figures with quartiles that both have; better or worse only where the quartiles do not overlap."""
    before = {result.key: result for result in old.results}
    for result in new.results:
        earlier = before.get(result.key)
        if earlier is None:
            continue
        for what, more_is_better in (("speeds", True), ("stages", False)):
            known = getattr(earlier, what)
            for name, quartiles in getattr(result, what).items():
                if name in known:
                    yield _change(result.key, name, known[name], quartiles, more_is_better=more_is_better)


def _change(
    key: tuple[str, str, str], what: str, old: Quartiles, new: Quartiles, *, more_is_better: bool
) -> Change:
    verdict = "within the spread"
    if old.low == old.high or new.low == new.high:
        verdict = "one run tells no spread"
    elif new.low > old.high or new.high < old.low:
        verdict = "better" if (new.low > old.high) == more_is_better else "worse"
    return Change(key, what, old, new, new.median / old.median if old.median else float("nan"), verdict)
