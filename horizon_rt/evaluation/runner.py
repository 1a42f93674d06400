"""Evaluate a model, or a finished run, on a dataset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from horizon_rt.camera import Camera, CameraProfile
from horizon_rt.datasets import Dataset, LabelledFrame
from horizon_rt.datasets.base import Keep
from horizon_rt.datasets.truth import Truth, above, resolve
from horizon_rt.evaluation.predictors import Estimate, Predictor, TrackerPredictor
from horizon_rt.evaluation.results import Evaluation, FrameRow, Masks
from horizon_rt.geometry import Mount, UpVector, wrap_degrees
from horizon_rt.metrics.lines import line_error
from horizon_rt.metrics.masks import MaskCounts
from horizon_rt.metrics.sequences import AttitudeError
from horizon_rt.options import DEFAULT_HFOV_DEG, Smoothing
from horizon_rt.reports.hardest import HardestFrame, HardestFrames, thumbnail
from horizon_rt.tracker import HorizonTracker

__all__ = ["EvalOptions", "evaluate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions:
    """How to evaluate.

    The lens is `profile`, else `hfov_deg`, else the dataset's own, else 70°. `smooth='none'` takes each frame
    on its own; otherwise videos are filtered, and pictures that stand alone never. `keep` chooses files by
    name.
    """

    profile: CameraProfile | None = None
    hfov_deg: float | None = None
    smooth: Smoothing = "causal"
    keep: Keep | None = None


def evaluate(
    dataset: Dataset,
    model: HorizonTracker | Predictor | str | Path | None = None,
    options: EvalOptions | None = None,
    *,
    on_frame: Callable[[], None] | None = None,
) -> Evaluation:
    """Evaluate a tracker, a model by its name or path (the shipped one if None), or any `Predictor`.

    `on_frame` is called after each evaluated frame. Memory grows by a row a frame, not by pictures. Raises
    HorizonError.
    """
    return _Evaluator(dataset, _predictor(model), options or EvalOptions()).run(on_frame)


def _predictor(model: HorizonTracker | Predictor | str | Path | None) -> Predictor:
    if isinstance(model, HorizonTracker):
        return TrackerPredictor(model)
    if model is None or isinstance(model, (str, Path)):
        return TrackerPredictor(HorizonTracker(model=None if model is None else str(model)))
    return model


class _Evaluator:
    """One run over one dataset."""

    def __init__(self, dataset: Dataset, predictor: Predictor, options: EvalOptions) -> None:
        self._dataset, self._predictor, self._options = dataset, predictor, options
        self._filtered = options.smooth != "none" and not dataset.still
        self._masks: defaultdict[str, Masks] = defaultdict(Masks)
        self._worst = HardestFrames()
        self._lens = lru_cache(maxsize=32)(self._camera_for)

    def run(self, on_frame: Callable[[], None] | None) -> Evaluation:
        rows: list[FrameRow] = []
        sequence: str | None = None
        for labelled in self._dataset.frames(self._options.keep):
            if not self._predictor.covers(labelled):
                continue
            if labelled.sequence != sequence:
                sequence = labelled.sequence
                self._begin(sequence)
            row = self._evaluate(labelled)
            if row is not None:
                rows.append(row)
                if on_frame is not None:
                    on_frame()
        return Evaluation(
            dataset=self._dataset.name,
            model=self._predictor.name,
            rows=tuple(rows),
            masks=dict(self._masks),
            worst=self._worst.sorted(),
        )

    def _begin(self, sequence: str) -> None:
        """Another recording; offline smoothing reads it once before."""
        self._predictor.restart()
        if self._filtered and self._options.smooth == "offline":
            frames = (one.frame for one in self._dataset.recording(sequence, self._options.keep))
            self._predictor.look_ahead((frame, self._lens(frame.width, frame.height)) for frame in frames)

    def _camera_for(self, width: int, height: int) -> Camera:
        options = self._options
        if self._predictor.camera is not None:
            return self._predictor.camera.for_size(width, height)
        if options.profile is not None:
            return options.profile.fit_to(width, height).model
        if options.hfov_deg is None and self._dataset.camera is not None:
            return self._dataset.camera.for_size(width, height)
        return Camera.from_fov(width, height, options.hfov_deg or DEFAULT_HFOV_DEG)

    def _evaluate(self, labelled: LabelledFrame) -> FrameRow | None:
        """The row of a frame; one without a label only moves the filter on."""
        frame = labelled.frame
        camera = self._lens(frame.width, frame.height)
        estimate = self._predictor.estimate(frame, camera, filtered=self._filtered)
        if labelled.label is None:
            return None
        truth = resolve(labelled.label, camera)
        row = self._row(labelled, truth, estimate, self._count_pixels(labelled, truth, estimate, camera))
        self._keep_if_bad(row, labelled, truth, estimate, camera)
        return row

    def _row(self, labelled: LabelledFrame, truth: Truth, estimate: Estimate, iou: float | None) -> FrameRow:
        frame = labelled.frame
        error, mount = None, self._predictor.mount
        up = truth.up if truth.up is None or mount is None else mount.vehicle_up(truth.up)
        if truth.in_view and truth.line is not None:
            error = line_error(estimate.line, truth.line, frame.width, frame.height)
        return FrameRow(
            file=labelled.file,
            frame=frame.index,
            time_s=frame.time_s,
            scene=labelled.scene,
            truth=self._dataset.truth,
            sequence=labelled.sequence,
            in_view=truth.in_view,
            reported=estimate.view == "horizon" if truth.in_view is False else estimate.up is not None,
            error=error,
            roll_pitch_deg=None if up is None else (up.roll_deg, up.pitch_deg),
            attitude=_attitude_error(up, estimate, mount),
            iou=iou,
        )

    def _count_pixels(
        self, labelled: LabelledFrame, truth: Truth, estimate: Estimate, camera: Camera
    ) -> float | None:
        """Add the frame to the mask counts of its scene; the IoU of the net's sky side."""
        sides = truth.sides(camera)
        if sides is None:
            return None
        masks, (sky, valid) = self._masks[labelled.scene], sides
        if estimate.up is not None and truth.in_view is not False:
            masks.half_plane.update_sides(above(estimate.up, camera), sky, valid)
        if estimate.logits is None:
            return None
        counts = MaskCounts()
        counts.update(estimate.logits, sky, valid)
        masks.net.add(counts)
        iou = counts.summary()["iou"]
        return None if iou is None else float(iou)

    def _keep_if_bad(
        self, row: FrameRow, labelled: LabelledFrame, truth: Truth, estimate: Estimate, camera: Camera
    ) -> None:
        score, note = _severity(row)
        if not self._worst.wants(score):
            return
        sides = truth.sides(camera) if truth.up is None else None
        picture = thumbnail(
            labelled.frame, camera, truth.up, estimate.up, None if sides is None else sides[0]
        )
        name = f"{row.file}, frame {row.frame}" if row.file == row.sequence else row.file
        name = f"{self._dataset.name}: {name}"
        self._worst.add(HardestFrame(score=score, name=name, note=note, jpeg=picture))


def _attitude_error(truth: UpVector | None, estimate: Estimate, mount: Mount | None) -> AttitudeError | None:
    """The error of roll and pitch: those of the vehicle with a mount, as its sigmas and this truth are."""
    up, roll_sd, pitch_sd = estimate.up, estimate.roll_sd_deg, estimate.pitch_sd_deg
    if up is None or truth is None or roll_sd is None or pitch_sd is None:
        return None
    up = up if mount is None else mount.vehicle_up(up)
    return AttitudeError(
        wrap_degrees(up.roll_deg - truth.roll_deg), up.pitch_deg - truth.pitch_deg, roll_sd, pitch_sd
    )


def _severity(row: FrameRow) -> tuple[float, str]:
    """How bad a frame is, 0..1, and why in words."""
    if row.in_view is False:
        return (1.0, "a horizon where there is none") if row.reported else (0.0, "")
    if row.error is None:
        return (0.0, "") if row.iou is None else (1 - row.iou, f"IoU {row.iou:.3f}")
    if row.error.dphi_deg is None:
        return 1.0, "no estimate"
    return row.error.e, f"e {row.error.e:.3f}, dphi {row.error.dphi_deg:.2f}°"
