"""Weights files and their manifest: what fits is loaded, everything else is refused in one line."""

from __future__ import annotations

import hashlib
import runpy
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from support import ROOT

from horizon_rt.errors import WeightsError
from horizon_rt.frame import Frame
from horizon_rt.models import weights
from horizon_rt.models.nets.horizon_net import HorizonNet
from horizon_rt.models.sizes import NetSize
from horizon_rt.models.weights import (
    ModelCard,
    SigmaCalibration,
    find_model,
    load_net,
    new_net,
    shipped_models,
    weights_folder,
    write_manifest,
)
from horizon_rt.tracker import HorizonTracker

SMALL = NetSize((8, 16, 32, 32), (1, 1), 1)
MANIFEST = """
default = "small"
[model.small]
file = "small.safetensors"
sha256 = "{digest}"
net = {{ channels = [8, 16, 32, 32], blocks = [1, 1], attention = 1 }}
sigma = {{ scale = 2.5, doubt = 0.1 }}
"""
Change = Callable[[dict[str, torch.Tensor]], object]


def _write(folder: Path, change: Change = lambda values: None) -> Path:
    values = {k: v.clone() for k, v in HorizonNet(SMALL).state_dict().items()}
    change(values)
    save_file(values, folder / "small.safetensors")
    return _manifest(folder)


def _manifest(folder: Path) -> Path:
    digest = hashlib.sha256((folder / "small.safetensors").read_bytes()).hexdigest()
    (folder / "manifest.toml").write_text(MANIFEST.format(digest=digest))
    return folder / "manifest.toml"


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    torch.manual_seed(3)
    kept: dict[str, torch.Tensor] = {}
    card = find_model(_write(tmp_path, kept.update))
    assert (card.name, card.sigma.scale, card.sigma.boundary_width) == ("small", 2.5, 0.1)
    loaded = load_net(card).state_dict()
    assert all(torch.equal(loaded[k], v) for k, v in kept.items())


def test_half_precision_is_widened(tmp_path: Path) -> None:
    card = find_model(_write(tmp_path, lambda v: v.update({k: t.half() for k, t in v.items()})))
    assert all(p.dtype == torch.float32 for p in load_net(card).parameters())


def _drop(key: str) -> Change:
    return lambda values: values.pop(key)


def test_counters_may_be_absent(tmp_path: Path) -> None:
    net = load_net(find_model(_write(tmp_path, _drop("stem.1.num_batches_tracked"))))
    assert net.state_dict()["stem.1.num_batches_tracked"] == 0


@pytest.mark.parametrize("key", ["head.weight", "head.bias", "stem.1.running_mean", "presence.weight"])
def test_missing_values_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(WeightsError, match=key):
        load_net(find_model(_write(tmp_path, _drop(key))))


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.update(extra=torch.zeros(1)),
        lambda values: values.update({"head.weight": torch.zeros(2, 8, 1, 1)}),
        lambda values: values.clear(),
    ],
    ids=["unknown", "shape", "empty"],
)
def test_values_that_do_not_fit_are_refused_in_one_line(tmp_path: Path, change: Change) -> None:
    with pytest.raises(WeightsError, match="does not fit") as caught:
        load_net(find_model(_write(tmp_path, change)))
    assert "\n" not in str(caught.value)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    card = find_model(_write(tmp_path))
    data = bytearray(card.path.read_bytes())
    data[-1] ^= 1
    card.path.write_bytes(data)
    with pytest.raises(WeightsError, match="sha256"):
        load_net(card)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    card = find_model(_write(tmp_path))
    card.path.unlink()
    with pytest.raises(WeightsError, match="cannot read"):
        load_net(card)


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "small.safetensors").write_bytes(b"\x00" * 50)
    with pytest.raises(WeightsError, match="does not fit"):
        load_net(find_model(_manifest(tmp_path)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('default = "small"', ""),
        ("[model.small]", "[model.small"),
        ("[model.small]", "[other.small]"),
        ("[model.small]\n", 'model = "small"\n'),
        ('file = "small.safetensors"', ""),
        ("sha256", "md5"),
        ("[8, 16, 32, 32]", "[8, 16, 32]"),
        ("[8, 16, 32, 32]", '["8", 16, 32, 32]'),
        ("[8, 16, 32, 32]", "[-8, 16, 32, 32]"),
        ("[1, 1]", "7"),
        ("attention = 1", "attention = 1.5"),
        ("sigma = ", "sigmas = "),
        ("scale = 2.5", "scale = 0"),
        ("scale = 2.5", 'scale = "wide"'),
        ("scale = 2.5", "scale = 1" + "0" * 400),
        ("doubt = 0.1", "doubt = nan"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, old: str, new: str) -> None:
    manifest = _write(tmp_path)
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new))
    with pytest.raises(WeightsError, match="manifest"):
        find_model(manifest)


