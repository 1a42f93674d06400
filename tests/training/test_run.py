"""`horizon-rt train`: from data to a usable model, its report, and what the user is told."""

from __future__ import annotations

import json
import shutil
import signal
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch
from safetensors.numpy import load_file
from support.cli import RunCli
from support.training import mask_picture, write_line_set

from horizon_rt.datasets import Label
from horizon_rt.datasets.rendered import write_pictures
from horizon_rt.errors import TrainingError
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.models.nets import build_net
from horizon_rt.models.weights import find_model, load_net
from horizon_rt.synth.stills import StillOptions
from horizon_rt.training import loop, run
from horizon_rt.training.batches import LiveBatches
from horizon_rt.training.log import read_log
from horizon_rt.training.losses import make_loss
from horizon_rt.training.outcome import Outcome
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.report import write_report
from horizon_rt.training.samples.pictures import Picture
from horizon_rt.training.validation import Validation


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small rendered dataset; its last fifth has a horizon, and none."""
    folder = tmp_path_factory.mktemp("data") / "own"
    write_pictures(
        folder, StillOptions(kinds=("sea", "fields"), size=(160, 96), without=0.3, seed=4), count=20
    )
    return folder


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """The recipe of a run of seconds."""
    path = tmp_path / "quick.toml"
    path.write_text('net = "nano"\nsamples = 24\nbatch = 8\n[shares]\nroom = 0.5\nblank = 0.5\n')
    return path


def _train(*more: str | Path) -> list[str | Path]:
    return ["train", "--workers", "0", "--threads", "1", "--device", "cpu", *more]


def test_a_shipped_model_is_fine_tuned_and_can_be_used(
    own: Path, tmp_path: Path, clip: Path, cli: RunCli
) -> None:
    out, model = tmp_path / "out", find_model(name="small")
    words = ("--data", own, "--init", model.name, "--out", out, "--name", "mine", "--seed", "1")
    done = cli(*_train(*words, "--samples", "32", "--batch", "8", "--evaluate-every", "2"))
    assert done.code == 0, done.err
    assert f"use: --model {out}" in done.errors
    assert any(line.startswith("own/auc: ") for line in done.errors)
    expected = {
        "manifest.toml",
        "mine.safetensors",
        "log.jsonl",
        "report.html",
        "curves.png",
        "checkpoint.pt",
        "split.toml",
    }
    assert {path.name for path in out.iterdir()} == expected
    card = find_model(name=str(out))
    assert (card.name, card.net) == ("mine", model.net)
    assert card.sigma.scale > 0
    before, after = load_net(model).state_dict(), load_net(card).state_dict()
    moved = [float((before[k] - after[k]).abs().max()) for k in after if k.endswith("weight")]
    assert 0 < max(moved) < 0.1
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [(row["step"], "evaluation" in row) for row in rows] == [
        (0, True), (2, True), (4, False), (4, True), (4, False)
    ]  # fmt: skip
    assert {"loss", "own/dice", "own/auc"} <= set(rows[-1]["test"])
    page = (out / "report.html").read_text()
    assert "<dt>seed</dt><dd>1</dd>" in page
    assert "teacher" not in page
    assert all(f"<td>{rows[-1]['test'][name]:.4g}</td>" in page for name in ("own/dice", "own/auc"))
    evaluations = [row["evaluation"] for row in rows if "evaluation" in row]
    assert {"loss", "own/dice", "own/auc", "own/found", "own/refused"} <= set(evaluations[-1])
    told = next(line for line in done.errors if line.startswith("loss: "))
    assert told.endswith(f" -> {evaluations[-1]['loss']:.4g}")
    page = (out / "report.html").read_text()
    assert "Worst of 2 pictures for validation" in page
    assert "<script" not in page
    assert cv2.imread(str(out / "curves.png")).shape[1] > 600
    evaluated = cli(
        "eval", own, "--split", out / "split.toml", "--model", out, "--out", tmp_path / "evaluated"
    )
    assert evaluated.code == 0, evaluated.err
    assert len(json.loads((tmp_path / "evaluated/report.json").read_text())["results"][0]["frames"]) == 4
    telemetry = tmp_path / "telemetry.csv"
    assert cli("track", clip, "--model", out, "--telemetry", telemetry).code == 0
    assert len(telemetry.read_text().splitlines()) == 13


def test_the_same_command_gives_the_same_model_and_another_seed_another(
    own: Path, quick: Path, tmp_path: Path, cli: RunCli
) -> None:
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 5)):
        done = cli(*_train("--recipe", quick, "--out", tmp_path / name, "--seed", str(seed)))
        assert done.code == 0, done.err
        weights.append(load_file(tmp_path / name / f"{name}.safetensors"))
    assert all((weights[0][k] == weights[1][k]).all() for k in weights[0])
    assert any((weights[0][k] != weights[2][k]).any() for k in weights[0])
    assert "pictures for validation" not in (tmp_path / "a" / "report.html").read_text()
    card = find_model(name=str(tmp_path / "a"))
    assert (card.net, card.name) == ("nano", "a")


def test_a_model_is_written_before_its_sigma_is_set_and_all_for_test_are_judged(
    own: Path, quick: Path, tmp_path: Path, cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the four that are held out two are for test, though an evaluation on the way sees one picture."""
    judged: list[int] = []

    def calibrate(
        net: torch.nn.Module, pictures: dict[str, list[Picture]], *_: object, **__: object
    ) -> object:
        assert find_model(name=str(tmp_path / "out")).sigma.scale > 0
        judged.extend(len(some) for some in pictures.values())
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "calibrate", calibrate)
    words = ("--recipe", quick, "--data", own, "--out", tmp_path / "out", "--evaluated", "1")
    assert cli(*_train(*words)).code == 130
    assert judged == [2]
    counts: list[int] = []
    make = Validation.__init__

    def counted(self: Validation, pictures: dict[str, list[Picture]], *more: object, **kinds: object) -> None:
        counts.append(sum(map(len, pictures.values())))
        make(self, pictures, *more, **kinds)  # type: ignore[arg-type]

    monkeypatch.setattr(Validation, "__init__", counted)
    done = cli(*_train(*words, "--resume", "--no-calibrate"))
    assert done.code == 0, done.err
    assert counts == [1, 1, 2]
    assert any(line.endswith("--part test") for line in done.errors)


