"""The strip net against PyTorch's convolutions, and the most probable plane against a search by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import Tensor
from torch.nn import functional as F

from horizon_rt.errors import WeightsError
from horizon_rt.fitting import strip_net
from horizon_rt.fitting.evidence import log_prior, most_probable_plane
from horizon_rt.fitting.strip_net import NET_ROWS, NET_STATIONS, StripNet, load_weights

Array = np.ndarray


def by_torch(rows: Array) -> tuple[Array, Array, float]:
    """Evidence, floors and logit of none as the module's docstring describes them."""
    weights = {name: torch.from_numpy(value) for name, value in load_weights().items()}

    def conv(name: str, x: Tensor, **options: int) -> Tensor:
        weight = weights[f"{name}.weight"]
        spread = options.get("dilation", 1)
        padding = tuple(spread * (side // 2) for side in weight.shape[2:])
        return F.conv2d(x, weight, weights[f"{name}.bias"], padding=padding, **options)

    def dense(name: str, x: Tensor) -> Tensor:
        return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def twice(x: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0)[:, :, : like.shape[2], : like.shape[3]]

    pairs = torch.from_numpy(rows).reshape(NET_ROWS, NET_STATIONS, 2).mean(dim=2).float()
    deviation, mean = torch.std_mean(pairs, correction=0)
    fine = F.relu(conv("fine", ((pairs - mean) / (deviation + 1))[None, None]))
    middle = F.relu(conv("middle", fine, stride=2))
    coarse = F.relu(conv("wide", F.relu(conv("coarse", middle, stride=2))))
    coarse = coarse + dense("context", coarse.mean(dim=(2, 3)))[:, :, None, None]
    coarse = F.relu(conv("wider", coarse, dilation=2))
    middle = F.relu(conv("join_middle", middle + twice(conv("up_middle", coarse), middle)))
    fine = F.relu(conv("join_fine", fine + twice(conv("up_fine", middle), fine)))
    columns = torch.cat([middle.mean(dim=2), middle.amax(dim=2)], dim=1)[0].T
    floors = dense("floor", columns)[:, 0].repeat_interleave(2)
    none = dense("none", coarse.mean(dim=(2, 3)))
    return conv("evidence", fine)[0, 0].numpy(), floors.numpy(), float(none[0, 0])


@pytest.mark.parametrize("seed", range(4))
def test_the_kernels_are_pytorchs_convolutions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = StripNet()
    net(rng.uniform(0, 255, (NET_ROWS, 2 * NET_STATIONS)))  # what it leaves behind must not count
    rows = np.cumsum(rng.normal(0, 8, (NET_ROWS, 2 * NET_STATIONS)), axis=0)
    evidence, floors, none = by_torch(rows)
    net(rows)
    np.testing.assert_allclose(net.evidence, evidence, atol=2e-4)
    np.testing.assert_allclose(net.floors, floors, atol=2e-4)
    assert net.none == pytest.approx(none, abs=2e-4)


def search(evidence: Array, floors: Array, first: int, last: int, scale: float, precision: Array) -> float:
    """The log posterior of a plane by its rows at both ends."""
    shares = np.linspace(0, 1, NET_STATIONS)
    total = 0.0
    for k, share in enumerate(shares):
        row = math.floor(NET_ROWS // 2 + 0.5 + first * (1 - share) + last * share)
        total += np.logaddexp(floors[k], evidence[row, k] if 0 <= row < NET_ROWS else -np.inf)
    ends = np.array([first, last]) / scale
    return float(total + log_prior(float(ends @ precision @ ends)))


@pytest.mark.parametrize("seed", range(4))
def test_the_most_probable_plane_is_that_of_a_search_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0, 0.5, (NET_ROWS, NET_STATIONS)).astype(np.float32)
    floors = rng.normal(0, 0.5, NET_STATIONS).astype(np.float32)
    first, last = (int(v) for v in rng.integers(-12, 12, 2))
    shares = np.repeat(np.linspace(0, 1, NET_STATIONS), 2)
    shown = np.zeros(2 * NET_STATIONS)
    for k in range(10, 32):  # what can be seen of it
        row = int(NET_ROWS // 2 + 0.5 + first * (1 - shares[2 * k]) + last * shares[2 * k])
        evidence[row, k], shown[2 * k : 2 * k + 2] = 6.0, 1.0
    scale, precision = 700.0, np.diag([1e4, 1e4])
    rows = np.repeat(np.arange(NET_ROWS)[::-1, None] * 3.0, 2 * NET_STATIONS, axis=1)
    trust = np.empty(2 * NET_STATIONS)
    found = most_probable_plane(
        rows, evidence, floors, -50.0, np.full(2 * NET_STATIONS, scale), np.stack([1 - shares, shares], 1),
        precision, np.empty((NET_ROWS, NET_ROWS)), trust,
    )  # fmt: skip
    a, b = (round(value * scale) for value in found[:2])
    every = [(search(evidence, floors, i, j, scale, precision), i, j)
             for i in range(first - 6, first + 7) for j in range(last - 6, last + 7)]  # fmt: skip
    assert search(evidence, floors, a, b, scale, precision) == pytest.approx(max(every)[0])
    assert found[2] == -1.0  # darker towards the sky
    assert found[3] > 0.9
    assert found[5] > 20  # nats
    assert trust[shown > 0].mean() > 0.9
    assert trust[shown == 0].mean() < 0.4


def test_where_none_is_more_probable_no_plane_is() -> None:
    flat = np.zeros((NET_ROWS, NET_STATIONS), np.float32), np.zeros(NET_STATIONS, np.float32)
    scales, shares = np.full(2 * NET_STATIONS, 700.0), np.full((2 * NET_STATIONS, 2), 0.5)
    rest = scales, shares, np.eye(2), np.empty((NET_ROWS, NET_ROWS)), np.empty(2 * NET_STATIONS)
    rows = np.zeros((NET_ROWS, 2 * NET_STATIONS))
    assert most_probable_plane(rows, *flat, 100.0, *rest)[3] < 1e-6
    assert most_probable_plane(rows, *flat, -100.0, *rest)[3] > 1e-3


@pytest.mark.parametrize("damage", ["cut", "other", "absent"])
def test_damaged_weights_are_told_in_one_line(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load_weights()
    load_weights.cache_clear()
    monkeypatch.setattr(strip_net, "shipped_folder", lambda name: tmp_path)
    path = tmp_path / "strip.safetensors"
    if damage != "absent":
        save_file({name: value for name, value in weights.items() if name != "none.bias"}, path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="install horizon-rt anew") as caught:
        load_weights()
    assert "\n" not in str(caught.value)
    load_weights.cache_clear()