def test_a_net_that_cannot_be_built_is_refused(tmp_path: Path) -> None:
    manifest = _write(tmp_path)
    manifest.write_text(manifest.read_text().replace("[8, 16, 32, 32]", "[8, 16, 32, 30]"))
    with pytest.raises(WeightsError, match="does not fit"):
        load_net(find_model(manifest))


def test_an_unknown_model_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no model 'large'.*small"):
        find_model(_write(tmp_path), "large")


def test_no_manifest_and_binary_manifest(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="holds no model: there is no manifest"):
        find_model(tmp_path / "manifest.toml")
    (tmp_path / "manifest.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WeightsError, match="no usable manifest"):
        find_model(tmp_path / "manifest.toml")


def test_the_shipped_default_loads() -> None:
    card = find_model()
    assert card.path.parent == weights_folder()
    load_net(card)


# --- nets of the zoo, models by path


def _written(folder: Path, name: str = "mine", net: str | NetSize = SMALL, **options: object) -> ModelCard:
    torch.manual_seed(1)
    state = new_net(net).state_dict()
    return write_manifest(folder, name, net, state, SigmaCalibration(2.0, 0.2), FACTS, **options)  # type: ignore[arg-type]


FACTS = {"trained": 'on 3 "pictures"\nand \x7f a tab\t', "samples": 3, "metrics": {"iou": [0.5, 1e-7]}}


@pytest.mark.parametrize("net", ["nano", "unet-small", SMALL, NetSize((8, 16, 32, 24), (0, 2), 0, 3)])
def test_what_was_written_is_loaded(tmp_path: Path, net: str | NetSize) -> None:
    card = _written(tmp_path, net=net)
    assert card == find_model(tmp_path / "manifest.toml")
    assert (card.net, card.sigma) == (net, SigmaCalibration(2.0, 0.2))
    torch.manual_seed(1)
    expected = new_net(net).eval()
    loaded = load_net(card).eval()
    assert {p.device.type for p in loaded.parameters()} == {"cpu"}
    assert all(torch.equal(v, expected.state_dict()[k]) for k, v in loaded.state_dict().items())
    picture = torch.randn(1, 3, 64, 32)
    with torch.inference_mode():
        assert all(torch.equal(a, b) for a, b in zip(loaded(picture), expected(picture), strict=True))


def test_a_loaded_net_trains(tmp_path: Path) -> None:
    net = load_net(_written(tmp_path, net="nano")).train()
    net(torch.randn(2, 3, 32, 64))[0].sum().backward()
    assert all(p.requires_grad for p in net.parameters())


def test_the_manifest_is_toml_with_the_facts(tmp_path: Path) -> None:
    _written(tmp_path)
    table = tomllib.loads((tmp_path / "manifest.toml").read_text())
    assert table["default"] == "mine"
    assert {key: table["model"]["mine"][key] for key in FACTS} == FACTS
    data = (tmp_path / "mine.safetensors").read_bytes()
    assert table["model"]["mine"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert not list(tmp_path.glob("*.partial"))


def test_other_entries_and_the_default_stay(tmp_path: Path) -> None:
    _write(tmp_path)
    before = tomllib.loads((tmp_path / "manifest.toml").read_text())["model"]["small"]
    _written(tmp_path, "second")
    table = tomllib.loads((tmp_path / "manifest.toml").read_text())
    assert table["model"]["small"] == before
    assert (table["default"], list(table["model"])) == ("small", ["small", "second"])
    load_net(find_model(tmp_path / "manifest.toml"))
    _written(tmp_path, "third", default=True)
    assert find_model(tmp_path / "manifest.toml").name == "third"


def test_writing_beside_a_damaged_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_text("default = ")
    with pytest.raises(WeightsError, match="no usable manifest"):
        _written(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.toml"]


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a:b", "ä", "x" * 200])
def test_names_that_are_no_file_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="name"):
        _written(tmp_path, name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "facts", [{"when": object()}, {"trained": "x" * 5000}, {"trained": "\ud800"}, {"file": "../x"}]
)
def test_facts_that_no_manifest_can_say_are_refused(tmp_path: Path, facts: dict[str, object]) -> None:
    with pytest.raises(WeightsError) as caught:
        write_manifest(tmp_path, "a", "nano", {}, SigmaCalibration(1.0, 0.1), facts)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_models_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    _written(folder, "one")
    _written(folder, "two")
    for text, name in [
        (folder, "one"),
        (folder / "manifest.toml", "one"),
        (f"{folder}:two", "two"),
        (f"{folder}/manifest.toml:two", "two"),
    ]:
        card = find_model(name=str(text))
        assert (card.name, card.path) == (name, folder / f"{name}.safetensors")
    monkeypatch.chdir(tmp_path)
    assert find_model(name="a:b:two").name == "two"
    # A shipped name wins over a folder of that name.
    folder.rename(tmp_path / "small")
    assert find_model(name="small").path.parent == weights_folder()
    assert find_model(name="./small").name == "one"


@pytest.mark.parametrize("name", ["", ":", "huge", "nowhere/at/all", "light:other", "a\0b", "x" * 5000, "\n"])
def test_unknown_models_name_those_that_there_are(name: str) -> None:
    with pytest.raises(WeightsError, match=rf"no model .*there are: {shipped_models()[0]}") as caught:
        find_model(name=name)
    assert "\n" not in str(caught.value)


def test_an_unknown_entry_of_a_folder_names_those_that_there_are(tmp_path: Path) -> None:
    _written(tmp_path)
    with pytest.raises(WeightsError, match=r"no model 'yours' in .*there are: mine"):
        find_model(name=f"{tmp_path}:yours")
    (tmp_path / "manifest.toml").unlink()
    with pytest.raises(WeightsError, match="holds no model"):
        find_model(name=str(tmp_path))


def test_the_input_area_is_that_of_the_manifest(tmp_path: Path) -> None:
    _written(tmp_path, input_area_px=128 * 256)
    tracker = HorizonTracker(model=str(tmp_path), device="cpu", backend="torchscript")
    seen = tracker.segment(Frame((np.zeros((90, 160), np.uint8),), 0, 0.0))
    assert seen.logits.shape == (128 // 4, 256 // 4)


def test_sizes_made_up_by_a_manifest_cost_no_memory(tmp_path: Path) -> None:
    manifest = _write(tmp_path)
    text = manifest.read_text().replace("[8, 16, 32, 32]", "[4096, 4096, 4096, 4096]")
    manifest.write_text(text.replace("[1, 1]", "[64, 64]"))
    with pytest.raises(WeightsError, match="does not fit"):
        load_net(find_model(manifest))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("net = {", 'net = "resnet" #'),
        ("net = {", "net = 3 #"),
        ("attention = 1 }", "attention = 1, heads = 0 }"),
        ("[8, 16, 32, 32]", "[0, 16, 32, 32]"),
        ("small.safetensors", "../small.safetensors"),
        ("small.safetensors", "/etc/passwd"),
        ("sigma = ", "input_area_px = 1000\nsigma = "),
        ("sigma = ", "input_area_px = 65536.0\nsigma = "),
        ("sigma = ", f"input_area_px = {10**9}\nsigma = "),
        ("sigma = ", f"trained = '{'x' * 5000}'\nsigma = "),
        ("sigma = ", "#\n" * 40000 + "sigma = "),
    ],
)
def test_more_damage_is_refused(tmp_path: Path, old: str, new: str) -> None:
    manifest = _write(tmp_path)
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))
    with pytest.raises(WeightsError, match="no usable manifest"):
        find_model(manifest)


