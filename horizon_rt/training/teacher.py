"""Knowledge distillation: a trained net answers the samples that another one learns from.

Hinton, Vinyals, Dean 2015, "Distilling the knowledge in a neural network", with the share of the truth kept.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.models.sizes import INPUT_STRIDE, OUTPUT_STRIDE

__all__ = ["Targets", "shrunk", "taught"]


class Targets(NamedTuple):
    """What is to be learned of n pictures: covers (n, 1, h/4, w/4) in 0..1, presences and weights (n,).

    A presence below 0 is unknown, and so is a cover of weight 0. `classes` (n, h/4, w/4) as in `Batch`;
    `counted` (n, 1, h/4, w/4) is the weight of each cell beside that of its picture, 1 where None.
    """

    covers: Tensor
    presences: Tensor
    weights: Tensor
    classes: Tensor | None = None
    counted: Tensor | None = None

    @property
    def cell_weights(self) -> Tensor:
        """Of the cells of the mask, (n, 1, h/4, w/4) or (n, 1, 1, 1)."""
        weights = self.weights[:, None, None, None]
        return weights if self.counted is None else weights * self.counted


@torch.no_grad()
def taught(truth: Targets, teacher: nn.Module, picture: Tensor, share: float) -> Targets:
    """Targets with `share` of the answers of the teacher to a net input (n, 3, h, w); 1 without truth."""
    mask, presence = (answer.float().sigmoid() for answer in teacher(picture))
    known = (truth.weights > 0).float()
    kept = ((1 - share) * known)[:, None, None, None]
    counted = truth.counted
    if counted is not None:
        kept = kept * counted
        counted = share + (1 - share) * counted
    seen = (1 - share) * (truth.presences >= 0).float()
    return Targets(
        torch.lerp(mask, truth.covers, kept),
        torch.lerp(presence, truth.presences, seen),
        torch.where(truth.weights > 0, truth.weights, share),
        counted=counted,
    )


def shrunk(images: Tensor, targets: Targets, area: float) -> tuple[Tensor, Targets]:
    """Pictures and covers at about this multiple of their area; the sides are those of a net's input."""
    if area == 1:
        return images, targets
    h, w = (max(2, round(s * area**0.5 / INPUT_STRIDE)) * INPUT_STRIDE for s in images.shape[2:])
    cells = (h // OUTPUT_STRIDE, w // OUTPUT_STRIDE)
    covers = F.interpolate(targets.covers, size=cells, mode="area")
    counted = targets.counted
    if counted is not None:
        counted = F.interpolate(counted, size=cells, mode="area")
    return F.interpolate(images, size=(h, w), mode="area"), targets._replace(covers=covers, counted=counted)
