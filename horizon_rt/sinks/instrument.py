"""The moving part of the overlay: horizon, band, pitch ladder, roll scale, arrow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.projection import SkyFrame, project_near, view_radius, visible_runs
from horizon_rt.frame.colour import Colour

if TYPE_CHECKING:
    from horizon_rt.camera import Camera
    from horizon_rt.geometry import Mount, UpVector
    from horizon_rt.horizon import Horizon
    from horizon_rt.imaging.canvas import Canvas
    from horizon_rt.sinks.drawing import Style

__all__ = ["WHITE", "Instrument"]

Array = NDArray[np.float64]

WHITE: Colour = (245, 245, 245)
_BLACK: Colour = (0, 0, 0)
_LADDER_STEPS_DEG = (1, 2, 5, 10, 20, 30)
_ROLL_MARKS_DEG = (-60, -45, -30, -20, -10, 0, 10, 20, 30, 45, 60)
_MAX_BAND_DEG = 20.0
_NARROW_STROKES = 12.0
_LARGEST_LABEL = 0.06  # of the smaller side: rungs stand 0.09 of it apart


class Instrument:
    """Draws an attitude for one camera and picture size; `text_px` is the height of capitals."""

    def __init__(self, camera: Camera, style: Style, text_px: float) -> None:
        self._camera, self._style = camera, style
        self._radius = view_radius(camera)
        self._unit = min(camera.width, camera.height)
        self._text_px = min(text_px, _LARGEST_LABEL * self._unit)
        self._stroke = max(1.0, self._unit / 380 * style.line_scale)
        self._edge = max(1, round(0.8 * self._stroke))
        axis = camera.project(np.array([[0.0, 0.0, 1.0]]))[0]
        centre = ((camera.width - 1) / 2, (camera.height - 1) / 2)
        self._axis = (float(axis[0]), float(axis[1])) if np.isfinite(axis).all() else centre

    def draw(self, canvas: Canvas, horizon: Horizon, up: UpVector, colour: Colour) -> float | None:
        """Everything that moves; the angle in degrees to a horizon that is out of the picture."""
        sky, colour, dip = SkyFrame.of(up), self._style.colour or colour, math.radians(horizon.dip_deg)
        if self._style.band:
            self._band(canvas, horizon, sky, colour)
        if self._style.ladder:
            self._ladder(canvas, sky)
        runs = self.curve(up, dip)
        for run in runs if self._style.line else ():
            self._stroke_line(canvas, run, colour, 1.6)
        if self._style.ticks:
            self._ticks(canvas, sky, colour, dip)
        if self._style.scale and horizon.vehicle is not None:
            self._roll_scale(canvas, horizon.vehicle.up, colour)
        if self._style.reference:
            self._reference(canvas, horizon.mount)
        hidden = not any(self._on_picture(run).any() for run in runs)
        if not hidden and horizon.view not in ("sky", "ground"):
            return None
        away = up.pitch_deg + horizon.dip_deg
        if self._style.line:
            self._sky_pointer(canvas, up, colour, away)
        return away

    def curve(self, up: UpVector, dip: float = 0.0) -> list[Array]:
        """The horizon in the picture as runs of points (N, 2) in px, for this attitude and dip in rad."""
        azimuth = SkyFrame.azimuths(self._radius)
        return self._project(SkyFrame.of(up).rays(azimuth, -dip))

    def _project(self, rays: Array) -> list[Array]:
        return visible_runs(project_near(self._camera, rays, self._radius), self._camera)

    def _on_picture(self, points: Array) -> Array:
        size = (self._camera.width - 1, self._camera.height - 1)
        return np.asarray(((points >= 0) & (points <= size)).all(axis=1))

    def _band(self, canvas: Canvas, horizon: Horizon, sky: SkyFrame, colour: Colour) -> None:
        """±2 sigma: the horizon's elevation in the direction of a ray r varies by r·δu, so by √(rᵀ Σ r)."""
        if horizon.attitude is None:
            return
        azimuth, dip = SkyFrame.azimuths(self._radius), math.radians(horizon.dip_deg)
        level = sky.rays(azimuth, 0.0)
        variance = np.einsum("ij,jk,ik->i", level, horizon.attitude.covariance, level)
        sd = np.sqrt(np.maximum(variance, 0.0))
        sd = np.minimum(sd, math.radians(_MAX_BAND_DEG) / 2)
        circles = [sky.rays(azimuth, k * sd - dip) for k in (2.0, 1.0, -1.0, -2.0)]
        sides = [project_near(self._camera, rays, self._radius) for rays in circles]
        for run in visible_runs(np.hstack(sides), self._camera):
            self._shade(canvas, run, colour)

    def _shade(self, canvas: Canvas, run: Array, colour: Colour) -> None:
        """A piece of the band, of points (N, 8) at 2, 1, -1 and -2 sigma.

        An open one leaves out ±1 sigma, so that it does not cover the edge that it is about.
        """
        above, upper, lower, below = (run[:, 2 * k : 2 * k + 2] for k in range(4))
        filled = self._style.band_style == "filled"
        for one, other in [(above, below)] if filled else [(above, upper), (lower, below)]:
            canvas.fill(np.concatenate([one, other[::-1]]), colour, self._style.band_opacity)
        width = np.median(np.linalg.norm(above - below, axis=1))
        if not filled and width > _NARROW_STROKES * self._stroke:  # else they would merge with the line
            for edge in (above, below):
                canvas.polyline(edge, colour, max(1, round(0.4 * self._stroke)))

    def _ticks(self, canvas: Canvas, sky: SkyFrame, colour: Colour, dip: float) -> None:
        """Short strokes on the horizon, towards the sky."""
        step = math.radians(self._ladder_step())
        count = int(min(math.pi, 1.2 * self._radius) / step)
        azimuth = step * np.arange(-count, count + 1, dtype=np.float64)
        length = 0.018 * self._unit / self._camera.focal_px
        ends = [self._camera.project(sky.rays(azimuth, e - dip)) for e in (0.0, length)]
        for a, b in zip(*ends, strict=True):
            if np.isfinite([a, b]).all() and self._on_picture(np.stack([a, b])).any():
                self._stroke_line(canvas, np.stack([a, b]), colour, 1.6)

    def _ladder_step(self) -> int:
        """10° unless that is too dense or too wide for this lens."""
        spacing = [math.radians(d) * self._camera.focal_px / self._unit for d in _LADDER_STEPS_DEG]
        if 0.09 <= spacing[3] <= 0.4:
            return 10
        return next((d for d, s in zip(_LADDER_STEPS_DEG, spacing, strict=True) if s >= 0.12), 30)

    def _ladder(self, canvas: Canvas, sky: SkyFrame) -> None:
        """Rungs at equal steps of elevation near the optical axis; dashed below the horizon."""
        step = self._ladder_step()
        pitch = math.degrees(math.asin(max(-1.0, min(1.0, float(sky.up[2])))))
        if abs(pitch) > 85:
            return
        for degrees in range(-90 + step, 90, step):
            if degrees and abs(degrees - pitch) < math.degrees(self._radius) and abs(degrees) <= 80:
                self._rung(canvas, sky, degrees)

    def _rung(self, canvas: Canvas, sky: SkyFrame, degrees: int) -> None:
        elevation = math.radians(degrees)
        reach = 0.085 * self._unit / (self._camera.focal_px * math.cos(elevation))
        sides = (np.linspace(s * reach, 0.45 * s * reach, 9) for s in (-1.0, 1.0))
        left, right = (self._camera.project(sky.rays(azimuth, elevation)) for azimuth in sides)
        limit = 0.30 * self._unit
        both = np.concatenate([left, right]) - self._axis
        if not (np.hypot(both[:, 0], both[:, 1]) < limit).all():
            return
        for side in (left, right):
            for part in (side,) if degrees > 0 else (side[:3], side[3:6], side[6:]):
                self._stroke_line(canvas, part, WHITE, 0.7)
        outward = (right[0] - left[0]) / max(1e-9, float(np.hypot(*(right[0] - left[0]))))
        x, y = right[0] + outward * 1.9 * self._text_px
        canvas.text(
            f"{abs(degrees)}",
            (x, y + 0.4 * self._text_px),
            WHITE,
            max(7.0, 0.8 * self._text_px),
            align="centre",
        )

    def _roll_scale(self, canvas: Canvas, up: UpVector, colour: Colour) -> None:
        """A fixed arc above the centre and a pointer to the sky, for the roll that is told."""
        radius = 0.40 * self._unit
        arc = np.radians(np.linspace(-60, 60, 49))
        self._stroke_line(canvas, self._polar(arc, radius), WHITE, 0.7)
        for mark in _ROLL_MARKS_DEG:
            length = (0.03 if mark % 30 == 0 else 0.016) * self._unit
            angle = np.radians([mark, mark])
            self._stroke_line(canvas, self._polar(angle, np.array([radius, radius + length])), WHITE, 0.7)
        if math.hypot(up.x, up.y) < 0.02:
            return
        tip = math.atan2(up.x, -up.y)
        size = 0.022 * self._unit
        angles = np.array([tip, tip - 0.75 * size / radius, tip + 0.75 * size / radius])
        radii = np.array([radius - 0.003 * self._unit, *[radius - 0.003 * self._unit - 1.5 * size] * 2])
        self._solid(canvas, self._polar(angles, radii), colour)

    def _reference(self, canvas: Canvas, mount: Mount | None) -> None:
        """Where the optical axis meets the picture, or of a mounted camera the direction of the vehicle."""
        axes = np.eye(3) if mount is None else mount.rotation
        centre = self._axis if mount is None else self._camera.project(axes[:, 2][None])[0]
        if not np.isfinite(centre).all() or not self._on_picture(np.array([centre])).any():
            return
        right = axes[:2, 0] / max(1e-9, float(np.hypot(*axes[:2, 0])))
        turn = np.array([right, (-right[1], right[0])])  # x along the vehicle's wings, y down from them
        a, b, drop = (k * self._unit for k in (0.02, 0.05, 0.012))
        for side in (-1, 1):
            wing = np.array([(side * b, 0.0), (side * a, 0.0), (side * a, drop)])
            self._stroke_line(canvas, wing @ turn + centre, WHITE)
        canvas.circle(tuple(centre), 1.8 * self._stroke, _BLACK)
        canvas.circle(tuple(centre), 1.1 * self._stroke, WHITE)

    def _sky_pointer(self, canvas: Canvas, up: UpVector, colour: Colour, away: float) -> None:
        """An arrow from the centre to where the horizon lies, `away` degrees below the optical axis."""
        level = math.hypot(up.x, up.y)
        if level < 0.02:
            return
        side = -1.0 if away > 0 else 1.0
        direction = side * np.array([up.x, up.y]) / level
        across = np.array([-direction[1], direction[0]])
        shape = ((0.0, 1.0), (0.0, -1.0), (0.55, -1.0), (0.55, -2.2), (1.0, 0.0), (0.55, 2.2), (0.55, 1.0))
        start, length, width = (k * self._unit for k in (0.13, 0.13, 0.016))
        points = [(start + a * length) * direction + b * width * across for a, b in shape]
        self._solid(canvas, np.array(points) + self._axis, colour)

    def _polar(self, angle: Array, radius: Array | float) -> Array:
        """Points (N, 2) at angles clockwise from the top of the picture, about its centre."""
        x, y = (self._camera.width - 1) / 2, (self._camera.height - 1) / 2
        return np.stack([x + radius * np.sin(angle), y - radius * np.cos(angle)], axis=1)

    def _stroke_line(self, canvas: Canvas, points: Array, colour: Colour, weight: float = 1.0) -> None:
        """A line with a dark edge."""
        inner = max(1, round(self._stroke * weight))
        canvas.polyline(points, _BLACK, inner + self._edge)
        canvas.polyline(points, colour, inner)

    def _solid(self, canvas: Canvas, polygon: Array, colour: Colour) -> None:
        canvas.polyline(polygon, _BLACK, 1 + self._edge, closed=True)
        canvas.polygon(polygon, colour)
