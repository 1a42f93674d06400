"""The attitude instrument that is drawn over the picture."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from horizon_rt.sinks.canvas import Canvas, text_size
from horizon_rt.sinks.colour import Colour
from horizon_rt.sinks.projection import SkyFrame, view_radius, visible_runs

if TYPE_CHECKING:
    from horizon_rt.camera import CameraModel
    from horizon_rt.frame import Frame
    from horizon_rt.geometry import UpVector
    from horizon_rt.horizon import Horizon, State

__all__ = ["STATE_COLOURS", "Overlay", "Style"]

Array = NDArray[np.float64]

STATE_COLOURS: dict[State, Colour] = {
    "tracking": (70, 240, 100),
    "coasting": (255, 190, 0),
    "acquiring": (90, 175, 255),
    "lost": (255, 75, 65),
}
_WHITE: Colour = (245, 245, 245)
_BLACK: Colour = (0, 0, 0)
_LADDER_STEPS_DEG = (1, 2, 5, 10, 20, 30)
_ROLL_MARKS_DEG = (-60, -45, -30, -20, -10, 0, 10, 20, 30, 45, 60)
_MAX_BAND_DEG = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What is drawn. `scale` enlarges text and lines; `band_opacity` is 0..1."""

    scale: float = 1.0
    band_opacity: float = 0.25
    band: bool = True
    ticks: bool = True
    ladder: bool = True
    roll_scale: bool = True
    numbers: bool = True
    rate: bool = True


