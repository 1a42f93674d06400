"""Where circles of equal elevation fall in the picture, for any lens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from horizon_rt.camera import Camera
    from horizon_rt.geometry import UpVector

__all__ = ["SkyFrame", "project_near", "runs", "view_radius", "visible_runs"]

Array = NDArray[np.float64]
_SAMPLES = 257
_BEYOND_RAD = 0.2


def view_radius(camera: Camera) -> float:
    """Angle in radians from the optical axis to the farthest corner; π when a corner sees nothing."""
    w, h = camera.width - 0.5, camera.height - 0.5
    rays = camera.rays(np.array([(-0.5, -0.5), (w, -0.5), (-0.5, h), (w, h)]))
    cosine = float(rays[:, 2].min())
    return math.acos(max(-1.0, min(1.0, cosine))) if math.isfinite(cosine) else math.pi


@dataclass(frozen=True)
class SkyFrame:
    """Level axes in camera coordinates: forward (the optical axis laid level), right, up."""

    forward: Array
    right: Array
    up: Array

    @classmethod
    def of(cls, up: UpVector) -> SkyFrame:
        """The level axes of this attitude; for a camera that looks straight up or down forward is free."""
        u = up.as_array()
        axis = np.array([0.0, 0.0, 1.0]) if abs(u[2]) < 1 - 1e-12 else np.array([0.0, -1.0, 0.0])
        forward = axis - (axis @ u) * u
        forward /= np.linalg.norm(forward)
        f = forward
        right = (f[1] * u[2] - f[2] * u[1], f[2] * u[0] - f[0] * u[2], f[0] * u[1] - f[1] * u[0])
        return cls(forward, np.array(right), u)

    def rays(self, azimuth: Array, elevation: Array | float) -> Array:
        """Unit rays (N, 3) at azimuths from forward to the right and elevations above level, radians."""
        e = np.broadcast_to(np.asarray(elevation, np.float64), azimuth.shape)
        level = np.cos(azimuth)[:, None] * self.forward + np.sin(azimuth)[:, None] * self.right
        return np.cos(e)[:, None] * level + np.sin(e)[:, None] * self.up

    @staticmethod
    def azimuths(radius: float) -> Array:
        """Azimuths (N,) that hold every horizon point within `radius` radians of the optical axis.

        On the horizon cos(angle to the axis) = cos(azimuth)·cos(pitch), so |azimuth| never exceeds an angle
        up to 90°. Beyond it does, so all azimuths are given.
        """
        reach = math.pi if radius > math.pi / 2 else min(math.pi, 1.2 * radius + 0.02)
        return np.linspace(-reach, reach, _SAMPLES)


def project_near(camera: Camera, rays: Array, radius: float) -> Array:
    """Image points (N, 2) of rays (N, 3); NaN for those that a fisheye sees far outside of its picture.

    `radius` is that of the view. Straight behind, a neighbour lies on the other side of the picture, and what
    is drawn between two such points would cover it.
    """
    points = camera.project(rays)
    if radius > math.pi / 2:
        points[rays[:, 2] < math.cos(min(math.pi, radius + _BEYOND_RAD))] = math.nan
    return points


def visible_runs(points: Array, camera: Camera, margin: float = 0.5) -> list[Array]:
    """Split (N, 2k) image points into runs near the picture: within it plus `margin` of its larger side.

    Each row holds the x, y of k points, which are kept or dropped together.
    """
    size = np.array([camera.width, camera.height], np.float64)
    with np.errstate(invalid="ignore"):
        offsets = np.abs(points.reshape(len(points), -1, 2) - (size - 1) / 2)
        inside = (offsets <= (0.5 + margin) * size.max()).all(axis=(1, 2))
    return [points[run] for run in runs(inside) if run.stop - run.start > 1]


def runs(flags: NDArray[np.bool_]) -> list[slice]:
    """Where flags (N,) are true without a gap."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]))).tolist()
    return [slice(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)]
