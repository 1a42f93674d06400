"""Losses of the mask against references written from their definitions, and against other libraries."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torchmetrics.functional.classification import binary_f1_score, binary_jaccard_index

from horizon_rt.errors import TrainingError
from horizon_rt.training.losses import LOSSES, make_loss
from horizon_rt.training.samples.contour import contour_distance

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


def _random(seed: int, shape: tuple[int, int, int] = (3, 7, 9), *, soft: bool = True) -> Arrays:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, (shape[0], 1, *shape[1:])).astype(float)
    if soft:
        target = np.where(rng.random(target.shape) < 0.3, rng.random(target.shape), target)
    return rng.normal(0, 3, target.shape), target, rng.uniform(0.2, 2, target.shape)


def _value(spec: str, logits: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
    return float(make_loss(spec)(*(torch.from_numpy(np.asarray(v, float)) for v in (logits, target, weight))))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _entropy(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    p = _sigmoid(logits)
    return -target * np.log(p) - (1 - target) * np.log(1 - p)


def _half_plane(height: int, width: int, angle: float, offset: float) -> tuple[np.ndarray, np.ndarray]:
    """Exact distances in cells, positive above, and the share of each cell above the line (1, 1, h, w)."""
    y, x = np.mgrid[:height, :width] - np.array([height - 1, width - 1]).reshape(2, 1, 1) / 2
    distance = math.sin(angle) * x - math.cos(angle) * y + offset
    return distance[None, None], np.clip(distance + 0.5, 0, 1)[None, None]


# --- cross-entropies


def test_bce_is_the_weighted_mean_of_the_cross_entropy() -> None:
    logits, target, weight = _random(0)
    expected = np.average(_entropy(logits, target), weights=weight)
    assert _value("bce", logits, target, weight) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("positive", [0.5, 3.0])
def test_weighted_bce_is_that_of_torch(positive: float) -> None:
    logits, target, weight = _random(1)
    x, t, w = map(torch.from_numpy, (logits, target, weight))
    expected = F.binary_cross_entropy_with_logits(x, t, w, reduction="sum", pos_weight=torch.tensor(positive))
    assert _value(f"weighted-bce:{positive}", logits, target, weight) == pytest.approx(
        float(expected) / weight.sum(), rel=1e-12
    )


def test_weighted_bce_gives_both_sides_of_the_batch_the_same_weight() -> None:
    """At logit 0 every cell costs log 2: sky and ground pull alike, whatever their sizes."""
    target = np.zeros((2, 1, 6, 10))
    target[0, 0, :2] = 1
    weight = np.random.default_rng(2).uniform(0.5, 1, target.shape)
    logits = torch.zeros(target.shape, dtype=torch.float64, requires_grad=True)
    make_loss("weighted-bce")(logits, torch.from_numpy(target), torch.from_numpy(weight)).backward()
    slopes = logits.grad.numpy()
    assert slopes[target == 1].sum() == pytest.approx(-slopes[target == 0].sum(), rel=1e-9)


@pytest.mark.parametrize("gamma", [1.0, 2.0, 3.5])
def test_focal_is_lin_s_for_hard_targets(gamma: float) -> None:
    logits, target, weight = _random(3, soft=False)
    p = _sigmoid(logits)
    pt = np.where(target == 1, p, 1 - p)
    expected = np.average(-((1 - pt) ** gamma) * np.log(pt), weights=weight)
    assert _value(f"focal:{gamma}", logits, target, weight) == pytest.approx(expected, rel=1e-10)
    if gamma == 2:
        assert _value("focal", logits, target, weight) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("spec", ["bce", "focal", "dice", "iou", "edge-bce"])
def test_the_least_is_where_the_probability_is_the_share(spec: str, share: float) -> None:
    """In a row of cells that are all cut alike, the best probability is their share, soft or not."""
    grid = np.linspace(0.0005, 0.9995, 500)
    ones = np.ones((1, 1, 1, 8))
    values = [_value(spec, math.log(p / (1 - p)) * ones, share * ones, ones) for p in grid]
    assert abs(grid[int(np.argmin(values))] - share) < 2.1e-3


# --- ratios


@pytest.mark.parametrize("seed", range(3))
def test_dice_and_iou_of_hard_predictions_are_those_of_torchmetrics(seed: int) -> None:
    logits, target, weight = _random(seed, (1, 12, 11), soft=False)
    hard, weight = np.sign(logits) * 60, np.ones_like(weight)
    prediction, truth = (torch.from_numpy((v > 0).astype(int)).flatten() for v in (hard, target))
    both = binary_f1_score(prediction, truth)  # another name of the Dice coefficient
    assert _value("dice", hard, target, weight) == pytest.approx(1 - float(both), abs=2e-3)
    jaccard = binary_jaccard_index(prediction, truth)
    assert _value("iou", hard, target, weight) == pytest.approx(1 - float(jaccard), abs=2e-3)


def test_dice_and_iou_by_their_sums() -> None:
    """For hard targets the classic sums; the smoothing is a thousandth of the picture."""
    logits, target, weight = _random(4, soft=False)
    p, dice, iou = _sigmoid(logits), [], []
    for q, t, w in zip(p, target, weight, strict=True):
        w = w / w.sum()
        both = (w * q * t).sum()
        dice.append(1 - (2 * both + 1e-3) / ((w * q**2).sum() + (w * t**2).sum() + 1e-3))
        iou.append(1 - (both + 1e-3) / ((w * q).sum() + (w * t).sum() - both + 1e-3))
    importance = weight.mean(axis=(1, 2, 3))
    for spec, ratios in (("dice", dice), ("iou", iou)):
        expected = np.average(ratios, weights=importance)
        assert _value(spec, logits, target, weight) == pytest.approx(expected, rel=1e-10)


def _jaccard_loss(wrong: np.ndarray, sky: np.ndarray, weight: np.ndarray) -> float:
    """Jaccard loss of the sky when the cells in `wrong` are on the wrong side (Berman 2018, eq. 5)."""
    union = weight[sky | wrong].sum()
    return float(weight[wrong].sum() / union) if union > 0 else 0.0


def _lovasz_extension(logits: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
    """Definition 1 of Berman 2018: Σ m_i (Δ({π_1..π_i}) − Δ({π_1..π_(i−1)})), m the hinge errors, sorted."""
    sky = target >= 0.5
    errors = np.maximum(1 - logits * np.where(sky, 1, -1), 0)
    wrong, value, before = np.zeros(len(sky), bool), 0.0, 0.0
    for i in sorted(range(len(sky)), key=lambda i: -errors[i]):
        wrong[i] = True
        after = _jaccard_loss(wrong, sky, weight)
        value += errors[i] * (after - before)
        before = after
    return value


@pytest.mark.parametrize("seed", range(6))
def test_lovasz_is_the_extension_by_its_definition(seed: int) -> None:
    logits, target, weight = _random(seed, (2, 4, 5))
    weight[np.random.default_rng(seed).random(weight.shape) < 0.3] = 0
    if seed == 4:
        target[:] = 0
    if seed == 5:
        target[:] = 1
    flat = (v.reshape(2, -1) for v in (logits, target, weight))
    values = [_lovasz_extension(*picture) for picture in zip(*flat, strict=True)]
    expected = np.average(values, weights=weight.mean(axis=(1, 2, 3)))
    assert _value("lovasz", logits, target, weight) == pytest.approx(expected, rel=1e-9)


def test_lovasz_of_hard_mistakes_is_the_jaccard_loss() -> None:
    """Where all errors are 0 or 2 (logits ±1), the extension is twice the set function."""
    logits, target, _ = _random(9, (1, 8, 8), soft=False)
    hard = np.where(logits > 0, 1.0, -1.0)
    jaccard = binary_jaccard_index(*(torch.from_numpy((v > 0).astype(int)).flatten() for v in (hard, target)))
    assert _value("lovasz", hard, target, np.ones_like(hard)) == pytest.approx(2 * (1 - float(jaccard)))


# --- distances


def _nearest_other_side(target: np.ndarray) -> np.ndarray:
    """Signed distance, every cell against every cell of the other side."""
    inside = target >= 0.5
    cells = np.argwhere(np.ones_like(inside))
    distance = np.empty(inside.shape)
    for cell in cells:
        others = cells[inside[tuple(cells.T)] != inside[tuple(cell)]]
        near = np.sqrt(((others - cell) ** 2).sum(axis=1)).min() - 0.5 if len(others) else np.inf
        distance[tuple(cell)] = near if inside[tuple(cell)] else -near
    return distance


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9), st.floats(0, 1))
def test_the_distance_of_the_contour_is_that_of_brute_force(
    seed: int, height: int, width: int, share: float
) -> None:
    target = (np.random.default_rng(seed).random((2, 1, height, width)) < share).astype(float)
    found = contour_distance(torch.from_numpy(target))
    assert (found.dtype, found.shape) == (torch.float64, target.shape)
    for k in range(2):
        np.testing.assert_allclose(found[k, 0], _nearest_other_side(target[k, 0]), rtol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 2, 2.2, math.pi])
def test_the_distance_of_a_line_is_right_within_a_cell(angle: float) -> None:
    exact, target = _half_plane(40, 40, angle, 1.3)
    found = contour_distance(torch.from_numpy(target)).numpy()
    y, x = np.mgrid[:40, :40] - 19.5
    whole = np.hypot(x, y) < 19 - np.abs(exact[0, 0])  # the foot of the perpendicular lies in the grid
    assert np.abs(found - exact)[0, 0][whole].max() < 0.75
    assert whole.sum() > 300


def test_boundary_is_the_mean_distance_of_what_is_on_the_wrong_side() -> None:
    logits, target, weight = _random(11, (2, 6, 8), soft=False)
    distance = np.stack([_nearest_other_side(t[0])[None] for t in target]) / 10
    wrong = np.abs(_sigmoid(logits) - target)
    expected = np.average(wrong * np.abs(distance), weights=weight)
    assert _value("boundary", logits, target, weight) == pytest.approx(expected, rel=1e-6)


def test_boundary_differs_from_kervadec_s_integral_by_a_constant() -> None:
    logits, target, weight = _random(12, (1, 6, 8), soft=False)
    phi = -_nearest_other_side(target[0, 0]) / 10
    gaps = [
        _value("boundary", x, target, weight) - np.average(phi * _sigmoid(x)[0, 0], weights=weight[0, 0])
        for x in (logits, -logits, 0 * logits)
    ]
    assert gaps == pytest.approx([gaps[0]] * 3, rel=1e-6)


def test_boundary_does_not_depend_on_the_size_of_the_grid() -> None:
    values = []
    for scale in (1, 2, 4):
        _, target = _half_plane(24 * scale, 40 * scale, 0.3, 2.0 * scale)
        _, shifted = _half_plane(24 * scale, 40 * scale, 0.3, 5.0 * scale)
        values.append(_value("boundary", 200 * (shifted - 0.5), target, np.ones_like(target)))
    assert values == pytest.approx([values[-1]] * 3, rel=0.15)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.2, math.pi / 2])
def test_edge_bce_is_the_weighted_cross_entropy_of_a_line(angle: float) -> None:
    """Against the exact distance of the line in px; cells are 4 px, the contour is known to half a cell."""
    distance, target = _half_plane(48, 80, angle, 3.0)
    weight = 1 + 3 * np.exp(-((4 * distance / 10) ** 2))
    logits = np.random.default_rng(0).normal(0, 2, target.shape)
    expected = np.average(_entropy(logits, target), weights=weight)
    assert _value("edge-bce", logits, target, np.ones_like(target)) == pytest.approx(expected, rel=0.02)


def test_edge_bce_is_plain_far_from_a_contour() -> None:
    logits, _, weight = _random(13)
    for side in (0.0, 1.0):
        target = np.full_like(logits, side)
        assert _value("edge-bce", logits, target, weight) == pytest.approx(
            _value("bce", logits, target, weight), rel=1e-12
        )


# --- what all of them share

ALL = [*LOSSES, "weighted-bce:2.5", "focal:1", "edge-bce+0.5*lovasz", "bce+dice+2*boundary"]
each = pytest.mark.parametrize("spec", ALL)


@each
def test_gradients_are_those_of_finite_differences(spec: str) -> None:
    logits, target, weight = (torch.from_numpy(v) for v in _random(20, (2, 4, 5)))
    loss = make_loss(spec)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, target, weight), (logits,))


@each
@pytest.mark.parametrize("side", ["mixed", "sky", "ground"])
@pytest.mark.parametrize("logit", ["right", "wrong", "none"])
def test_everything_is_finite_at_the_extremes(spec: str, side: str, logit: str) -> None:
    _, target = _half_plane(8, 10, 0.3, {"mixed": 0.0, "sky": 100.0, "ground": -100.0}[side])
    t = torch.from_numpy(target).float()
    sign = {"right": 1e4, "wrong": -1e4, "none": 0.0}[logit]
    logits = (sign * (2 * (t >= 0.5).float() - 1)).requires_grad_()
    loss = make_loss(spec)(logits, t, torch.ones_like(t))
    loss.backward()
    assert math.isfinite(loss.item())
    assert loss.item() >= 0
    assert logits.grad.isfinite().all()


@each
def test_nothing_to_learn_from_is_a_loss_of_zero(spec: str) -> None:
    logits, target, _ = (torch.from_numpy(v).float() for v in _random(21))
    logits.requires_grad_()
    loss = make_loss(spec)(logits, target, torch.zeros_like(target))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


@each
def test_cells_of_weight_zero_do_not_matter(spec: str) -> None:
    logits, target, weight = _random(22, (2, 8, 8))
    weight[:, :, :, :3] = 0
    other = np.where(weight == 0, -50 * logits, logits)
    assert _value(spec, other, target, weight) == pytest.approx(
        _value(spec, logits, target, weight), rel=1e-12
    )


@each
def test_the_weight_of_a_picture_is_its_importance(spec: str) -> None:
    """A picture of weight 0 is as one that is not there; all weights times ten change nothing."""
    logits, target, weight = _random(23)
    alone = _value(spec, logits[:1], target[:1], weight[:1])
    mask = np.array([1.0, 0, 0]).reshape(3, 1, 1, 1)
    assert _value(spec, logits, target, weight * mask) == pytest.approx(alone, rel=1e-9)
    assert _value(spec, logits, target, 10 * weight) == pytest.approx(
        _value(spec, logits, target, weight), rel=1e-9
    )


@each
def test_better_predictions_cost_less_and_a_perfect_one_about_nothing(spec: str) -> None:
    _, target = _half_plane(24, 40, 0.2, 1.0)
    ones = np.ones_like(target)
    shifted = [_half_plane(24, 40, 0.2, 1.0 + d)[0] for d in (0.0, 2.0, 5.0, 11.0)]
    values = [_value(spec, 8 * distance, target, ones) for distance in shifted]
    assert values == sorted(values)
    assert values[0] < 0.35 * values[1]
    hard = (target >= 0.5).astype(float)
    assert _value(spec, 60 * (2 * hard - 1), hard, ones) < 2e-9


@each
def test_half_precision_is_widened(spec: str) -> None:
    logits, target, weight = (torch.from_numpy(v).float() for v in _random(24, (2, 16, 16)))
    expected = make_loss(spec)(logits.bfloat16().float(), target, weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = logits.bfloat16().requires_grad_()
        found = make_loss(spec)(half, target, weight)
    found.backward()
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(float(expected), rel=1e-5)
    assert half.grad.isfinite().all()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ALL),
    st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
    st.integers(0, 10**6),
    st.floats(0, 1e4),
    st.floats(0, 1),
)
def test_any_batch_gives_a_finite_loss_and_slope(
    spec: str, shape: tuple[int, int, int], seed: int, scale: float, dropped: float
) -> None:
    rng = np.random.default_rng(seed)
    logits, target, weight = _random(seed, shape, soft=bool(seed % 2))
    weight[rng.random(weight.shape) < dropped] = 0
    x = torch.from_numpy(logits * scale).float().requires_grad_()
    loss = make_loss(spec)(x, torch.from_numpy(target).float(), torch.from_numpy(weight).float())
    loss.backward()
    assert loss.ndim == 0
    assert math.isfinite(loss.item())
    assert loss.item() > -1e-6
    assert x.grad.isfinite().all()


def test_a_sum_is_the_sum_of_its_terms() -> None:
    data = _random(25)
    parts = {spec: _value(spec, *data) for spec in ("edge-bce", "lovasz", "focal:1.5")}
    expected = parts["edge-bce"] + 0.5 * parts["lovasz"] + 3 * parts["focal:1.5"]
    assert _value(" edge-bce + 0.5*lovasz + 3 * focal:1.5", *data) == pytest.approx(expected, rel=1e-12)
    assert make_loss("bce+dice").spec == "bce+dice"


def test_a_weight_may_expand_to_the_grid() -> None:
    logits, target, _ = _random(26)
    weight = np.array([0.3, 1, 2]).reshape(3, 1, 1, 1)
    assert _value("bce+iou", logits, target, weight) == pytest.approx(
        _value("bce+iou", logits, target, np.broadcast_to(weight, logits.shape).copy()), rel=1e-12
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "unknown loss '' in ''; there are: bce, weighted-bce, edge-bce, focal"),
        ("crossentropy", "unknown loss 'crossentropy' in 'crossentropy'; there are: bce"),
        ("bce+", "unknown loss '' in"),
        ("bce*2", "unknown loss '2' in"),
        ("2*3*bce", "unknown loss '2\\*3\\*bce' in"),
        ("x*bce", "the factor of 'bce' must be a number from 0 on, got 'x'"),
        ("-1*bce", "the factor of 'bce' must be a number"),
        ("nan*bce", "the factor of 'bce' must be a number"),
        ("inf*bce", "the factor of 'bce' must be a number"),
        ("focal:0.5", "gamma of 'focal' must be a number from 1 on, got '0.5'"),
        ("focal:", "gamma of 'focal' must be a number"),
        ("weighted-bce:0", "positive of 'weighted-bce' must be a number from 0.01 on"),
        ("dice:2", "loss 'dice' takes no parameter, got 'dice:2'"),
    ],
)
def test_what_is_no_loss_is_refused_in_one_line(spec: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message) as caught:
        make_loss(spec)
    assert "\n" not in str(caught.value)


@settings(max_examples=150)
@given(st.text(alphabet="bcedi0.5*+:-focal ", max_size=20))
def test_any_text_is_a_loss_or_refused(text: str) -> None:
    with suppress(TrainingError):
        assert make_loss(text).terms


@pytest.mark.parametrize(
    "shapes", [((2, 4, 4), (2, 4, 4)), ((1, 1, 4, 4), (1, 1, 4, 5)), ((1, 2, 4, 4),) * 2]
)
def test_wrong_shapes_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    build: Callable[..., torch.Tensor] = torch.zeros
    with pytest.raises(ValueError, match=r"logits and target are both \(n, 1, h, w\)"):
        make_loss("bce")(build(shapes[0]), build(shapes[1]), build(shapes[0]))
