"""From a user's wishes to evaluations: datasets, models and finished runs put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from horizon_rt.camera import load_profile
from horizon_rt.config import DEFAULT_HFOV_DEG, BackendChoice, DeviceChoice, PrecisionChoice, Smoothing
from horizon_rt.datasets import Dataset, is_set_aside, open_dataset, open_mask_folder, parse_palette
from horizon_rt.datasets.base import Keep
from horizon_rt.datasets.detect import Format
from horizon_rt.errors import DatasetError
from horizon_rt.evaluation.estimators import Estimator, TelemetryEstimator, TrackerEstimator
from horizon_rt.evaluation.results import Evaluation
from horizon_rt.evaluation.runner import EvalOptions, evaluate
from horizon_rt.evaluation.tables import dataset_groups, make_tables, scene_groups
from horizon_rt.files import make_folder
from horizon_rt.messages import printable
from horizon_rt.pages.table import rich_table
from horizon_rt.tracker import HorizonTracker

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["EvalJob", "EvalReport", "Part"]

Part = Literal["set-aside", "training", "all"]


@dataclass(frozen=True, slots=True)
class EvalReport:
    """The evaluations of a job, what was asked for in words, and the files that were written."""

    evaluations: tuple[Evaluation, ...]
    settings: Mapping[str, str]
    files: tuple[Path, ...] = ()

    def tables(self) -> list[Table]:
        """For the terminal: by dataset, then by type of scene."""
        by_dataset = make_tables(dataset_groups(self.evaluations), "dataset")
        by_scene = make_tables(scene_groups(self.evaluations), "scene")
        named = (replace(table, title=f"{table.title}, by scene") for table in by_scene)
        return [rich_table(table) for table in (*by_dataset, *named)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalJob:
    """What `horizon-rt eval` was asked for.

    `mask_folders` are pictures and masks of one more dataset. Without models and telemetry the shipped model
    is judged. `part` chooses by the `split` file. The report goes into the folder `out`.
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
    smooth: Smoothing = "causal"
    camera_profile: str | None = None
    hfov_deg: float | None = None
    device: DeviceChoice = "auto"
    backend: BackendChoice = "auto"
    precision: PrecisionChoice = "auto"

    def run(self, console: Console) -> EvalReport:
        """Judge everything, with a progress bar on a terminal; raises HorizonError."""
        if self.out is not None:
            make_folder(self.out)  # before the work, which would be in vain
        datasets, estimators = self._open_datasets(), self._estimators()
        profile = None if self.camera_profile is None else load_profile(self.camera_profile)
        evaluations = []
        for dataset in datasets:
            options = EvalOptions(
                profile=profile, hfov_deg=self.hfov_deg, smooth=self.smooth, keep=self._keep(dataset)
            )
            for estimator in estimators:
                with _progress(dataset, estimator, options.keep, console) as on_frame:
                    evaluations.append(evaluate(dataset, estimator, options, on_frame=on_frame))
        judged = _judged(evaluations, datasets, estimators)
        settings = self._settings(datasets, estimators)
        return EvalReport(judged, settings, self._write(judged, settings))

    def _write(self, judged: tuple[Evaluation, ...], settings: Mapping[str, str]) -> tuple[Path, ...]:
        if self.out is None:
            return ()
        from horizon_rt.evaluation.report import write_report

        return tuple(write_report(self.out, judged, settings))

    def _open_datasets(self) -> list[Dataset]:
        datasets = [open_dataset(path, self.format) for path in self.datasets]
        if self.mask_folders is not None:
            sky, void = parse_palette(self.palette)
            datasets.append(open_mask_folder(*self.mask_folders, sky=sky, void=void))
        return datasets

    def _estimators(self) -> list[Estimator]:
        names: Sequence[str | None] = self.models or ((None,) if not self.telemetry else ())
        trackers = (
            HorizonTracker(model=name, device=self.device, backend=self.backend, precision=self.precision)
            for name in names
        )
        models = [TrackerEstimator(t, name) for t, name in zip(trackers, names, strict=True)]
        stems = [path.stem for path in self.telemetry]
        clash = len(set(stems)) < len(stems)
        runs = [TelemetryEstimator(path, str(path) if clash else None) for path in self.telemetry]
        return [*models, *runs]

    def _keep(self, dataset: Dataset) -> Keep | None:
        split = self.split
        if split is None or self.part == "all":
            return None
        wanted = self.part == "set-aside"
        return lambda file: is_set_aside(split, dataset.name, file) == wanted

    def _settings(self, datasets: Sequence[Dataset], estimators: Sequence[Estimator]) -> dict[str, str]:
        lens = f"horizontal field of view {self.hfov_deg or DEFAULT_HFOV_DEG:g}°"
        if self.camera_profile is not None:
            lens = f"profile {self.camera_profile}"
        elif self.hfov_deg is None:
            lens += " assumed where dataset and telemetry have none"
        part = "all frames"
        if self.split is not None and self.part != "all":
            part = f"{self.part}, by {self.split.name}"
        backends = dict.fromkeys(e.backend for e in estimators if isinstance(e, TrackerEstimator))
        return {
            **({"backend": ", ".join(backends)} if backends else {}),
            "datasets": ", ".join(dataset.name for dataset in datasets),
            "models": ", ".join(estimator.name for estimator in estimators),
            "part": part,
            "filter": f"{self.smooth} for videos; pictures one by one",
            "lens": lens,
        }


def _judged(
    evaluations: Sequence[Evaluation], datasets: Sequence[Dataset], estimators: Sequence[Estimator]
) -> tuple[Evaluation, ...]:
    """Those with frames; raises DatasetError for a dataset or a run that has none."""
    kept = tuple(e for e in evaluations if e.rows)
    for kind, names, seen in (
        ("dataset", [d.name for d in datasets], {e.dataset for e in kept}),
        ("model or telemetry", [e.name for e in estimators], {e.model for e in kept}),
    ):
        for name in names:
            if name not in seen:
                raise DatasetError(
                    f"{kind} {name}: no frame to judge: none is labelled or set aside, "
                    "or the telemetry is of another recording"
                )
    return kept


@contextmanager
def _progress(
    dataset: Dataset, estimator: Estimator, keep: Keep | None, console: Console
) -> Iterator[Callable[[], None] | None]:
    if not console.is_terminal:
        yield None
        return
    from rich.markup import escape
    from rich.progress import Progress

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(escape(printable(f"{dataset.name}, {estimator.name}")), total=dataset.count(keep))
        yield lambda: bar.advance(task)
