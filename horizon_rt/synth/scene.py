"""What a procedural scene consists of."""

from __future__ import annotations

from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from horizon_rt.options import SceneKind

__all__ = ["BLOCKS", "KINDS", "SMOOTH", "TREES", "Colour", "Layer", "Scene", "SceneKind"]

KINDS: tuple[SceneKind, ...] = get_args(SceneKind)

Colour = NDArray[np.float32]

SMOOTH, TREES, BLOCKS = 0, 1, 2


class Layer(NamedTuple):
    """A standing profile around the viewer (hills, trees, houses, islands, ships, near waves).

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
    y = 0. `sea_level` is the share of ground that is water: 1 all, 0 none, between a coast, whose ground
    rises along `shore` (east and north, by metre) and falls off into the water by `shelf`. `layers` (n, 8)
    holds a `Layer` a row, far ones first. `streaks` (3, 8) are bands of cloud or light low in the sky: sine
    of the elevation of the lower and upper edge, softness, raggedness, opacity, colour. `reach` is the
    distance beyond which haze grows no further, `steepness` the standard deviation of the slope of the waves.
    """

    seed: int
    height: float
    offset: NDArray[np.float64]
    zenith: Colour
    skyline: Colour
    sky_falloff: float
    sun: Colour
    sun_colour: Colour
    sun_glow: float
    cloud_cover: float
    cloud_scale: float
    cloud_edge: float
    cloud_colour: Colour
    cloud_shade: Colour
    bank: float
    bank_top: float
    bank_soft: float
    bank_ragged: float
    streaks: NDArray[np.float32]
    shadows: float
    stars: float
    sea_level: float
    coast_scale: float
    shore: NDArray[np.float64]
    shelf: float
    water: Colour
    shallow: Colour
    reflected: float
    wind: NDArray[np.float64]
    wave_length: float
    steepness: float
    foam: float
    foam_colour: Colour
    glitter: float
    sand: Colour
    ground: NDArray[np.float32]
    patch: float
    patch_kind: int
    grain: float
    visibility: float
    reach: float
    haze: Colour
    layers: NDArray[np.float32]

    def record(self) -> NDArray[np.void]:
        """All but the layers as one structured element, shape (1,): kernels get it by reference."""
        values = {name: np.asarray(value) for name, value in self._asdict().items() if name != "layers"}
        kinds = [
            (name, np.int64 if v.dtype.kind == "i" else np.float64, v.shape) for name, v in values.items()
        ]
        out = np.zeros(1, np.dtype(kinds))
        for name, value in values.items():
            out[name] = value
        return out
