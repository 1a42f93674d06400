"""The training loop: mixed precision on a GPU, a running mean of the weights, checkpoints to go on from."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.errors import TrainingError
from horizon_rt.models.nets.lite import keep_first_stages, pretrained_encoder
from horizon_rt.models.sizes import CHROMA_GAIN, LUMA_FLOOR
from horizon_rt.system.files import make_folder, write_atomic
from horizon_rt.system.interrupts import interrupts_wait
from horizon_rt.training.batches import Batch, Batches, load, mirrored, recoloured
from horizon_rt.training.log import append_entry, trim_log
from horizon_rt.training.losses import make_loss, mask_loss
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.schedules import make_optimiser, make_schedule
from horizon_rt.training.teacher import Targets, shrunk, taught

__all__ = ["HEAVY", "LOG_EVERY", "Evaluate", "OnLog", "Precision", "Settings", "Trainer", "normalise"]

Precision = Literal["float32", "bfloat16", "float16"]
# Called with a net in evaluation mode; gives numbers to log. Early stopping and the plateau watch 'loss', or
# that of training where there is none.
Evaluate = Callable[[nn.Module], dict[str, float]]
OnStep = Callable[[int, float], None]
OnLog = Callable[[int, dict[str, float]], None]
_CLIP = 1.0
LOG_EVERY = 50
# Light nets learn up to a third faster with channels last, nets of wide convolutions up to 44 % slower.
HEAVY = 10_000_000  # parameters


def _memory_format(net: nn.Module, settings: Settings) -> torch.memory_format:
    """The one that is faster, as measured in float32 on a CPU; elsewhere channels last."""
    measured = settings.device == "cpu" and settings.precision == "float32"
    heavy = sum(values.numel() for values in net.parameters()) > HEAVY
    return torch.contiguous_format if measured and heavy else torch.channels_last


def normalise(yuv: Tensor) -> Tensor:
    """YUV (n, 3, h, w) in 0..255 to net input, the same as `preprocess` computes for a frame."""
    x = yuv.float() / 255
    luma = x[:, :1]
    deviation, mean = torch.std_mean(luma, dim=(1, 2, 3), keepdim=True, correction=0)
    return torch.cat([(luma - mean) / (deviation + LUMA_FLOOR), CHROMA_GAIN * (x[:, 1:] - 128 / 255)], dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where and how a run is carried out; none of it changes what the run is, but for rounding.

    `evaluate_every` is in steps; training stops early after `patience` evaluations without a lower loss
    (0: never). Without `checkpoints` a run cannot be gone on with.
    """

    folder: Path
    device: Literal["cpu", "cuda"] = "cpu"
    precision: Precision = "float32"
    threads: int = 2
    workers: int = 1
    evaluate_every: int = 500
    patience: int = 0
    resume: bool = False
    checkpoints: bool = True


