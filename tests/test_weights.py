"""Weights files and their manifest: what fits is loaded, everything else is refused in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from horizon_rt.errors import WeightsError
from horizon_rt.segmentation.net import HorizonNet, NetSize
from horizon_rt.segmentation.weights import default_model, load_net, weights_folder

SMALL = NetSize((8, 16, 32, 32), (1, 1), 1)
MANIFEST = """
default = "small"
[model.small]
file = "small.safetensors"
sha256 = "{digest}"
net = {{ channels = [8, 16, 32, 32], blocks = [1, 1], attention = 1 }}
sigma = {{ scale = 2.5, floor_deg = 0.1 }}
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
    card = default_model(_write(tmp_path, kept.update))
    assert (card.name, card.sigma.scale, card.sigma.floor_deg) == ("small", 2.5, 0.1)
    loaded = load_net(card).state_dict()
    assert all(torch.equal(loaded[k], v) for k, v in kept.items())


def test_half_precision_is_widened(tmp_path: Path) -> None:
    card = default_model(_write(tmp_path, lambda v: v.update({k: t.half() for k, t in v.items()})))
    assert all(p.dtype == torch.float32 for p in load_net(card).parameters())


def _drop(key: str) -> Change:
    return lambda values: values.pop(key)


def test_counters_may_be_absent(tmp_path: Path) -> None:
    load_net(default_model(_write(tmp_path, _drop("stem.1.num_batches_tracked"))))


@pytest.mark.parametrize("key", ["head.weight", "head.bias", "stem.1.running_mean", "presence.weight"])
def test_missing_values_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(WeightsError, match=key):
        load_net(default_model(_write(tmp_path, _drop(key))))


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
        load_net(default_model(_write(tmp_path, change)))
    assert "\n" not in str(caught.value)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    card = default_model(_write(tmp_path))
    data = bytearray(card.path.read_bytes())
    data[-1] ^= 1
    card.path.write_bytes(data)
    with pytest.raises(WeightsError, match="sha256"):
        load_net(card)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    card = default_model(_write(tmp_path))
    card.path.unlink()
    with pytest.raises(WeightsError, match="cannot read"):
        load_net(card)


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "small.safetensors").write_bytes(b"\x00" * 50)
    with pytest.raises(WeightsError, match="does not fit"):
        load_net(default_model(_manifest(tmp_path)))


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
        ("floor_deg = 0.1", "floor_deg = nan"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, old: str, new: str) -> None:
    manifest = _write(tmp_path)
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new))
    with pytest.raises(WeightsError, match="manifest"):
        default_model(manifest)


def test_a_net_that_cannot_be_built_is_refused(tmp_path: Path) -> None:
    manifest = _write(tmp_path)
    manifest.write_text(manifest.read_text().replace("[8, 16, 32, 32]", "[8, 16, 32, 30]"))
    with pytest.raises(WeightsError, match="does not fit"):
        load_net(default_model(manifest))


def test_an_unknown_model_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no model 'large'.*small"):
        default_model(_write(tmp_path), "large")


def test_no_manifest_and_binary_manifest(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no usable manifest"):
        default_model(tmp_path / "manifest.toml")
    (tmp_path / "manifest.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WeightsError, match="no usable manifest"):
        default_model(tmp_path / "manifest.toml")


def test_the_shipped_default_loads() -> None:
    card = default_model()
    assert card.path.parent == weights_folder()
    load_net(card)
