"""Results of a benchmark as rows of text."""

from __future__ import annotations

from collections.abc import Sequence

from horizon_rt.bench.results import Change, Quartiles, Report, Result
from horizon_rt.reports.table import Table

__all__ = ["change_table", "machine_lines", "make_tables"]


_KEY = ("clip", "model", "backend")


def make_tables(results: Sequence[Result]) -> list[Table]:
    """Speed, latency, stages and means, a row for each result."""
    return [_speed_table(results), _latency_table(results), _stage_table(results), _means_table(results)]


def _columns(results: Sequence[Result], part: str) -> list[str]:
    return list(dict.fromkeys(name for result in results for name in getattr(result, part)))


def _spread(quartiles: Quartiles | None, digits: int) -> str:
    return "" if quartiles is None else " / ".join(f"{v:.{digits}f}" for v in quartiles)


def _speed_table(results: Sequence[Result]) -> Table:
    names = _columns(results, "speeds")
    rows = [
        (*r.key, *(_spread(r.speeds.get(name), 2 if "/" in name else 0) for name in names)) for r in results
    ]
    note = (
        "Frames per second of whole runs, quartiles; then their share of the reference in the same "
        "round: decoding alone, or decoding and encoding the pictures as they are."
    )
    return Table("Speed", note, (*_KEY, *names), tuple(rows))


def _latency_table(results: Sequence[Result]) -> Table:
    names = _columns(results, "latency_ms")
    rows = [
        (
            *r.key,
            f"{r.live_fps:g}",
            *(f"{r.latency_ms[name]:.1f}" for name in names),
            f"{r.dropped} of {r.dropped + r.live_frames}",
        )
        for r in results
    ]
    note = "Milliseconds from a decoded frame to its written telemetry, played at its own speed."
    return Table("Latency", note, (*_KEY, "frames/s", *names, "dropped"), tuple(rows))


def _stage_table(results: Sequence[Result]) -> Table:
    names = _columns(results, "stages")
    rows = [
        (
            *r.key,
            *(_spread(r.stages.get(name), 2) for name in names),
            f"{100 * r.share('fit'):.0f} %",
            f"{r.analysis_ms:.2f}",
            f"{r.analysis_ms / r.stages['decode'].median:.2f}",
        )
        for r in results
    ]
    note = (
        "Milliseconds, quartiles, one stage after the other in one thread. The net looks at key frames; "
        "elsewhere the edge is aligned. The analysis is a frame's mean over all stages but decoding."
    )
    return Table("Stages", note, (*_KEY, *names, "key frames", "analysis", "analysis / decode"), tuple(rows))


def _means_table(results: Sequence[Result]) -> Table:
    rows = [
        (
            *r.key,
            f"{1e3 * r.cpu_s_per_frame:.1f}",
            *("not measured" if mb is None else f"{mb:.0f}" for mb in (r.peak_memory_mb, r.gpu_memory_mb)),
        )
        for r in results
    ]
    note = "CPU time of all threads a frame of tracking; memory is the most that the process has held so far."
    return Table("Means", note, (*_KEY, "CPU ms a frame", "memory, MB", "GPU memory, MB"), tuple(rows))


def change_table(found: Sequence[Change]) -> Table:
    """What changed against an earlier report."""
    rows = [
        (*c.key, c.what, _spread(c.old, 2), _spread(c.new, 2), f"{c.factor:.2f}", c.verdict) for c in found
    ]
    note = "Better or worse is said only where the quartiles do not overlap."
    return Table(
        "Against the earlier run", note, (*_KEY, "what", "old", "new", "factor", "verdict"), tuple(rows)
    )


def machine_lines(report: Report) -> dict[str, str]:
    """The machine and the settings, each with its name."""
    machine = dict(report.machine)
    versions = machine.pop("versions", {})
    lines = {name: "none" if value is None else str(value) for name, value in machine.items()}
    lines["versions"] = ", ".join(f"{name} {value}" for name, value in versions.items())
    return lines | {name: str(value) for name, value in report.settings.items()}