@dataclass
class Trainer:
    """Trains a net on batches; `average` (a state dict) holds the mean of its weights that is the result.

    `teacher` is what the recipe's one was loaded as. `has_test` is False for a run that goes on and began
    before pictures for test were kept apart from those for validation. `origin` tells which model the net
    starts from, `held_out` which pictures it never sees: a run goes on with the same ones only.
    """

    net: nn.Module
    recipe: Recipe
    settings: Settings
    on_log: OnLog | None = None
    teacher: nn.Module | None = None
    origin: str = ""
    held_out: str = ""
    step: int = 0
    observed: int = 0
    best: float = float("inf")
    since_best: int = 0
    has_test: bool = True
    average: dict[str, Tensor] = field(init=False)
    best_average: dict[str, Tensor] | None = None
    _optimiser: torch.optim.Optimizer = field(init=False)
    _scaler: torch.amp.GradScaler = field(init=False)
    _generator: torch.Generator = field(init=False)
    _running: float = float("nan")
    _start: dict[str, Tensor] = field(init=False)
    _split: object = field(init=False)
    _format: torch.memory_format = field(init=False)

    def __post_init__(self) -> None:
        """Raises TrainingError for an unknown loss, optimiser or schedule, for an unusable checkpoint and for
        a net that cannot be pretrained, OutputError for a folder that cannot be made.
        """
        recipe, device = self.recipe, self.settings.device
        if recipe.pretrained:
            keep_first_stages(pretrained_encoder(self.net))
        torch.set_num_threads(self.settings.threads)
        self._format = _memory_format(self.net, self.settings)
        self.net.to(device, memory_format=self._format)  # type: ignore[call-overload]
        if self.teacher is not None:
            self.teacher.to(device).eval()
        self._loss = make_loss(recipe.loss)
        self._optimiser = make_optimiser(
            self.net, recipe.optimiser, rate=recipe.rate, weight_decay=recipe.weight_decay
        )
        self._schedule = make_schedule(
            self._optimiser, recipe.schedule, steps=recipe.steps, warm_up=int(recipe.warm_up * recipe.steps)
        )
        self._scaler = torch.amp.GradScaler(device, enabled=self.settings.precision == "float16")
        self._generator = torch.Generator().manual_seed(recipe.seed)
        self._split = recipe.material()["split"]
        self.average = {k: v.detach().clone().float() for k, v in self.net.state_dict().items()}
        stays_near = recipe.anchor > 0 or recipe.kept > 0
        self._start = {k: v.clone() for k, v in self.average.items()} if stays_near else {}
        make_folder(self.settings.folder)
        if self.settings.resume:
            self._restore()
        # What was logged after the checkpoint will be logged again.
        trim_log(self._log_path, self.step or -1)

    @property
    def _checkpoint(self) -> Path:
        return self.settings.folder / "checkpoint.pt"

    @property
    def _log_path(self) -> Path:
        return self.settings.folder / "log.jsonl"

    def run(self, batches: Batches, evaluate: Evaluate, on_step: OnStep = lambda step, loss: None) -> bool:
        """Train to the end of the recipe, or until evaluations get no better; whether it got to the end."""
        start = time.monotonic()
        if self._is_due() and self.observed < self.step:  # it was interrupted
            self._observe(evaluate)
        if self._is_stopped():
            return self.step == self.recipe.steps
        steps = range(self.step, self.recipe.steps)
        with closing(load(batches, steps, workers=self.settings.workers)) as loaded:
            for batch in loaded:
                with interrupts_wait():
                    loss = self._learn(batch)
                    self._running = loss if math.isnan(self._running) else 0.98 * self._running + 0.02 * loss
                    self.step += 1
                on_step(self.step, self._running)
                if self.step % LOG_EVERY == 0 or self.step == self.recipe.steps:
                    self._log_step(time.monotonic() - start)
                if self._is_due():
                    self._observe(evaluate)
                    if self._is_stopped():
                        return self.step == self.recipe.steps
        return True

    def _is_due(self) -> bool:
        """Whether an evaluation follows the last step."""
        return self.step % self.settings.evaluate_every == 0 or self.step == self.recipe.steps

    def _is_stopped(self) -> bool:
        return 0 < self.settings.patience <= self.since_best

    def _log_step(self, seconds: float) -> None:
        values = {"loss": self._running, "rate": self.rate}
        self.log(values | {"s": round(seconds, 2)}, {f"training/{k}": v for k, v in values.items()})

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(self._optimiser.param_groups[0]["lr"])

    def averaged(self) -> nn.Module:
        """A net in evaluation mode with the mean weights; the trained net goes on untouched."""
        return self._with(self._mixed(self.average))

    def result(self) -> nn.Module:
        """The outcome: the last mean weights, or with early stopping those of the best evaluation."""
        best = self.best_average if self.settings.patience else None
        return self._with(self._mixed(best or self.average))

    def _mixed(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights with the share `kept` of those of the start: Wortsman et al. 2022 (arXiv 2109.01903)."""
        kept = self.recipe.kept
        return weights if kept == 0 else {k: v.lerp(self._start[k], kept) for k, v in weights.items()}

    def _with(self, weights: dict[str, Tensor]) -> nn.Module:
        net = deepcopy(self.net).eval()
        net.load_state_dict(weights)
        return net

    def _learn(self, batch: Batch) -> float:
        device, precision = self.settings.device, self.settings.precision
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.step)  # a run that goes on drops out the same
        self._train_mode()
        images, targets = self._lesson(batch)
        picture = normalise(images).contiguous(memory_format=self._format)
        low = torch.bfloat16 if precision == "bfloat16" else torch.float16
        with torch.autocast(device, dtype=low, enabled=precision != "float32"):
            mask, presence = self.net(picture)
        loss = self._loss_of(mask.float(), presence.float(), targets)
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimiser)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), _CLIP)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._draw_back()
        self._schedule.step()
        self._follow()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(f"the loss is no number at step {self.step}; try a lower --rate")
        return value

    def _lesson(self, batch: Batch) -> tuple[Tensor, Targets]:
        """Pictures as the net gets them, on its device, and what it is to answer."""
        device, recipe = self.settings.device, self.recipe
        images = batch.images.float()
        if recipe.augmented:
            batch = mirrored(batch, self._generator)
            images = recoloured(batch.images, self._generator)
        images = images.to(device)
        covers = batch.covers[:, None].float() / 255
        targets = Targets(*(part.to(device) for part in (covers, batch.presences, batch.weights)))
        if batch.classes is not None:
            targets = targets._replace(classes=batch.classes.to(device))
        if batch.counted is not None:
            targets = targets._replace(counted=batch.counted[:, None].to(device).float() / 255)
        if self.teacher is None:
            return images, targets
        targets = taught(targets, self.teacher, normalise(images), recipe.teacher_share)
        drawn = torch.randint(len(recipe.student_areas), (), generator=self._generator)
        return shrunk(images, targets, recipe.student_areas[int(drawn)])

    def _train_mode(self) -> None:
        self.net.train()
        if self.recipe.frozen_norm:
            _keep_statistics(self.net)
        elif self.recipe.pretrained:
            _keep_statistics(pretrained_encoder(self.net))

    def _loss_of(self, mask: Tensor, presence: Tensor, targets: Targets) -> Tensor:
        asked = (targets.presences >= 0).float()
        seen = F.binary_cross_entropy_with_logits(presence, targets.presences.clamp(0, 1), reduction="none")
        of_mask = mask_loss(self._loss, mask, targets)
        return of_mask + self.recipe.presence_weight * (seen * asked).mean()

    @torch.no_grad()
    def _draw_back(self) -> None:
        """L2-SP of Li et al. 2018 (arXiv 1802.01483), decoupled from the gradient as AdamW's decay is."""
        if self.recipe.anchor > 0:
            for name, weights in self.net.named_parameters():
                weights.lerp_(self._start[name], self.recipe.anchor * self.rate)

    @torch.no_grad()
    def _follow(self) -> None:
        decay = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        for name, value in self.net.state_dict().items():
            self.average[name].lerp_(value.float(), 1 - decay)

    def evaluate(self, evaluate: Evaluate) -> dict[str, float]:
        """Evaluate the mean weights and log what is found."""
        found = evaluate(self.averaged())
        if found:
            self.log({"evaluation": found}, found)
        return found

    def _observe(self, evaluate: Evaluate) -> None:
        found = self.evaluate(evaluate)
        loss = found.get("loss", self._running)
        with interrupts_wait():
            self._schedule.observe(loss)
            self.observed = self.step
            self.since_best += 1
            if loss < self.best:
                self.best, self.since_best = loss, 0
                self.best_average = {k: v.clone() for k, v in self.average.items()}
            if self.settings.checkpoints:
                self.save()

    def log(self, entry: dict[str, Any], values: dict[str, float] | None = None) -> None:
        """Add an entry to log.jsonl, and tell `on_log` of its values; raises OutputError."""
        if self.on_log is not None and values:
            self.on_log(self.step, values)
        append_entry(self._log_path, {"step": self.step, "of": self.recipe.steps, **entry})

    def save(self) -> None:
        """Write the checkpoint that `resume` goes on from; raises OutputError."""
        state = {
            "step": self.step,
            "observed": self.observed,
            "origin": self.origin,
            "held_out": self.held_out,
            "best": self.best,
            "since_best": self.since_best,
            "running": self._running,
            "recipe": {name: str(value) for name, value in asdict(self.recipe).items()},
            "net": self.net.state_dict(),
            "average": self.average,
            "best_average": self.best_average,
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "scaler": self._scaler.state_dict(),
            "generator": self._generator.get_state(),
            **({"split": self._split} if self.has_test else {}),
        }
        torch.save(state, packed := io.BytesIO())  # which tells of a full disk by a RuntimeError
        write_atomic(self._checkpoint, packed.getbuffer())

    def _restore(self) -> None:
        """Go on from the checkpoint, if there is one; raises TrainingError for one of another run."""
        try:
            state = torch.load(self._checkpoint, map_location="cpu", weights_only=True)
            self._check_recipe(state["recipe"])
            self._check_split(state)
            if state.get("origin", self.origin) != self.origin:
                raise self._other("model to start from")
            self._take_over(state)
        except FileNotFoundError:
            return
        except TrainingError:
            raise
        except Exception as error:  # whatever a damaged file makes torch and pickle raise
            reason = " ".join(str(error).split())[:200]
            raise TrainingError(f"{self._checkpoint} is no usable checkpoint: {reason}") from error

    def _check_recipe(self, before: dict[str, str]) -> None:
        usual = asdict(Recipe())  # what a checkpoint does not name yet
        if "anchor" not in before:
            self.recipe = replace(self.recipe, anchor=0.0)  # as fine-tuning was before there was one
        for name, value in asdict(self.recipe).items():
            if before.get(name, str(usual[name])) != str(value):
                raise self._other(name)

    def _check_split(self, state: dict[str, Any]) -> None:
        self.has_test = "split" in state
        if self.has_test and state["split"] != self._split:
            raise self._other("text of its split")

    def hold_out(self, pictures: str) -> None:
        """Take what tells the pictures that are held out; raises TrainingError where a run that goes on had
        others, and may have learnt from these.
        """
        if self.held_out and self.held_out != pictures:
            raise self._other("set of pictures that are held out")
        self.held_out = pictures

    def _other(self, what: str) -> TrainingError:
        return TrainingError(
            f"{self._checkpoint} is of a run with another {what}; go on with the options of that run, or "
            "give another --out"
        )

    def _take_over(self, state: dict[str, Any]) -> None:
        self.step = _counted("step", state["step"], self.recipe.steps)
        self.observed = _counted("observed", state.get("observed", self.step), self.recipe.steps)
        self.held_out = str(state.get("held_out", ""))
        self.since_best = _counted("since_best", state["since_best"], self.recipe.steps)
        self.best, self._running = float(state["best"]), float(state.get("running", math.nan))
        self.net.load_state_dict(state["net"])
        best = state["best_average"]
        self.average = self._checked(state["average"])
        self.best_average = None if best is None else self._checked(best)
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
        self._scaler.load_state_dict(state["scaler"])
        self._generator.set_state(state["generator"])

    def _checked(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights on the device, after a look whether they are those of this net."""
        self._with(weights)
        return {name: value.to(self.settings.device).float() for name, value in weights.items()}


def _keep_statistics(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _counted(name: str, value: object, most: int) -> int:
    if not (type(value) is int and 0 <= value <= most):
        raise ValueError(f"its {name} is no number from 0 to {most}")
    return value
