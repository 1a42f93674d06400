"""The plots of a recording's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from horizon_rt.reports.plot import SERIES, STYLE, Plot, make_plot
from horizon_rt.reports.statistics import BANK_BIN_DEG, Statistics
from horizon_rt.reports.timeline import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["bank_plot", "make_plots"]

_WINDOW_S, _MOST_WINDOWS = 1.0, 240
_LONG_S = 180.0


def make_plots(timeline: Timeline, statistics: Statistics) -> list[Plot]:
    """Attitude over time, turbulence over time, and the histogram of bank angles, each where there is any."""
    plots = []
    rates = timeline.rms_rates(_WINDOW_S, _MOST_WINDOWS)
    with rc_context(STYLE):
        if len(timeline.intervals) > 1 and statistics.largest_bank_deg is not None:
            plots.append(_attitude(timeline))
        if rates:
            plots.append(_turbulence(timeline, np.array(rates)))
        if statistics.bank_s:
            plots.append(bank_plot({k: statistics.bank_s[k] for k in statistics.bank_s}))
    return plots


def _unit(end_s: float) -> tuple[float, str]:
    return (60.0, "time, min") if end_s > _LONG_S else (1.0, "time, s")


def _attitude(timeline: Timeline) -> Plot:
    figure = Figure(figsize=(9.2, 5.2))
    axes = figure.subplots(2, 1, sharex=True)
    intervals = timeline.intervals
    divisor, label = _unit(intervals[-1].end_s)
    times = np.array([one.start_s for one in intervals]) / divisor
    for axis, name, colour in zip(axes, ("roll", "pitch"), SERIES, strict=False):
        value = np.array([getattr(one, f"{name}_deg") for one in intervals])
        low, high = np.array([getattr(one, f"{name}_range") for one in intervals]).T
        sd = np.array([getattr(one, f"{name}_sd_deg") for one in intervals])
        _band(axis, times, low - 2 * sd, high + 2 * sd, colour)
        axis.fill_between(times, low, high, color=colour, alpha=0.5, linewidth=0)
        axis.plot(times, value, color=colour, linewidth=1.1)
        axis.set_ylabel(f"{name}, °")
    axes[1].set_xlabel(label)
    axes[0].margins(x=0)
    caption = (
        "The band is ±2 sigma. Where a line stands for several frames, the darker band spans their values. "
        "Gaps have no estimate."
    )
    return make_plot(figure, "Attitude over time", caption)


def _band(axis: Axes, times: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str) -> None:
    """A band that does not set the scale, as a sigma of a guess would flatten all else."""
    axis.fill_between(times, low, high, color=colour, alpha=0.22, linewidth=0)
    middle = 0.5 * (low + high)
    known = middle[np.isfinite(middle)]
    if known.size:
        least, most = np.percentile(known, [0, 100])
        room = max(0.15 * (most - least), 2.0)
        axis.set_ylim(least - room, most + room)


def _turbulence(timeline: Timeline, rows: np.ndarray) -> Plot:
    figure = Figure(figsize=(9.2, 2.6))
    axis = figure.subplots()
    divisor, label = _unit(timeline.intervals[-1].end_s)
    for column, name in enumerate(("roll", "pitch"), start=1):
        axis.plot(rows[:, 0] / divisor, rows[:, column], color=SERIES[column - 1], label=name, linewidth=1.3)
    axis.set_xlabel(label)
    axis.set_ylabel("rms of rate, °/s")
    axis.set_ylim(bottom=0)
    axis.margins(x=0)
    axis.legend()
    caption = "Root mean square of the filtered rates of roll and pitch, in windows of at least one second."
    return make_plot(figure, "Turbulence over time", caption)


def bank_plot(seconds: Mapping[int, float]) -> Plot:
    """The histogram of bank angles: seconds by the number of the bin."""
    with rc_context(STYLE):
        figure = Figure(figsize=(9.2, 2.8))
        axis = figure.subplots()
        axis.set_axisbelow(True)
        bins = sorted(seconds)
        left = [-180 + BANK_BIN_DEG * number for number in bins]
        axis.bar(left, [seconds[k] for k in bins], width=0.9 * BANK_BIN_DEG, align="edge", color=SERIES[0])
        axis.set_xlabel("bank angle (roll), °")
        axis.set_ylabel("time, s")
        caption = f"Time at each bank angle, in bins of {BANK_BIN_DEG}°; positive with the right wing down."
        return make_plot(figure, "Bank angles", caption)
