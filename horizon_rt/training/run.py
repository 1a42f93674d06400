"""A whole training run: material, net, loop, and the model and report that come out of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import nn

from horizon_rt.datasets.folder import read_classes
from horizon_rt.datasets.splits import write_split
from horizon_rt.errors import DatasetError, TrainingError
from horizon_rt.models.manifest import check_name
from horizon_rt.models.nets.contract import AboveHorizon
from horizon_rt.models.nets.lite import imagenet_weights, pretrained_encoder, take_imagenet
from horizon_rt.models.sizes import INPUT_AREA_PX
from horizon_rt.models.weights import (
    ModelCard,
    SigmaCalibration,
    find_model,
    load_net,
    new_net,
    write_manifest,
)
from horizon_rt.system.extras import require
from horizon_rt.system.files import own_folder
from horizon_rt.system.interrupts import interrupts_wait
from horizon_rt.training.batches import Batches, CachedBatches, EpochBatches, LiveBatches
from horizon_rt.training.calibration import RENDERED, calibrate
from horizon_rt.training.log import read_log
from horizon_rt.training.loop import Evaluate, OnLog, Settings, Trainer
from horizon_rt.training.losses import make_loss
from horizon_rt.training.outcome import SPLIT, Outcome
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.samples.cache import WorkerLost, build_cache, check_material, sizes_of
from horizon_rt.training.samples.pictures import (
    Picture,
    PictureSets,
    held_out_names,
    load,
    named_datasets,
    picture_sets,
    thinned,
)
from horizon_rt.training.samples.sampler_set import samplers_of
from horizon_rt.training.validation import Validation

__all__ = ["EVALUATED", "TrainingJob", "check_classes"]

# What is done, the step, their number, the loss.
OnStep = Callable[[str, int, int, float], None]
# Of a model that was never calibrated; see docs/accuracy.md.
_SIGMA = SigmaCalibration(scale=4.0, boundary_width=0.5)
EVALUATED = 150
"""Pictures of a dataset that an evaluation uses, and the test and the calibration at least."""
_COMPARED = 50  # of them at most for the loss of training on the same footing
_LEARNT = "training pictures/"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """A run of `recipe` under `settings`.

    `init` is a model to start from by name or path, which also decides the net. `cache` holds samples made
    once (`cache_samples` of them, if it is not there yet); without one they are made on the fly. An
    evaluation looks at `evaluated` pictures of each dataset; few of them make neither the test at the end nor
    the calibration smaller. `calibrated` sets sigma anew at the end.
    """

    recipe: Recipe
    settings: Settings
    name: str
    init: str | None = None
    cache: Path | None = None
    cache_samples: int = 20_000
    tensorboard: bool = False
    evaluated: int = EVALUATED
    calibrated: bool = True

    def run(self, on_step: OnStep) -> Outcome:
        """Train; `on_step` gets what is done, the step, their number, and the loss.

        Raises DatasetError, TrainingError, WeightsError, OutputError or MissingExtra. An interrupt leaves a
        checkpoint.
        """
        check_name(self.name)
        require("report", "the report of a training run")
        if self.tensorboard:
            require("tensorboard", "--tensorboard")
        with own_folder(self.settings.folder):
            return self._run(on_step)

    def _run(self, on_step: OnStep) -> Outcome:
        goes_on = (self.settings.folder / "checkpoint.pt").exists()
        if goes_on and not self.settings.resume:
            raise TrainingError(
                f"{self.settings.folder} holds a run already; --resume goes on with it, or give another --out"
            )
        if self.settings.resume and not goes_on:
            raise TrainingError(f"{self.settings.folder} has no checkpoint to go on from; leave --resume out")
        for name in ("frozen_norm", "anchor", "kept"):
            if getattr(self.recipe, name) and self.init is None:
                raise TrainingError(f"{name} needs a net with values to keep; give --init")
        make_loss(self.recipe.loss)  # said before a cache is filled
        torch.manual_seed(self.recipe.seed)
        card = None if self.init is None else find_model(name=self.init)
        recipe = self.recipe if card is None else _of_model(self.recipe, card)
        net = (
            new_net(recipe.net, max(len(recipe.classes), 1))
            if card is None
            else load_net(card, all_classes=True)
        )
        if recipe.pretrained:
            encoder = pretrained_encoder(net)
            if card is None and not goes_on:
                take_imagenet(encoder, imagenet_weights())
        area = input_area(recipe, card)
        teacher = load_net(find_model(name=recipe.teacher)) if recipe.teacher else None
        batches = self._batches(recipe, on_step)
        with _events(self.settings.folder / "events" if self.tensorboard else None) as on_log:
            origin = "" if card is None else card.sha256
            trainer = Trainer(net, recipe, self.settings, on_log, teacher, origin)
            sets = picture_sets(recipe.data, recipe.split, has_test=trainer.has_test)
            if recipe.split is None:  # which pictures are held out follows from all that are labelled
                trainer.hold_out(_digest(sets.validation, sets.test))
            for name in sets.training.keys() - sets.validation.keys() - sets.test.keys():
                _log.warning("of %s no picture is held out: nothing judges what is learnt", name)
            if recipe.classes:
                check_classes(recipe.classes, sets.training)
            validation = self._validation(recipe, area, _few(sets.validation, self.evaluated))
            learnt = _few(_few(sets.training, self.evaluated), _COMPARED)
            if self.settings.patience and not len(validation):
                raise TrainingError("--patience needs pictures that are held out; give --data")
            watch = _watching(validation, self._validation(recipe, area, learnt))
            if trainer.step == 0 and card is not None:
                trainer.evaluate(watch)
            finished = _train(trainer, batches, watch, on_step)
        return self._outcome(trainer, card, area, sets, validation, finished=finished)

    def _validation(self, recipe: Recipe, area: int, pictures: dict[str, list[Picture]]) -> Validation:
        loss = make_loss(recipe.loss)
        return Validation(pictures, loss, presence_weight=recipe.presence_weight, input_area_px=area)

    def _outcome(
        self,
        trainer: Trainer,
        card: ModelCard | None,
        area: int,
        sets: PictureSets,
        validation: Validation,
        *,
        finished: bool,
    ) -> Outcome:
        from horizon_rt.training.report import first_evaluation, least_loss, write_report

        recipe, folder, net = trainer.recipe, self.settings.folder, trainer.result()
        judged = max(self.evaluated, EVALUATED)  # fewer are for the evaluations on the way alone
        sigma = _SIGMA if card is None else card.sigma
        model = self._write(trainer, net, card, sigma, area)
        if self.calibrated:  # after the model is safe, as this takes long
            sigma = _calibrated(net, recipe, _few(sets.validation, judged), sigma, area)
            model = self._write(trainer, net, card, sigma, area)
        after, worst_first = validation.report(net)
        if recipe.split is None:
            aside, test = held_out_names(recipe.data)
            write_split(folder / SPLIT, aside, test if trainer.has_test else {})
        tested = self._validation(recipe, area, _few(sets.test, judged))(net)
        if tested:
            trainer.log({"test": tested})
        report = write_report(folder, self.name, recipe, worst_first, after, tested)
        curves = read_log(folder / "log.jsonl")
        before, best = first_evaluation(curves), least_loss(curves)
        return Outcome(model, report, before, after, tested, best, finished)

    def _write(
        self, trainer: Trainer, net: nn.Module, card: ModelCard | None, sigma: SigmaCalibration, area: int
    ) -> ModelCard:
        recipe = trainer.recipe
        return write_manifest(
            self.settings.folder,
            self.name,
            recipe.net if card is None else card.net,
            net.state_dict(),
            sigma,
            {
                "trained": f"{trainer.step * recipe.batch} samples",
                "seed": recipe.seed,
                **({} if self.init is None else {"init": self.init}),
            },
            input_area_px=area,
            default=True,
            classes=recipe.classes,
        )

    def _batches(self, recipe: Recipe, on_step: OnStep) -> Batches:
        if recipe.epochs:
            return EpochBatches(recipe)
        if self.cache is not None and any(read_classes(path) for _, path in named_datasets(recipe.data)):
            raise DatasetError("a cache holds no masks of several classes; leave --cache out")
        if self.cache is None:
            samplers_of(recipe)  # what is wrong with the material is better said here than by a worker
            return LiveBatches(recipe)
        if not (self.cache / "cache.json").exists():
            build_cache(
                self.cache,
                recipe,
                count=self.cache_samples,
                workers=self.settings.workers,
                on_progress=lambda done, count: on_step("making samples", done, count, float("nan")),
            )
        else:
            check_material(self.cache, recipe)
        counts = {size: count for size, (_, count) in sizes_of(recipe).items()}
        return CachedBatches([self.cache], batch=recipe.batch, seed=recipe.seed, sizes=counts)


def _few(pictures: Mapping[str, Sequence[Picture]], count: int) -> dict[str, list[Picture]]:
    return {name: thinned(some, count) for name, some in pictures.items()}


def check_classes(names: Sequence[str], pictures: Mapping[str, Sequence[Picture]]) -> None:
    """Raises DatasetError for a class that no mask of many pictures holds, as one of a mistyped colour."""
    missing, has_masks = dict(enumerate(names)), False
    first = chain.from_iterable(_few(pictures, _COMPARED).values())
    for picture in (*first, *chain.from_iterable(pictures.values())):  # few tell most classes
        if not missing:
            return
        if (classes := load(picture).classes) is not None:
            has_masks = True
            for number in np.unique(classes):
                missing.pop(int(number), None)
    if has_masks and missing:
        what = f"no mask that is trained on has a pixel of {', '.join(missing.values())}"
        raise DatasetError(f"{what}; look at the colours in dataset.toml")


def _digest(*parts: Mapping[str, Sequence[Picture]]) -> str:
    """What tells sets of pictures from others, by the names of their files."""
    names = [{name: [one.path.name for one in some] for name, some in part.items()} for part in parts]
    return hashlib.sha256(repr(names).encode()).hexdigest()


def _calibrated(
    net: nn.Module,
    recipe: Recipe,
    pictures: Mapping[str, Sequence[Picture]],
    before: SigmaCalibration,
    area: int,
) -> SigmaCalibration:
    """Set on pictures for validation and, if the net was to learn from such, on rendered frames."""
    rendered = RENDERED if recipe.shares else 0
    above = deepcopy(AboveHorizon(net) if recipe.classes else net).cpu()
    return calibrate(above, pictures, before, input_area_px=area, rendered=rendered)


def _of_model(recipe: Recipe, card: ModelCard) -> Recipe:
    """The recipe for a net that there is already; raises TrainingError where its classes are others."""
    if recipe.classes and recipe.classes != card.classes:
        known = ", ".join(card.classes) or "above and below the horizon"
        raise TrainingError(f"the model {card.name} tells {known} apart, not {', '.join(recipe.classes)}")
    return replace(recipe, net=str(card.net), classes=card.classes)


def input_area(recipe: Recipe, card: ModelCard | None) -> int:
    """The largest input, px, of the net that a run gives: of its recipe, or of the model it starts from."""
    if recipe.input_size:
        return int(recipe.input_size[0] * recipe.input_size[1])
    return INPUT_AREA_PX if card is None else card.input_area_px


def _watching(validation: Validation, learnt: Validation) -> Evaluate:
    """An evaluation of the pictures for validation, and of some that are trained on by the same measure.

    The gap between the losses of both is how much the net has learnt by heart.
    """

    def evaluate(net: nn.Module) -> dict[str, float]:
        found = validation(net)
        also = learnt(net) if found else {}
        kept = ("loss", "dice", "auc")
        return found | {_LEARNT + k: v for k, v in also.items() if k.rpartition("/")[2] in kept}

    return evaluate


def _train(trainer: Trainer, batches: Batches, watch: Evaluate, on_step: OnStep) -> bool:
    """`Trainer.run`; an interrupt and the loss of a worker leave a checkpoint."""
    try:
        return trainer.run(
            batches, watch, lambda step, loss: on_step("training", step, trainer.recipe.steps, loss)
        )
    except (KeyboardInterrupt, WorkerLost):
        with interrupts_wait():
            trainer.save()
        raise


@contextmanager
def _events(folder: Path | None) -> Iterator[OnLog | None]:
    """Writes the log as TensorBoard events; raises MissingExtra where that is not installed."""
    if folder is None:
        yield None
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:

        def write(step: int, values: dict[str, float]) -> None:
            for name, value in values.items():
                writer.add_scalar(name, value, step)
            writer.flush()

        yield write
