"""The report of a benchmark: bench.json, bench.md and bench.html."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from horizon_rt.bench.results import Change, Report, Result
from horizon_rt.bench.tables import change_table, machine_lines, make_tables
from horizon_rt.reports.page import render_page
from horizon_rt.reports.plot import INK, SERIES, STYLE, Plot, make_plot
from horizon_rt.reports.table import Table, markdown_text
from horizon_rt.system.files import write_atomic

__all__ = ["write_report"]

_ROW_INCH = 0.42


def write_report(folder: Path, report: Report, against: Sequence[Change] = ()) -> list[Path]:
    """Write the three files into a folder and return their paths; raises OutputError."""
    tables = make_tables(report.results) + ([change_table(against)] if against else [])
    page = render_page(
        "bench.html", settings=machine_lines(report), tables=tables, plots=_plots(report.results)
    )
    texts = {"bench.json": report.to_json(), "bench.md": _markdown(report, tables), "bench.html": page}
    for name, text in texts.items():
        write_atomic(folder / name, text.encode("utf-8", "backslashreplace"))
    return [folder / name for name in texts]


def _markdown(report: Report, tables: Sequence[Table]) -> str:
    about = "\n".join(f"- {name}: {markdown_text(value)}" for name, value in machine_lines(report).items())
    return "\n".join(["# Speed\n", about + "\n", *(table.markdown() for table in tables)])


def _label(result: Result) -> str:
    return ", ".join(result.key)


def _plots(results: Sequence[Result]) -> list[Plot]:
    with rc_context(STYLE):
        return [_stage_plot(results), _speed_plot(results)]


def _figure(results: Sequence[Result], bars: int = 1) -> Figure:
    return Figure(figsize=(9.2, 1.3 + _ROW_INCH * (1 + bars) * len(results)))


def _stage_plot(results: Sequence[Result]) -> Plot:
    figure = _figure(results)
    axes = figure.subplots()
    names = [name for name in dict.fromkeys(n for r in results for n in r.stages) if name != "decode"]
    for row, result in enumerate(results):
        left = 0.0
        for name, colour in zip(names, SERIES, strict=False):
            width = result.share(name) * result.stages[name].median if name in result.stages else 0.0
            axes.barh(row, width, 0.5, left, color=colour, label=name if row == 0 else None, zorder=2)
            left += width
        decode, label = result.stages["decode"].median, "decode, one thread" if row == 0 else None
        axes.plot([decode, decode], [row - 0.36, row + 0.36], color=SERIES[-1], lw=3, label=label, zorder=3)
    axes.set(xlabel="ms a frame, medians times shares of frames", ylim=(len(results) - 0.4, -0.6))
    axes.set_yticks(range(len(results)), [_label(result) for result in results])
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=6)
    return make_plot(figure, "Cost of the stages", "The bars add up to the analysis of a frame.")


def _speed_plot(results: Sequence[Result]) -> Plot:
    names = [name for name in results[0].speeds if "/" not in name]
    figure = _figure(results, len(names))
    axes = figure.subplots()
    for k, (name, colour) in enumerate(zip(names, SERIES, strict=False)):
        at = [row + 0.18 * (k - (len(names) - 1) / 2) for row in range(len(results))]
        spreads = [result.speeds[name] for result in results]
        axes.barh(at, [q.median for q in spreads], 0.16, color=colour, label=name, zorder=2)
        axes.hlines(at, [q.low for q in spreads], [q.high for q in spreads], color=INK, lw=1, zorder=3)
    axes.set(xlabel="frames per second, medians and quartiles", ylim=(len(results) - 0.4, -0.6))
    axes.set_yticks(range(len(results)), [_label(result) for result in results])
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    return make_plot(figure, "Speed of whole runs", "Decoding alone, and with encoding, are the references.")
