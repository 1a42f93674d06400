"""Distillation: what a net is to answer where a teacher answers, too, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.training import PaintedBatches, TinyNet
from torch import Tensor, nn

from horizon_rt.errors import DatasetError
from horizon_rt.training.loop import Settings, Trainer, normalise
from horizon_rt.training.recipe import Recipe, read_recipe
from horizon_rt.training.teacher import Targets, shrunk, taught

RECIPE = Recipe(samples=8 * 120, batch=8, rate=5e-3, average=0.9, seed=2)


class Says(nn.Module):
    """A teacher with one answer: mask and presence as probabilities."""

    def __init__(self, mask: float, presence: float) -> None:
        super().__init__()
        self._mask, self._presence = (torch.tensor(p).logit() for p in (mask, presence))

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        n, _, h, w = picture.shape
        return self._mask.expand(n, 1, h // 4, w // 4), self._presence.expand(n)


def _truth(presences: list[float], weights: list[float]) -> Targets:
    n = len(presences)
    return Targets(torch.ones(n, 1, 16, 24), torch.tensor(presences), torch.tensor(weights))


def test_targets_are_the_weighted_mean_of_truth_and_teacher() -> None:
    found = taught(_truth([1.0], [0.7]), Says(0.25, 0.5), torch.zeros(1, 3, 64, 96), 0.4)
    assert torch.allclose(found.covers, torch.tensor(0.6 * 1 + 0.4 * 0.25))
    assert found.presences.item() == pytest.approx(0.6 * 1 + 0.4 * 0.5)
    assert found.weights.item() == pytest.approx(0.7)


def test_without_truth_the_teacher_alone_answers() -> None:
    found = taught(_truth([-1.0, 1.0], [0.0, 1.0]), Says(0.25, 0.9), torch.zeros(2, 3, 64, 96), 0.5)
    assert torch.allclose(found.covers[0], torch.tensor(0.25))
    assert found.presences[0].item() == pytest.approx(0.9)
    assert found.weights.tolist() == [0.5, 1.0]


def test_shrunk_pictures_and_covers_stay_in_step() -> None:
    images = torch.zeros(1, 3, 256, 256)
    images[:, :, :128] = 200.0
    covers = torch.zeros(1, 1, 64, 64)
    covers[:, :, :32] = 1.0
    small, targets = shrunk(images, Targets(covers, torch.ones(1), torch.ones(1)), 0.25)
    assert small.shape == (1, 3, 128, 128)
    assert targets.covers.shape == (1, 1, 32, 32)
    assert torch.equal(small[0, 0, ::4, ::4] > 100, targets.covers[0, 0] > 0.5)
    assert shrunk(images, targets, 1.0)[0] is images


def test_a_net_learns_what_its_teacher_knows(tmp_path: Path) -> None:
    """Without a word of truth it comes to the teacher's answers."""
    torch.manual_seed(0)
    teacher, settings = TinyNet(0.0), {"workers": 0, "threads": 1}
    Trainer(teacher, RECIPE, Settings(folder=tmp_path / "teacher", **settings)).run(  # type: ignore[arg-type]
        PaintedBatches(), lambda net: {}
    )
    torch.manual_seed(1)
    student, recipe = TinyNet(0.0), replace(RECIPE, teacher="one", teacher_share=1.0)
    picture = normalise(PaintedBatches()[999].images)

    def apart(net: nn.Module) -> float:
        with torch.no_grad():
            answers = (one.eval()(picture)[0].sigmoid() for one in (net, teacher))
            return float((next(answers) - next(answers)).abs().mean())

    before = apart(student)
    trainer = Trainer(student, recipe, Settings(folder=tmp_path / "student", **settings), None, teacher)  # type: ignore[arg-type]
    trainer.run(PaintedBatches(), lambda net: {})
    assert apart(trainer.result()) < before / 3


@pytest.mark.parametrize("line", ["student_areas = []", "student_areas = [9.0]", "teacher_share = 1.5"])
def test_impossible_recipes_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(line)
    with pytest.raises(DatasetError):
        read_recipe(path)


def test_a_recipe_file_names_a_teacher(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('teacher = "lite0"\nstudent_areas = [0.5, 1]\n')
    recipe = read_recipe(path)
    assert (recipe.teacher, recipe.student_areas) == ("lite0", (0.5, 1))
