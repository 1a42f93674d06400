"""How a net does on labelled pictures that it is not trained on: loss, overlap and horizon errors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.camera import Camera
from horizon_rt.datasets.base import NO_CLASS
from horizon_rt.errors import TrainingError
from horizon_rt.fitting import HorizonFitter
from horizon_rt.frame import Frame
from horizon_rt.geometry import HorizonLine
from horizon_rt.horizon import Observation
from horizon_rt.metrics import LineError, MaskCounts, line_error, summarise
from horizon_rt.metrics.classes import ClassCounts
from horizon_rt.models.nets.contract import above_horizon
from horizon_rt.models.sizes import INPUT_AREA_PX, OUTPUT_STRIDE
from horizon_rt.models.weights import SigmaCalibration
from horizon_rt.segmentation import Segmentation
from horizon_rt.segmentation.letterbox import Letterbox
from horizon_rt.segmentation.preprocess import Preprocessor
from horizon_rt.training.losses import Loss, cross_entropy
from horizon_rt.training.recipe import PRESENCE_WEIGHT
from horizon_rt.training.samples.pictures import Picture, load

__all__ = ["Prediction", "Validation"]

_BATCH = 16
# What is told of the sky side of masks, and its name in `MaskCounts.summary`.
_OVERLAP = {"dice": "dice", "iou": "iou", "miou": "miou", "accuracy": "pixel_accuracy_percent"}


@dataclass(frozen=True, slots=True)
class _Case:
    """A picture as the net sees it; `cover` (None without truth of any cell) and `inside` are (1, h/4, w/4).

    `inside` is 0 beyond the picture, and where its mask says nothing.
    `truth` is None where no line of a horizon in view is known; `seen` as in `Loaded`. `classes` are
    (h/4, w/4), none beyond the picture.
    """

    name: str
    source: Picture
    size: tuple[int, int]
    picture: NDArray[np.float32]
    letterbox: Letterbox
    truth: HorizonLine | None
    seen: bool | None
    cover: NDArray[np.float32] | None
    inside: NDArray[np.float32]
    classes: NDArray[np.uint8] | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a net made of a picture.

    `error` is None without a true line, `overlap` without a true mask; `seen` as in `Loaded`.
    """

    picture: Picture
    truth: HorizonLine | None
    seen: bool | None
    observation: Observation
    line: HorizonLine | None
    error: LineError | None
    overlap: dict[str, float] | None

    @property
    def dice(self) -> float | None:
        """Of the sky side, 1 where there is none and none was found; None without a true mask."""
        return None if self.overlap is None else self.overlap["dice"]

    @property
    def severity(self) -> float:
        """The horizon error e, 0..1; a false alarm counts 1, a right refusal 0; of a mask 1 − Dice."""
        if self.error is not None:
            return self.error.e
        return float(self.line is not None) if self.seen is False else 1 - (self.dice or 0.0)


class Validation:
    """Labelled pictures by dataset, read once; a call evaluates a net on them."""

    def __init__(
        self,
        pictures: dict[str, list[Picture]],
        loss: Loss,
        *,
        presence_weight: float = PRESENCE_WEIGHT,
        input_area_px: int = INPUT_AREA_PX,
    ) -> None:
        preprocess = Preprocessor(input_area_px)
        self._loss, self._presence_weight = loss, presence_weight
        self._cases = [
            _case(name, picture, preprocess) for name, some in pictures.items() for picture in some
        ]

    def __len__(self) -> int:
        return len(self._cases)

    def __call__(self, net: nn.Module) -> dict[str, float]:
        """The loss; by dataset Dice, IoU, mean IoU, pixel accuracy, AUC, the median tilt error, finds and
        refusals, all rates in percent; of a net of several classes their mean IoU and accuracy.

        Nothing where there are no pictures.
        """
        return self.report(net)[0]

    def report(self, net: nn.Module) -> tuple[dict[str, float], list[Prediction]]:
        """What a call gives, and what it comes from: a prediction for each picture, the worst first."""
        losses, predictions = [], defaultdict(list)
        classes: dict[str, ClassCounts] = {}
        for case, (scores, presence) in zip(self._cases, self._run(net), strict=True):
            losses.append(self._loss_of(case, scores, presence))
            count = scores.shape[0]
            mask = scores if count == 1 else above_horizon(scores[None])[0]
            predictions[case.name].append(_predict(case, mask, presence))
            if count > 1 and case.classes is not None:
                counts = classes.setdefault(case.name, ClassCounts(count))
                counts.update(scores.argmax(dim=0).numpy(), case.classes)
        found = {"loss": float(np.mean(losses))} if losses else {}
        for name, some in predictions.items():
            found |= {f"{name}/{key}": value for key, value in _metrics(some).items()}
        for name, counts in classes.items():
            found |= {
                f"{name}/class_{k}": value for k, value in counts.summary().items() if value is not None
            }
        every = [prediction for some in predictions.values() for prediction in some]
        return found, sorted(every, key=lambda prediction: -prediction.severity)

    def _run(self, net: nn.Module) -> list[tuple[Tensor, Tensor]]:
        """Mask logits or scores (classes, h/4, w/4) and presence logit of every case, on the CPU."""
        device = next(net.parameters()).device
        groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, case in enumerate(self._cases):
            groups[case.picture.shape].append(i)
        results: dict[int, tuple[Tensor, Tensor]] = {}
        with torch.inference_mode():
            for members in groups.values():
                for chunk in (members[i : i + _BATCH] for i in range(0, len(members), _BATCH)):
                    batch = torch.from_numpy(np.stack([self._cases[i].picture for i in chunk])).to(device)
                    outputs = net(batch.contiguous(memory_format=torch.channels_last))
                    masks, presences = (output.float().cpu() for output in outputs)
                    if not (masks.isfinite().all() and presences.isfinite().all()):
                        raise TrainingError("what the net answers is no number; try a lower --rate")
                    results |= dict(zip(chunk, zip(masks, presences, strict=True), strict=True))
        return [results[i] for i in range(len(self._cases))]

    def _loss_of(self, case: _Case, scores: Tensor, presence: Tensor) -> float:
        loss = torch.zeros(())
        if case.seen is not None:
            seen = torch.tensor(float(case.seen))
            loss = self._presence_weight * F.binary_cross_entropy_with_logits(presence, seen)
        if case.cover is not None:
            if scores.shape[0] > 1 and case.classes is not None:
                return float(loss + cross_entropy(scores[None], torch.from_numpy(case.classes)[None]))
            cover, inside = torch.from_numpy(case.cover), torch.from_numpy(case.inside)
            mask = scores[None] if scores.shape[0] == 1 else above_horizon(scores[None])
            loss = loss + self._loss(mask, cover[None], inside[None])
        return float(loss)


