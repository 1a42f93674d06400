"""An inspection as pictures and a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from horizon_rt.inspection.attribution import EffectiveField
from horizon_rt.inspection.look import Inspection, Look
from horizon_rt.inspection.tables import LOOK_COLUMNS, UNIT_COLUMNS, look_rows, number_rows, unit_rows
from horizon_rt.models.sizes import OUTPUT_STRIDE
from horizon_rt.reports.page import render_page
from horizon_rt.system.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

__all__ = ["write_report"]

_DECADES = 1e-3  # of the largest gradient, shown in logarithmic colours
_PANEL_INCH, _TALLEST = 4.7, 1.8  # width of a panel; its height over its width, at most
_LEAST_TURN_DEG = 0.5  # top of the colour scale of a picture that no patch disturbs


def write_report(found: Inspection, folder: Path) -> list[Path]:
    """Write `inspect.html` and its pictures, and return their paths; raises OutputError."""
    pictures = {f"inspect-{i:02d}.png": _look_figure(look) for i, look in enumerate(found.looks, 1)}
    for i, look in enumerate(found.strongest, 1):
        pictures[f"inspect-unit-{i:02d}.png"] = _unit_figure(look, f"{found.unit}")
    if found.field is not None:
        pictures["inspect-field.png"] = _field_figure(found.field)
    for name, figure in pictures.items():
        data = BytesIO()
        figure.savefig(data, format="png")
        write_atomic(folder / name, data.getvalue())
    page = folder / "inspect.html"
    write_atomic(page, _page(found).encode())
    return [page, *(folder / name for name in pictures)]


def _page(found: Inspection) -> str:
    return render_page(
        "inspection.html",
        found=found,
        numbers=number_rows(found),
        columns=LOOK_COLUMNS,
        looks=[(f"inspect-{i:02d}.png", row) for i, row in enumerate(look_rows(found), 1)],
        unit_columns=UNIT_COLUMNS,
        units=[(f"inspect-unit-{i:02d}.png", row) for i, row in enumerate(unit_rows(found), 1)],
    )


def _look_figure(look: Look) -> Figure:
    """The picture with its horizon, the mask, the gradient and the occlusion map."""
    return _panels(look, (_draw_line, _draw_mask, _draw_gradient, _draw_occlusion))


def _unit_figure(look: Look, name: str) -> Figure:
    """What the unit sees, its activation, and the occlusion of the unit beside that of the horizon."""
    figure = _panels(look, (_draw_seen, _draw_activation, _draw_loss, _draw_occlusion))
    figure.suptitle(f"{name} in {look.name}")
    return figure


def _draw_seen(axis: Axes, look: Look) -> None:
    assert look.excitation is not None
    left, top, right, bottom = look.excitation.box
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]) - 0.5
    axis.plot(*look.segmentation.letterbox.to_picture(corners).T, color="cyan", linewidth=1.5)
    axis.set_title(f"activation {look.excitation.value:.3g} of what is in the box")


def _draw_activation(axis: Axes, look: Look) -> None:
    assert look.excitation is not None
    image = axis.imshow(look.excitation.activation, extent=_extent(look), cmap="inferno", alpha=0.75)
    axis.set_title("activation")
    _bar(axis, image)


def _draw_loss(axis: Axes, look: Look) -> None:
    assert look.excitation is not None
    loss = 100 * look.excitation.loss
    image = axis.imshow(loss, extent=_extent(look), cmap="viridis", vmin=0, alpha=0.75)
    axis.set_title("activation lost there under a grey patch")
    _bar(axis, image, "percent")


def _panels(look: Look, draws: Sequence[Callable[[Axes, Look], None]]) -> Figure:
    """Four panels of the picture."""
    height, width = look.frame.height, look.frame.width
    panel = _PANEL_INCH * min(height / width, _TALLEST)
    figure = Figure(figsize=(2 * _PANEL_INCH + 1.6, 2 * panel + 0.8), dpi=100, layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    picture = look.frame.to_bgr()[:, :, ::-1]
    for axis, draw in zip(axes, draws, strict=True):
        axis.imshow(picture)
        draw(axis, look)
        axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
    return figure


def _draw_line(axis: Axes, look: Look) -> None:
    if look.line is None:
        axis.set_title("no horizon found")
        return
    _horizon(axis, look)
    axis.set_title(f"tilt {look.line.angle_deg:.1f}°, presence {look.segmentation.presence:.2f}")


def _horizon(axis: Axes, look: Look) -> None:
    if look.line is None:
        return
    # The nearest point of the line to the middle, and its direction.
    (nx, ny), middle = look.line.normal, ((look.frame.width - 1) / 2, (look.frame.height - 1) / 2)
    foot = (middle[0] - nx * look.line.offset_px, middle[1] - ny * look.line.offset_px)
    axis.axline(foot, (foot[0] - ny, foot[1] + nx), color="white", linewidth=2.4)
    axis.axline(foot, (foot[0] - ny, foot[1] + nx), color="#d62728", linewidth=1.2)


def _draw_mask(axis: Axes, look: Look) -> None:
    sky = 1 / (1 + np.exp(-np.clip(look.segmentation.logits, -30, 30)))
    image = axis.imshow(sky, extent=_extent(look), cmap="coolwarm_r", vmin=0, vmax=1, alpha=0.6)
    axis.set_title("probability of above the horizon")
    _bar(axis, image)


def _draw_gradient(axis: Axes, look: Look) -> None:
    if look.gradient is None or look.cell is None:
        axis.set_title("no cell at a horizon")
        return
    share = look.gradient / look.gradient.max()
    image = axis.imshow(
        np.maximum(share, _DECADES), extent=_extent(look), cmap="inferno", norm=LogNorm(_DECADES, 1)
    )
    cell = OUTPUT_STRIDE * np.array(look.cell[::-1], float) + (OUTPUT_STRIDE - 1) / 2
    axis.plot(*look.segmentation.letterbox.to_picture(cell[None])[0], "+", color="cyan", markersize=12)
    axis.set_title("|gradient| of the cell at +")
    _bar(axis, image, "of the largest")


def _draw_occlusion(axis: Axes, look: Look) -> None:
    if look.occlusion is None:
        axis.set_title("nothing to occlude")
        return
    change = look.occlusion.change_deg
    lost = np.where(np.isnan(change), 1.0, np.nan)
    top = max(look.occlusion.largest_deg, _LEAST_TURN_DEG)
    image = axis.imshow(change, extent=_extent(look), cmap="viridis", vmin=0, vmax=top, alpha=0.75)
    axis.imshow(lost, extent=_extent(look), cmap="spring", vmin=1, vmax=2, alpha=0.75)
    _horizon(axis, look)
    axis.set_title("turn of the horizon under a grey patch" + ("; pink: lost" if np.any(lost == 1) else ""))
    _bar(axis, image, "degrees")


def _bar(axis: Axes, image: AxesImage, unit: str = "") -> None:
    axis.figure.colorbar(image, ax=axis, pad=0.01, label=unit)


def _extent(look: Look) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the net input in picture px."""
    rows, columns = (OUTPUT_STRIDE * side for side in look.segmentation.logits.shape)
    corners = np.array([[-0.5, -0.5], [columns - 0.5, rows - 0.5]])
    (left, top), (right, bottom) = look.segmentation.letterbox.to_picture(corners)
    return left, right, bottom, top


def _field_figure(field: EffectiveField) -> Figure:
    figure = Figure(figsize=(7, 5), dpi=100, layout="constrained")
    axis = figure.subplots()
    height, width = (side // 2 for side in field.gradient.shape)
    share = np.maximum(field.gradient / field.gradient.max(), _DECADES)
    image = axis.imshow(
        share, extent=(-width - 0.5, width + 0.5, height + 0.5, -height - 0.5), cmap="inferno",
        norm=LogNorm(_DECADES, 1),
    )  # fmt: skip
    side = field.size_px / 2
    axis.plot([-side, side, side, -side, -side], [-side, -side, side, side, -side], color="cyan", linewidth=1)
    axis.set(title="effective receptive field; the square is as large as its size", xlabel="px", ylabel="px")
    _bar(axis, image, "of the largest")
    return figure
