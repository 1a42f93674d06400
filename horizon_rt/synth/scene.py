"""What a procedural scene consists of, and random ones of many kinds."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "Layer", "Scene", "SceneKind", "random_scene"]

SceneKind = Literal["sea", "storm", "coast", "fields", "town", "desert", "snow", "mountains"]
KINDS: tuple[SceneKind, ...] = get_args(SceneKind)

Colour = NDArray[np.float32]

SMOOTH, TREES, BLOCKS = 0, 1, 2
_SHARES = [0.28, 0.1, 0.17, 0.17, 0.08, 0.07, 0.05, 0.08]


class Layer(NamedTuple):
    """A standing profile around the viewer (hills, trees, houses, islands, ships).

    `distance` and `top` in metres, `cover` the share of the azimuth that it fills, `grain` its features per
    radian, `kind` smooth (0), tree crowns (1) or blocks (2).
    """

    kind: int
    distance: float
    top: float
    cover: float
    grain: float
    colour: Colour


class Scene(NamedTuple):
    """Everything the renderer needs; colours are RGB 0..1, lengths in metres, directions in the world.

    The world has x east, y up, z north; the ground is the plane y = −height, so the horizon is exactly
    y = 0. `sea_level` is the share of ground that is water: 1 all, 0 none, between a coast.
    """

    seed: int
    height: float
    zenith: Colour
    skyline: Colour
    sky_falloff: float
    sun: Colour
    sun_colour: Colour
    sun_glow: float
    cloud_cover: float
    cloud_scale: float
    cloud_colour: Colour
    cloud_shade: Colour
    stars: float
    sea_level: float
    coast_scale: float
    water: Colour
    wave_length: float
    wave_contrast: float
    foam: float
    glitter: float
    ground: NDArray[np.float32]
    patch: float
    patch_kind: int
    grain: float
    visibility: float
    haze: Colour
    layers: tuple[Layer, ...]


_GROUNDS: dict[str, list[tuple[float, float, float]]] = {
    "fields": [(0.27, 0.36, 0.14), (0.45, 0.43, 0.22), (0.16, 0.24, 0.10), (0.55, 0.48, 0.30)],
    "forest": [(0.10, 0.17, 0.08), (0.15, 0.22, 0.10), (0.20, 0.24, 0.12), (0.08, 0.12, 0.07)],
    "town": [(0.45, 0.42, 0.40), (0.60, 0.57, 0.53), (0.30, 0.30, 0.31), (0.20, 0.26, 0.14)],
    "desert": [(0.72, 0.58, 0.40), (0.62, 0.45, 0.30), (0.55, 0.36, 0.24), (0.80, 0.70, 0.55)],
    "snow": [(0.88, 0.90, 0.94), (0.75, 0.80, 0.88), (0.95, 0.95, 0.97), (0.45, 0.45, 0.48)],
    "beach": [(0.80, 0.72, 0.56), (0.66, 0.57, 0.43), (0.35, 0.38, 0.20), (0.50, 0.46, 0.40)],
}
_WATERS = [
    (0.05, 0.16, 0.28), (0.08, 0.25, 0.38), (0.10, 0.35, 0.40), (0.22, 0.30, 0.32), (0.30, 0.33, 0.33),
    (0.12, 0.20, 0.18), (0.35, 0.36, 0.30), (0.05, 0.08, 0.12), (0.15, 0.50, 0.55), (0.45, 0.48, 0.50),
]  # fmt: skip
# (zenith, skyline, sun) of a clear day, a milky one, overcast, dusk, dawn, dark storm, night.
_SKIES = [
    ((0.20, 0.42, 0.78), (0.70, 0.82, 0.93), (1.0, 0.98, 0.9)),
    ((0.42, 0.58, 0.80), (0.86, 0.90, 0.93), (1.0, 0.98, 0.92)),
    ((0.62, 0.66, 0.70), (0.78, 0.80, 0.82), (0.9, 0.9, 0.9)),
    ((0.25, 0.25, 0.45), (0.95, 0.55, 0.28), (1.0, 0.75, 0.4)),
    ((0.45, 0.50, 0.68), (0.95, 0.78, 0.66), (1.0, 0.85, 0.7)),
    ((0.28, 0.31, 0.35), (0.50, 0.53, 0.56), (0.7, 0.7, 0.7)),
    ((0.02, 0.03, 0.07), (0.10, 0.10, 0.14), (0.8, 0.8, 0.85)),
]


def _jitter(rng: np.random.Generator, colour: tuple[float, ...] | Colour, amount: float) -> Colour:
    tint = rng.normal(1.0, 0.4 * amount, 3) * rng.normal(1.0, amount)
    return np.clip(np.asarray(colour) * tint, 0.005, 1.2).astype(np.float32)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def random_scene(rng: np.random.Generator, kind: SceneKind | None = None) -> Scene:
    """A random scene of a kind (any kind if None); the same generator state gives the same scene."""
    if kind is None:
        kind = KINDS[rng.choice(len(KINDS), p=_SHARES)]
    at_sea = kind in ("sea", "storm", "coast")
    height = _log_uniform(rng, 2, 40) if kind in ("sea", "storm") else _log_uniform(rng, 3, 600)
    sky = _SKIES[5 if kind == "storm" else int(rng.choice(7, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.06, 0.04]))]
    zenith, skyline = _jitter(rng, sky[0], 0.12), _jitter(rng, sky[1], 0.1)
    night = sky is _SKIES[6]
    light = 0.12 + 0.1 * rng.random() if night else float(np.mean(skyline)) ** 0.5 * rng.uniform(0.6, 1.1)
    name = {"coast": "beach", "mountains": "forest", "sea": "beach", "storm": "beach"}.get(kind, kind)
    ground = np.stack([_jitter(rng, c, 0.12) * light for c in _GROUNDS[name]]).astype(np.float32)
    bearing, elevation = rng.uniform(-np.pi, np.pi), rng.uniform(-0.05, 0.9)
    sun = (np.cos(elevation) * np.sin(bearing), np.sin(elevation), np.cos(elevation) * np.cos(bearing))
    haze = skyline * np.float32(rng.uniform(0.9, 1.03))
    return Scene(
        seed=int(rng.integers(1, 1 << 30)),
        height=height,
        zenith=zenith,
        skyline=skyline,
        sky_falloff=_log_uniform(rng, 1.0, 8.0),
        sun=np.array(sun, np.float32),
        sun_colour=np.array(sky[2], np.float32),
        sun_glow=0.0 if night or rng.random() < 0.4 else rng.uniform(0.1, 0.9),
        cloud_cover=float(np.clip(rng.normal(0.45, 0.3), 0, 1)),
        cloud_scale=_log_uniform(rng, 0.3, 3.0),
        cloud_colour=np.clip(_jitter(rng, skyline, 0.06) * np.float32(1.1), 0, 1).astype(np.float32),
        cloud_shade=_jitter(rng, (float(skyline.mean()) * rng.uniform(0.45, 0.95),) * 3, 0.08),
        stars=float(night) * rng.uniform(0, 1),
        sea_level={"sea": 1.0, "storm": 1.0, "coast": rng.uniform(0.4, 0.85)}.get(
            kind, rng.uniform(0.0, 0.35) if rng.random() < 0.3 else 0.0
        ),
        coast_scale=height * _log_uniform(rng, 5, 60),
        water=(_jitter(rng, _WATERS[rng.integers(len(_WATERS))], 0.15) * np.float32(light)).astype(
            np.float32
        ),
        wave_length=height * _log_uniform(rng, 0.1, 1.5) if at_sea else _log_uniform(rng, 1, 20),
        wave_contrast=rng.uniform(0.5, 1.0) if kind == "storm" else _log_uniform(rng, 0.04, 0.8),
        foam=rng.uniform(0.2, 0.6) if kind == "storm" else max(0.0, rng.normal(-0.05, 0.15)),
        glitter=0.0 if night or rng.random() < 0.5 else rng.uniform(0.1, 1.2),
        ground=ground,
        patch=height * _log_uniform(rng, 0.3, 6.0),
        patch_kind=int(rng.integers(0, 3)),
        grain=height * _log_uniform(rng, 0.02, 0.4),
        visibility=height * _log_uniform(rng, 15, 2000),
        haze=haze.astype(np.float32),
        layers=_random_layers(rng, kind, height, ground, light),
    )


def _random_layers(
    rng: np.random.Generator, kind: SceneKind, height: float, ground: NDArray[np.float32], light: float
) -> tuple[Layer, ...]:
    """One far and one nearer layer, in this order; a layer without cover is not drawn."""
    layers = []
    chance = {"sea": 0.35, "storm": 0.15, "coast": 0.7, "mountains": 1.0, "town": 1.0}.get(kind, 0.6)
    for nearness in (1.0, 0.25):
        distance = height * _log_uniform(rng, 60, 1500) * nearness + 30
        shape = int(rng.choice(3)) if kind != "town" else BLOCKS
        rise = np.radians(_log_uniform(rng, 0.15, 9.0 if kind == "mountains" else 3.0))
        grain = _log_uniform(rng, 2, 8) if shape == SMOOTH else _log_uniform(rng, 20, 200)
        colour = _jitter(rng, ground[rng.integers(4)] if shape != BLOCKS else (0.5 * light,) * 3, 0.25)
        layers.append(
            Layer(
                kind=shape,
                distance=distance,
                top=height * rng.uniform(0.3, 1.0) + distance * float(np.tan(rise)) * rng.uniform(0.3, 1),
                cover=rng.uniform(0.15, 1.0) if rng.random() < chance * (0.5 + nearness / 2) else 0.0,
                grain=grain,
                colour=colour * np.float32(rng.uniform(0.5, 1.0)),
            )
        )
    return tuple(layers)
