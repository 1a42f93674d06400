"""Numbers and maps of a net, against closed forms and brute force; the table, the pictures, the page."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from support.cli import RunCli
from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.camera import Camera
from horizon_rt.errors import WeightsError
from horizon_rt.fitting import HorizonFitter
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.inspection.attribution import (
    PATCH_PX,
    STEP_PX,
    cell_at_horizon,
    cell_gradient,
    effective_field,
    occlude,
)
from horizon_rt.inspection.complexity import count_flops, count_parameters, receptive_field
from horizon_rt.inspection.look import inspect_model
from horizon_rt.models.nets import MaskAndPresence
from horizon_rt.models.nets.fcn import FCN8s
from horizon_rt.models.nets.horizon_net import HorizonNet
from horizon_rt.models.nets.unet import UNet
from horizon_rt.models.sizes import NetSize
from horizon_rt.models.weights import SigmaCalibration
from horizon_rt.segmentation import Letterbox, Segmentation, Segmenter
from horizon_rt.synth.random_scene import random_scene
from horizon_rt.synth.render import camera_rays, render
from horizon_rt.synth.sensor import to_uint8


class Chain(nn.Module):
    """Layers one after the other, with the two outputs of a net."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        mask = self.layers(picture)
        return mask, mask.mean(dim=(1, 2, 3))


# --- floating-point operations


def test_flops_are_the_closed_form() -> None:
    net = Chain(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 5, 1, 2, groups=8),
                nn.Conv2d(8, 1, 1))  # fmt: skip
    cells = 16 * 32
    multiply_adds = cells * (3 * 9 * 8 + 25 * 8 + 8)
    assert count_flops(net, 32, 64) == 2 * multiply_adds
    assert count_parameters(net) == (3 * 9 * 8 + 8) + 2 * 8 + (25 * 8 + 8) + (8 + 1)


class _Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        cells = x.flatten(2).transpose(1, 2)[:, None]
        return F.scaled_dot_product_attention(cells, cells, cells).transpose(2, 3).reshape(x.shape)


def test_flops_of_attention_are_those_of_its_two_products() -> None:
    cells = 8 * 16
    assert count_flops(Chain(_Attention()), 8, 16) == 2 * (2 * cells * cells * 3)


# --- theoretical receptive field


def closed_form(layers: tuple[nn.Module, ...]) -> int:
    """Araujo et al. 2019, eq. 2, with the reach of a dilated kernel."""
    field, jump = 1, 1
    for layer in layers:
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
            kernel, stride, dilation = (_number(v) for v in (layer.kernel_size, layer.stride, layer.dilation))
            field += dilation * (kernel - 1) * jump
            jump *= stride
    return field


def _number(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else value[0]


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation)


