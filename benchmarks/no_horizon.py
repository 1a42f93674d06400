"""Clips that show no horizon, moved as by a hand: rooms, drawings, photographs and panoramas held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from accuracy import SPLIT
from drawings import DRAWINGS, test_picture
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.datasets import is_held_out
from horizon_rt.imaging.picture import read_picture
from horizon_rt.synth.clip import PanoramaView
from horizon_rt.synth.indoor import random_room
from horizon_rt.synth.panorama import read_panorama
from horizon_rt.synth.render import camera_rays, world_axes
from horizon_rt.synth.trajectory import Pose

__all__ = ["CAMERA", "FRAMES", "RATE", "MovingClip", "all_clips"]

Image = NDArray[np.uint8]
CAMERA = Camera.from_hfov(640, 360, 70)
RATE, FRAMES = 25.0, 100
ROOMS = 5
TEST_PICTURES = ("smptebars", "testsrc2", "pal75bars")
MARGIN = 1.5  # of a flat picture beyond the view, for the sway
NOISE_SD = 2.0  # grey levels
PHOTOS = {
    "street": ("cafe-4120838", "santorini-4996901", "street-2820547", "imazen__codec-corpus__1.jpg"),
    "forest": ("Apple_iPhone_6.jpg", "cheesy-autumn", "sharewood-forest"),
    "close-up": ("Canon_EOS_5D", "elementary__wallpapers__Maple_Leaf", "wallpapers__168", "DMC-LC70"),
    "underwater": ("green-turtle", "underwater-7557528"),
    "top-down": ("maldives-1198839", "theme__286758", "theme__35626"),
    "water from above": ("__water-caleb", "attention-sharks", "theme__386148", "HERO_4"),
    "interior": ("Nikon_E5700", "Issue_525"),
}
"""Parts of the names of pictures in scenes."""
VIEWS = (
    ("abandoned_games_room_02", 40),
    ("humus_vasa", 150),
    ("canary_wharf", 60),
    ("venetian_crossroads", 0),
    ("venetian_crossroads", 200),
    ("humus_park2", 100),
    ("mossy_forest", 0),
    ("snowy_forest_path_01", 90),
    ("key_biscayne_1", 30),
    ("humus_stairs", 250),
)
"""Occluded panoramas, and the headings in degrees at which they are seen."""


@dataclass(frozen=True, slots=True)
class Sway:
    """A camera in a hand: slow sways, a slow pan in `heading_deg`, and a fine shake."""

    seed: int
    pan_dps: float = 0.0

    def at(self, time_s: float) -> Pose:
        """The pose at a time in seconds."""
        rng = np.random.default_rng((99, self.seed))
        slow = [
            sd * np.sin(2 * np.pi * (rng.uniform(0.1, 0.4) * time_s + rng.random())) for sd in (3, 2.5, 4)
        ]
        fine = [0.12 * np.sin(2 * np.pi * (rng.uniform(3, 7) * time_s + rng.random())) for _ in range(3)]
        roll, pitch, heading = (float(a + b) for a, b in zip(slow, fine, strict=True))
        return Pose(roll, pitch, heading + self.pan_dps * time_s, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class MovingClip:
    """FRAMES pictures, RGB (360, 640, 3) uint8, made by their index."""

    kind: str
    name: str
    picture: Callable[[int], Image]

    def pictures(self) -> Iterator[Image]:
        """The frames in order, with a little noise of a sensor."""
        for k in range(FRAMES):
            noise = np.random.default_rng((5, k)).normal(0, NOISE_SD, (CAMERA.height, CAMERA.width, 1))
            yield (self.picture(k) + noise).clip(0, 255).astype(np.uint8)


def all_clips(root: Path) -> Iterator[MovingClip]:
    """The sixty clips, in order; `root` is the folder of the datasets."""
    for seed in range(ROOMS):
        yield MovingClip("room, rendered", str(seed), partial(room, seed))
    for kind, (paint, count) in DRAWINGS.items():
        for seed in range(count):
            image = paint(np.random.default_rng((7, seed)))
            yield MovingClip(kind, str(seed), partial(seen_flat, [image], 10 * seed + len(kind)))
    for seed, name in enumerate(TEST_PICTURES):
        pictures = test_picture(name, FRAMES if name == "testsrc2" else 1)
        yield MovingClip("test picture", name, partial(seen_flat, pictures, seed))
    yield from photographs(root / "scenes" / "images")
    yield from panoramas(root / "panorama")


def photographs(folder: Path) -> Iterator[MovingClip]:
    for kind, parts in PHOTOS.items():
        for seed, part in enumerate(parts):
            (path,) = [p for p in folder.iterdir() if part in p.name]
            assert is_held_out(SPLIT, "scenes", path.name)
            image = read_picture(path, cv2.IMREAD_COLOR)[:, :, ::-1]
            picture = partial(seen_flat, [np.ascontiguousarray(image)], 40 + seed + len(part))
            yield MovingClip(kind, path.stem.split("__")[-1], picture)


def panoramas(folder: Path) -> Iterator[MovingClip]:
    for seed, (name, heading_deg) in enumerate(VIEWS):
        panorama = read_panorama(folder / "images" / f"{name}.jpg", is_open=False)
        assert is_held_out(SPLIT, "panorama", name)
        picture = partial(seen_around, PanoramaView(panorama, heading_deg), Sway(70 + seed, pan_dps=4))
        yield MovingClip("panorama, occluded", f"{name}, {heading_deg}°", picture)


def seen_around(view: PanoramaView, path: Sway, k: int) -> Image:
    """A panorama from its centre."""
    image = view.picture(camera_rays(CAMERA), path.at(k / RATE), k / RATE)
    return (255 * image).clip(0, 255).astype(np.uint8)


def room(seed: int, k: int) -> Image:
    """The same room in each frame, as its generator begins anew."""
    pose = Sway(seed, pan_dps=4).at(k / RATE)
    rng = np.random.default_rng((3, seed))
    image = random_room(rng, camera_rays(CAMERA), pose.up, heading_deg=pose.heading_deg)
    return (255 * image).clip(0, 255).astype(np.uint8)


def seen_flat(pictures: list[Image], seed: int, k: int) -> Image:
    """A flat picture before a swaying camera, that comes a tenth nearer."""
    image, pose = pictures[min(k, len(pictures) - 1)], Sway(seed).at(k / RATE)
    height, width = image.shape[:2]
    size = MARGIN * (1 + 0.1 * k / FRAMES) * max(CAMERA.width / width, CAMERA.height / height)
    scale = size / CAMERA.focal_px
    to_ray = np.array([[scale, 0, -scale * width / 2], [0, scale, -scale * height / 2], [0, 0, 1]])
    turn = world_axes(pose.up, pose.heading_deg).T @ np.diag([1, -1, 1])
    f, (u, v) = CAMERA.focal_px, (CAMERA.width / 2, CAMERA.height / 2)
    to_view = np.array([[f, 0, u], [0, f, v], [0, 0, 1]]) @ turn @ to_ray
    size_px = (CAMERA.width, CAMERA.height)
    return cv2.warpPerspective(image, to_view, size_px, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
