"""Losses of the mask, by name and in sums: `make_loss('edge-bce+0.5*lovasz')`.

All take logits, a target that is the share of each cell above the horizon, and a weight of each cell. Terms
that are sums over cells average over the cells of the batch; ratios (dice, iou, lovasz) are taken for each
picture and averaged with its mean weight, so that a weight of a whole picture is its importance either way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from horizon_rt.errors import TrainingError
from horizon_rt.models.nets.contract import above_horizon
from horizon_rt.models.sizes import OUTPUT_STRIDE
from horizon_rt.training.samples.contour import contour_distance
from horizon_rt.training.teacher import Targets

__all__ = ["LOSSES", "Loss", "cross_entropy", "make_loss", "mask_loss"]

Term = Callable[[Tensor, Tensor, Tensor], Tensor]

_TINY = 1e-12
# Added to both sides of a ratio, as a share of the picture: with nothing of the class there is no 0/0.
_SMOOTH = 1e-3
_BALANCE = 20.0
_EDGE_PX, _EDGE_GAIN = 10.0, 3.0


@dataclass(frozen=True, slots=True)
class Loss:
    """A weighted sum of terms; `spec` is what `make_loss` was given."""

    spec: str
    terms: tuple[tuple[float, Term], ...]

    def __call__(self, logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """The loss, a scalar, float32 (float64 for float64 logits) under autocast too.

        `logits`, `target` in 0..1 and `weight` ≥ 0 (0 leaves the cell out) are (n, 1, h, w); the weight may
        be of a shape that expands to it. Where every weight is 0 the loss is 0. Raises ValueError for
        shapes that do not agree.
        """
        if logits.ndim != 4 or logits.shape[1] != 1 or target.shape != logits.shape:
            raise ValueError(
                f"logits and target are both (n, 1, h, w), got {tuple(logits.shape)}, {tuple(target.shape)}"
            )
        with torch.autocast(logits.device.type, enabled=False):
            wide = logits if logits.dtype == torch.float64 else logits.float()
            target, weight = target.to(wide.dtype), weight.to(wide.dtype).expand_as(wide)
            return torch.stack([factor * term(wide, target, weight) for factor, term in self.terms]).sum()


def make_loss(spec: str) -> Loss:
    """The loss of a sum such as 'bce', 'edge-bce+0.5*lovasz' or 'focal:1.5+dice'.

    A factor stands before a term, a parameter of the term after a colon: 'focal:GAMMA' (2 if not given),
    'weighted-bce:POSITIVE' (from the batch if not given). Raises TrainingError for what is none of this.
    """
    return Loss(spec, tuple(_parse(part, spec) for part in spec.split("+")))


def mask_loss(loss: Loss, scores: Tensor, targets: Targets) -> Tensor:
    """The loss of a mask (n, 1, h, w), or of scores of several classes (n, classes, h, w).

    A picture whose classes are known costs the cross-entropy of a softmax over them, any other the loss of
    'above the horizon', the first class. Both count by their share of the pictures.
    """
    if scores.shape[1] == 1 or targets.classes is None:
        mask = scores if scores.shape[1] == 1 else above_horizon(scores)
        return loss(mask, targets.covers, targets.cell_weights)
    told = (targets.classes < scores.shape[1]).flatten(1).any(dim=1)
    others = targets._replace(weights=torch.where(told, 0.0, targets.weights))
    of_line = loss(above_horizon(scores), targets.covers, others.cell_weights)
    share = told.float().mean()
    return share * cross_entropy(scores, targets.classes) + (1 - share) * of_line


def cross_entropy(scores: Tensor, classes: Tensor) -> Tensor:
    """Of a softmax over scores (n, classes, h, w), mean over the cells (n, h, w) whose class is known."""
    truth = torch.where(classes < scores.shape[1], classes.long(), -1)
    total = F.cross_entropy(scores.float(), truth, ignore_index=-1, reduction="sum")
    return total / (truth >= 0).sum().clamp_min(1)


def _parse(part: str, spec: str) -> tuple[float, Term]:
    found = re.fullmatch(
        r"(?:(?P<factor>[^*:]*)\*)?(?P<name>[^*:]*)(?::(?P<parameter>[^*:]*))?", part.strip()
    )
    name = found["name"].strip() if found else part.strip()
    if found is None or name not in LOSSES:
        raise TrainingError(
            f"unknown loss '{name}' in '{spec}'; there are: {', '.join(LOSSES)}; "
            "sums are written as in 'edge-bce+0.5*lovasz'"
        )
    term, factor = LOSSES[name], 1.0
    if found["factor"] is not None:
        factor = _number(found["factor"], f"the factor of '{name}'", 0.0)
    if found["parameter"] is not None:
        if name not in _PARAMETERS:
            raise TrainingError(f"loss '{name}' takes no parameter, got '{part.strip()}'")
        keyword, low = _PARAMETERS[name]
        term = partial(term, **{keyword: _number(found["parameter"], f"{keyword} of '{name}'", low)})
    return factor, term


def _number(text: str, what: str, low: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value < math.inf:
        raise TrainingError(f"{what} must be a number from {low:g} on, got '{text.strip()}'")
    return value


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp_min(_TINY)


def _picture_mean(ratios: Tensor, weight: Tensor) -> Tensor:
    """Mean of (n,) values, each weighted by the mean weight of its picture."""
    return _mean(ratios, weight.flatten(1).mean(dim=1))


def _shares(weight: Tensor) -> Tensor:
    """(n, cells) weights that add up to 1 in every picture that has any."""
    cells = weight.flatten(1)
    return cells / cells.sum(dim=1, keepdim=True).clamp_min(_TINY)


def bce(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Binary cross-entropy."""
    return _mean(F.binary_cross_entropy_with_logits(logits, target, reduction="none"), weight)


