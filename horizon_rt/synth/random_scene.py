"""Random procedural scenes of many kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.synth.chance import log_uniform
from horizon_rt.synth.scene import BLOCKS, KINDS, SMOOTH, TREES, Colour, Layer, Scene, SceneKind

__all__ = ["random_scene", "with_more_before"]

_SHARES = [0.28, 0.12, 0.2, 0.14, 0.08, 0.06, 0.05, 0.07]
_EARTH_RADIUS_M = 6.371e6
_HEADLANDS = {"coast": 0.55, "sea": 0.12, "mountains": 0.3}  # how often land runs out on one side
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
_SHALLOWS = [(0.15, 0.55, 0.55), (0.30, 0.60, 0.55), (0.20, 0.40, 0.42), (0.45, 0.45, 0.36)]
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


def random_scene(rng: np.random.Generator, kind: SceneKind | None = None) -> Scene:
    """A random scene of a kind (any kind if None); the same generator state gives the same scene."""
    if kind is None:
        kind = KINDS[rng.choice(len(KINDS), p=_SHARES)]
    low = kind in ("sea", "storm") or (kind == "coast" and rng.random() < 0.5)
    height = log_uniform(rng, 1.5, 40) if low else log_uniform(rng, 3, 600)
    sky = _SKIES[5 if kind == "storm" else int(rng.choice(7, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.06, 0.04]))]
    zenith, skyline = _jitter(rng, sky[0], 0.12), _jitter(rng, sky[1], 0.1)
    night = sky is _SKIES[6]
    light = 0.12 + 0.1 * rng.random() if night else float(np.mean(skyline)) ** 0.5 * rng.uniform(0.6, 1.1)
    name = {"coast": "beach", "mountains": "forest", "sea": "beach", "storm": "beach"}.get(kind, kind)
    ground = np.stack([_jitter(rng, c, 0.12) * light for c in _GROUNDS[name]]).astype(np.float32)
    parts = (
        _sky(rng, skyline, np.array(sky[2], np.float32), night),
        _water(rng, kind, height, skyline, light, night),
        _land(rng, height, ground, light),
        _air(rng, kind, height, skyline),
    )
    seed = int(rng.integers(1, 1 << 30))
    low_sun = sky is _SKIES[3] or sky is _SKIES[4]
    return Scene(
        seed=seed,
        height=height,
        offset=rng.uniform(0, 1, 2),
        zenith=zenith,
        skyline=skyline,
        streaks=_streaks(np.random.default_rng(seed), skyline, zenith, 0.7 if low_sun else 0.2),
        ground=ground,
        layers=_random_layers(rng, kind, height, ground, light, parts[1]["water"]),
        **{name: value for part in parts for name, value in part.items()},
    )


def with_more_before(scene: Scene, rng: np.random.Generator) -> Scene:
    """One or two more headlands, rings of houses, hills or ships that rise over the scene's horizon."""
    light, added = float(np.mean(scene.skyline)) ** 0.5, []
    for what in rng.choice(4, int(rng.integers(1, 3)), p=[0.4, 0.3, 0.2, 0.1]):
        if what == 0:
            layer = _headland(rng, scene.height, scene.ground)
        elif what == 1:
            layer = _houses(rng, scene.height, light)
        elif what == 2:
            nearness = float(rng.choice([1.0, 0.25, 0.06]))
            layer = _hills(rng, "coast", scene.height, scene.ground, light, nearness)
        else:
            layer = _ships(rng, scene.height, light)
        added.append((*layer[:5], *layer.colour))
    layers = np.concatenate([scene.layers, np.array(added, np.float32)])
    return scene._replace(layers=layers[np.argsort(-layers[:, 1], kind="stable")])


def _sky(rng: np.random.Generator, skyline: Colour, sun_colour: Colour, night: bool) -> dict[str, Any]:
    bearing, elevation = rng.uniform(-np.pi, np.pi), rng.uniform(-0.05, 0.9)
    sun = (np.cos(elevation) * np.sin(bearing), np.sin(elevation), np.cos(elevation) * np.cos(bearing))
    bank_top = log_uniform(rng, 0.01, 0.25)
    return {
        "sky_falloff": log_uniform(rng, 1.0, 8.0),
        "sun": np.array(sun, np.float32),
        "sun_colour": sun_colour,
        "sun_glow": 0.0 if night or rng.random() < 0.4 else rng.uniform(0.1, 0.9),
        "cloud_cover": float(np.clip(rng.normal(0.45, 0.3), 0, 1)),
        "cloud_scale": log_uniform(rng, 0.3, 3.0),
        "cloud_edge": log_uniform(rng, 1.5, 12.0),
        "cloud_colour": np.clip(_jitter(rng, skyline, 0.06) * np.float32(1.1), 0, 1).astype(np.float32),
        "cloud_shade": _jitter(rng, (float(skyline.mean()) * rng.uniform(0.45, 0.95),) * 3, 0.08),
        "bank": rng.uniform(0.1, 0.9) if rng.random() < 0.35 else 0.0,
        "bank_top": bank_top,
        "bank_soft": bank_top * log_uniform(rng, 0.01, 0.5),
        "bank_ragged": log_uniform(rng, 0.05, 2.0),
        "stars": float(night) * rng.uniform(0, 1),
    }