def test_there_has_to_be_a_run_to_go_on_with(quick: Path, tmp_path: Path, cli: RunCli) -> None:
    done = cli(*_train("--recipe", quick, "--out", tmp_path / "typo", "--resume"))
    assert (done.code, len(done.errors)) == (1, 1)
    assert "no checkpoint to go on from; leave --resume out" in done.err


def test_a_split_that_holds_nothing_out_is_told(
    own: Path, quick: Path, tmp_path: Path, cli: RunCli, caplog: pytest.LogCaptureFixture
) -> None:
    split = tmp_path / "split.toml"
    split.write_text('[set_aside]\nown = ["zzz"]\n')
    words = ("--recipe", quick, "--data", own, "--split", split, "--no-calibrate")
    done = cli(*_train(*words, "--out", tmp_path / "out"))
    assert done.code == 0, done.err
    assert "of own no picture is held out" in caplog.text


def test_what_was_learnt_by_heart_is_told(tmp_path: Path) -> None:
    card = find_model(name="nano")
    found = Outcome(card, tmp_path / "r.html", {}, {"loss": 0.84}, {}, (60, 0.586), finished=True)
    assert (
        found.lines()[0] == "validation had its least loss at step 60, 0.586; --patience keeps those weights"
    )
    better = replace(found, after={"loss": 0.6})
    assert not any("--patience" in line for line in better.lines())


def test_a_run_that_goes_on_tells_of_the_first_evaluation(own: Path, tmp_path: Path, cli: RunCli) -> None:
    words = ("--data", own, "--init", "nano", "--out", tmp_path / "o", "--samples", "16", "--batch", "8")
    first = cli(*_train(*words))
    again = cli(*_train(*words, "--resume"))
    assert (first.code, again.code) == (0, 0), again.err
    told = [[e for e in done.errors if "->" in e] for done in (first, again)]
    assert told[0] == told[1] != []


