"""What a training run leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from horizon_rt.models.weights import ModelCard

__all__ = ["SPLIT", "Outcome"]

SPLIT = "split.toml"
"""The file of a run that says which pictures were set aside."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run left behind; `before` and `after` are the first and the last evaluation.

    `test` is what was found once, at the end, on the pictures that no evaluation on the way has seen.
    """

    model: ModelCard
    report: Path
    before: dict[str, float]
    after: dict[str, float]
    test: dict[str, float]
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
