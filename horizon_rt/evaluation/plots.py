"""Plots of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from horizon_rt.evaluation.results import Evaluation
from horizon_rt.evaluation.strips import strip_charts
from horizon_rt.metrics.lines import AUC_LIMIT
from horizon_rt.metrics.uncertainty import normalised_errors
from horizon_rt.reports.plot import INK, SERIES, STYLE, Plot, make_plot

__all__ = ["make_plots", "reach"]

Array = NDArray[np.float64]
_CORNER = 20.0  # percent of an axis that curves of masks show at least
_LEAST_COVERAGE = 20  # frames, below which percentiles of parts of them say nothing


def make_plots(evaluations: Sequence[Evaluation]) -> list[Plot]:
    """Error histograms, cumulative error, calibration of sigma, error against coverage, curves of the mask,
    and strip charts.

    Each where there is truth for it.
    """
    with rc_context(STYLE):
        drawn = (_histograms, _cumulative, _calibration, _coverage, _mask_curves)
        plots = [draw(evaluations) for draw in drawn]
        return [plot for plot in plots if plot is not None] + strip_charts(evaluations)


def _series(evaluations: Sequence[Evaluation]) -> list[tuple[Evaluation, str, str, str]]:
    """Each evaluation with its label, a colour for the dataset and a line style for the model; of one dataset
    a colour for the model.
    """
    datasets = list(dict.fromkeys(e.dataset for e in evaluations))
    models = list(dict.fromkeys(e.model for e in evaluations))
    several = len(datasets) > 1
    styles = ("-", "--", ":", "-.")
    return [
        (
            e,
            e.dataset if len(models) == 1 else f"{e.dataset}, {e.model}",
            SERIES[(datasets.index(e.dataset) if several else models.index(e.model)) % len(SERIES)],
            styles[models.index(e.model) % len(styles)],
        )
        for e in evaluations
    ]


def _histograms(evaluations: Sequence[Evaluation]) -> Plot | None:
    figure = Figure(figsize=(9.2, 3.4))
    left, right = figure.subplots(1, 2)
    drawn = False
    for e, label, colour, style in _series(evaluations):
        errors = [row.error for row in e.rows if row.error is not None]
        dy = [error.dy_px for error in errors if error.dy_px is not None]
        dphi = [error.dphi_deg for error in errors if error.dphi_deg is not None]
        for axes, values, bins in ((left, dy, (-1, 2.5)), (right, dphi, (-2, 1.5))):
            if values:
                _histogram(axes, np.array(values), bins, label, colour, style)
                drawn = True
    left.set(xlabel="dY, px", ylabel="share of frames, %", title="Error at the middle column")
    right.set(xlabel="dphi, °", title="Error of the tilt")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    for axes in (left, right):
        axes.margins(y=0.06)
        axes.set_ylim(0, None)
    caption = "Frames with an estimate; bins of a quarter of a decade, what lies beyond is in the outer bins."
    return make_plot(figure, "Error histograms", caption) if drawn else None


def _histogram(
    axes: Axes, values: Array, decades: tuple[float, float], label: str, colour: str, style: str
) -> None:
    edges = np.logspace(*decades, round(4 * (decades[1] - decades[0])) + 1)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1] * (1 - 1e-9)), edges)
    share = 100 * counts / counts.sum()
    axes.stairs(share, edges, color=colour, linestyle=style, linewidth=1.7, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlim(edges[0], edges[-1])


def _cumulative(evaluations: Sequence[Evaluation]) -> Plot | None:
    figure = Figure(figsize=(9.2, 3.7))
    axes = figure.subplots()
    drawn = False
    for e, label, colour, style in _series(evaluations):
        errors = np.sort([row.error.e for row in e.rows if row.error is not None])
        if len(errors):
            share = 100 * np.arange(len(errors) + 1) / len(errors)
            edges = np.append(0.0, errors)
            axes.step(edges, share, where="post", color=colour, linestyle=style, lw=1.8, label=label)
            drawn = True
    axes.set(xlim=(0, AUC_LIMIT), ylim=(0, 101), xlabel="horizon error e", ylabel="frames below, %")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    caption = "Share of frames with a horizon whose error is below e; the area under a curve is its AUC."
    return make_plot(figure, "Cumulative error", caption) if drawn else None


def _calibration(evaluations: Sequence[Evaluation]) -> Plot | None:
    figure = Figure(figsize=(9.2, 4.4))
    panels = figure.subplots(1, 2, sharey=True)
    drawn = False
    for e, label, colour, style in _series(evaluations):
        z = np.abs(normalised_errors([row.attitude for row in e.rows if row.attitude is not None]))
        if len(z):
            sigmas = np.linspace(0, 3.5, 141)
            nominal = [100 * math.erf(sigma / math.sqrt(2)) for sigma in sigmas]
            for axis, axes in enumerate(panels):
                inside = 100 * (z[:, axis][:, None] <= sigmas).mean(axis=0)
                axes.plot(nominal, inside, color=colour, linestyle=style, lw=1.8, label=label)
            drawn = True
    for axes, name in zip(panels, ("roll", "pitch"), strict=True):
        axes.plot([0, 100], [0, 100], color=INK, lw=0.9, ls=(0, (2, 3)))
        for k in (1, 2):
            at = 100 * math.erf(k / math.sqrt(2))
            axes.axvline(at, color=INK, lw=0.5, alpha=0.5)
            axes.text(at - 1, 2, f"{k}σ", ha="right", alpha=0.8)
        axes.set(xlim=(0, 100), ylim=(0, 101), xlabel="meant, %", title=f"Sigma of {name}")
    panels[0].set_ylabel("found within, %")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
    caption = (
        "Share of true values within a multiple of sigma against the share of a normal distribution. "
        "Below the diagonal sigma is too small."
    )
    return make_plot(figure, "Calibration of sigma", caption) if drawn else None


def _coverage(evaluations: Sequence[Evaluation]) -> Plot | None:
    figure = Figure(figsize=(9.2, 3.7))
    panels = figure.subplots(1, 2)
    drawn = False
    for e, label, colour, style in _series(evaluations):
        known = [row.attitude for row in e.rows if row.attitude is not None]
        if len(known) >= _LEAST_COVERAGE:
            errors = np.abs([(a.roll_deg, a.pitch_deg) for a in known])
            sigmas = np.array([(a.roll_sd_deg, a.pitch_sd_deg) for a in known])
            shares = np.linspace(0.1, 1, 46)
            for axis, axes in enumerate(panels):
                ordered = errors[np.argsort(sigmas[:, axis], kind="stable"), axis]
                counts = np.maximum(1, np.round(shares * len(ordered)).astype(int))
                worst = [np.percentile(ordered[:count], 95) for count in counts]
                axes.plot(100 * shares, worst, color=colour, linestyle=style, lw=1.8, label=label)
            drawn = True
    for axes, name in zip(panels, ("roll", "pitch"), strict=True):
        axes.set(xlim=(10, 100), ylim=(0, None), xlabel="surest frames, %", title=f"Error of {name}")
    panels[0].set_ylabel("95th percentile, °")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
    caption = (
        "Frames in the order of their sigma, the surest first: the 95th percentile of the error of so many. "
        "A sigma that tells good frames from bad ones gives a curve that rises to the right."
    )
    return make_plot(figure, "Error against coverage", caption) if drawn else None


def _mask_curves(evaluations: Sequence[Evaluation]) -> Plot | None:
    figure = Figure(figsize=(9.2, 3.9))
    roc, recall = figure.subplots(1, 2)
    lost, missed = [], []
    for e, label, colour, style in _series(evaluations):
        curves = e.mask_counts().curves()
        if curves is not None:
            line = {"color": colour, "linestyle": style, "lw": 1.8, "label": label}
            roc.plot(100 * curves.false_positive_rate, 100 * curves.recall, **line)
            recall.plot(100 * curves.recall, 100 * curves.precision, **line)
            lost.append(np.maximum(curves.false_positive_rate, 1 - curves.recall))
            missed.append(1 - np.minimum(curves.recall, curves.precision))
    if not lost:
        return None
    right, low = reach(lost), 100 - reach(missed)
    roc.set(xlim=(0, right), ylim=(100 - right, 100.5), title="ROC, its upper left corner")
    roc.set(xlabel="ground taken for sky, %", ylabel="sky found, %")
    recall.set(xlim=(low, 100.5), ylim=(low, 100.5), title="Precision and recall")
    recall.set(xlabel="recall: sky found, %", ylabel="precision: right of it, %")
    figure.legend(*roc.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    caption = (
        "The sky side of the net's mask by every threshold of its probability, over the pixels of all frames."
    )
    return make_plot(figure, "Curves of the mask", caption)


def reach(distances: Sequence[Array]) -> float:
    """How far from the corner of the best a plot goes, in percent, of curves whose points lie so far from it.

    Twice as far as the curve that stays farthest away, between `_CORNER` and all.
    """
    return float(np.clip(200 * max(distance.min() for distance in distances), _CORNER, 100))
