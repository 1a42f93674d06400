"""The plots of a comparison: both attitudes over time, and the errors with their sigma."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from horizon_rt.comparison.compare import Comparison
from horizon_rt.reports.plot import INK, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["attitude_figure", "error_figure"]

Array = NDArray[np.float64]
_MOST = 1200  # points of a line
_LONG_S = 180.0


def attitude_figure(found: Comparison) -> Figure:
    """Roll and pitch of log and telemetry; drawn under the style of the reports."""
    figure = Figure(figsize=(9.2, 5.2))
    for axis, name, colour in _axes(figure):
        time, label = _time(found)
        axis.plot(time, _binned(getattr(found, f"log_{name}_deg"))[1], color=INK, linewidth=1.0, label="log")
        axis.plot(
            time,
            _binned(getattr(found.track, f"{name}_deg"))[1],
            color=colour,
            linewidth=1.1,
            label="telemetry",
        )
        _finish(axis, f"{name}, °", label)
        axis.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2)
    return figure


def error_figure(found: Comparison) -> Figure:
    """Errors of roll and pitch over time with a band of two sigmas; drawn as `attitude_figure`."""
    figure = Figure(figsize=(9.2, 5.2))
    for axis, name, colour in _axes(figure):
        time, label = _time(found)
        low, mean, high = _binned(getattr(found, f"{name}_error_deg"))
        sd = _binned(getattr(found.track, f"{name}_sd_deg"))[1]
        axis.fill_between(time, -2 * sd, 2 * sd, color=colour, alpha=0.18, linewidth=0)
        axis.fill_between(time, low, high, color=colour, alpha=0.5, linewidth=0)
        axis.plot(time, mean, color=colour, linewidth=1.0)
        _scale(axis, low, high)
        _finish(axis, f"{name} error, °", label)
    return figure


def _axes(figure: Figure) -> Iterator[tuple[Axes, str, str]]:
    """Axes, name and colour of roll and of pitch."""
    return zip(figure.subplots(2, 1, sharex=True), ("roll", "pitch"), SERIES, strict=False)


def _time(found: Comparison) -> tuple[Array, str]:
    time = found.track.time_s
    divisor, label = (60.0, "time, min") if time[-1] - time[0] > _LONG_S else (1.0, "time, s")
    return _binned(time)[1] / divisor, label


def _binned(values: Array) -> tuple[Array, Array, Array]:
    """Least, mean and largest value of neighbours, so many that no line has more than `_MOST` points."""
    width = -(-len(values) // _MOST)
    padded = np.concatenate([values, np.full(-len(values) % width, np.nan)]).reshape(-1, width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # bins without a value are NaN
        return np.nanmin(padded, axis=1), np.nanmean(padded, axis=1), np.nanmax(padded, axis=1)


def _scale(axis: Axes, low: Array, high: Array) -> None:
    """A band of a guess would flatten all else: the errors set the scale."""
    known = np.concatenate([low, high])
    known = known[np.isfinite(known)]
    if len(known):
        least, most = np.percentile(known, [0.5, 99.5])
        room = max(0.25 * (most - least), 0.2)
        axis.set_ylim(least - room, most + room)


def _finish(axis: Axes, what: str, label: str) -> None:
    axis.set_ylabel(what)
    axis.set_xlabel(label)
    axis.label_outer()
    axis.margins(x=0)
