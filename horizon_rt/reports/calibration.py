"""The page of a calibration: what was found, how sure it is, where the board was, and what is left over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from horizon_rt.reports.page import render_page
from horizon_rt.reports.plot import INK, SERIES, STYLE, Plot, make_plot
from horizon_rt.reports.table import Table
from horizon_rt.system.messages import printable

if TYPE_CHECKING:
    from horizon_rt.camera.calibration import Calibration

__all__ = ["calibration_page"]

_CELLS = (8, 6)
_ARROW = 0.06  # of the width, for the longest of the mean residuals


def calibration_page(found: Calibration) -> str:
    """As HTML."""
    with rc_context(STYLE):
        plots = [_coverage(found), _leftover(found), _scatter(found)]
    return render_page(
        "calibration.html",
        name=printable(found.profile.name),
        facts=_facts(found),
        tables=[_parameters(found), _views(found)],
        plots=plots,
        advice=found.advice,
    )


def _facts(found: Calibration) -> list[tuple[str, str]]:
    model = found.profile.model
    return [
        ("board", found.profile.source),
        ("picture", f"{model.width}x{model.height} px"),
        ("horizontal field of view", f"{model.hfov_deg:.2f}°"),
        ("RMS", f"{found.rms_px:.3f} px"),
        ("pictures searched, boards found, views used", f"{found.looks}, {found.found}, {len(found.views)}"),
        ("part of the picture covered", f"{found.coverage:.0%}"),
    ]


def _parameter_rows(found: Calibration) -> list[tuple[str, str, str]]:
    """Name, value and standard deviation of all that was fitted."""
    from horizon_rt.camera import coefficients_of

    model = found.profile.model
    values = {name: getattr(model, name) for name in ("fx", "fy", "cx", "cy")}
    values |= coefficients_of(model.distortion)
    return [
        (name, f"{value:.2f} px" if name in ("fx", "fy", "cx", "cy") else f"{value:.5f}", _sd(found, name))
        for name, value in values.items()
    ]


def _sd(found: Calibration, name: str) -> str:
    sd = found.sd.get(name)
    return "held at 0" if sd is None else f"{sd:.2g}"


def _parameters(found: Calibration) -> Table:
    note = "Standard deviations of the fit; a k3 that the views do not show is held at 0."
    return Table("Lens", note, ("parameter", "value", "sigma"), tuple(_parameter_rows(found)))


def _views(found: Calibration) -> Table:
    rows = [
        (printable(view.name or f"frame {view.index}"), f"{view.rms_px:.3f}", f"{view.distance_mm:.0f}")
        for view in found.views
    ]
    note = "A view whose RMS stands out may hold a bent board or a moving camera."
    return Table("Views", note, ("view", "RMS px", "distance mm"), tuple(rows))


def _picture(found: Calibration, height: float = 5.0) -> Figure:
    model = found.profile.model
    figure = Figure(figsize=(min(9.2, height * model.width / model.height), height))
    axes = figure.subplots()
    axes.set(xlim=(-0.5, model.width - 0.5), ylim=(model.height - 0.5, -0.5), aspect="equal")
    axes.set(xlabel="x, px", ylabel="y, px")
    return figure


def _coverage(found: Calibration) -> Plot:
    figure = _picture(found)
    figure.axes[0].plot(*found.points.T, ".", color=SERIES[0], markersize=3, alpha=0.6)
    caption = "All points of the board that were used. Where there are none, the distortion is a guess."
    if found.missing:
        caption += f" These views would help: {', '.join(found.missing)}."
    return make_plot(figure, "Coverage", caption)


def _leftover(found: Calibration) -> Plot:
    """Mean residuals in parts of the picture, as arrows."""
    model = found.profile.model
    share = found.points / (model.width, model.height) * _CELLS
    place = np.clip(share, 0, np.array(_CELLS) - 1e-6).astype(int)
    cell = place[:, 1] * _CELLS[0] + place[:, 0]
    count = np.bincount(cell, minlength=_CELLS[0] * _CELLS[1])
    sums = np.column_stack([np.bincount(cell, v, len(count)) for v in found.residuals.T])
    filled = count > 3
    mean = sums[filled] / count[filled, None]
    row, column = np.divmod(np.flatnonzero(filled), _CELLS[0])
    at = (np.column_stack([column, row]) + 0.5) * (model.width, model.height) / _CELLS
    longest = max(float(np.hypot(*mean.T).max(initial=0.0)), 1e-6)
    figure = _picture(found)
    figure.axes[0].quiver(
        *at.T, *(mean * _ARROW * model.width / longest).T, color=SERIES[1], angles="xy", scale_units="xy",
        scale=1.0, width=0.004,
    )  # fmt: skip
    caption = f"The longest arrow is {longest:.3f} px. A pattern is what this lens model cannot hold."
    return make_plot(figure, "Mean residuals", caption)


def _scatter(found: Calibration) -> Plot:
    figure = Figure(figsize=(4.6, 4.4))
    axes = figure.subplots()
    axes.plot(*found.residuals.T, ".", color=SERIES[0], markersize=2.5, alpha=0.5)
    reach = max(float(np.percentile(np.abs(found.residuals), 99.8)) * 1.15, 0.05)
    axes.axhline(0, color=INK, linewidth=0.6)
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal", xlabel="x, px", ylabel="y, px")
    return make_plot(figure, "Residuals", "Points found minus where the lens says that they are.")