def weighted_bce(logits: Tensor, target: Tensor, weight: Tensor, *, positive: float | None = None) -> Tensor:
    """Cross-entropy with the sky side times `positive`, or as much as makes both sides of the batch equal.

    What the batch asks for is kept within 1/20..20, so that a batch of nothing but sky still counts.
    """
    if positive is None:
        sky = (target * weight).sum()
        ratio = (weight.sum() - sky) / sky.clamp_min(_TINY)
        factor = ratio.clamp(1 / _BALANCE, _BALANCE)
    else:
        factor = logits.new_tensor(positive)
    pixel = F.binary_cross_entropy_with_logits(logits, target, reduction="none", pos_weight=factor)
    return _mean(pixel, weight)


def edge_bce(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy of a mask of the net's output stride, up to four times as heavy near the contour.

    The weight is 1 + 3·exp(−(d/10 px)²) at a distance d of the picture from the contour of the target.
    """
    distance = contour_distance(target) * OUTPUT_STRIDE
    return bce(logits, target, weight * (1 + _EDGE_GAIN * torch.exp(-((distance / _EDGE_PX) ** 2))))


def focal(logits: Tensor, target: Tensor, weight: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Focal loss (Lin et al. 2017) without its class factor; for soft targets as Li et al. 2020, eq. 5.

    Cross-entropy times |target − probability|^gamma, which is (1 − p_t)^gamma where the target is 0 or 1,
    and least where probability and target are equal.
    """
    pixel = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return _mean((target - torch.sigmoid(logits)).abs() ** gamma * pixel, weight)


def dice(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Dice loss of the sky with squares below (Milletari et al. 2016), which are right for soft targets."""
    p, t, share = torch.sigmoid(logits).flatten(1), target.flatten(1), _shares(weight)
    both = (share * p * t).sum(dim=1)
    either = (share * (p * p + t * t)).sum(dim=1)
    return _picture_mean(1 - (2 * both + _SMOOTH) / (either + _SMOOTH), weight)


def iou(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Soft Jaccard loss of the sky.

    The ratio Σ min(p, t) / Σ max(p, t) is the usual one where targets are 0 or 1, and right for soft ones.
    """
    p, t, share = torch.sigmoid(logits).flatten(1), target.flatten(1), _shares(weight)
    both = (share * torch.minimum(p, t)).sum(dim=1)
    either = (share * torch.maximum(p, t)).sum(dim=1)
    return _picture_mean(1 - (both + _SMOOTH) / (either + _SMOOTH), weight)


def lovasz(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Lovász hinge of the sky's Jaccard loss (Berman et al. 2018, Alg. 1); the target is cut at 0.5.

    Sets are measured by the weights of their cells instead of counted.
    """
    sky = (target >= 0.5).to(logits.dtype)
    errors, order = (1 - logits * (2 * sky - 1)).flatten(1).sort(dim=1, descending=True)
    share = _shares(weight).gather(1, order)
    sky = sky.flatten(1).gather(1, order)
    total = (share * sky).sum(dim=1, keepdim=True)
    missed = (share * sky).cumsum(dim=1)
    union = total + (share * (1 - sky)).cumsum(dim=1)
    # Cells of weight 0 in front of a picture of nothing but ground have no union yet, and no loss.
    jaccard = torch.where(union > 0, 1 - (total - missed) / union.clamp_min(_TINY), 0)
    steps = jaccard.diff(dim=1, prepend=jaccard.new_zeros(len(jaccard), 1))
    return _picture_mean((F.relu(errors) * steps).sum(dim=1), weight)


def boundary(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Boundary loss (Kervadec et al. 2019, eq. 5): how far from the contour what is on the wrong side lies.

    The distance is in diagonals of the grid, so that its size does not matter; a picture without a contour
    is one diagonal away from it. The term that does not depend on the net is kept, so that the least is 0.
    """
    sky = (target >= 0.5).to(logits.dtype)
    distance = (contour_distance(target) / math.hypot(*logits.shape[2:])).clamp(-1, 1)
    return _mean(distance * (sky - torch.sigmoid(logits)), weight)


LOSSES: dict[str, Term] = {
    "bce": bce,
    "weighted-bce": weighted_bce,
    "edge-bce": edge_bce,
    "focal": focal,
    "dice": dice,
    "iou": iou,
    "lovasz": lovasz,
    "boundary": boundary,
}
# Terms with a parameter: its name and its least value. Below 1 the slope of a focal loss has a pole.
_PARAMETERS: dict[str, tuple[str, float]] = {"weighted-bce": ("positive", 0.01), "focal": ("gamma", 1.0)}
