"""A clip with exact truth: a scene or a panorama seen along a path."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.errors import DatasetError
from horizon_rt.frame import Frame, Sampling
from horizon_rt.synth.panorama import Panorama, load_panoramas, panorama_view
from horizon_rt.synth.render import camera_rays, render
from horizon_rt.synth.scene import Scene
from horizon_rt.synth.sensor import to_uint8
from horizon_rt.synth.trajectory import Path, Pose

__all__ = ["Clip", "PanoramaView", "SceneView", "View", "find_panorama", "to_frame"]

_NOISE = 0.008


class View(Protocol):
    """What a camera at a pose sees."""

    def picture(self, rays: NDArray[np.float32], pose: Pose, time_s: float) -> NDArray[np.float32]:
        """Float32 RGB (height, width, 3) along `rays` (height, width, 3)."""
        ...


@dataclass(frozen=True, slots=True)
class SceneView:
    """A procedural scene, with its horizon a `dip` in rad below level."""

    scene: Scene
    dip: float = 0.0

    def picture(self, rays: NDArray[np.float32], pose: Pose, time_s: float) -> NDArray[np.float32]:
        """See `View`."""
        position = (pose.east, pose.north)
        return render(
            self.scene,
            rays,
            pose.up,
            heading_deg=pose.heading_deg,
            position=position,
            time_s=time_s,
            dip=self.dip,
        )


@dataclass(frozen=True, slots=True)
class PanoramaView:
    """A levelled panorama; the camera stays at its centre and turns from `heading_deg` on."""

    panorama: Panorama
    heading_deg: float = 0.0

    def picture(self, rays: NDArray[np.float32], pose: Pose, time_s: float) -> NDArray[np.float32]:
        """See `View`."""
        heading = self.heading_deg + pose.heading_deg
        return panorama_view(self.panorama, rays, pose.up, heading_deg=heading)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Frames of a view along a path, at a constant rate. Any frame can be made on its own, in any thread."""

    view: View
    path: Path
    camera: Camera
    frame_rate: float = 25.0
    duration_s: float = 20.0
    seed: int = 0
    rays: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rays", camera_rays(self.camera))

    def __len__(self) -> int:
        return max(1, round(self.frame_rate * self.duration_s))

    def time_s(self, index: int) -> float:
        """Presentation time of a frame."""
        return index / self.frame_rate

    def truth(self, index: int) -> Pose:
        """The exact pose of a frame."""
        return self.path.at(self.time_s(index))

    def frame(self, index: int) -> Frame:
        """`picture` as a frame."""
        return to_frame(self.picture(index), index=index, time_s=self.time_s(index))

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Render a frame as RGB (height, width, 3), with a little sensor noise."""
        image = self.view.picture(self.rays, self.truth(index), self.time_s(index))
        rng = np.random.default_rng((self.seed, index))
        image = image + np.float32(_NOISE) * rng.standard_normal((*image.shape[:2], 1), np.float32)
        return to_uint8(image)


def to_frame(rgb: NDArray[np.uint8], *, index: int = 0, time_s: float = 0.0) -> Frame:
    """RGB (height, width, 3) uint8 to a 4:2:0 limited-range BT.601 frame, or 4:4:4 for odd sizes."""
    height, width = rgb.shape[:2]
    if height % 2 or width % 2:
        return Frame.from_bgr(np.ascontiguousarray(rgb[:, :, ::-1]), index=index, time_s=time_s)
    packed = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    chroma = packed[height:].reshape(2, height // 2, width // 2)
    return Frame((packed[:height], chroma[0], chroma[1]), index, time_s, Sampling(matrix="bt601"))


def find_panorama(folder: FilePath, name: str) -> Panorama:
    """The panorama of this name in a dataset folder; raises DatasetError."""
    panoramas = {p.name: p for p in load_panoramas(folder)}
    if name not in panoramas:
        raise DatasetError(f"no panorama '{name}' in {folder}; there are: {', '.join(sorted(panoramas))}")
    return panoramas[name]