def test_a_damaged_picture_is_one_line_out_of_a_worker_too(own: Path, tmp_path: Path, cli: RunCli) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(own, broken)
    for picture in sorted((broken / "images").iterdir())[:16]:
        picture.write_bytes(picture.read_bytes()[:80])
    words = ("--data", broken, "--init", "nano", "--out", tmp_path / "o", "--samples", "64", "--batch", "8")
    done = cli("train", "--workers", "1", "--device", "cpu", *words)
    assert done.code == 1
    assert [e for e in done.errors if e.startswith("error")] == done.errors[-1:]
    assert "cannot read" in done.errors[-1]
    assert "Traceback" not in done.err


def test_an_interrupted_run_leaves_a_checkpoint_and_goes_on(
    quick: Path, tmp_path: Path, cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert cli(*_train("--recipe", quick, "--out", whole)).code == 0
    make = LiveBatches.__getitem__

    def interrupted(self: LiveBatches, index: int) -> object:
        if index == 2:
            signal.raise_signal(signal.SIGINT)
        return make(self, index)

    with monkeypatch.context() as patch:
        patch.setattr(LiveBatches, "__getitem__", interrupted)
        done = cli(*_train("--recipe", quick, "--out", parts))
    assert (done.code, [e for e in done.errors if "error" in e]) == (130, [])
    assert "--resume goes on" in done.err
    assert cli("export", parts, tmp_path / "a.ts").err.count("its training is not finished") == 1
    assert torch.load(parts / "checkpoint.pt", weights_only=True)["step"] == 2
    assert not (parts / "manifest.toml").exists()
    assert cli(*_train("--recipe", quick, "--out", parts, "--resume")).code == 0
    first, second = (load_file(folder / f"{folder.name}.safetensors") for folder in (whole, parts))
    assert all((first[k] == second[k]).all() for k in first)
    done = cli(*_train("--recipe", quick, "--out", parts, "--resume", "--rate", "0.5"))
    assert done.code == 1
    assert "is of a run with another rate" in done.err


def test_a_cache_is_made_once(quick: Path, tmp_path: Path, cli: RunCli) -> None:
    words = ("--recipe", quick, "--cache", tmp_path / "cache", "--cache-samples", "100")
    assert cli(*_train(*words, "--out", tmp_path / "a")).code == 0
    facts = json.loads((tmp_path / "cache" / "cache.json").read_text())
    assert (facts["count"], facts["ingredients"]) == (100, ["room", "blank"])
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert cli(*_train(*words, "--out", tmp_path / "b")).code == 0
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    (tmp_path / "cache" / "192x320.images.npy").write_bytes(b"")
    done = cli(*_train(*words, "--out", tmp_path / "c"))
    assert done.code == 1
    assert "is no complete cache of samples" in done.err


@pytest.mark.usefixtures("no_leaks")
def test_events_for_tensorboard_are_those_of_the_log(
    own: Path, quick: Path, tmp_path: Path, cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    words = ("--recipe", quick, "--data", own, "--out", tmp_path / "out", "--evaluate-every", "1")
    done = cli(*_train(*words, "--tensorboard"))
    assert done.code == 0, done.err
    events = loader.EventAccumulator(str(tmp_path / "out" / "events"))
    events.Reload()
    curves = read_log(tmp_path / "out" / "log.jsonl")
    assert {"training/loss", "loss", "own/auc"} <= curves.keys()
    for name, (steps, values) in curves.items():
        found = events.Scalars(name)
        assert [event.step for event in found] == steps
        assert [event.value for event in found] == pytest.approx(values, rel=1e-5)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--samples", "0"), 2, "samples"),
        (("--batch", "1"), 2, "batch"),
        (("--precision", "int8"), 2, "precision"),
        (("--device", "tpu"), 2, "device"),
        (("--what",), 2, "--what"),
        (("--data", "nowhere"), 1, "error: no dataset 'nowhere'"),
        (("--data", "own=much"), 1, "error: --data takes PATH or PATH=PART"),
        (("--net", "huge"), 1, "error: there is no net 'huge'"),
        (("--init", "none"), 1, "error: there is no model 'none'"),
        (("--loss", "hinge"), 1, "error: unknown loss 'hinge'"),
        (("--optimiser", "lion"), 1, "error: unknown optimiser 'lion'"),
        (("--schedule", "linear"), 1, "error: unknown schedule 'linear'"),
        (("--rate", "nan"), 1, "error: rate lies between"),
        (("--name", "a/b"), 1, "error: a model's name is made of"),
        (("--recipe", "none.toml"), 1, "error: none.toml cannot be read"),
        (("--split", "none.toml", "--data", "OWN"), 1, "none.toml"),
    ],
)
def test_wrong_words_are_refused_in_one_line(
    own: Path, tmp_path: Path, cli: RunCli, words: tuple[str, ...], code: int, message: str
) -> None:
    given = [str(own) if word == "OWN" else word for word in words]
    done = cli(*_train(*given, "--out", tmp_path / "out"))
    assert done.code == code
    assert message in done.err
    if code == 1:
        assert len(done.errors) == 1
    assert not (tmp_path / "out" / "manifest.toml").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused(tmp_path: Path, cli: RunCli) -> None:
    done = cli("train", "--device", "cuda", "--out", tmp_path / "out")
    assert (done.code, done.errors) == (1, ["error: no CUDA device answers; use --device cpu"])


