"""Painted pictures with known horizons, and what the trainer must make of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from support.synth import flat_scene
from torch import Tensor, nn

from horizon_rt.datasets import Label, MaskFile
from horizon_rt.geometry import HorizonLine
from horizon_rt.training.batches import Batch
from horizon_rt.training.samples import sample as samples
from horizon_rt.training.samples import samplers as samplers
from horizon_rt.training.samples.pictures import Picture
from horizon_rt.training.samples.sample import HalfPlane, Sample

Size = tuple[int, int]


def patch_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples without occluders and camera effects, of flat scenes in clear air."""

    def quantise(image: np.ndarray, rng: np.random.Generator, *, thermal: bool) -> np.ndarray:
        return (image.clip(0, 1) * 255 + 0.5).astype(np.uint8)

    monkeypatch.setattr(samples, "random_occluders", lambda image, rng: image)
    monkeypatch.setattr(samples, "random_sensor", quantise)
    monkeypatch.setattr(samples, "fade_border", lambda image, plane, rng: image)
    monkeypatch.setattr(
        samplers, "random_scene", lambda rng, kind=None: flat_scene()._replace(visibility=1e12)
    )


def signed_distance(line: HorizonLine, size: Size, fine: int = 1) -> np.ndarray:
    """Distance in px of the centres of fine × fine parts of each pixel, positive in the sky."""
    y, x = (np.mgrid[: fine * size[0], : fine * size[1]] + 0.5) / fine - 0.5
    nx, ny = line.normal
    return nx * (x - (size[1] - 1) / 2) + ny * (y - (size[0] - 1) / 2) + line.offset_px


def sky_share(line: HorizonLine, size: Size, cell: int, fine: int = 8) -> np.ndarray:
    """The share of each cell × cell block above the line, by fine × fine samples a pixel."""
    above, n = signed_distance(line, size, fine) > 0, cell * fine
    return above.reshape(size[0] // cell, n, size[1] // cell, n).mean(axis=(1, 3))


def paint(path: Path, line: HorizonLine, size: Size, tones: tuple[int, int] = (255, 0)) -> Path:
    """A grey picture of a half plane, antialiased."""
    luma = tones[1] + (tones[0] - tones[1]) * sky_share(line, size, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.repeat((luma + 0.5).astype(np.uint8)[:, :, None], 3, axis=2))
    return path


def ends_of(line: HorizonLine, size: Size) -> tuple[float, float, float, float]:
    """Two points of the line, left before right."""
    (nx, ny), half = line.normal, 0.4 * min(size)
    x, y = (size[1] - 1) / 2 - line.offset_px * nx, (size[0] - 1) / 2 - line.offset_px * ny
    along = (abs(ny) * half, -nx * half * (1 if ny > 0 else -1))
    return x - along[0], y - along[1], x + along[0], y + along[1]


def line_label(line: HorizonLine, size: Size) -> Label:
    """The label of a line."""
    return Label(in_view=True, ends=ends_of(line, size), sky_above=line.normal[1] < 0)


def line_picture(folder: Path, line: HorizonLine, size: Size = (300, 480)) -> Picture:
    """A painted picture labelled by its line."""
    return Picture(paint(folder / "line.png", line, size), line_label(line, size))


def mask_picture(folder: Path, line: HorizonLine, size: Size = (300, 480)) -> Picture:
    """A painted picture labelled by a mask."""
    mask = np.where(signed_distance(line, size) > 0, 255, 0).astype(np.uint8)
    cv2.imwrite(str(folder / "mask.png"), mask)
    return Picture(paint(folder / "masked.png", line, size), Label(mask=MaskFile(path=folder / "mask.png")))


def cell_luma(sample: Sample) -> np.ndarray:
    """The mean luma of each cell of the net's output, 0..1."""
    rows, columns = sample.cover.shape
    return sample.image[0].reshape(rows, 4, columns, 4).mean(axis=(1, 3)) / 255


def write_line_set(folder: Path, lines: list[HorizonLine | None], size: Size = (96, 160)) -> Path:
    """A dataset folder of painted pictures, a.png, b.png, …; uniform grey where there is no line."""
    rows = ["file,x1,y1,x2,y2,sky_side"]
    for number, line in enumerate(lines):
        name = f"{number:03d}.png"
        if line is None:
            paint(folder / "images" / name, HorizonLine(0, 1e4), size, (90, 90))
            rows.append(f"{name},,,,,")
            continue
        paint(folder / "images" / name, line, size, (200, 60))
        ends = ",".join(f"{value:.4f}" for value in ends_of(line, size))
        rows.append(f"{name},{ends},{'above' if line.normal[1] < 0 else 'below'}")
    (folder / "horizon.csv").write_text("\n".join(rows) + "\n")
    return folder


class TinyNet(nn.Module):
    """A net of a few weights that keeps the contract of the zoo."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 4, stride=4), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(dropout)
        )
        self.mask, self.presence = nn.Conv2d(8, 1, 3, padding=1), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        cells = self.body(x)
        return self.mask(cells), self.presence(cells.mean(dim=(2, 3)))[:, 0]


class PaintedBatches:
    """Bright skies over dark grounds with noise; `stop` is the batch that raises KeyboardInterrupt."""

    def __init__(self, batch: int = 8, size: Size = (32, 64), stop: int = -1) -> None:
        self.batch, self.size, self.stop = batch, size, stop

    def __getitem__(self, index: int) -> Batch:
        if index == self.stop:
            raise KeyboardInterrupt
        rng = np.random.default_rng(index)
        planes = [HalfPlane.of(HorizonLine(rng.normal(0, 20), rng.normal(0, 6))) for _ in range(self.batch)]
        luma = [np.where(plane.distance(self.size) > 0, 170, 90) for plane in planes]
        images = np.stack(luma)[:, None] + rng.normal(0, 12, (self.batch, 3, *self.size))
        covers = np.stack([plane.cover(self.size) for plane in planes])
        ones = torch.ones(self.batch)
        return Batch(
            torch.from_numpy(images.clip(0, 255).astype(np.uint8)), torch.from_numpy(covers), ones, ones
        )


def batch_of(some: list[Sample]) -> Batch:
    """A batch of these samples."""
    images, covers, weights, presences, *_ = zip(*some, strict=True)
    return Batch(
        torch.from_numpy(np.stack(images)),
        torch.from_numpy(np.stack(covers)),
        torch.tensor(weights),
        torch.tensor(presences),
    )
