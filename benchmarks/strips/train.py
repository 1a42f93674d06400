"""Train the strip net: `python benchmarks/strips/train.py OUT.safetensors SAMPLES.npz...`.

A conditional logit over planes (McFadden 1974): of all planes within the rows of a strip, and of 'none of
them', the true one shall be the most probable, by the net's evidence and the prior that the planes were drawn
from. What is hidden needs no label: a station's evidence for any row never falls below its floor.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from horizon_rt.fitting.strip_net import NET_ROWS as ROWS
from horizon_rt.fitting.strip_net import NET_STATIONS as STATIONS

STRIDE, FREEDOM = 3, 3.0  # as `evidence` takes the logit of none, and the prior


class StripNet(nn.Module):
    """Evidence (n, 49, 48) of rows, floors (n, 48) and the logit (n,) of 'none' for strips (n, 1, 49, 48)."""

    def __init__(self, widths: tuple[int, int, int] = (8, 16, 32)) -> None:
        super().__init__()
        a, b, c = widths
        self.fine = nn.Conv2d(1, a, 3, padding=1)
        self.middle = nn.Conv2d(a, b, 3, stride=2, padding=1)
        self.coarse = nn.Conv2d(b, c, 3, stride=2, padding=1)
        self.wide = nn.Conv2d(c, c, 3, padding=1)
        self.context = nn.Linear(c, c)
        self.wider = nn.Conv2d(c, c, 3, padding=2, dilation=2)
        self.up_middle = nn.Conv2d(c, b, 1)
        self.join_middle = nn.Conv2d(b, b, 3, padding=1)
        self.up_fine = nn.Conv2d(b, a, 1)
        self.join_fine = nn.Conv2d(a, a, (3, 1), padding=(1, 0))
        self.evidence = nn.Conv2d(a, 1, 1)
        self.floor = nn.Linear(2 * b, 1)
        self.none = nn.Linear(c, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = F.relu(self.fine(x))
        middle = F.relu(self.middle(fine))
        coarse = F.relu(self.coarse(middle))
        coarse = F.relu(self.wide(coarse))
        coarse = coarse + self.context(coarse.mean(dim=(2, 3)))[:, :, None, None]
        coarse = F.relu(self.wider(coarse))
        middle = F.relu(self.join_middle(middle + self.up_middle(twice(coarse, middle))))
        fine = F.relu(self.join_fine(fine + self.up_fine(twice(middle, fine))))
        pooled = torch.cat([middle.mean(dim=2), middle.amax(dim=2)], dim=1).transpose(1, 2)
        floor = self.floor(pooled)[:, :, 0].repeat_interleave(2, dim=1)
        return self.evidence(fine)[:, 0], floor, self.none(coarse.mean(dim=(2, 3)))[:, 0]


def twice(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0)[:, :, : like.shape[2], : like.shape[3]]


def normalised(rows: Tensor) -> Tensor:
    """Strips (n, 49, 48) less their mean, over their deviation."""
    deviation, mean = torch.std_mean(rows, dim=(1, 2), keepdim=True, correction=0)
    return ((rows - mean) / (deviation + 1.0))[:, None]


def log_posteriors(
    net: StripNet, rows: Tensor, scales: Tensor, shares: Tensor, priors: Tensor, centre: Tensor
) -> tuple[Tensor, Tensor]:
    """(n, m² + 1) of planes on a grid shifted by `centre` (n, 2) in rows at the ends, 'none' last; and the
    elevations (n, m², 2) in rad.
    """
    n, half = len(rows), ROWS // 2
    evidence, floor, none = net(normalised(rows))
    grid = STRIDE * torch.arange(-(half // STRIDE), half // STRIDE + 1, dtype=torch.float32)
    a, b = torch.meshgrid(grid, grid, indexing="ij")
    ends = torch.stack([a.reshape(-1), b.reshape(-1)], 1)[None] + centre[:, None]  # rows
    mean = scales.mean(dim=1)
    planes = ends / mean[:, None, None]  # rad
    place = half + scales[:, None] * torch.einsum("npe,nke->npk", planes, shares)  # (n, p, k)
    low = place.floor().clamp(0, ROWS - 2)
    share = (place - low).clamp(0, 1)
    flat = evidence.reshape(n, -1)  # of row r and station k at r · STATIONS + k
    index = (low.long() * STATIONS + torch.arange(STATIONS)).reshape(n, -1)
    below, above = (flat.gather(1, i).reshape(place.shape) for i in (index, index + STATIONS))
    value = below + (above - below) * share
    inside = (place >= 0) & (place <= ROWS - 1)
    value = torch.where(inside, value, torch.full_like(value, -30.0))
    total = torch.logaddexp(value, floor[:, None]).sum(dim=2)
    precision = torch.linalg.inv(priors)
    far = torch.einsum("npi,nij,npj->np", planes, precision, planes)
    prior = -0.5 * (FREEDOM + 2) * torch.log1p(far / FREEDOM)
    return torch.cat([total + prior, none[:, None] + torch.zeros_like(total[:, :1])], 1), planes


def load(paths: list[Path]) -> dict[str, Tensor]:
    parts = [np.load(path) for path in paths]
    made = {key: torch.from_numpy(np.concatenate([part[key] for part in parts])) for key in parts[0].files}
    n = len(made["rows"])
    made["scales"] = made["scales"].reshape(n, STATIONS, 2).mean(2)
    made["shares"] = made["shares"].reshape(n, STATIONS, 2, 2).mean(2)
    return {key: value if key == "rows" else value.float() for key, value in made.items()}


def batch_of(data: dict[str, Tensor], pick: Tensor, rng: torch.Generator | None) -> tuple[Tensor, ...]:
    rows, scales, shares = data["rows"][pick].float(), data["scales"][pick], data["shares"][pick]
    truths, priors = data["truths"][pick], data["priors"][pick]
    if rng is not None:
        n = len(rows)
        if torch.rand((), generator=rng) < 0.5:
            rows, scales, shares = rows.flip(2), scales.flip(1), shares.flip(1).flip(2)
            truths, priors = truths.flip(1), priors.flip(1).flip(2)
        sign = torch.where(torch.rand(n, generator=rng) < 0.15, -1.0, 1.0)[:, None, None]
        noise = torch.exp(torch.randn(n, generator=rng) * 1.2 - 1.0)[:, None, None]
        rows = sign * rows + noise * torch.randn(rows.shape, generator=rng)
    return rows, scales, shares, truths, priors


def loss_of(net: StripNet, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    rows, scales, shares, truths, priors = batch
    known = ~torch.isnan(truths[:, 0])
    ends = torch.where(known[:, None], truths, 0.0) * scales.mean(dim=1)[:, None]
    half = ROWS // 2 // STRIDE
    nearest = torch.round(ends / STRIDE).clamp(-half, half)
    logs, planes = log_posteriors(net, rows, scales, shares, priors, ends - STRIDE * nearest)
    side = 2 * half + 1
    target = ((nearest[:, 0] + half) * side + nearest[:, 1] + half).long()
    target = torch.where(known, target, side * side)
    loss = F.cross_entropy(logs, target, reduction="none")
    with torch.no_grad():
        best = logs.argmax(dim=1)
        off = (planes[torch.arange(len(rows)), best.clamp(max=side * side - 1)] - truths).abs().amax(dim=1)
        right = torch.where(
            known, (off * scales.mean(dim=1) < STRIDE + 0.1) & (best < side * side), best == side * side
        )
    return loss, right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("samples", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = load(options.samples)
    count = len(data["rows"])
    group = torch.arange(count) // 40  # strips of one picture are neighbours
    held, kept = torch.nonzero(group % 12 == 0)[:, 0], torch.nonzero(group % 12 != 0)[:, 0]
    net, rng = StripNet().to(memory_format=torch.channels_last), torch.Generator().manual_seed(0)
    print(sum(p.numel() for p in net.parameters()), "parameters", count, "strips", flush=True)
    optimiser = torch.optim.AdamW(net.parameters(), options.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, options.steps, pct_start=0.05)
    mean = {k: v.clone() for k, v in net.state_dict().items()}
    running, start = math.nan, time.time()
    for step in range(1, options.steps + 1):
        pick = kept[torch.randint(len(kept), (options.batch,), generator=rng)]
        loss = loss_of(net, batch_of(data, pick, rng))[0].mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        for name, value in net.state_dict().items():
            mean[name].lerp_(value, 1 - min(0.998, step / (step + 10)))
        running = (
            float(loss.detach()) if math.isnan(running) else 0.99 * running + 0.01 * float(loss.detach())
        )
        if step % 250 == 0 or step == options.steps:
            judge = StripNet()
            judge.load_state_dict(mean)
            with torch.no_grad():
                parts = [loss_of(judge, batch_of(data, p, None)) for p in held.split(128)]
            losses, right = torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])
            known = ~torch.isnan(data["truths"][held][:, 0])
            print(
                f"{step} {time.time() - start:.0f} s, training {running:.3f}, held {losses.mean():.3f}; "
                f"right {right[known].float().mean():.3f}, none {right[~known].float().mean():.3f}",
                flush=True,
            )
            save_file({name: value.contiguous() for name, value in mean.items()}, options.out)


if __name__ == "__main__":
    main()