def _streaks(rng: np.random.Generator, skyline: Colour, zenith: Colour, chance: float) -> NDArray[np.float32]:
    """Up to three bands low in the sky, darker or lighter than it; the open edge below them is no horizon."""
    bands = np.zeros((3, 8), np.float32)
    if rng.random() > chance:
        return bands
    for band in bands[: rng.integers(1, 4)]:
        base, width = log_uniform(rng, 0.005, 0.35), log_uniform(rng, 0.005, 0.2)
        blend = rng.uniform(0, 1)
        tint = np.float32(log_uniform(rng, 0.35, 1.6)) * (blend * skyline + (1 - blend) * zenith)
        soft, rough = width * log_uniform(rng, 0.01, 0.5), width * log_uniform(rng, 0.02, 1.0)
        band[:] = (base, base + width, soft, rough, rng.uniform(0.2, 1.0), *_jitter(rng, tint, 0.12))
    return bands


def _water(
    rng: np.random.Generator, kind: SceneKind, height: float, skyline: Colour, light: float, night: bool
) -> dict[str, Any]:
    water = _jitter(rng, _WATERS[rng.integers(len(_WATERS))], 0.15) * np.float32(light)
    bearing = rng.uniform(-np.pi, np.pi)
    storm, level = kind == "storm", {"sea": 1.0, "storm": 1.0, "coast": rng.uniform(0.25, 0.75)}
    return {
        "sea_level": level.get(kind, rng.uniform(0.1, 0.4) if rng.random() < 0.3 else 0.0),
        "coast_scale": height * log_uniform(rng, 2, 60),
        "shore": _shore(rng, kind, height),
        "shelf": log_uniform(rng, 8, 90),
        "water": water.astype(np.float32),
        "shallow": _jitter(rng, _SHALLOWS[rng.integers(len(_SHALLOWS))], 0.15) * np.float32(light),
        "reflected": rng.uniform(0.75, 1.02),
        "wind": np.array([np.cos(bearing), np.sin(bearing)]),
        "wave_length": height * log_uniform(rng, 0.1, 6.0) if height < 15 else log_uniform(rng, 1.5, 60),
        "steepness": rng.uniform(0.15, 0.35) if storm else log_uniform(rng, 0.01, 0.25),
        "foam": rng.uniform(0.3, 0.75) if storm else max(0.0, rng.normal(0.1, 0.2)),
        "foam_colour": np.clip(skyline * np.float32(0.9) + 0.1 * light, 0, 1).astype(np.float32),
        "glitter": 0.0 if night or rng.random() < 0.5 else rng.uniform(0.1, 1.2),
    }


def _shore(rng: np.random.Generator, kind: SceneKind, height: float) -> NDArray[np.float64]:
    """Mostly a shore that runs one way, with the open sea on its other side; else islands and lakes."""
    bearing, steepness = rng.uniform(-np.pi, np.pi), log_uniform(rng, 0.002, 0.2) / height
    straight = kind == "coast" and rng.random() < 0.65
    return straight * steepness * np.array([np.sin(bearing), np.cos(bearing)])


def _land(
    rng: np.random.Generator, height: float, ground: NDArray[np.float32], light: float
) -> dict[str, Any]:
    sand = _GROUNDS["beach"][rng.integers(2)] if rng.random() < 0.7 else (0.2, 0.19, 0.18)
    return {
        "sand": _jitter(rng, sand, 0.1) * np.float32(light),
        "patch": height * log_uniform(rng, 0.15, 6.0),
        "patch_kind": int(rng.integers(0, 3)),
        "grain": height * log_uniform(rng, 0.02, 0.4),
        "shadows": rng.uniform(0.1, 0.6) if rng.random() < 0.3 else 0.0,
    }


def _air(rng: np.random.Generator, kind: SceneKind, height: float, skyline: Colour) -> dict[str, Any]:
    """Haze: mostly that of a clear or hazy day up to the horizon's distance, sometimes fog."""
    fog = rng.random() < 0.2
    return {
        "visibility": height * log_uniform(rng, 15, 300) if fog else log_uniform(rng, 3e3, 2e5),
        "reach": float(np.sqrt(2 * _EARTH_RADIUS_M * height)),
        "haze": (skyline * np.float32(rng.uniform(0.9, 1.03))).astype(np.float32),
    }


