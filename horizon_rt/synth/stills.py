"""Single pictures with exact truth: scenes and panorama views, or no horizon at all."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan, degrees, hypot
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.errors import DatasetError
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.synth.occluders import random_occluders
from horizon_rt.synth.panorama import find_panoramas, panorama_view, read_panorama
from horizon_rt.synth.random_scene import random_scene
from horizon_rt.synth.render import camera_rays, render
from horizon_rt.synth.scene import KINDS, SceneKind
from horizon_rt.synth.sensor import THERMAL_SHARE, Image, random_sensor, to_uint8

__all__ = ["Still", "StillOptions", "StillView", "Stills", "blank_picture"]

StillView = Literal["horizon", "sky", "ground", "nothing"]
_WITHOUT: tuple[StillView, ...] = ("sky", "ground", "nothing")
_SMALLEST, _LARGEST = 16, 16384
_IN_VIEW = 0.8  # of the way from the centre to where a line leaves the picture
_CLEAR_DEG = 10.0  # hills and houses rise above the horizon


@dataclass(frozen=True, slots=True, kw_only=True)
class StillOptions:
    """What a set of pictures shows.

    Each kind of scene and each panorama of `panorama` (a file or a folder) is drawn alike; without kinds
    there are only panoramas. `size` is (width, height) in px, `hfov_deg` the range of the field of view.
    `clean` leaves out camera effects and occluders. `without` is the share of pictures without a horizon,
    in turn nothing but sky, nothing but ground, and nothing at all.
    """

    kinds: tuple[SceneKind, ...] = KINDS
    panorama: Path | None = None
    size: tuple[int, int] = (640, 360)
    hfov_deg: tuple[float, float] = (40.0, 100.0)
    clean: bool = False
    without: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises DatasetError for a value that is out of range."""
        low, high = self.hfov_deg
        if not all(_SMALLEST <= side <= _LARGEST for side in self.size):
            raise DatasetError(
                f"a picture has {_SMALLEST} to {_LARGEST} px a side, got {self.size[0]}x{self.size[1]}"
            )
        if not 1 <= low <= high <= 170:
            raise DatasetError(f"the field of view lies within 1..170 degrees, got {low:g}..{high:g}")
        if not (0 <= self.without <= 1 and self.seed >= 0):
            raise DatasetError(
                f"without is 0..1 and the seed 0 or more, got {self.without:g} and {self.seed}"
            )


@dataclass(frozen=True, slots=True)
class Still:
    """A picture (height, width, 3) uint8 RGB and its truth.

    `kind` is that of the scene, a panorama's name, or 'nothing', where attitude and lens have no meaning.
    """

    image: NDArray[np.uint8]
    kind: str
    view: StillView
    camera: Camera
    up: UpVector

    @property
    def line(self) -> HorizonLine | None:
        """The horizon, None where it is not in view."""
        return self.camera.line(self.up) if self.view == "horizon" else None

    @property
    def mask(self) -> NDArray[np.uint8] | None:
        """(height, width), 255 above the horizon and 0 below; None where neither is in view."""
        if self.view == "nothing":
            return None
        height, width = self.image.shape[:2]
        if not self.camera.is_linear:
            above = camera_rays(self.camera) @ self.up.as_array().astype(np.float32) > 0
            return np.where(above, 255, 0).astype(np.uint8)
        line = self.camera.line(self.up)
        if line is None:
            return np.full((height, width), 255 if self.view == "sky" else 0, np.uint8)
        (nx, ny), (y, x) = line.normal, np.ogrid[:height, :width]
        distance = nx * (x - (width - 1) / 2) + ny * (y - (height - 1) / 2) + line.offset_px
        return np.where(distance > 0, 255, 0).astype(np.uint8)


class Stills:
    """Pictures by their number; each can be made on its own, in any thread, and is the same every time."""

    def __init__(self, options: StillOptions, count: int) -> None:
        """Look for the panoramas; raises DatasetError where there are none, or nothing to draw from."""
        self.options, self._count = options, count
        found = () if options.panorama is None else find_panoramas(options.panorama)
        self._material: tuple[SceneKind | Path, ...] = (*options.kinds, *found)
        if not self._material:
            raise DatasetError("pictures need a kind of scene or a panorama; neither was given")

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Still:
        """Render a picture; raises DatasetError for a panorama that cannot be read."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        rng = np.random.default_rng((self.options.seed, index))
        view = view_of(index, self.options.without)
        camera = Camera.from_hfov(*self.options.size, rng.uniform(*self.options.hfov_deg))
        up = random_attitude(rng, camera, view)
        image, kind = self._picture(rng, camera, up, view)
        if self.options.clean:
            return Still(to_uint8(image), kind, view, camera, up)
        seen = random_sensor(random_occluders(image, rng), rng, thermal=rng.random() < THERMAL_SHARE)
        return Still(seen, kind, view, camera, up)

    def _picture(
        self, rng: np.random.Generator, camera: Camera, up: UpVector, view: StillView
    ) -> tuple[Image, str]:
        if view == "nothing":
            return blank_picture(rng, self.options.size), "nothing"
        material = self._material[int(rng.integers(len(self._material)))]
        rays, heading = camera_rays(camera), rng.uniform(0, 360)
        if isinstance(material, Path):
            return panorama_view(read_panorama(material), rays, up, heading_deg=heading), material.stem
        return render(random_scene(rng, material), rays, up, heading_deg=heading), material


def view_of(index: int, without: float) -> StillView:
    """What a picture shows, spread evenly: of any run of n pictures about n·`without` lack a horizon."""
    before, after = (int(n * without + 1e-9) for n in (index, index + 1))
    return _WITHOUT[before % len(_WITHOUT)] if after > before else "horizon"


def random_attitude(rng: np.random.Generator, camera: Camera, view: StillView) -> UpVector:
    """Mostly near level, sometimes banked or inverted; the horizon well in view, or well out of it."""
    spread = rng.choice([8.0, 30.0, 0.0], p=[0.6, 0.3, 0.1])
    roll = float(rng.normal(0, spread) if spread else rng.uniform(-180, 180))
    if view in ("horizon", "nothing"):
        nx, ny = HorizonLine(-roll, 0.0).normal
        reach = (abs(nx) * camera.width + abs(ny) * camera.height) / 2
        return HorizonLine(-roll, rng.uniform(-_IN_VIEW, _IN_VIEW) * reach).up_vector(camera.focal_px)
    corner = degrees(atan(hypot(camera.width, camera.height) / 2 / camera.focal_px))
    pitch = rng.uniform(min(corner + _CLEAR_DEG, (corner + 90) / 2), 90)
    return UpVector.from_roll_pitch(roll, pitch if view == "sky" else -pitch)


def blank_picture(rng: np.random.Generator, size: tuple[int, int]) -> Image:
    """Nothing: a covered lens, a gradient, soft or blocky texture; float32 RGB of (width, height)."""
    grid = (int(rng.integers(1, 12)), int(rng.integers(1, 18)), 3)
    cells = rng.uniform(0, 1, grid).astype(np.float32) * np.float32(rng.choice([0.0, 0.1, 0.4, 1.0]))
    method = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_NEAREST
    texture = cv2.resize(cells, size, interpolation=method).reshape(size[1], size[0], 3)
    angle, depth = rng.uniform(0, 2 * np.pi), rng.choice([0.0, 0.0, 0.2])
    y, x = np.ogrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    ramp = (x * np.cos(angle) + y * np.sin(angle)) * depth
    return (texture + ramp[:, :, None] + rng.uniform(0, 1, 3)).astype(np.float32)