CHAINS: list[Callable[[], tuple[nn.Module, ...]]] = [
    lambda: (_conv(3, 1, 3),),
    lambda: (_conv(3, 4, 7, 4), nn.ReLU(), _conv(4, 1, 1)),
    lambda: (_conv(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(True), _conv(4, 4, 5), _conv(4, 1, 3, 2)),
    lambda: (
        _conv(3, 4, 3),
        nn.MaxPool2d(2),
        _conv(4, 4, 3),
        nn.ReLU6(),
        nn.MaxPool2d(3, 2, 1),
        _conv(4, 1, 3),
    ),
    lambda: (_conv(3, 4, 3, 2), _conv(4, 4, 3, dilation=3), nn.MaxPool2d(2), _conv(4, 1, 3, dilation=2)),
]


@pytest.mark.parametrize("layers", CHAINS)
def test_receptive_fields_of_chains_are_the_closed_form(layers: Callable[[], tuple[nn.Module, ...]]) -> None:
    chain = layers()
    found = receptive_field(Chain(*chain), 96, 128)
    assert (found.width, found.height) == (closed_form(chain), closed_form(chain))
    assert (found.clipped, found.whole) == (False, False)


def seen_columns_and_rows(net: nn.Module, height: int, width: int) -> tuple[list[int], list[int]]:
    """Where a NaN in the picture reaches the cell in the middle."""
    net = net.eval().double()
    middle = (0, 0, height // 8, width // 8)
    seen: list[list[int]] = []
    for axis, count in ((3, width), (2, height)):
        seen.append([])
        for index in range(count):
            picture = torch.rand(1, 3, height, width, dtype=torch.float64)
            picture.select(axis, index).fill_(torch.nan)
            if net(picture)[0][middle].isnan():
                seen[-1].append(index)
    return seen[0], seen[1]


@pytest.mark.parametrize(
    "net",
    [
        lambda: MaskAndPresence(UNet((2, 3, 4))),
        lambda: HorizonNet(NetSize((4, 4, 4, 4), (0, 0), 0)),
    ],
    ids=["unet", "no attention"],
)
def test_receptive_fields_of_nets_are_where_a_nan_reaches(net: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    made = net()
    found = receptive_field(made, 96, 96)
    with torch.inference_mode():
        columns, rows = seen_columns_and_rows(made, 96, 96)
    assert (found.width, found.height) == (len(columns), len(rows))
    assert found.clipped == (0 in columns or 95 in columns or 0 in rows or 95 in rows)


def test_attention_sees_the_whole_picture() -> None:
    found = receptive_field(HorizonNet(NetSize((4, 4, 4, 4), (0, 0), 1)), 96, 160)
    assert (found.width, found.height, found.whole) == (160, 96, True)


def test_the_receptive_field_of_a_small_picture_is_clipped() -> None:
    found = receptive_field(MaskAndPresence(FCN8s(2)), 64, 64)
    assert found.clipped


def test_the_net_is_left_as_it_was() -> None:
    net = HorizonNet(NetSize((4, 4, 4, 4), (0, 0), 1)).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    receptive_field(net, 64, 64)
    count_flops(net, 64, 64)
    assert net.training
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


# --- effective receptive field


def test_the_gradient_of_a_convolution_is_its_kernel() -> None:
    layer = nn.Conv2d(3, 1, 5, 4, 2)
    picture = np.random.default_rng(0).standard_normal((1, 3, 64, 96), np.float32)
    gradient = cell_gradient(Chain(layer), picture, (7, 10))
    expected = np.zeros((64, 96))
    expected[26:31, 38:43] = layer.weight.detach().abs().sum(dim=(0, 1)).numpy()
    assert gradient == pytest.approx(expected, abs=1e-6)


def test_the_effective_field_of_a_box_is_its_size() -> None:
    boxes, cells = [], [(5, 6), (9, 12), (2, 2)]
    for row, column in cells:
        box = np.zeros((64, 96))
        box[4 * row + 2 - 7 : 4 * row + 2 + 8, 4 * column + 2 - 7 : 4 * column + 2 + 8] = 0.3 * row
        boxes.append(box)
    field = effective_field(boxes, cells)
    assert field.size_px == pytest.approx(15)
    middle = field.gradient[tuple(slice(n // 2 - 7, n // 2 + 8) for n in field.gradient.shape)]
    assert middle == pytest.approx(np.full((15, 15), 1 / 225))
    assert field.gradient.sum() == pytest.approx(1)
    # A disc with half of the square's area.
    assert field.half_radius_px == pytest.approx(15 / math.sqrt(2 * math.pi), abs=0.5)


@pytest.mark.parametrize("angle", [-70.0, -20.0, 0.0, 45.0, 90.0])
@pytest.mark.parametrize("offset", [-90.0, 0.0, 60.0])
def test_the_cell_at_the_horizon_is_the_nearest_on_the_line(angle: float, offset: float) -> None:
    line, letterbox = HorizonLine(angle, offset), Letterbox(0.5, 0.0, 6.0)
    cell = cell_at_horizon(Segmentation(np.zeros((48, 80), np.float32), 1.0, letterbox), line, 640, 360)
    assert cell is not None
    x, y = letterbox.to_picture(np.array([[4 * cell[1] + 1.5, 4 * cell[0] + 1.5]]))[0]
    half = 8 / math.sqrt(2)
    assert abs(line.signed_distance(x, y, 640, 360)) <= half
    assert math.hypot(x - 319.5, y - 179.5) <= abs(offset) + 2 * half


def test_no_cell_where_the_line_is_outside() -> None:
    segmentation = Segmentation(np.zeros((48, 80), np.float32), 1.0, Letterbox(0.5, 0.0, 6.0))
    assert cell_at_horizon(segmentation, HorizonLine(0.0, 250.0), 640, 360) is None


# --- occlusion


class OneRegion:
    """A backend whose level horizon rises by one row of cells with the mean luma of a region of the input."""

    name = "one region"
    rows, columns = slice(64, 96), slice(160, 224)

    def __call__(self, picture: np.ndarray) -> tuple[np.ndarray, float]:
        height, width = picture.shape[2] // 4, picture.shape[3] // 4
        row = 23.5 - picture[0, 0, self.rows, self.columns].mean()
        logits = 4 * (row - np.arange(height, dtype=np.float32))[:, None]
        return np.repeat(logits, width, axis=1), 10.0


def test_occlusion_is_zero_where_the_net_cannot_look_and_right_where_it_does() -> None:
    picture = np.full((1, 3, 192, 320), 2.0, np.float32)
    segmenter, letterbox = Segmenter(OneRegion()), Letterbox(1.0, 0.0, 0.0)
    camera = Camera.from_hfov(320, 192, 70)
    fitter = HorizonFitter(camera, SigmaCalibration(1.0, 0.1))
    found = occlude(segmenter, fitter, picture, segmenter.segment_input(picture, letterbox))
    assert found is not None
    assert found.change_deg.shape == (192 // STEP_PX, 320 // STEP_PX)
    for (row, column), change in np.ndenumerate(found.change_deg):
        hidden = _overlap(row, OneRegion.rows) * _overlap(column, OneRegion.columns) / (32 * 64)
        assert change == pytest.approx(_turn(hidden, camera), abs=1e-3)
        assert (change == 0) == (hidden == 0)
    assert found.largest_deg == pytest.approx(_turn(24 * 32 / (32 * 64), camera), abs=1e-3)
    assert found.lost_share == 0


def _overlap(index: int, side: slice) -> int:
    middle = index * STEP_PX + STEP_PX // 2
    return max(min(middle + PATCH_PX // 2, side.stop) - max(middle - PATCH_PX // 2, side.start), 0)


def _turn(hidden: float, camera: Camera) -> float:
    """Degrees between the horizon at 2 rows above the middle and the one with a part of the region grey."""

    def pitch(mean: float) -> float:
        return math.degrees(math.atan(4 * mean / camera.focal_px))

    return pitch(2.0) - pitch(2.0 * (1 - hidden))


class Shy(OneRegion):
    """Sees no horizon once the region is touched."""

    def __call__(self, picture: np.ndarray) -> tuple[np.ndarray, float]:
        logits, _ = super().__call__(picture)
        return logits, 10.0 if picture[0, 0, self.rows, self.columns].all() else -10.0


def test_a_lost_horizon_is_no_number() -> None:
    picture = np.full((1, 3, 192, 320), 2.0, np.float32)
    segmenter, letterbox = Segmenter(Shy()), Letterbox(1.0, 0.0, 0.0)
    fitter = HorizonFitter(Camera.from_hfov(320, 192, 70), SigmaCalibration(1.0, 0.1))
    found = occlude(segmenter, fitter, picture, segmenter.segment_input(picture, letterbox))
    assert found is not None
    touched = [[_overlap(i, Shy.rows) * _overlap(j, Shy.columns) > 0 for j in range(20)] for i in range(12)]
    assert (np.isnan(found.change_deg) == touched).all()
    assert found.lost_share == pytest.approx(np.mean(touched))
    hidden = np.zeros_like(picture)
    assert occlude(segmenter, fitter, hidden, segmenter.segment_input(hidden, letterbox)) is None


# --- the whole, and the command line


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A horizon with a known tilt, and a picture of nothing."""
    folder = tmp_path_factory.mktemp("pictures")
    horizon, nothing = folder / "tilted <1>.png", folder / "nothing.png"
    scene = random_scene(np.random.default_rng(3), "fields")._replace(visibility=1e5)
    rays = camera_rays(Camera.from_hfov(320, 192, 70))
    up = UpVector.from_roll_pitch(-math.degrees(math.atan(0.1)), 0)
    cv2.imwrite(str(horizon), to_uint8(render(scene, rays, up))[:, :, ::-1])
    cv2.imwrite(str(nothing), np.full((100, 300), 30, np.uint8))
    return horizon, nothing


def test_inspecting_the_shipped_model(cli: RunCli, photographs: tuple[Path, Path], tmp_path: Path) -> None:
    horizon, nothing = photographs
    done = cli("inspect", "small", "--source", horizon, "--source", nothing, "--out", tmp_path / "out")
    assert done.code == 0
    rows = [line.split("\t") for line in done.out.splitlines()]
    table = {row[0]: row[1:] for row in rows}
    assert table["parameters"] == ["471,394"]
    assert "whole picture" in table["theoretical receptive field of a mask cell"][0]
    assert float(table[horizon.name][0].rstrip("°")) == pytest.approx(-math.degrees(math.atan(0.1)), abs=1)
    assert table[nothing.name][0] == "no horizon"
    written = [Path(line.removeprefix("written: ")) for line in done.errors if line.startswith("written")]
    page = (tmp_path / "out" / "inspect.html").read_text()
    shown = re.findall(r'<img src="([^"]+)"', page)
    assert {path.name for path in written} == {"inspect.html", *shown}
    assert "tilted &lt;1&gt;.png" in page
    for name in shown:
        image = cv2.imread(str(tmp_path / "out" / name))
        assert image is not None
        assert image.std() > 5


def test_inspecting_a_net_of_the_zoo_gives_only_numbers(cli: RunCli, tmp_path: Path) -> None:
    done = cli("inspect", "base", "--size", "256x128", "--out", tmp_path)
    assert (done.code, [path.name for path in tmp_path.iterdir()]) == (0, ["inspect.html"])
    assert "of 256x128 px" in done.out
    assert "effective" not in done.out


def test_what_cannot_be_inspected_is_named(cli: RunCli, tmp_path: Path) -> None:
    done = cli("inspect", "resnet")
    assert done.code == 1
    assert re.search(r"no model 'resnet'.*small", done.errors[-1])
    with pytest.raises(WeightsError, match=r"segnet"):
        inspect_model("resnet", width=64, height=64)
    assert cli("inspect", "nano", "--size", "100x100").code == 2
    (tmp_path / "file").write_text("")
    done = cli("inspect", "base", "--size", "32x32", "--out", tmp_path / "file")
    assert (done.code, "cannot write" in done.errors[-1]) == (1, True)


def test_up_vectors_and_lines_agree() -> None:
    """The tilt in the pictures is the roll of the table with the other sign."""
    line = Camera.from_hfov(320, 192, 70).line(UpVector.from_roll_pitch(-8.0, 3.0))
    assert line is not None
    assert line.angle_deg == pytest.approx(8.0)
