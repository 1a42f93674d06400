"""The report of an evaluation: report.json, report.md and report.html, each whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from horizon_rt._version import __version__
from horizon_rt.evaluation.results import Evaluation
from horizon_rt.evaluation.tables import dataset_groups, make_tables, scene_groups
from horizon_rt.reports.hardest import ESTIMATE_RGB, TRUTH_RGB, HardestFrame
from horizon_rt.reports.page import embedded, render_page
from horizon_rt.reports.table import Table, markdown_text
from horizon_rt.system.files import write_atomic

__all__ = ["as_html", "as_json", "as_markdown", "write_report"]

SCHEMA = "horizon-rt-eval/1"
_KEPT = 24


def write_report(folder: Path, evaluations: Sequence[Evaluation], settings: Mapping[str, str]) -> list[Path]:
    """Write the three files into a folder and return their paths; raises OutputError.

    `settings` are shown as they are: what was evaluated, with which lens, split and filter.
    """
    texts = {
        "report.json": as_json(evaluations, settings),
        "report.md": as_markdown(evaluations, settings),
        "report.html": as_html(evaluations, settings),
    }
    for name, text in texts.items():
        write_atomic(folder / name, text.encode("utf-8", "backslashreplace"))
    return [folder / name for name in texts]


def as_json(evaluations: Sequence[Evaluation], settings: Mapping[str, str]) -> str:
    """Everything as JSON: summaries by dataset and by scene, and a row for each frame."""
    results = [
        {
            "dataset": e.dataset,
            "model": e.model,
            "summary": asdict(e.summary()),
            "by_scene": {scene: asdict(e.summary(scene)) for scene in e.scenes},
            "frames": e.records(),
        }
        for e in evaluations
    ]
    scenes = [
        {"scene": group.label, "model": group.model, "summary": asdict(group.summary)}
        for group in scene_groups(evaluations)
    ]
    values = {"schema": SCHEMA, "version": __version__, "settings": dict(settings), "results": results}
    return json.dumps({**values, "by_scene": scenes}, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _sections(evaluations: Sequence[Evaluation]) -> list[tuple[str, list[Table]]]:
    sections = [
        ("By dataset", make_tables(dataset_groups(evaluations), "dataset")),
        ("By type of scene", make_tables(scene_groups(evaluations), "scene")),
    ]
    return [(title, tables) for title, tables in sections if tables]


def as_markdown(evaluations: Sequence[Evaluation], settings: Mapping[str, str]) -> str:
    """The tables, and the names of the worst frames."""
    about = [f"- {name}: {markdown_text(value)}" for name, value in settings.items()]
    parts = ["# Horizon accuracy\n", "\n".join(about) + "\n"]
    for title, tables in _sections(evaluations):
        parts += [f"## {title}\n", *(table.markdown() for table in tables)]
    parts += ["## Worst frames\n"]
    for model, frames in _worst(evaluations).items():
        lines = (f"- {markdown_text(frame.name)}: {frame.note}" for frame in frames)
        parts += [f"{markdown_text(model)}:\n", "\n".join(lines) + "\n"]
    return "\n".join(parts)


def _worst(evaluations: Sequence[Evaluation]) -> dict[str, list[HardestFrame]]:
    """The 24 worst frames of each model over all datasets."""
    models: dict[str, list[HardestFrame]] = {}
    for e in evaluations:
        models.setdefault(e.model, []).extend(e.worst)
    return {m: sorted(frames, key=lambda frame: -frame.score)[:_KEPT] for m, frames in models.items()}


def as_html(evaluations: Sequence[Evaluation], settings: Mapping[str, str]) -> str:
    """One page that needs nothing else: tables, plots, and the worst frames as pictures."""
    from horizon_rt.evaluation.plots import make_plots

    return render_page(
        "evaluation.html",
        settings=settings,
        sections=dict(_sections(evaluations)),
        plots=make_plots(evaluations),
        worst={m: [_tile(frame) for frame in frames] for m, frames in _worst(evaluations).items()},
        truth_colour=f"rgb{TRUTH_RGB}",
        estimate_colour=f"rgb{ESTIMATE_RGB}",
    )


def _tile(frame: HardestFrame) -> dict[str, str]:
    return {"name": frame.name, "note": frame.note, "source": embedded(frame.jpeg, "jpeg")}
