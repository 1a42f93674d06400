"""What training pictures are made of: procedural scenes, views of panoramas, pictures without a horizon.

An sampler makes one or two samples of a size (height, width) from a random generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.geometry import UpVector
from horizon_rt.synth.chance import log_uniform
from horizon_rt.synth.indoor import random_room
from horizon_rt.synth.panorama import Panorama, panorama_view
from horizon_rt.synth.random_scene import random_scene, with_more_before
from horizon_rt.synth.render import camera_rays, render
from horizon_rt.synth.scene import BLOCKS, SMOOTH, TREES, Scene, SceneKind
from horizon_rt.synth.sensor import Image
from horizon_rt.synth.stills import blank_picture
from horizon_rt.training.samples.sample import HalfPlane, InputShape, Sample, finish

__all__ = [
    "Sampler",
    "blank",
    "closed_in",
    "out_of_view",
    "panorama_view_sample",
    "patchwork",
    "random_attitude",
    "real_sky",
    "room",
    "scene_picture",
    "scenes_of",
]

Sampler = Callable[[np.random.Generator, InputShape], list[Sample]]
_FADED = 0.1
_MORE_BEFORE = 0.3  # of the seas and coasts
_CLOSED = 0.3  # weight of the mask where walls or trees hide the horizon


def random_attitude(rng: np.random.Generator, hfov_deg: float, *, tame: bool) -> UpVector:
    """Mostly upright with the horizon in view; sometimes banked, inverted, or looking up or down."""
    kind = rng.random()
    roll = rng.normal(0, 4) if tame and kind < 0.6 else rng.normal(0, 25)
    if kind > 0.85:
        roll = rng.uniform(-180, 180)
    pitch = rng.normal(0, hfov_deg / 6)
    if kind > 0.96:
        pitch = rng.uniform(-90, 90)
    return UpVector.from_roll_pitch(roll, float(np.clip(pitch, -89, 89)))


def half_plane(up: UpVector, camera: Camera) -> HalfPlane:
    """The sky in a centred picture without distortion."""
    line = up.line(camera.focal_px)
    if line is None or abs(line.offset_px) > 1e4:
        return HalfPlane.everywhere(sky=up.z > 0)
    return HalfPlane.of(line)


def _random_camera(rng: np.random.Generator, size: InputShape, low: float = 25.0) -> Camera:
    return Camera.from_hfov(size[1], size[0], rng.uniform(low, 100))


def _twice(image: Image, plane: HalfPlane, rng: np.random.Generator, *, faded: float = 0.0) -> list[Sample]:
    """A picture and its mirror image through two cameras: rendering costs more than all that follows."""
    mirrored = np.ascontiguousarray(image[:, ::-1])
    return [
        finish(image, plane, rng, faded=faded),
        finish(mirrored, plane._replace(nx=-plane.nx), rng, faded=faded),
    ]


def scenes_of(kinds: Sequence[SceneKind]) -> Sampler:
    """Procedural scenes of these kinds."""

    def make(rng: np.random.Generator, size: InputShape) -> list[Sample]:
        image, plane = scene_picture(kinds, rng, size)
        return _twice(image, plane, rng, faded=_FADED)

    return make


def scene_picture(
    kinds: Sequence[SceneKind], rng: np.random.Generator, size: InputShape
) -> tuple[Image, HalfPlane]:
    """A procedural scene of one of these kinds, and its sky."""
    scene = random_scene(rng, kinds[int(rng.integers(len(kinds)))])
    camera, is_sea = _random_camera(rng, size), scene.sea_level >= 0.999
    if is_sea and rng.random() < _MORE_BEFORE:
        scene = with_more_before(scene, rng)
    up = random_attitude(rng, camera.hfov_deg, tame=is_sea)
    image = render(scene, camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
    return image, half_plane(up, camera)


def real_sky(panoramas: Sequence[Panorama], kinds: Sequence[SceneKind]) -> Sampler:
    """Procedural scenes under the skies of panoramas, brought down to the horizon over a skyline."""

    def make(rng: np.random.Generator, size: InputShape) -> list[Sample]:
        panorama = panoramas[int(rng.integers(len(panoramas)))]
        lift = 1.0 if panorama.is_open else rng.uniform(28, 45)
        camera = _random_camera(rng, size)
        scene = _under(random_scene(rng, kinds[int(rng.integers(len(kinds)))]), panorama, lift)
        up, rays = random_attitude(rng, camera.hfov_deg, tame=True), camera_rays(camera)
        sky = panorama_view(panorama, rays, up, heading_deg=rng.uniform(0, 360), lift_deg=lift)
        image = render(scene, rays, up, heading_deg=rng.uniform(0, 360), sky=sky)
        return _twice(image, half_plane(up, camera), rng, faded=_FADED)

    return make


def _under(scene: Scene, panorama: Panorama, lift_deg: float) -> Scene:
    """The scene in the light of a panorama's sky."""

    def tone(low: float, high: float) -> NDArray[np.float32]:
        rows = [round((0.5 - e / 180) * panorama.image.shape[0]) for e in (high, low)]
        return (panorama.image[rows[0] : rows[1] + 1].mean(axis=(0, 1)) / 255).astype(np.float32)

    skyline, zenith = tone(lift_deg, lift_deg + 6), tone(lift_deg + 20, 88)
    light = float(skyline.mean() / max(scene.skyline.mean(), 0.05))
    lit = {name: getattr(scene, name) * np.float32(light) for name in ("water", "shallow", "sand", "ground")}
    return scene._replace(skyline=skyline, zenith=zenith, haze=skyline, foam_colour=0.9 * skyline, **lit)


