"""The report of a training run: curves of its log, and what the net makes of pictures for validation."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import fields
from itertools import cycle
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from horizon_rt.camera import Camera
from horizon_rt.frame import Frame
from horizon_rt.reports.hardest import ESTIMATE_RGB, TRUTH_RGB, thumbnail
from horizon_rt.reports.page import embedded, render_page
from horizon_rt.reports.plot import SERIES, STYLE, Plot, make_plot
from horizon_rt.reports.table import Table, cell
from horizon_rt.system.files import write_atomic
from horizon_rt.training.log import Curves, read_log
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.samples.pictures import load
from horizon_rt.training.validation import Prediction

__all__ = ["first_evaluation", "least_loss", "write_report"]

_SHOWN = 12  # best, and worst, pictures
_LABELS = {"": "validation", "training": "batches of training, running mean"}
# Curves by the last part of their names, and the titles of their plots.
_PLOTS = {
    "loss": "Loss",
    "dice": "Dice of the sky side",
    "auc": "AUC, percent",
    "dphi": "Median tilt error, degrees",
    "refused": "Pictures without a horizon refused, percent",
}


def first_evaluation(curves: Curves) -> dict[str, float]:
    """What the evaluation before the first step found."""
    return {name: values[0] for name, (steps, values) in curves.items() if steps[0] == 0}


def least_loss(curves: Curves) -> tuple[int, float] | None:
    """The step of the evaluation with the least loss of validation, and this."""
    steps, losses = curves.get("loss", ([], []))
    best = min(range(len(losses)), key=losses.__getitem__, default=None)
    return None if best is None else (steps[best], losses[best])


def write_report(
    folder: Path,
    name: str,
    recipe: Recipe,
    predictions: Sequence[Prediction],
    validation: dict[str, float],
    test: dict[str, float],
) -> Path:
    """Write curves.png and report.html, with what was found at the end, into the folder of a run; returns the
    page. Raises OutputError.
    """
    plots = _draw_curves(read_log(folder / "log.jsonl"), folder / "curves.png")
    count = len(predictions)
    page = render_page(
        "training.html",
        name=name,
        recipe=_facts(recipe),
        found=_found(validation, test),
        plots=plots,
        sheets={
            f"Worst of {count} pictures for validation": [_tile(p) for p in predictions[:_SHOWN]],
            f"Best of {count} pictures for validation": [
                _tile(p) for p in predictions[_SHOWN:][::-1][:_SHOWN]
            ],
        },
        truth_colour=f"rgb{TRUTH_RGB}",
        estimate_colour=f"rgb{ESTIMATE_RGB}",
    )
    path = folder / "report.html"
    write_atomic(path, page.encode())
    return path


def _found(validation: dict[str, float], test: dict[str, float]) -> Table:
    rows = [
        (name, *(cell(part.get(name), ".4g") for part in (validation, test))) for name in validation | test
    ]
    return Table("At the end", "Of the net alone.", ("", "validation", "test"), tuple(rows))


def _facts(recipe: Recipe) -> dict[str, str]:
    return {
        f.name.replace("_", " "): _in_words(value)
        for f in fields(recipe)
        if _tells(recipe, f.name, value := getattr(recipe, f.name))
    }


def _tells(recipe: Recipe, name: str, value: object) -> bool:
    """Whether a field of a recipe says anything: switches by what is unusual, others by having a value."""
    if name in ("teacher_share", "student_areas") and not recipe.teacher:
        return False
    if isinstance(value, bool):
        return value != getattr(Recipe(), name)
    return name == "seed" or bool(value)


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {share:g}" for name, share in value.items())
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _draw_curves(curves: Curves, path: Path) -> list[Plot]:
    """One picture of all curves at `path`, and a plot each for the page."""
    groups = {
        title: {n: c for n, c in curves.items() if n.rpartition("/")[2] == key}
        for key, title in _PLOTS.items()
    }
    drawn = {title: lines for title, lines in groups.items() if lines}
    with rc_context(STYLE):
        together = Figure(figsize=(9.2, 3.2 * max(1, len(drawn))))
        plots = []
        for index, (title, lines) in enumerate(drawn.items(), 1):
            with rc_context({"grid.color": "#d8d8d8"}):  # of the page there is none
                _draw(together.add_subplot(len(drawn), 1, index), lines, title)
            alone = Figure(figsize=(9.2, 3.4))
            _draw(alone.subplots(), lines)
            plots.append(make_plot(alone, title, ""))
        picture = io.BytesIO()
        with rc_context({"text.color": "black", "axes.labelcolor": "black"}):
            together.savefig(picture, format="png", dpi=110)
    write_atomic(path, picture.getvalue())
    return plots


def _draw(axes: Axes, lines: Curves, title: str = "") -> None:
    for (name, (steps, values)), colour in zip(lines.items(), cycle(SERIES), strict=False):
        part = name.rpartition("/")[0]
        label = _LABELS.get(part, part)
        axes.plot(steps, values, label=label, color=colour, lw=1.5, marker="." if len(steps) < 30 else "")
    axes.set(xlabel="step", title=title)
    axes.legend()


def _tile(prediction: Prediction) -> dict[str, str]:
    image = load(prediction.picture).image
    frame = Frame.from_bgr(image)
    camera = Camera.assumed(frame.width, frame.height)
    found = prediction.observation.measurement
    true_up = None if prediction.truth is None else prediction.truth.up_vector(camera.focal_px)
    jpeg = thumbnail(frame, camera, true_up, None if found is None else found.up)
    return {
        "name": prediction.picture.path.name,
        "note": _note(prediction),
        "source": embedded(jpeg, "jpeg"),
    }


def _note(prediction: Prediction) -> str:
    confidence = f"{prediction.observation.view} {prediction.observation.confidence:.2f}"
    if prediction.error is None and prediction.seen is not False:
        return "no truth" if prediction.dice is None else f"Dice {prediction.dice:.3f}, {confidence}"
    if prediction.error is None:
        return f"no horizon; {'false alarm' if prediction.line else 'refused'}, {confidence}"
    if prediction.error.dphi_deg is None:
        return f"not found, {confidence}"
    return f"e {prediction.error.e:.3f}, tilt {prediction.error.dphi_deg:.2f}°, {confidence}"
