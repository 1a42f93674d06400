"""The report of a training run: curves of its log, and what the net makes of pictures that were set aside."""

from __future__ import annotations

import base64
import io
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from horizon_rt.camera import Pinhole
from horizon_rt.config import DEFAULT_HFOV_DEG
from horizon_rt.errors import TrainingError
from horizon_rt.evaluation.worst import ESTIMATE_RGB, TRUTH_RGB, thumbnail
from horizon_rt.frame import Frame
from horizon_rt.sinks.base import write_whole
from horizon_rt.training.pictures import load
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.validation import Prediction

__all__ = ["read_log", "write_report"]

_SHOWN = 12  # best, and worst, pictures
# Curves by the last part of their names, and the titles of their plots.
_PLOTS = {
    "loss": "Loss",
    "dice": "Dice of the sky side",
    "auc": "AUC, percent",
    "dphi": "Median tilt error, degrees",
    "refused": "Pictures without a horizon refused, percent",
}

Curves = dict[str, tuple[list[int], list[float]]]


def read_log(path: Path) -> Curves:
    """Steps and values by name from log.jsonl; raises TrainingError for a damaged one."""
    curves: defaultdict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            values = entry.get("evaluation", {"training/loss": entry.get("loss")})
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    curves[name][0].append(int(entry["step"]))
                    curves[name][1].append(float(value))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{path} is no log of a training run: {error}") from error
    return dict(curves)


def write_report(folder: Path, name: str, recipe: Recipe, predictions: Sequence[Prediction]) -> Path:
    """Write curves.png and report.html, which holds it, into the folder of a run; returns the page."""
    from jinja2 import Environment, PackageLoader

    curves = _draw_curves(read_log(folder / "log.jsonl"))
    write_whole(folder / "curves.png", curves)
    environment = Environment(loader=PackageLoader("horizon_rt.training"), autoescape=True, trim_blocks=True)
    page: dict[str, Any] = {
        "name": name,
        "recipe": {k: v for k, v in asdict(recipe).items() if v is not None},
        "curves": _embedded(curves, "png"),
        "best": [_tile(p) for p in predictions[::-1][:_SHOWN]],
        "worst": [_tile(p) for p in predictions[:_SHOWN]],
        "count": len(predictions),
        "truth_colour": f"rgb{TRUTH_RGB}",
        "estimate_colour": f"rgb{ESTIMATE_RGB}",
    }
    path = folder / "report.html"
    write_whole(path, environment.get_template("training.html").render(page).encode())
    return path


def _draw_curves(curves: Curves) -> bytes:
    """A PNG."""
    from matplotlib.figure import Figure

    groups = {
        title: {n: c for n, c in curves.items() if n.rpartition("/")[2] == key}
        for key, title in _PLOTS.items()
    }
    groups = {title: lines for title, lines in groups.items() if lines}
    rows = max(1, -(-len(groups) // 2))
    figure = Figure(figsize=(11, 3.2 * rows), layout="constrained", dpi=110)
    for index, (title, lines) in enumerate(groups.items(), 1):
        axes = figure.add_subplot(rows, 2, index)
        for name, (steps, values) in lines.items():
            axes.plot(steps, values, label=name, linewidth=1.3, marker="." if len(steps) < 30 else "")
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def _tile(prediction: Prediction) -> dict[str, str]:
    image = load(prediction.picture).image
    frame = Frame.from_bgr(image)
    camera = Pinhole.from_hfov(frame.width, frame.height, DEFAULT_HFOV_DEG)
    found = prediction.observation.measurement
    true_up = None if prediction.truth is None else prediction.truth.up_vector(camera.focal_px)
    jpeg = thumbnail(frame, camera, true_up, None if found is None else found.up)
    return {
        "name": prediction.picture.path.name,
        "note": _note(prediction),
        "source": _embedded(jpeg, "jpeg"),
    }


def _note(prediction: Prediction) -> str:
    confidence = f"{prediction.observation.view} {prediction.observation.confidence:.2f}"
    if prediction.error is None and prediction.seen is False:
        return f"no horizon; {'false alarm' if prediction.line else 'refused'}, {confidence}"
    if prediction.error is None:
        return "no truth" if prediction.dice is None else f"Dice {prediction.dice:.3f}, {confidence}"
    if prediction.error.dphi_deg is None:
        return f"not found, {confidence}"
    return f"e {prediction.error.e:.3f}, tilt {prediction.error.dphi_deg:.2f}°, {confidence}"


def _embedded(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
