"""Units of a net: the place that excites one, what it sees there, and what is left under a patch."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from support import ROOT
from support.cli import RunCli
from torch import Tensor, nn

from horizon_rt.cli.inspect import inspect
from horizon_rt.errors import WeightsError
from horizon_rt.frame import Frame
from horizon_rt.inspection.look import inspect_model
from horizon_rt.inspection.units import Unit, excitation, find_unit
from horizon_rt.models.nets import build_net
from horizon_rt.models.weights import find_model, load_net
from horizon_rt.segmentation.preprocess import Preprocessor

SIZE = (64, 96)


class Spots(nn.Module):
    """Unit 1 is the 3×3 sum of the first channel, twice: what is bright within 5×5 px excites it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 1, 3, padding=1, bias=False)
        self.second = nn.Conv2d(1, 2, 3, padding=1, bias=False)
        for layer in (self.first, self.second):
            nn.init.zeros_(layer.weight)
        nn.init.ones_(self.first.weight[0, 0])
        nn.init.ones_(self.second.weight[1])

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        mask = self.second(self.first(picture))
        return mask[:, :1, ::4, ::4], mask.mean(dim=(1, 2, 3))


def _with_spot(row: int, column: int, value: float = 2.0) -> np.ndarray:
    picture = np.zeros((1, 3, *SIZE), np.float32)
    picture[0, 0, row, column] = value
    return picture


def test_a_spot_excites_a_unit_where_it_is() -> None:
    """The kernel of two sums of 3×3 is the product of (1 2 3 2 1) each way, 9 in the middle."""
    found = excitation(Spots(), Unit("second", 1), _with_spot(20, 37))
    assert found.cell == (20, 37)
    assert found.value == pytest.approx(2.0 * 9)
    assert found.box == (35, 18, 40, 23)
    assert found.activation.shape == SIZE
    assert found.activation[18, 35] == pytest.approx(2.0)
    assert excitation(Spots(), Unit("second", 0), _with_spot(20, 37)).value == 0


def test_what_hides_the_spot_takes_all_of_the_excitation() -> None:
    """Patches of 32 px every 16 px; only those over row 20 and column 37 do anything."""
    loss = excitation(Spots(), Unit("second", 1), _with_spot(20, 37)).loss
    middles = [16 * np.arange(side // 16) + 8 for side in SIZE]
    hides = [(np.abs(m - x) < 16) for m, x in zip(middles, (20, 37), strict=True)]
    assert loss == pytest.approx(np.outer(*hides).astype(float))


def test_a_unit_that_is_nowhere_above_zero_falls_below_its_patches_too() -> None:
    """With a bias of −27 the unit is at −9 on the spot, and under a patch at −27, twice its size below."""
    net = Spots()
    net.second.bias = nn.Parameter(torch.tensor([0.0, -27.0]))
    found = excitation(net, Unit("second", 1), _with_spot(20, 37))
    assert (found.cell, found.value) == ((20, 37), pytest.approx(-9.0))
    middles = [16 * np.arange(side // 16) + 8 for side in SIZE]
    hides = [(np.abs(m - x) < 16) for m, x in zip(middles, (20, 37), strict=True)]
    assert found.loss == pytest.approx(2.0 * np.outer(*hides))


def test_the_strongest_of_all_frames_come_first(tmp_path: Path) -> None:
    """The values against a hook of the test's own; the pictures get harsher, so that the last count most."""
    rng = np.random.default_rng(5)
    names = [f"{number}.png" for number in range(7)]
    for number, name in enumerate(names):
        noise = 128 + (3 * number + 1) * rng.standard_normal((64, 96, 3))
        cv2.imwrite(str(tmp_path / name), noise.clip(0, 255).astype(np.uint8))
    card = find_model(name="nano")
    net, preprocess, peaks = load_net(card).eval(), Preprocessor(card.input_area_px), {}
    values: list[float] = []
    net.get_submodule("eighth.0").register_forward_hook(
        lambda m, i, out: values.append(float(out[0, 3].max()))
    )
    for name in names:
        preprocess(Frame.from_bgr(cv2.imread(str(tmp_path / name))))
        with torch.inference_mode():
            net(torch.from_numpy(preprocess.input))
        peaks[name] = values[-1]
    expected = sorted(names, key=lambda name: -peaks[name])[:3]
    found = inspect_model("nano", [str(tmp_path)], width=96, height=64, unit="eighth.0:3", top=3)
    assert [look.name for look in found.strongest] == expected
    got = [look.excitation.value for look in found.strongest if look.excitation is not None]
    assert got == pytest.approx([peaks[name] for name in expected], rel=1e-4)
    assert len(found.looks) == 4


def test_units_are_named_by_layer_and_channel() -> None:
    with torch.device("cpu"):
        net = build_net("pspnet")
    assert find_unit(net, "encoder.stages.7:511") == Unit(
        "body.encoder.stages.7", 511
    )  # the end of ResNet-18
    assert str(find_unit(net, "body.encoder.stages.0.first:3")) == "body.encoder.stages.0.first:3"
    with pytest.raises(WeightsError, match=r"body\.encoder\.stages\.7 has the units 0 to 511, got 512"):
        find_unit(net, "encoder.stages.7:512")
    for wrong in ("encoder.stages.7", "encoder.stages.7:x", ":1", ""):
        with pytest.raises(WeightsError, match=r"LAYER:CHANNEL.*body\.encoder"):
            find_unit(net, wrong)
    for wrong in ("nowhere:1", "presence:0"):
        with pytest.raises(
            WeightsError, match=r"there is no layer '(nowhere|presence)'; layers: .*body\.encoder"
        ):
            find_unit(net, wrong)


def test_the_command_shows_what_excites_a_unit(cli: RunCli, tmp_path: Path) -> None:
    pictures = [f"synth:{kind}?size=160x96&seconds=1&fps=1&seed=3" for kind in ("sea", "fields")]
    words = [word for spec in pictures for word in ("--source", spec)]
    done = cli("inspect", "nano", *words, "--unit", "eighth.0:3", "--top", "1", "--out", tmp_path)
    assert done.code == 0, done.err
    assert "picture\tactivation\tplace, px\tsees, px\tlargest loss" in done.out
    found = inspect_model("nano", pictures, width=96, height=64, unit="eighth.0:3", top=5)
    values = [look.excitation.value for look in found.strongest if look.excitation is not None]
    assert values == sorted(values, reverse=True)
    assert len(values) == 2
    page = (tmp_path / "inspect.html").read_text()
    assert re.findall(r'src="(inspect-unit-\d+\.png)"', page) == ["inspect-unit-01.png"]
    assert cv2.imread(str(tmp_path / "inspect-unit-01.png")).shape[1] > 600


def test_the_unit_that_the_help_names_is_one_of_the_model_small() -> None:
    unit = find_unit(load_net(find_model(name="small")), "sixteenth.2:12")
    assert str(unit) == "sixteenth.2:12"
    for text in (Path(inspect.__code__.co_filename).read_text(), (ROOT / "docs/training.md").read_text()):
        assert "sixteenth.2:12" in text


def test_a_net_without_weights_has_no_units_to_look_at() -> None:
    with pytest.raises(WeightsError, match="segnet has no weights here"):
        inspect_model("segnet", width=96, height=64, unit="encoder:1")
