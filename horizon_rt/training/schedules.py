"""Optimisers and learning-rate schedules by name, made of torch's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

from torch import nn, optim
from torch.optim.lr_scheduler import LambdaLR, LinearLR, LRScheduler, ReduceLROnPlateau

from horizon_rt.errors import TrainingError

__all__ = [
    "OPTIMISERS",
    "SCHEDULES",
    "OptimiserName",
    "Schedule",
    "ScheduleName",
    "make_optimiser",
    "make_schedule",
]

OptimiserName = Literal["sgd", "nesterov", "adam", "adamw"]
OPTIMISERS: tuple[OptimiserName, ...] = get_args(OptimiserName)
ScheduleName = Literal["cosine", "step", "plateau"]
SCHEDULES: tuple[ScheduleName, ...] = get_args(ScheduleName)

_MOMENTUM = 0.9
_LEAST = 0.01  # of the rate, at the end of the cosine
_STAGES, _DROP = 3, 0.1  # of the step schedule
_PATIENCE, _CUT = 3, 0.5  # of the plateau, in evaluations


def make_optimiser(net: nn.Module, name: str, *, rate: float, weight_decay: float) -> optim.Optimizer:
    """The optimiser of all trainable weights of the net; raises TrainingError for an unknown name.

    'sgd' and 'nesterov' have a momentum of 0.9. Vectors (biases, scales of normalisations) do not decay.
    """
    trained = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if name in ("sgd", "nesterov"):
        return optim.SGD(groups, lr=rate, momentum=_MOMENTUM, nesterov=name == "nesterov")
    # Fused: one pass over the weights a step, which is what a net of 134 M of them spends its time on.
    if name == "adam":
        return optim.Adam(groups, lr=rate, fused=True)
    if name == "adamw":
        return optim.AdamW(groups, lr=rate, fused=True)
    raise TrainingError(f"unknown optimiser '{name}'; there are: {', '.join(OPTIMISERS)}")


class Schedule:
    """The learning rate over a run: `step` after every step of the optimiser, `observe` after an evaluation.

    To go on with a run, make both anew and load the state of the optimiser, then that of the schedule.
    """

    def __init__(self, steps: LRScheduler, plateau: ReduceLROnPlateau | None = None) -> None:
        self._steps, self._plateau = steps, plateau

    def step(self) -> None:
        """Set the rate of the next step."""
        self._steps.step()

    def observe(self, loss: float) -> None:
        """Tell the loss of an evaluation; only 'plateau' asks for it."""
        if self._plateau is not None:
            self._plateau.step(loss)

    def state_dict(self) -> dict[str, Any]:
        """Numbers, strings, lists and dicts for `load_state_dict`."""
        plateau = {} if self._plateau is None else self._plateau.state_dict()
        return {"steps": self._steps.state_dict(), "plateau": plateau}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._steps.load_state_dict(state["steps"])
        if self._plateau is not None:
            self._plateau.load_state_dict(state["plateau"])


def make_schedule(optimiser: optim.Optimizer, name: str, *, steps: int, warm_up: int) -> Schedule:
    """The schedule of a run of `steps` steps; the rate rises linearly over the first `warm_up` of them.

    Then 'cosine' falls to a hundredth at the end (Loshchilov and Hutter 2017, one period), 'step' to a
    tenth after each third of what is left, and 'plateau' to a half when 4 evaluations in a row gave no lower
    loss. Raises TrainingError for an unknown name or a warm-up that leaves no steps.
    """
    if not 0 <= warm_up < steps:
        raise TrainingError(f"a warm-up lies between 0 and the steps of the run ({steps}), got {warm_up}")
    if name == "plateau":
        # Both multiply what the other left.
        rise = LinearLR(optimiser, start_factor=1 / max(warm_up, 1), total_iters=max(warm_up - 1, 1))
        return Schedule(rise, ReduceLROnPlateau(optimiser, factor=_CUT, patience=_PATIENCE))
    if name not in _FALL:
        raise TrainingError(f"unknown schedule '{name}'; there are: {', '.join(SCHEDULES)}")
    fall = _FALL[name]

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return fall(min((step - warm_up) / (steps - warm_up), 1.0))

    return Schedule(LambdaLR(optimiser, factor))


def _cosine(progress: float) -> float:
    return _LEAST + (1 - _LEAST) * 0.5 * (1 + math.cos(math.pi * progress))


def _stairs(progress: float) -> float:
    return _DROP ** min(int(_STAGES * progress), _STAGES - 1)


_FALL: dict[str, Callable[[float], float]] = {"cosine": _cosine, "step": _stairs}