def _random_layers(
    rng: np.random.Generator,
    kind: SceneKind,
    height: float,
    ground: NDArray[np.float32],
    light: float,
    water: Colour,
) -> NDArray[np.float32]:
    """Far hills, nearer ones, things at the horizon, and at low heights the waves before it."""
    chance = {"sea": 0.35, "storm": 0.15, "coast": 0.75, "mountains": 1.0, "town": 1.0}.get(kind, 0.6)
    layers = [
        _hills(rng, kind, height, ground, light, nearness)
        for nearness in (1.0, 0.25)
        if rng.random() < chance * (0.5 + nearness / 2)
    ]
    if kind in ("coast", "sea", "mountains") and rng.random() < _HEADLANDS[kind]:
        layers += [_headland(rng, height, ground) for _ in range(int(rng.integers(1, 3)))]
    if kind == "town":
        rings = int(rng.integers(0, 4)) if rng.random() < 0.6 else int(rng.integers(6, 15))
        layers += sorted((_houses(rng, height, light) for _ in range(rings)), key=lambda ring: -ring.distance)
    if kind in ("sea", "storm", "coast") and rng.random() < 0.35:
        layers.append(_ships(rng, height, light))
    if kind in ("sea", "storm") and height < 6 and rng.random() < 0.4:
        layers.append(_waves(rng, height, water))
    if kind not in ("sea", "storm") and height < 80 and rng.random() < 0.25:
        layers.append(_foreground(rng, height, ground))
    rows = [(*layer[:5], *layer.colour) for layer in layers]
    return np.array(rows, np.float32).reshape(-1, 8)


def _hills(
    rng: np.random.Generator, kind: SceneKind, height: float, ground: NDArray[np.float32], light: float,
    nearness: float,
) -> Layer:  # fmt: skip
    shape = int(rng.choice(3)) if kind != "town" else BLOCKS
    distance = height * log_uniform(rng, 60, 1500) * nearness + 30
    rise = np.radians(log_uniform(rng, 0.15, 9.0 if kind in ("mountains", "coast") else 3.0))
    colour = _jitter(rng, ground[rng.integers(4)] if shape != BLOCKS else (0.5 * light,) * 3, 0.25)
    return Layer(
        kind=shape,
        distance=distance,
        top=height * rng.uniform(0.3, 1.0) + distance * float(np.tan(rise)) * rng.uniform(0.3, 1),
        cover=rng.uniform(0.15, 1.0),
        grain=log_uniform(rng, 2, 8) if shape == SMOOTH else log_uniform(rng, 20, 200),
        colour=colour * np.float32(rng.uniform(0.5, 1.0)),
    )


def _headland(rng: np.random.Generator, height: float, ground: NDArray[np.float32]) -> Layer:
    """Land that runs out before the horizon on one side and stands far above it."""
    distance = height * log_uniform(rng, 8, 120) + 20
    return Layer(
        kind=int(rng.choice([SMOOTH, TREES])),
        distance=distance,
        top=height + distance * float(np.tan(np.radians(log_uniform(rng, 1.5, 25)))),
        cover=rng.uniform(0.2, 0.5),
        grain=log_uniform(rng, 1, 12),
        colour=_jitter(rng, ground[rng.integers(4)], 0.3) * np.float32(rng.uniform(0.3, 1.0)),
    )


def _houses(rng: np.random.Generator, height: float, light: float) -> Layer:
    """One of the rings of houses of a town, some of them towers."""
    distance = height * log_uniform(rng, 3, 60) + 20
    return Layer(
        kind=BLOCKS,
        distance=distance,
        top=height * rng.uniform(0.4, 1.3) + distance * float(np.tan(np.radians(rng.uniform(0, 4)))),
        cover=rng.uniform(0.4, 1.0),
        grain=log_uniform(rng, 12, 120),
        colour=_jitter(rng, (rng.uniform(0.2, 0.8) * light,) * 3, 0.2),
    )


def _foreground(rng: np.random.Generator, height: float, ground: NDArray[np.float32]) -> Layer:
    """Dunes, rocks or grass right before the camera, which hide part of the horizon."""
    return Layer(
        kind=int(rng.choice([SMOOTH, TREES])),
        distance=height * log_uniform(rng, 1.5, 12),
        top=height * rng.uniform(0.5, 1.5),
        cover=rng.uniform(0.2, 0.9),
        grain=log_uniform(rng, 1, 20),
        colour=_jitter(rng, ground[rng.integers(4)], 0.3),
    )


def _ships(rng: np.random.Generator, height: float, light: float) -> Layer:
    """Ships, buoys and platforms near the horizon."""
    distance = height * log_uniform(rng, 15, 400) + 50
    return Layer(
        kind=BLOCKS,
        distance=distance,
        top=height * rng.uniform(0.2, 1.2) + distance * float(np.radians(log_uniform(rng, 0.1, 2.5))),
        cover=rng.uniform(0.12, 0.4),
        grain=log_uniform(rng, 15, 250),
        colour=_jitter(rng, (rng.uniform(0.05, 0.9) * light,) * 3, 0.2),
    )


def _waves(rng: np.random.Generator, height: float, water: Colour) -> Layer:
    """Near crests that reach up to the horizon or a little over it, as a buoy or a small boat sees them."""
    return Layer(
        kind=SMOOTH,
        distance=height * log_uniform(rng, 6, 60),
        top=height * rng.uniform(0.8, 1.5),
        cover=rng.uniform(0.4, 1.0),
        grain=log_uniform(rng, 3, 14),
        colour=water * np.float32(rng.uniform(0.8, 1.4)),
    )