def test_masks_are_judged_by_dice_and_what_is_unknown_is_not(tmp_path: Path) -> None:
    """Three pictures: a mask with a horizon, one without, one of which nothing is known."""
    shown = mask_picture(tmp_path, HorizonLine(3, 4), (96, 160))
    hidden = Picture(shown.path, Label(in_view=False))
    unknown = Picture(shown.path, Label())
    validation, net = (
        Validation({"own": [shown, hidden, unknown]}, make_loss("bce")),
        build_net("nano").eval(),
    )
    found, predictions = validation.report(net)
    assert found.keys() == {
        "loss",
        *(f"own/{name}" for name in ("dice", "iou", "miou", "accuracy", "refused")),
    }
    by_label = {id(p.picture): p for p in predictions}
    assert by_label[id(shown)].dice == pytest.approx(found["own/dice"])
    assert found["own/refused"] == 100.0 * (by_label[id(hidden)].line is None)
    assert [(by_label[id(p)].seen, by_label[id(p)].error) for p in (shown, hidden, unknown)] == [
        (True, None), (False, None), (None, None),
    ]  # fmt: skip
    (tmp_path / "log.jsonl").write_text('{"step": 50, "loss": 1.0}\n')
    page = write_report(tmp_path, "model", Recipe(), predictions, found, {}).read_text()
    notes = (f"Dice {found['own/dice']:.3f}", "no truth", "no horizon; ")
    assert all(note in page for note in notes)


def test_a_horizon_out_of_view_is_to_be_refused(tmp_path: Path) -> None:
    """An attitude gives a line outside of the picture, which is no horizon to find."""
    path = write_line_set(tmp_path / "own", [None]) / "images" / "000.png"
    away, seen = (Picture(path, Label(up=UpVector.from_roll_pitch(5, pitch))) for pitch in (80.0, 4.0))
    validation = Validation({"own": [away, seen]}, make_loss("bce"))
    found, predictions = validation.report(build_net("nano").eval())
    assert {p.picture is away: (p.seen, p.truth is None) for p in predictions} == {
        True: (False, True), False: (True, False),
    }  # fmt: skip
    assert {"own/refused", "own/auc", "own/dice"} <= found.keys()


def test_a_damaged_log_is_refused(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"evaluation": 3}', '{"step": "x", "loss": 1.0}', "\xff"):
        (tmp_path / "log.jsonl").write_text(text, encoding="latin-1")
        with pytest.raises(TrainingError, match="is no log of a training run"):
            read_log(tmp_path / "log.jsonl")
