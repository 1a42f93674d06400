"""Stations along the horizon in the picture: a line, or a curve where the lens bends it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.camera.projection import SkyFrame, runs, view_radius
from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Measurement
from horizon_rt.system.kernels import kernel

__all__ = ["STATIONS", "Stations", "Strip"]

Array = NDArray[np.float64]

STATIONS = 96
_BORDER = 16  # points on each side of the picture, between which its border is taken as straight
_MIN_LENGTH_PX = 24.0
_DIFFERENCE_STEP_RAD = 1e-4
_WIDEST_RAD = math.radians(120.0)  # between the ends
_LIFT_SD_RAD, _LIFT_SPANS_RAD = math.radians(0.5), (math.radians(110.0), math.radians(150.0))
# Of the sine of the pitch; the second where a lens may see 90° aside.
_STEEPEST, _STEEPEST_BENT = 0.99, 0.9999


class Strip(NamedTuple):
    """Stations along a horizon: px position and unit normal towards the sky (n, 2), px per rad of elevation
    (n,), shares (n, 2) of the elevations at both ends, the level rays (2, 3) at both ends, `spacing_px`
    between stations, azimuths (n,) in rad.

    Where a horizon spans more than 120°, the ends are those of the 120° in its middle: elevations at ends
    that lie opposite to each other would not tell a plane. A small change δu moves the horizon at the level
    ray e by −e·δu, whatever its dip: a ray of the cone is cos(dip) e − sin(dip) u, and u·δu = 0.
    """

    points: Array
    normals: Array
    scales: Array
    shares: Array
    ends: Array
    spacing_px: float
    azimuths: Array

    def prior(self, measured: Measurement) -> Array:
        """Covariance (2, 2) of the elevations at both ends, rad²."""
        return np.asarray(self.ends @ measured.covariance @ self.ends.T)

    def elevations(self, near: UpVector, other: UpVector) -> Array:
        """Of another plane above both ends (2,), rad; `near` is the plane of the strip."""
        return np.asarray(np.arctan2(-self.ends @ other.as_array(), near.as_array() @ other.as_array()))

    @property
    def mean_scale(self) -> float:
        """Mean px per rad of elevation."""
        return float(self.scales.mean())

    @property
    def lift_sd(self) -> float:
        """Standard deviation in rad of how far what is seen of the horizon may lie above or below it all
        along; 0 where so little of it is in view that a lift looks like pitch.
        """
        narrow, wide = _LIFT_SPANS_RAD
        span = float(abs(self.azimuths[0] - self.azimuths[-1]))
        return _LIFT_SD_RAD * min(1.0, max(0.0, (span - narrow) / (wide - narrow)))

    def moved(self, up: UpVector, first: float, last: float) -> UpVector:
        """The plane `up` lifted by these elevations in rad above both ends."""
        lifts = np.array([math.tan(first), math.tan(last)])
        return UpVector.from_vector(up.as_array() + lifts @ self.dual)

    @property
    def dual(self) -> Array:
        """(2, 3): the change of u for an elevation of 1 rad at either end and none at the other."""
        ends = self.ends
        c = float(ends[0] @ ends[1])
        return -np.stack([ends[0] - c * ends[1], ends[1] - c * ends[0]]) / (1 - c * c)


class Stations:
    """Places stations along the horizons of one camera's frames.

    `dip` is the angle in rad of the visible horizon below level. `straight` allows the faster kernel for a
    lens without distortion and no dip, where the horizon is a line; both give the same stations.
    """

    def __init__(self, camera: Camera, *, dip: float = 0.0, straight: bool = True) -> None:
        self.camera = camera
        self._dip = dip
        w, h = camera.width - 0.5, camera.height - 0.5
        across, down = np.linspace(-0.5, w, _BORDER), np.linspace(-0.5, h, _BORDER)
        ends = np.full(_BORDER, -0.5), np.full(_BORDER, w), np.full(_BORDER, h)
        sides = [(across, ends[0]), (ends[1], down), (across[::-1], ends[2]), (ends[0], down[::-1])]
        border = np.concatenate([np.stack(side, axis=1)[:-1] for side in sides])
        rays = camera.rays(np.concatenate([border, border[:1]]))
        self._pinhole: tuple[float, float, float, float] | None = None
        if straight and camera.is_linear:
            self._pinhole = (camera.fx, camera.fy, camera.cx, camera.cy)
        self._border = rays[np.isfinite(rays).all(axis=1)]
        self._sees_behind = not camera.is_linear and view_radius(camera) > math.pi / 2

    def strip(self, up: UpVector) -> Strip | None:
        """Stations where the plane of an up vector is in view; None where too little of it is."""
        steepest = _STEEPEST if self._pinhole is not None else _STEEPEST_BENT
        if abs(up.z) > steepest or min(self.camera.width, self.camera.height) < 2:
            return None
        strip = None if self._pinhole is None else self._straight_strip(up, self._pinhole)
        if strip is None:
            strip = self._bent_strip(up)
        if strip is None or not np.isfinite(strip.scales).all():
            return None
        return strip if strip.spacing_px * STATIONS > _MIN_LENGTH_PX else None

    def _straight_strip(self, up: UpVector, lens: tuple[float, float, float, float]) -> Strip | None:
        """For a lens without distortion; None where a dipped horizon leaves the picture and comes back."""
        n = STATIONS
        parts = (
            np.empty((n, 2)),
            np.empty((n, 2)),
            np.empty(n),
            np.empty((n, 2)),
            np.empty((2, 3)),
            np.empty(n),
        )
        dip = math.sin(self._dip), math.cos(self._dip)
        spacing = pinhole_stations(up.as_array(), dip, lens, (self.camera.width, self.camera.height), *parts)
        return None if spacing < 0 else Strip(*parts[:5], spacing, parts[5])

    def _bent_strip(self, up: UpVector) -> Strip | None:
        """For any lens, by its projection."""
        sky = SkyFrame.of(up)
        span = self._span_around(sky) if self._sees_behind else self._span(sky)
        if span is None:
            return None
        strip = self._stations(sky, *span)
        inside = self._inside(strip.points)
        if not inside.all():  # a lens can bend the horizon out of the picture and back
            seen = max((strip.azimuths[run] for run in runs(inside)), key=len, default=strip.azimuths[:0])
            if len(seen) < 2:
                return None
            strip = self._stations(sky, seen[0], seen[-1])
        return strip

    def _span_around(self, sky: SkyFrame) -> tuple[float, float] | None:
        """As `_span` of a lens that sees behind itself: the longest part of the circle that is in view."""
        t = np.linspace(-math.pi, math.pi, 2 * STATIONS, endpoint=False)
        inside = self._inside(self.camera.project(sky.rays(t, -self._dip)))
        if inside.all():
            return math.pi, -math.pi
        gap = int(np.argmin(inside))
        t = np.concatenate([t[gap:], t[:gap] + 2 * math.pi])
        seen = max((t[run] for run in runs(np.roll(inside, -gap))), key=len, default=t[:0])
        return (float(seen[-1]), float(seen[0])) if len(seen) > 1 else None

    def _span(self, sky: SkyFrame) -> tuple[float, float] | None:
        """The largest and the smallest azimuth at which the horizon crosses the picture's border; None where
        it is out of the picture.
        """
        heights = self._border @ sky.up + math.sin(self._dip)
        crossed = np.flatnonzero((heights[:-1] > 0) != (heights[1:] > 0))
        if len(crossed) < 2:
            return None
        share = heights[crossed] / (heights[crossed] - heights[crossed + 1])
        rays = self._border[crossed] + share[:, None] * (self._border[crossed + 1] - self._border[crossed])
        azimuths = np.arctan2(rays @ sky.right, rays @ sky.forward)
        return float(azimuths.max()), float(azimuths.min())

    def _inside(self, points: Array) -> NDArray[np.bool_]:
        limits = np.array([self.camera.width, self.camera.height])
        return np.asarray(((points > -1.0) & (points < limits)).all(axis=1))

    def _stations(self, sky: SkyFrame, first: float, last: float) -> Strip:
        """Stations from one azimuth to another."""
        inset = 0.5 * (last - first) / STATIONS
        t = np.linspace(first + inset, last - inset, STATIONS)
        seen = sky.rays(t, -self._dip)
        lift = _DIFFERENCE_STEP_RAD * sky.rays(t, 0.5 * math.pi - self._dip)
        pixels = self.camera.project(np.concatenate([seen, seen + lift, seen - lift]))
        points, above, below = pixels.reshape(3, STATIONS, 2)
        normals = (above - below) / (2 * _DIFFERENCE_STEP_RAD)
        scales = np.hypot(normals[:, 0], normals[:, 1])
        spacing = float(np.hypot(*np.diff(points, axis=0).T).mean())
        beyond = max(0.0, 0.5 * (t[0] - t[-1] - _WIDEST_RAD))
        ends = np.array([t[0] - beyond, t[-1] + beyond])
        shares = np.stack([np.sin(ends[1] - t), np.sin(t - ends[0])], axis=1) / math.sin(ends[1] - ends[0])
        return Strip(points, normals / scales[:, None], scales, shares, sky.rays(ends, 0.0), spacing, t)


@kernel()
def pinhole_stations(
    u: Array, dip: tuple[float, float], lens: tuple[float, float, float, float], size: tuple[int, int],
    points: Array, normals: Array, scales: Array, shares: Array, ends: Array, azimuths: Array,
) -> float:  # fmt: skip
    """Fill the fields of a `Strip` for the up vector `u` (3,).

    `dip` is its sine and cosine, `lens` fx, fy, cx, cy in px, `size` width and height. Returns px between
    stations, 0 where the horizon is not in view, −1 where it is in more than one piece.
    """
    fx, fy, cx, cy = lens
    down, along = dip
    if down == 0.0:
        first, last = _ends_in_view(u, lens, size)
    else:
        first, last, crossed = _dipped_ends(u, down, lens, size)
        if crossed > 2:
            return -1.0
    if first <= last:
        return 0.0
    level = math.sqrt(1.0 - u[2] * u[2])
    f0, f1, f2 = -u[2] * u[0] / level, -u[2] * u[1] / level, level
    r0, r1, r2 = f1 * u[2] - f2 * u[1], f2 * u[0] - f0 * u[2], f0 * u[1] - f1 * u[0]
    n = points.shape[0]
    step = (last - first) / n
    beyond = max(0.0, 0.5 * (n - 1 - _WIDEST_RAD / -step))  # stations that lie beyond each end
    span = math.sin(step * (n - 1 - 2.0 * beyond))
    for end, k in ((0, beyond), (1, n - 1 - beyond)):
        c, s = math.cos(first + (k + 0.5) * step), math.sin(first + (k + 0.5) * step)
        ends[end, 0], ends[end, 1], ends[end, 2] = c * f0 + s * r0, c * f1 + s * r1, c * f2 + s * r2
    for k in range(n):
        t = first + (k + 0.5) * step
        c, s = math.cos(t), math.sin(t)
        x, y, z = c * f0 + s * r0, c * f1 + s * r1, c * f2 + s * r2
        up0, up1, up2 = along * u[0] + down * x, along * u[1] + down * y, along * u[2] + down * z
        x, y, z = along * x - down * u[0], along * y - down * u[1], along * z - down * u[2]
        x, y = x / z, y / z
        points[k, 0], points[k, 1] = fx * x + cx, fy * y + cy
        nx, ny = fx * (up0 - x * up2) / z, fy * (up1 - y * up2) / z
        scales[k] = math.sqrt(nx * nx + ny * ny)
        normals[k, 0], normals[k, 1] = nx / scales[k], ny / scales[k]
        shares[k, 0] = math.sin(step * (n - 1 - beyond - k)) / span
        shares[k, 1] = math.sin(step * (k - beyond)) / span
        azimuths[k] = t
    dx, dy = points[n - 1, 0] - points[0, 0], points[n - 1, 1] - points[0, 1]
    return math.sqrt(dx * dx + dy * dy) / (n - 1)


@kernel()
def _ends_in_view(
    u: Array, lens: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float]:
    """The larger and the smaller azimuth of the horizon at the picture's border; alike where out of view.

    Liang and Barsky's clipping of a·x + b·y + d = 0, x and y from the principal point.
    """
    fx, fy, cx, cy = lens
    a, b, d = u[0] / fx, u[1] / fy, u[2]
    square = a * a + b * b
    if square < 1e-18:
        return 0.0, 0.0
    x0, y0 = -a * d / square, -b * d / square
    low, high = -1e18, 1e18
    for start, along, least, most in (
        (x0, -b, -0.5 - cx, size[0] - 0.5 - cx), (y0, a, -0.5 - cy, size[1] - 0.5 - cy),
    ):  # fmt: skip
        if along == 0.0:
            if start < least or start > most:
                return 0.0, 0.0
            continue
        one, other = (least - start) / along, (most - start) / along
        low, high = max(low, min(one, other)), min(high, max(one, other))
    if high <= low:
        return 0.0, 0.0
    p = _azimuth(u, (x0 - low * b) / fx, (y0 + low * a) / fy)
    q = _azimuth(u, (x0 - high * b) / fx, (y0 + high * a) / fy)
    return max(p, q), min(p, q)


@kernel()
def _dipped_ends(
    u: Array, down: float, lens: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float, int]:
    """As `_ends_in_view` for a dip of this sine, and how often the horizon crosses the border.

    On a side of the picture, where a is fixed and v runs, (a p + v q + w)² = down² (a² + v² + 1) with the
    components p, q, w of u.
    """
    fx, fy, cx, cy = lens
    first, last, crossed = -10.0, 10.0, 0
    left, right = (-0.5 - cx) / fx, (size[0] - 0.5 - cx) / fx
    top, bottom = (-0.5 - cy) / fy, (size[1] - 0.5 - cy) / fy
    for side in range(4):
        a = (left, right, top, bottom)[side]
        low, high = (top, bottom) if side < 2 else (left, right)
        p, q = (u[0], u[1]) if side < 2 else (u[1], u[0])
        g = a * p + u[2]
        square, half, rest = q * q - down * down, g * q, g * g - down * down * (a * a + 1.0)
        root = half * half - square * rest
        if root < 0.0 or abs(square) < 1e-15:
            continue
        for sign in (-1.0, 1.0):
            v = (sign * math.sqrt(root) - half) / square
            if not low <= v < high or g + v * q > 0.0:
                continue
            turn = _azimuth(u, a, v) if side < 2 else _azimuth(u, v, a)
            first, last, crossed = max(first, turn), min(last, turn), crossed + 1
    return (first, last, crossed) if crossed > 1 else (0.0, 0.0, crossed)


@kernel(inline="always")
def _azimuth(u: Array, x: float, y: float) -> float:
    """Of the ray (x, y, 1)."""
    level = math.sqrt(1.0 - u[2] * u[2])
    right = (y * u[0] - x * u[1]) / level
    forward = (1.0 - u[2] * (x * u[0] + y * u[1] + u[2])) / level
    return math.atan2(right, forward)
