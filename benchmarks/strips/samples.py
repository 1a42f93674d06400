"""Profiles across disturbed horizons, with truth: `python benchmarks/strips/samples.py FILE.npz --count N`.

Rendered scenes, views of panoramas and photographs that are trained on, partly hidden or as they are, and
pictures that show no horizon. Each is read along planes off the truth by draws of a search's prior.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.datasets import is_held_out
from horizon_rt.fitting.edge_search import FINE_PX, ROWS
from horizon_rt.fitting.profiles import sample_strip
from horizon_rt.fitting.stations import STATIONS, Stations
from horizon_rt.geometry import UpVector
from horizon_rt.synth.chance import log_uniform
from horizon_rt.synth.occluders import random_occluders
from horizon_rt.synth.panorama import Panorama, load_panoramas, panorama_view
from horizon_rt.synth.random_scene import random_scene, with_more_before
from horizon_rt.synth.render import camera_rays, render
from horizon_rt.synth.scene import Scene as Procedural
from horizon_rt.synth.sensor import Image, random_sensor
from horizon_rt.system.paths import data_root
from horizon_rt.training.samples import samplers as making
from horizon_rt.training.samples.collage import replace_side
from horizon_rt.training.samples.occlusion import hide_part
from horizon_rt.training.samples.pictures import Picture, balanced, load_small, open_pictures
from horizon_rt.training.samples.sample import HalfPlane, fade_border

SPLIT = Path(__file__).parents[2] / "weights" / "split.toml"
SIZES, CHANCES = ((270, 480), (360, 640), (480, 640), (540, 960), (720, 1280)), (0.2, 0.35, 0.25, 0.12, 0.08)
DATASETS = {"scenes": 0.46, "scenes-coarse": 0.06, "flight": 0.24, "thermal-sea": 0.18, "sea": 0.06}
# How far lines drawn by hand may lie off, in parts of the height: no finer rows are read of them.
LEAST_STEP = {"scenes": 0.0012, "scenes-coarse": 0.008, "flight": 0.002, "thermal-sea": 0.0015, "sea": 0.002}
PRIOR_ROWS, FREEDOM = 8.0, 3.0  # of Student's t that the truth is off by, at both ends
LARGEST_REACH = 0.15  # of the height
EACH = 4  # strips of a picture
ENLARGED = 0.25  # share of the pictures that show less detail than they have pixels


class Scene(NamedTuple):
    """A picture (height, width) luma 0..255, its camera, its truth (None without a horizon), and the least
    step in px at which the truth is good.
    """

    luma: NDArray[np.uint8]
    camera: Camera
    up: UpVector | None
    least_px: float


class Maker:
    """Makes pictures of every kind from the data that is trained on."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        root = data_root()
        assert root is not None
        self.pictures: dict[str, list[Picture]] = {}
        self.chances: dict[str, NDArray[np.float64]] = {}
        self.empty: list[Picture] = []
        for name in DATASETS:
            training = open_pictures(root / name, SPLIT).training
            self.pictures[name] = [p for p in training if p.label.ends is not None]
            self.chances[name] = balanced(self.pictures[name])
            self.empty += [p for p in training if p.label.in_view is False]
        panoramas = [
            p for p in load_panoramas(root / "panorama") if not is_held_out(SPLIT, "panorama", p.name)
        ]
        self.open: list[Panorama] = [p for p in panoramas if p.is_open and p.is_level]
        self.closed: list[Panorama] = [p for p in panoramas if not p.is_open]
        self.grounds = [*self.empty, *self.pictures["scenes"], *self.pictures["flight"]]

    def __call__(self) -> Scene:
        kinds: tuple[Callable[[], Scene], ...] = (
            self.water,
            self.land,
            self.panorama,
            self.photograph,
            self.none,
        )
        return kinds[int(self.rng.choice(5, p=(0.24, 0.1, 0.2, 0.36, 0.1)))]()

    def size(self) -> tuple[int, int]:
        return SIZES[int(self.rng.choice(len(SIZES), p=CHANCES))]

    def water(self) -> Scene:
        rng, size = self.rng, self.size()
        scene = random_scene(rng, ("sea", "storm", "coast")[int(rng.choice(3, p=(0.45, 0.15, 0.4)))])  # type: ignore[arg-type]
        if rng.random() < 0.5:
            scene = with_more_before(scene, rng)
        return self.rendered(scene, size, tame=True, hide=0.25)

    def land(self) -> Scene:
        rng, size = self.rng, self.size()
        kinds = ("fields", "fields", "town", "desert", "snow", "mountains")
        scene = random_scene(rng, kinds[int(rng.integers(len(kinds)))])  # type: ignore[arg-type]
        return self.rendered(scene, size, tame=False, hide=0.15)

    def rendered(self, scene: Procedural, size: tuple[int, int], *, tame: bool, hide: float) -> Scene:
        rng, (h, w) = self.rng, size
        camera = Camera.from_hfov(w, h, rng.uniform(25, 100))
        up = making.random_attitude(rng, camera.hfov_deg, tame=tame)
        image = render(scene, camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
        return self.finish(image, camera, up, FINE_PX, hide=hide)

    def panorama(self) -> Scene:
        rng, (h, w) = self.rng, self.size()
        camera = Camera.from_hfov(w, h, rng.uniform(40, 95))
        chosen = self.open[int(rng.integers(len(self.open)))]
        up = making.random_attitude(rng, camera.hfov_deg, tame=False)
        image = panorama_view(chosen, camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
        return self.finish(image, camera, up, FINE_PX, hide=0.4)

    def photograph(self) -> Scene:
        rng = self.rng
        name = list(DATASETS)[int(rng.choice(len(DATASETS), p=list(DATASETS.values())))]
        some = self.pictures[name]
        bgr, line, *_ = load_small(some[int(rng.choice(len(some), p=self.chances[name]))])
        assert line is not None
        image = bgr[:, :, ::-1].astype(np.float32) / np.float32(255)
        camera = Camera.from_hfov(image.shape[1], image.shape[0], 65)
        up, height = line.up_vector(camera.focal_px), image.shape[0]
        least = LEAST_STEP[name] * height
        if rng.random() < 0.2 and name != "thermal-sea":
            image = replace_side(image, HalfPlane.of(line), self.pictures["scenes"], rng)
        return self.finish(image, camera, up, max(FINE_PX, least), hide=0.35)

    def none(self) -> Scene:
        rng = self.rng
        if rng.random() < 0.45:
            bgr = load_small(self.empty[int(rng.integers(len(self.empty)))]).image
            image = bgr[:, :, ::-1].astype(np.float32) / np.float32(255)
        elif rng.random() < 0.5:
            h, w = self.size()
            camera = Camera.from_hfov(w, h, rng.uniform(40, 95))
            chosen = self.closed[int(rng.integers(len(self.closed)))]
            up = making.random_attitude(rng, camera.hfov_deg, tame=False)
            image = panorama_view(chosen, camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
        else:
            sampler = (making.room, making.patchwork, making.out_of_view)[int(rng.integers(3))]
            yuv = sampler(rng, self.size())[0].image
            camera = Camera.from_hfov(yuv.shape[2], yuv.shape[1], 65)
            return Scene(np.ascontiguousarray(yuv[0]), camera, None, FINE_PX)
        camera = Camera.from_hfov(image.shape[1], image.shape[0], 65)
        return self.finish(image, camera, None, FINE_PX, hide=0.0)

    def finish(self, image: Image, camera: Camera, up: UpVector | None, least: float, hide: float) -> Scene:
        rng = self.rng
        line = None if up is None else camera.line(up)
        if line is not None:
            plane = HalfPlane.of(line)
            if rng.random() < 0.1:
                image = fade_border(image, plane, rng)
            if rng.random() < hide:
                image = hide_part(image, plane, self.grounds, rng)[0]
        if rng.random() < 0.3:
            image = random_occluders(image, rng)
        rgb = random_sensor(np.ascontiguousarray(image, dtype=np.float32), rng, thermal=rng.random() < 0.1)
        if rng.random() < ENLARGED:
            factor = rng.uniform(1.2, 3.0)
            camera = camera.resized(round(factor * camera.width), round(factor * camera.height))
            rgb = cv2.resize(rgb, (camera.width, camera.height))
            least *= factor if least > FINE_PX else 1.0  # the error of a line drawn by hand grows along
        luma = cv2.transform(rgb.astype(np.float32), np.array([[0.2126, 0.7152, 0.0722]], np.float32))
        return Scene(np.clip(luma + 0.5, 0, 255).astype(np.uint8), camera, up, least)


def strips_of(scene: Scene, rng: np.random.Generator) -> list[tuple[NDArray[np.float64], ...]]:
    """Rows (ROWS, STATIONS), rows per rad (n,), shares (n, 2), true elevations (2,) in rad (NaN: none within
    the rows), prior covariance (2, 2) in rad².
    """
    stations, made = Stations(scene.camera), []
    height = scene.camera.height
    most = LARGEST_REACH * height / (ROWS // 2)
    for _ in range(EACH):
        up = scene.up or making.random_attitude(rng, scene.camera.hfov_deg, tame=True)
        strip = stations.strip(up)
        if strip is None:
            continue
        step = log_uniform(rng, min(scene.least_px, most), most)
        per_row = step / strip.mean_scale
        corner = PRIOR_ROWS * np.exp(rng.normal(0, 0.15, 2))
        together = rng.uniform(-0.2, 0.9) * corner[0] * corner[1]
        covariance = np.array([[corner[0] ** 2, together], [together, corner[1] ** 2]])
        off = (
            np.linalg.cholesky(covariance)
            @ rng.standard_normal(2)
            / math.sqrt(rng.chisquare(FREEDOM) / FREEDOM)
        )
        proposal = strip.moved(up, *(-off * per_row))
        seen = stations.strip(proposal)
        if seen is None:
            continue
        rows = np.empty((ROWS, STATIONS))
        sample_strip(scene.luma, seen, step, 1.0, rows)
        truth = seen.elevations(proposal, up) if scene.up is not None else np.full(2, np.nan)
        within = np.abs(seen.scales / step * (seen.shares @ truth)).max() <= ROWS // 2
        made.append(
            (
                rows,
                seen.scales / step,
                seen.shares,
                truth if within else np.full(2, np.nan),
                covariance * per_row**2,
            )
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(options.seed)
    maker, found = Maker(rng), []
    while len(found) < options.count:
        found += strips_of(maker(), rng)
        if len(found) % 2000 < EACH:
            print(len(found), flush=True)
    rows, scales, shares, truths, priors = (np.stack(part) for part in zip(*found, strict=True))
    pairs = rows.reshape(len(rows), ROWS, STATIONS // 2, 2).mean(axis=3)
    np.savez(
        options.out,
        rows=pairs.astype(np.float16),
        scales=scales.astype(np.float32),
        shares=shares.astype(np.float32),
        truths=truths,
        priors=priors,
    )


if __name__ == "__main__":
    main()