class _Rate:
    """Frames per second from the moments at which frames pass, smoothed over about a second."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._period: float | None = None

    def tick(self) -> float | None:
        now, last = time.perf_counter(), self._last
        self._last = now
        if last is not None:
            gap = now - last
            weight = min(1.0, max(0.02, gap))
            self._period = gap if self._period is None else self._period + weight * (gap - self._period)
        return 1 / self._period if self._period else None


class Overlay:
    """Draws a horizon and its numbers; sizes follow the smaller side of the picture.

    `camera` may have any size: it is resized to the picture. `dip_deg` is the angle of the visible horizon
    below level. One instance may serve several sinks, which then share one drawing for each frame.
    """

    def __init__(self, camera: CameraModel, *, style: Style | None = None, dip_deg: float = 0.0) -> None:
        self._source_camera = camera
        self._style = style or Style()
        self._dip = math.radians(dip_deg)
        self._rate = _Rate()
        self._last: tuple[Frame, Horizon, Canvas] | None = None
        self._fit(camera)

    def render(self, frame: Frame, horizon: Horizon) -> Canvas:
        """A canvas with the frame and its overlay, kept for the other sinks: do not draw on it."""
        last = self._last
        if last is not None and last[0] is frame and last[1] is horizon:
            return last[2]
        canvas = Canvas.from_frame(frame)
        self.draw(canvas, horizon, self._rate.tick(), size=(frame.width, frame.height))
        self._last = (frame, horizon, canvas)
        return canvas

    def draw(
        self,
        canvas: Canvas,
        horizon: Horizon,
        fps: float | None = None,
        *,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Draw onto the canvas; `size` is that of the picture when the canvas was padded to even."""
        width, height = size or (canvas.width, canvas.height)
        if (width, height) != (self._camera.width, self._camera.height):
            self._fit(self._source_camera.resized(width, height))
        colour = STATE_COLOURS[horizon.state]
        away = None if horizon.up is None else self._attitude(canvas, horizon, horizon.up, colour)
        self._state_text(canvas, horizon, colour, away)
        if horizon.up is not None and self._style.numbers:
            self._number_text(canvas, horizon)
        if self._style.rate:
            self._rate_text(canvas, horizon, fps)

    def curve(self, up: UpVector) -> list[Array]:
        """The horizon in the picture as runs of points (N, 2) in px, for this attitude."""
        azimuth = SkyFrame.azimuths(self._radius)
        return self._project(SkyFrame.of(up).rays(azimuth, -self._dip))

    def _fit(self, camera: CameraModel) -> None:
        self._camera = camera
        self._radius = view_radius(camera)
        self._unit = min(camera.width, camera.height)
        self._text = max(7.0, 0.021 * self._unit) * self._style.scale
        self._stroke = max(1.0, self._unit / 380 * self._style.scale)
        self._edge = max(1, round(0.8 * self._stroke))
        axis = camera.project(np.array([[0.0, 0.0, 1.0]]))[0]
        centre = ((camera.width - 1) / 2, (camera.height - 1) / 2)
        self._axis = (float(axis[0]), float(axis[1])) if np.isfinite(axis).all() else centre

    def _project(self, rays: Array) -> list[Array]:
        return visible_runs(self._camera.project(rays), self._camera)

    def _on_picture(self, points: Array) -> Array:
        size = (self._camera.width - 1, self._camera.height - 1)
        return np.asarray(((points >= 0) & (points <= size)).all(axis=1))

    def _attitude(self, canvas: Canvas, horizon: Horizon, up: UpVector, colour: Colour) -> float | None:
        """Everything that moves; the angle in degrees to a horizon that is out of the picture."""
        sky = SkyFrame.of(up)
        if self._style.band:
            self._band(canvas, horizon, sky, colour)
        if self._style.ladder:
            self._ladder(canvas, sky)
        runs = self.curve(up)
        for run in runs:
            self._stroke_line(canvas, run, colour, 1.6)
        if self._style.ticks:
            self._ticks(canvas, sky, colour)
        if self._style.roll_scale:
            self._roll_scale(canvas, up, colour)
        self._reference(canvas)
        hidden = not any(self._on_picture(run).any() for run in runs)
        if not hidden and horizon.view not in ("sky", "ground"):
            return None
        away = up.pitch_deg + math.degrees(self._dip)
        self._sky_pointer(canvas, up, colour, away)
        return away

    def _stroke_line(self, canvas: Canvas, points: Array, colour: Colour, weight: float = 1.0) -> None:
        """A line with a dark edge."""
        inner = max(1, round(self._stroke * weight))
        canvas.polyline(points, _BLACK, inner + self._edge)
        canvas.polyline(points, colour, inner)

    def _band(self, canvas: Canvas, horizon: Horizon, sky: SkyFrame, colour: Colour) -> None:
        """±2 sigma; at azimuth a the horizon's elevation varies by cos a·σ_pitch and sin a·cos θ·σ_roll."""
        if horizon.roll_sd_deg is None or horizon.pitch_sd_deg is None:
            return
        azimuth = SkyFrame.azimuths(self._radius)
        level = math.hypot(float(sky.up[0]), float(sky.up[1]))
        roll = np.sin(azimuth) * level * horizon.roll_sd_deg
        pitch = np.cos(azimuth) * horizon.pitch_sd_deg
        half = np.radians(np.minimum(2 * np.hypot(roll, pitch), _MAX_BAND_DEG))
        upper, lower = (self._camera.project(sky.rays(azimuth, s * half - self._dip)) for s in (1.0, -1.0))
        for run in visible_runs(np.hstack([upper, lower]), self._camera):
            canvas.fill(np.concatenate([run[:, :2], run[::-1, 2:]]), colour, self._style.band_opacity)

    def _ticks(self, canvas: Canvas, sky: SkyFrame, colour: Colour) -> None:
        """Short strokes on the horizon, towards the sky."""
        step = math.radians(self._ladder_step())
        count = int(min(math.pi, 1.2 * self._radius) / step)
        azimuth = step * np.arange(-count, count + 1, dtype=np.float64)
        length = 0.018 * self._unit / self._camera.focal_px
        ends = [self._camera.project(sky.rays(azimuth, e - self._dip)) for e in (0.0, length)]
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
                self._stroke_line(canvas, part, _WHITE, 0.7)
        outward = (right[0] - left[0]) / max(1e-9, float(np.hypot(*(right[0] - left[0]))))
        x, y = right[0] + outward * 1.9 * self._text
        canvas.text(
            f"{abs(degrees)}", (x, y + 0.4 * self._text), _WHITE, max(7.0, 0.8 * self._text), align="centre"
        )

    def _roll_scale(self, canvas: Canvas, up: UpVector, colour: Colour) -> None:
        """A fixed arc above the centre and a pointer on the sky's side of the picture."""
        radius = 0.40 * self._unit
        arc = np.radians(np.linspace(-60, 60, 49))
        self._stroke_line(canvas, self._polar(arc, radius), _WHITE, 0.7)
        for mark in _ROLL_MARKS_DEG:
            length = (0.03 if mark % 30 == 0 else 0.016) * self._unit
            angle = np.radians([mark, mark])
            self._stroke_line(canvas, self._polar(angle, np.array([radius, radius + length])), _WHITE, 0.7)
        if math.hypot(up.x, up.y) < 0.02:
            return
        tip = math.atan2(up.x, -up.y)
        size = 0.022 * self._unit
        angles = np.array([tip, tip - 0.75 * size / radius, tip + 0.75 * size / radius])
        radii = np.array([radius - 0.003 * self._unit, *[radius - 0.003 * self._unit - 1.5 * size] * 2])
        self._solid(canvas, self._polar(angles, radii), colour)

    def _polar(self, angle: Array, radius: Array | float) -> Array:
        """Points (N, 2) at angles clockwise from the top of the picture, about its centre."""
        x, y = (self._camera.width - 1) / 2, (self._camera.height - 1) / 2
        return np.stack([x + radius * np.sin(angle), y - radius * np.cos(angle)], axis=1)

    def _solid(self, canvas: Canvas, polygon: Array, colour: Colour) -> None:
        canvas.polyline(polygon, _BLACK, 1 + self._edge, closed=True)
        canvas.polygon(polygon, colour)

    def _reference(self, canvas: Canvas) -> None:
        """The camera's own mark: where the optical axis meets the picture."""
        x, y = self._axis
        a, b, drop = (k * self._unit for k in (0.02, 0.05, 0.012))
        for side in (-1, 1):
            wing = np.array([(x + side * b, y), (x + side * a, y), (x + side * a, y + drop)])
            self._stroke_line(canvas, wing, _WHITE)
        canvas.circle((x, y), 1.8 * self._stroke, _BLACK)
        canvas.circle((x, y), 1.1 * self._stroke, _WHITE)

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

    def _state_text(self, canvas: Canvas, horizon: Horizon, colour: Colour, away: float | None) -> None:
        """State and view, and how far below or above the optical axis a hidden horizon lies."""
        x, y = 1.3 * self._text, 2.3 * self._text
        state = horizon.state.upper()
        canvas.text(state, (x, y), colour, self._text)
        after = x + text_size(state, self._text)[0] + self._text
        side = "" if away is None else f"horizon {abs(away):.0f}° {'below' if away > 0 else 'above'}"
        text = "  ".join(part for part in (_VIEW_TEXT[horizon.view], side) if part)
        if text:
            canvas.text(text, (after, y), _WHITE, self._text)

    def _number_text(self, canvas: Canvas, horizon: Horizon) -> None:
        rows = (
            ("ROLL", horizon.roll_deg, horizon.roll_sd_deg),
            ("PITCH", horizon.pitch_deg, horizon.pitch_sd_deg),
        )
        x, bottom = 1.3 * self._text, self._camera.height - 1.4 * self._text
        column = text_size("PITCH", self._text)[0] + self._text
        for row, (name, value, sd) in enumerate(rows):
            y = bottom - (1 - row) * 1.9 * self._text
            canvas.text(name, (x, y), _WHITE, self._text)
            if value is not None:
                canvas.text(
                    f"{value:+.1f}°", (x + column + 4.6 * self._text, y), _WHITE, self._text, align="right"
                )
            if sd is not None:
                canvas.text(f"±{sd:.2g}°", (x + column + 5.4 * self._text, y), _WHITE, self._text)

    def _rate_text(self, canvas: Canvas, horizon: Horizon, fps: float | None) -> None:
        parts = [f"{fps:.0f} FPS"] if fps is not None else []
        parts += [f"{horizon.latency_ms:.1f} ms"] if horizon.latency_ms is not None else []
        if parts:
            at = (self._camera.width - 1.3 * self._text, 2.3 * self._text)
            canvas.text("  ".join(parts), at, _WHITE, self._text, align="right")


_VIEW_TEXT = {"horizon": "", "sky": "sky only", "ground": "ground only", "unknown": "no horizon seen"}
