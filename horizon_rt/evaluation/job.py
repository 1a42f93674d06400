"""From options to evaluations: datasets, models and finished runs put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from horizon_rt.camera import load_profile
from horizon_rt.datasets import (
    Dataset,
    SplitPart,
    open_dataset,
    open_mask_folder,
    parse_palette,
    split_part,
)
from horizon_rt.datasets.base import Keep
from horizon_rt.datasets.detect import Format
from horizon_rt.errors import DatasetError
from horizon_rt.evaluation.predictors import Predictor, TelemetryPredictor, TrackerPredictor
from horizon_rt.evaluation.results import Evaluation
from horizon_rt.evaluation.runner import EvalOptions, evaluate
from horizon_rt.evaluation.tables import dataset_groups, make_tables, scene_groups
from horizon_rt.options import DEFAULT_HFOV_DEG, RunOptions
from horizon_rt.reports.table import Table
from horizon_rt.system.extras import require
from horizon_rt.system.files import make_folder
from horizon_rt.system.messages import printable
from horizon_rt.system.progress import NO_PROGRESS, Progress
from horizon_rt.tracker import HorizonTracker

__all__ = ["EvalJob", "EvalReport", "Part"]

Part = Literal["set-aside", "training", "validation", "test", "all"]
_PARTS: dict[str, tuple[SplitPart, ...]] = {"set-aside": ("validation", "test")}


@dataclass(frozen=True, slots=True)
class EvalReport:
    """The evaluations of a job, what was asked for in words, and the files that were written."""

    evaluations: tuple[Evaluation, ...]
    settings: Mapping[str, str]
    files: tuple[Path, ...] = ()

    def tables(self) -> list[Table]:
        """By dataset, then by type of scene."""
        by_dataset = make_tables(dataset_groups(self.evaluations), "dataset")
        by_scene = make_tables(scene_groups(self.evaluations), "scene")
        named = (replace(table, title=f"{table.title}, by scene") for table in by_scene)
        return [*by_dataset, *named]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalJob:
    """What `horizon-rt eval` was asked for.

    `mask_folders` are pictures and masks of one more dataset. Without models and telemetry the shipped model
    is evaluated. `part` chooses by the `split` file; "set-aside" is all that is held out. The report goes
    into the folder `out`.
    """

    datasets: tuple[Path, ...]
    out: Path | None = None
    models: tuple[str, ...] = ()
    telemetry: tuple[Path, ...] = ()
    split: Path | None = None
    part: Part = "set-aside"
    format: Format | None = None
    mask_folders: tuple[Path, Path] | None = None
    palette: tuple[str, ...] = ()
    options: RunOptions = field(default_factory=RunOptions)

    def run(self, progress: Progress = NO_PROGRESS) -> EvalReport:
        """Evaluate everything; raises HorizonError."""
        if self.out is not None:
            require("report", "--out")
            make_folder(self.out)  # before the work, which would be in vain
        datasets, predictors = self._open_datasets(), self._predictors()
        lens, smooth = self.options.lens, self.options.smooth
        profile = None if lens.camera_profile is None else load_profile(lens.camera_profile)
        evaluations = []
        for dataset in datasets:
            options = EvalOptions(
                profile=profile, hfov_deg=lens.hfov_deg, smooth=smooth, keep=self._keep(dataset)
            )
            for predictor in predictors:
                what = printable(f"{dataset.name}, {predictor.name}")
                with progress.start(what, dataset.count(options.keep)) as task:
                    evaluations.append(evaluate(dataset, predictor, options, on_frame=task.advance))
        evaluated = _with_frames(evaluations, datasets, predictors)
        settings = self._settings(datasets, predictors)
        return EvalReport(evaluated, settings, self._write(evaluated, settings))

    def _write(self, evaluated: tuple[Evaluation, ...], settings: Mapping[str, str]) -> tuple[Path, ...]:
        if self.out is None:
            return ()
        from horizon_rt.evaluation.report import write_report

        return tuple(write_report(self.out, evaluated, settings))

    def _open_datasets(self) -> list[Dataset]:
        datasets = [open_dataset(path, self.format) for path in self.datasets]
        if self.mask_folders is not None:
            sky, void = parse_palette(self.palette)
            datasets.append(open_mask_folder(*self.mask_folders, sky=sky, void=void))
        return datasets

    def _predictors(self) -> list[Predictor]:
        names = list(dict.fromkeys(self.models or ((None,) if not self.telemetry else ())))
        trackers = (HorizonTracker(engine=replace(self.options.engine, model=name)) for name in names)
        models = [TrackerPredictor(t, name) for t, name in zip(trackers, names, strict=True)]
        taken = Counter([*(model.name for model in models), *(path.stem for path in self.telemetry)])
        runs = [
            TelemetryPredictor(path, str(path) if taken[path.stem] > 1 else None)
            for path in dict.fromkeys(self.telemetry)
        ]
        return [*models, *runs]

    def _keep(self, dataset: Dataset) -> Keep | None:
        split = self.split
        if split is None or self.part == "all":
            return None
        wanted = _PARTS.get(self.part, (self.part,))
        return lambda file: split_part(split, dataset.name, file) in wanted

    def _settings(self, datasets: Sequence[Dataset], predictors: Sequence[Predictor]) -> dict[str, str]:
        given = self.options.lens
        lens = f"horizontal field of view {given.hfov_deg or DEFAULT_HFOV_DEG:g}°"
        if given.camera_profile is not None:
            lens = f"profile {given.camera_profile}"
        elif given.is_assumed:
            lens += " assumed where dataset and telemetry have none"
        part = "all frames"
        if self.split is not None and self.part != "all":
            part = f"{self.part}, by {self.split.name}"
        backends = dict.fromkeys(e.backend for e in predictors if isinstance(e, TrackerPredictor))
        return {
            **({"backend": ", ".join(backends)} if backends else {}),
            "datasets": ", ".join(dataset.name for dataset in datasets),
            "models": ", ".join(predictor.name for predictor in predictors),
            "part": part,
            "filter": f"{self.options.smooth} for videos; pictures one by one",
            "lens": lens,
        }


def _with_frames(
    evaluations: Sequence[Evaluation], datasets: Sequence[Dataset], predictors: Sequence[Predictor]
) -> tuple[Evaluation, ...]:
    """Those with frames; raises DatasetError for a dataset or a run that has none."""
    kept = tuple(e for e in evaluations if e.rows)
    for kind, names, seen in (
        ("dataset", [d.name for d in datasets], {e.dataset for e in kept}),
        ("model or telemetry", [e.name for e in predictors], {e.model for e in kept}),
    ):
        for name in names:
            if name not in seen:
                raise DatasetError(
                    f"{kind} {name}: no frame to evaluate: none is labelled or held out, "
                    "or the telemetry is of another recording"
                )
    return kept
