"""What a training run leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from horizon_rt.models.weights import ModelCard

__all__ = ["SPLIT", "Outcome"]

SPLIT = "split.toml"
"""The file of a run that says which pictures were set aside."""


_WORSE = 1.1  # times the least loss, from which on it is worth a word


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run left behind; `before` and `after` are the first and the last evaluation.

    `test` is what was found once, at the end, on the pictures that no evaluation on the way has seen; `best`
    is the step of the least loss of validation, and this.
    """

    model: ModelCard
    report: Path
    before: dict[str, float]
    after: dict[str, float]
    test: dict[str, float]
    best: tuple[int, float] | None
    finished: bool

    def lines(self) -> list[str]:
        """What to tell the user."""
        changes = [
            f"{name}: {value:.4g} -> {self.after[name]:.4g}"
            for name, value in self.before.items()
            if name in self.after
        ]
        changes = changes or [f"{name}: {value:.4g}" for name, value in self.after.items()]
        ended = [] if self.finished else ["stopped early: the evaluations got no better"]
        if self.best is not None and self.after.get("loss", 0.0) > _WORSE * self.best[1]:
            step, loss = self.best
            ended = [
                f"validation had its least loss at step {step}, {loss:.4g}; --patience keeps those weights"
            ]
        folder = self.model.path.parent
        return [
            *ended,
            *changes,
            *(f"test, {name}: {value:.4g}" for name, value in self.test.items()),
            f"written: {self.model.path}",
            f"written: {self.report}",
            f"use: --model {folder}",
            *(
                [f"evaluate: horizon-rt eval DATASET --split {split} --part test"]
                if (split := folder / SPLIT).exists()
                else []
            ),
        ]
