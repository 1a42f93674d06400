"""The net: scripted against eager, shapes, and what the segmenter hands on."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support.processor import needs_bfloat16

from horizon_rt.errors import WeightsError
from horizon_rt.frame import Frame
from horizon_rt.models.nets import build_net
from horizon_rt.models.nets.horizon_net import HorizonNet
from horizon_rt.models.sizes import NetSize
from horizon_rt.models.weights import find_model, write_manifest
from horizon_rt.options import Engine
from horizon_rt.segmentation import Segmenter
from horizon_rt.segmentation.backends import make_backend
from horizon_rt.segmentation.torchscript import TorchScript, best_device
from horizon_rt.sources import open_source
from horizon_rt.tracker import HorizonTracker


def _net(seed: int = 0) -> HorizonNet:
    """Random weights with batch statistics away from their start, so that folding them is tested."""
    torch.manual_seed(seed)
    net = HorizonNet(NetSize((8, 16, 32, 32), (1, 1), 1))
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)  # type: ignore[union-attr, operator]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr, operator]
    return net.eval()


@pytest.fixture(scope="module")
def backend() -> TorchScript:
    return TorchScript(_net())


SHAPES = [(192, 320), (224, 288), (256, 256), (32, 32), (32, 2048), (2048, 32), (320, 192), (64, 96)]


@pytest.mark.parametrize("shape", SHAPES)
def test_scripted_is_eager(backend: TorchScript, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    for _ in range(2):
        picture = rng.standard_normal((1, 3, *shape), np.float32)
        logits, presence = backend(picture)
        with torch.inference_mode():
            mask, seen = _net()(torch.from_numpy(picture))
        assert logits.shape == (shape[0] // 4, shape[1] // 4)
        assert logits.dtype == np.float32
        assert logits == pytest.approx(mask[0, 0].numpy(), abs=1e-4)
        assert presence == pytest.approx(float(seen[0]), abs=1e-4)


def test_compiling_leaves_the_callers_net_alone() -> None:
    net = _net().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    TorchScript(net)
    assert net.training
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert net.head.weight.dtype == torch.float32


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_a_net_that_nobody_uses_any_more_takes_no_memory() -> None:
    code = """
import gc, pathlib, numpy
from horizon_rt.segmentation.torchscript import TorchScript
from horizon_rt.models.weights import find_model, load_net
for _ in range(10):
    TorchScript(load_net(find_model(name="small")))(numpy.zeros((1, 3, 64, 96), numpy.float32))
    gc.collect()
    print(int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    memory_mb = [float(line) for line in done.stdout.split()]
    assert memory_mb[-1] - memory_mb[2] < 10  # a frozen net of this size has 4.5


def test_trackers_of_one_model_share_its_net() -> None:
    card = find_model(name="nano")
    one = make_backend(card, Engine(backend="torchscript", device="cpu"))
    assert make_backend(card, Engine(backend="torchscript", device="cpu")) is one
    assert make_backend(find_model(), Engine(backend="torchscript", device="cpu")) is not one


@needs_bfloat16
def test_trackers_in_another_precision_have_a_net_of_their_own() -> None:
    card = find_model(name="nano")
    one = make_backend(card, Engine(backend="torchscript", device="cpu"))
    assert make_backend(card, Engine(backend="torchscript", device="cpu", precision="bfloat16")) is not one


def test_a_shared_net_is_that_of_the_weights_file_as_it_is_now(tmp_path: Path) -> None:
    sigma = find_model().sigma
    states = [build_net("nano").state_dict() for _ in range(2)]
    picture, answers, cards = np.ones((1, 3, 64, 96), np.float32), [], []
    for state in states:
        cards.append(write_manifest(tmp_path, "m", "nano", state, sigma, {}))
        answers.append(make_backend(cards[-1], Engine(backend="torchscript", device="cpu"))(picture)[0])
    assert np.abs(answers[0] - answers[1]).max() > 1e-3
    with pytest.raises(WeightsError, match="damaged or was changed"):
        make_backend(cards[0], Engine(backend="torchscript", device="cpu"))


def test_answers_are_not_overwritten_by_the_next_frame(backend: TorchScript) -> None:
    first, _ = backend(np.zeros((1, 3, 32, 32), np.float32))
    kept = first.copy()
    backend(np.ones((1, 3, 32, 32), np.float32))
    assert (first == kept).all()


def test_a_batch_is_its_pictures_one_by_one() -> None:
    pictures = torch.randn(3, 3, 64, 96)
    with torch.inference_mode():
        masks, presences = _net()(pictures)
        for k in range(3):
            mask, presence = _net()(pictures[k : k + 1])
            assert torch.allclose(mask[0], masks[k], atol=1e-5)
            assert torch.allclose(presence[0], presences[k], atol=1e-5)


class _Fixed:
    name = "fixed"

    def __init__(self, presence: float) -> None:
        self.presence = presence

    def __call__(self, picture: np.ndarray) -> tuple[np.ndarray, float]:
        return np.zeros((picture.shape[2] // 4, picture.shape[3] // 4), np.float32), self.presence


@pytest.mark.parametrize("logit", [-1e9, -3.0, 0.0, 2.0, 1e9])
def test_presence_is_the_logistic_of_its_logit(logit: float) -> None:
    segmentation = Segmenter(_Fixed(logit)).segment(Frame((np.zeros((90, 160), np.uint8),), 0, 0.0))
    expected = 1 / (1 + math.exp(-max(min(logit, 700), -700)))
    assert segmentation.presence == pytest.approx(expected, abs=1e-12)
    assert segmentation.logits.shape == (48, 80)
    assert segmentation.letterbox.scale == pytest.approx(2.0)


def test_the_best_device_is_one_that_is_there() -> None:
    assert best_device() == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_careful_look_takes_a_larger_input_for_the_mask_alone() -> None:
    asked: list[tuple[int, ...]] = []

    class Net:
        name, on_gpu = "net", False

        def __init__(self, presence: float) -> None:
            self._presence = presence

        def __call__(self, picture: np.ndarray) -> tuple[np.ndarray, float]:
            asked.append(picture.shape[2:])
            mask = np.zeros((picture.shape[2] // 4, picture.shape[3] // 4), np.float32)
            return mask, self._presence if len(asked) % 2 else -9.0

    frame = Frame((np.full((180, 320), 90, np.uint8),), 0, 0.0)
    seen = Segmenter(Net(3.0)).segment(frame, careful=True)
    assert asked[0] == (192, 320)
    assert 2 < asked[1][0] * asked[1][1] / (192 * 320) <= 2.4
    assert seen.logits.shape == (asked[1][0] // 4, asked[1][1] // 4)
    assert seen.presence == pytest.approx(1 / (1 + np.exp(-3.0)))
    asked.clear()
    assert Segmenter(Net(-3.0)).segment(frame, careful=True).presence < 0.5
    assert Segmenter(Net(3.0)).segment(frame).logits.shape == (48, 80)
    assert len(asked) == 2, "what shows no horizon is looked at once"


def test_what_stands_alone_is_looked_at_carefully() -> None:
    with open_source("synth:coast?size=640x360&seconds=0.2&seed=3") as source:
        frame = next(iter(source))
    alone, filtered = (HorizonTracker(smooth=s) for s in ("none", "causal"))
    assert alone.segment(frame).logits.size > 2 * filtered.segment(frame).logits.size
    assert filtered.segment(frame, careful=True).logits.size == alone.segment(frame).logits.size
