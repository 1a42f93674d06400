"""Strip charts: truth and estimate of recordings over time, with the band of ±2 sigma."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from horizon_rt.evaluation.results import Evaluation, FrameRow
from horizon_rt.reports.plot import INK, SERIES, Plot, make_plot

__all__ = ["strip_charts"]

Array = NDArray[np.float64]
_MOST, _POINTS = 6, 1500


def strip_charts(evaluations: Sequence[Evaluation]) -> list[Plot]:
    """A chart for each of the first recordings with exact attitude."""
    recordings = [
        (f"{e.dataset}, {name}, {e.model}", list(rows))
        for e in evaluations
        for name, rows in groupby(e.rows, key=lambda row: row.sequence)
        if name
    ]
    exact = [(title, rows) for title, rows in recordings if rows[0].truth == "attitude" and len(rows) > 1]
    return [_chart(title, rows) for title, rows in exact[:_MOST]]


def _chart(title: str, rows: Sequence[FrameRow]) -> Plot:
    step = -(-len(rows) // _POINTS)
    columns = np.array([_values(row) for row in rows[::step]])
    figure = Figure(figsize=(9.2, 4.6))
    panels = figure.subplots(2, 1, sharex=True)
    for axis, (axes, name) in enumerate(zip(panels, ("roll", "pitch"), strict=True)):
        _strip(axes, columns[:, 0], *columns[:, 1 + 3 * axis : 4 + 3 * axis].T)
        axes.set_ylabel(f"{name}, °")
    panels[1].set_xlabel("time, s")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return make_plot(figure, f"Strip chart: {title}", "Gaps of the estimate are frames without one.")


def _values(row: FrameRow) -> list[float]:
    """Time; truth, error and sigma of roll, then of pitch; NaN for what is missing."""
    truth = row.roll_pitch_deg or (np.nan, np.nan)
    e = row.attitude
    if e is None:
        return [row.time_s, truth[0], np.nan, np.nan, truth[1], np.nan, np.nan]
    return [row.time_s, truth[0], e.roll_deg, e.roll_sd_deg, truth[1], e.pitch_deg, e.pitch_sd_deg]


def _strip(axes: Axes, time: Array, truth: Array, error: Array, sigma: Array) -> None:
    shown = np.unwrap(np.nan_to_num(truth), period=360)
    estimate = shown + error
    low, high = estimate - 2 * sigma, estimate + 2 * sigma
    axes.fill_between(time, low, high, color=SERIES[0], alpha=0.25, lw=0, label="estimate ±2σ")
    axes.plot(time, np.where(np.isfinite(truth), shown, np.nan), color=INK, lw=1.0, label="truth")
    axes.plot(time, estimate, color=SERIES[0], lw=1.2, label="estimate")
    axes.set_xlim(time[0], time[-1])
    if np.isfinite(estimate).any():
        every = np.concatenate([shown, estimate[np.isfinite(estimate)]])
        room = 0.08 * max(float(np.ptp(every)), 1.0)
        axes.set_ylim(every.min() - room, every.max() + room)