def test_heads_that_do_not_divide_the_channels_are_refused(tmp_path: Path) -> None:
    manifest = _write(tmp_path)
    manifest.write_text(manifest.read_text().replace("attention = 1 }", "attention = 1, heads = 5 }"))
    with pytest.raises(WeightsError, match=r"does not fit.*5 attention heads"):
        load_net(find_model(manifest))


WORDS = ["default", "model", "small", "file", "sha256", "net", "channels", "blocks", "sigma", "scale", "nan"]
PIECES = [*WORDS, *"[]{}=.,\"'\n#", "[[", "1e999", "-1", "true", "1979-05-27", "[model.small]", '"nano"']
DAMAGE = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 40), st.sampled_from(PIECES)), max_size=4)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=DAMAGE, tail=st.one_of(st.just(b""), st.binary(max_size=40)))
def test_only_weights_errors_come_out_of_damaged_manifests(
    tmp_path: Path, edits: list[tuple[int, int, str]], tail: bytes
) -> None:
    text = MANIFEST.format(digest="0" * 64)
    for place, length, piece in edits:
        text = text[:place] + piece + text[place + length :]
    (tmp_path / "manifest.toml").write_bytes(text.encode() + tail)
    with suppress(WeightsError):
        card = find_model(tmp_path / "manifest.toml")
        with pytest.raises(WeightsError):
            load_net(card)