def _case(name: str, picture: Picture, preprocess: Preprocessor) -> _Case:
    image, line, sky, seen, classes, counted = load(picture)
    height, width = image.shape[:2]
    letterbox = preprocess(Frame.from_bgr(image))
    shown = preprocess.input[0].copy()
    rows, columns = (n // OUTPUT_STRIDE for n in shown.shape[1:])
    points = letterbox.cell_centres(rows, columns)
    inside = ((points >= -0.5) & (points <= np.array([width, height]) - 0.5)).all(axis=1)
    nearest = np.clip(np.round(points).astype(int), 0, np.array([width, height]) - 1)
    cover = None
    if line is not None:
        origin, normal = line.signed_distance(0, 0, width, height), np.array(line.normal)
        distance = (points @ normal + origin) * letterbox.scale
        cover = np.clip(distance / OUTPUT_STRIDE + 0.5, 0, 1).reshape(1, rows, columns).astype(np.float32)
    elif sky is not None:
        cover = (sky[nearest[:, 1], nearest[:, 0]] > 127).reshape(1, rows, columns).astype(np.float32)
        seen = _seen(sky, counted) if seen is None else seen
        if counted is not None:
            inside &= counted[nearest[:, 1], nearest[:, 0]] > 127
        if not inside.any():
            cover = None
    inner = inside.reshape(1, rows, columns).astype(np.float32)
    truth = None if seen is False else line
    if classes is not None:
        classes = np.where(inside, classes[nearest[:, 1], nearest[:, 0]], NO_CLASS).astype(np.uint8)
        classes = classes.reshape(rows, columns)
    return _Case(name, picture, (width, height), shown, letterbox, truth, seen, cover, inner, classes)


def _seen(sky: NDArray[np.uint8], counted: NDArray[np.uint8] | None) -> bool | None:
    """Whether a mask has two sides; unknown where only one counts, and not all of the picture does."""
    known = np.ones(sky.shape, bool) if counted is None else counted > 127
    if sky[known].any() and not sky[known].all():
        return True
    return False if known.all() else None


def _predict(case: _Case, mask: Tensor, presence: Tensor) -> Prediction:
    camera = Camera.assumed(*case.size)
    fitter = HorizonFitter(camera, SigmaCalibration(1.0, 0.1))
    seen = float(torch.sigmoid(presence))
    observation = fitter.fit(Segmentation(mask[0].contiguous().numpy(), seen, case.letterbox))
    found = observation.measurement
    line = None if found is None else camera.line(found.up)
    error = None if case.truth is None else line_error(line, case.truth, *case.size)
    overlap = None if case.cover is None else _overlap(case, case.cover, mask)
    return Prediction(case.source, case.truth, case.seen, observation, line, error, overlap)


def _overlap(case: _Case, cover: NDArray[np.float32], mask: Tensor) -> dict[str, float]:
    counts = MaskCounts()
    counts.update(mask.numpy(), cover > 0.5, case.inside > 0.5)
    found = counts.summary()
    # A side that is neither there nor found has no ratio.
    return {name: 1.0 if found[key] is None else float(found[key] or 0.0) for name, key in _OVERLAP.items()}


def _metrics(predictions: Iterable[Prediction]) -> dict[str, float]:
    errors, refused, overlaps = [], [], []
    for prediction in predictions:
        if prediction.overlap is not None:
            overlaps.append(prediction.overlap)
        if prediction.error is not None:
            errors.append(prediction.error)
        elif prediction.seen is False:
            refused.append(prediction.line is None)
    found: dict[str, float] = {}
    if overlaps:
        found |= {name: float(np.mean([overlap[name] for overlap in overlaps])) for name in _OVERLAP}
    if errors:
        summary = summarise(errors)
        found["auc"] = float(summary["auc"])  # type: ignore[arg-type]
        found["found"] = 100.0 * float(np.mean([error.dphi_deg is not None for error in errors]))
        if summary["dphi_deg"]:
            found["dphi"] = summary["dphi_deg"][1]  # type: ignore[index]
    if refused:
        found["refused"] = 100.0 * float(np.mean(refused))
    return found