def panorama_view_sample(panoramas: Sequence[Panorama]) -> Sampler:
    """Views of panoramas; those of closed-in ones teach the mask a little and to refuse."""
    open_ones = [p for p in panoramas if p.is_open]

    def make(rng: np.random.Generator, size: InputShape) -> list[Sample]:
        chosen = open_ones if open_ones and rng.random() < 0.6 else panoramas
        panorama = chosen[int(rng.integers(len(chosen)))]
        camera = _random_camera(rng, size, 40.0)
        up = random_attitude(rng, camera.hfov_deg, tame=False)
        image = panorama_view(panorama, camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
        plane = half_plane(up, camera)
        if panorama.is_open:
            return [finish(image, plane, rng)]
        # A field behind trees may or may not pass for a horizon.
        presence = -1.0 if panorama.terrain == "field" else 0.0
        weight = _CLOSED if panorama.is_level else 0.0
        return [finish(image, plane, rng, weight=weight, presence=presence)]

    return make


def out_of_view(rng: np.random.Generator, size: InputShape) -> list[Sample]:
    """Procedural scenes from above, or their sky alone."""
    kind = ("sea", "coast", None)[int(rng.choice(3, p=[0.2, 0.5, 0.3]))]
    scene, camera = random_scene(rng, kind), _random_camera(rng, size)  # type: ignore[arg-type]
    corner = float(np.degrees(np.arctan(np.hypot(*size) / 2 / camera.focal_px)))
    down = rng.random() < 0.75
    pitch = rng.uniform(min(corner + 4, 80), 89) * (-1 if down else 1)
    up = UpVector.from_roll_pitch(rng.uniform(-180, 180), float(pitch))
    image = render(scene, camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
    return _twice(image, half_plane(up, camera), rng)


def closed_in(rng: np.random.Generator, size: InputShape) -> list[Sample]:
    """Scenes whose horizon is hidden all around by woods, walls or houses that stand close."""
    scene, camera = random_scene(rng), _random_camera(rng, size, 40.0)
    rings = []
    for distance in (rng.uniform(40, 150), rng.uniform(12, 40)):
        kind = int(rng.choice([SMOOTH, TREES, BLOCKS], p=[0.2, 0.5, 0.3]))
        tall = distance * float(np.tan(np.radians(rng.uniform(15, 55)))) + 2.0
        tone = scene.ground[int(rng.integers(4))] * rng.uniform(0.3, 1.3)
        rings.append((kind, distance, tall, 1.0, rng.uniform(4, 60), *tone))
    scene = scene._replace(height=rng.uniform(1.5, 4), layers=np.array(rings, np.float32))
    up = UpVector.from_roll_pitch(rng.normal(0, 12), rng.normal(0, camera.hfov_deg / 6))
    image = render(scene, camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
    return [finish(image, half_plane(up, camera), rng, weight=0.0, presence=0.0)]


def patchwork(rng: np.random.Generator, size: InputShape) -> list[Sample]:
    """Two grounds from above on both sides of a border that runs across the picture like a horizon."""
    first, second = (_ground_alone(rng, size) for _ in range(2))
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    angle, bend = rng.normal(0, 25), rng.normal(0, 0.06)
    nx, ny = np.sin(np.radians(angle)), -np.cos(np.radians(angle))
    u, v = (x - size[1] / 2) / size[1], (y - rng.uniform(0.2, 0.8) * size[0]) / size[0]
    wave = bend * np.sin(2 * np.pi * rng.uniform(0.3, 2) * u + rng.uniform(0, 6))
    share = np.clip((nx * u + ny * v + wave) * size[0] / log_uniform(rng, 1, 12) + 0.5, 0, 1)
    image = second + (first - second) * share[:, :, None].astype(np.float32)
    return [finish(image, None, rng, presence=0.0)]


def _ground_alone(rng: np.random.Generator, size: InputShape) -> Image:
    camera = _random_camera(rng, size, 40.0)
    up = UpVector.from_roll_pitch(rng.uniform(-180, 180), float(rng.uniform(-89, -60)))
    rays = camera_rays(camera)
    return render(random_scene(rng), rays, up, heading_deg=rng.uniform(0, 360))


def room(rng: np.random.Generator, size: InputShape) -> list[Sample]:
    """A room from inside."""
    camera = _random_camera(rng, size, 40.0)
    up = UpVector.from_roll_pitch(rng.normal(0, 15), rng.normal(0, 15))
    image = random_room(rng, camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
    return [finish(image, half_plane(up, camera), rng, weight=0.0, presence=0.0)]


def blank(rng: np.random.Generator, size: InputShape) -> list[Sample]:
    """A picture of nothing, with any camera effect."""
    return [finish(blank_picture(rng, (size[1], size[0])), None, rng)]