VALUES = st.recursive(
    st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.dictionaries(st.text(), VALUES, max_size=3))
def test_facts_come_back_as_they_were(tmp_path: Path, facts: dict[str, object]) -> None:
    write_manifest(tmp_path, "a", "nano", {"x": torch.zeros(1)}, SigmaCalibration(1.0, 0.1), {"facts": facts})
    assert tomllib.loads((tmp_path / "manifest.toml").read_text())["model"]["a"]["facts"] == facts


def test_the_script_ships_a_run_and_keeps_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights and facts of the run, with a sigma of its own."""
    shipped = find_model(name="nano")
    state, facts = load_net(shipped).state_dict(), {"trained": "9 samples", "seed": 3}
    write_manifest(
        tmp_path / "run", "m", "nano", state, SigmaCalibration(9.0, 0.9), facts, input_area_px=16384
    )
    (tmp_path / "weights").mkdir()
    _write(tmp_path / "weights")
    monkeypatch.setattr(weights, "weights_folder", lambda: tmp_path / "weights")
    monkeypatch.setattr("sys.argv", ["install_weights.py", "new", str(tmp_path / "run"), "--count", "8"])
    runpy.run_path(str(ROOT / "benchmarks" / "install_weights.py"), run_name="__main__")
    manifest = tmp_path / "weights" / "manifest.toml"
    card, entry = find_model(manifest, "new"), tomllib.loads(manifest.read_text())["model"]["new"]
    assert (card.net, card.input_area_px) == ("nano", 16384)
    assert card.sigma != SigmaCalibration(9.0, 0.9)
    assert (entry["trained"], entry["seed"], entry["split"]) == ("9 samples", 3, "split.toml")
    assert all(torch.equal(value, state[key]) for key, value in load_net(card).state_dict().items())
    assert find_model(manifest).name == "small"
