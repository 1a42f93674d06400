"""Wide lenses against the same without distortion: `python benchmarks/lenses.py [--json FILE]`.

Rendered scenes and held-out panoramas are filmed on the same motions by a fisheye of 150° and one of 190°
(Kannala–Brandt) and by an action camera (Brown–Conrady), and each by a pinhole of the same focal length,
which has the same pixels per degree in the middle. A virtual view is what such a pinhole would have shown,
made of the pictures of the lens. What is compared is the error of roll and pitch against truth;
`--overlays DIR` keeps a picture of each clip with what was drawn on it.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from accuracy import SPLIT
from numpy.typing import NDArray

from horizon_rt import draw
from horizon_rt.bench.machine import describe
from horizon_rt.camera import NO_DISTORTION, BrownConrady, Camera, KannalaBrandt
from horizon_rt.datasets import is_held_out
from horizon_rt.frame import Frame
from horizon_rt.geometry import wrap_degrees
from horizon_rt.synth.clip import Clip, PanoramaView, SceneView, View
from horizon_rt.synth.panorama import load_panoramas
from horizon_rt.synth.random_scene import random_scene
from horizon_rt.synth.scene import KINDS
from horizon_rt.synth.trajectory import Motion, Pose, make_trajectory
from horizon_rt.synth.trajectory import Path as Motions
from horizon_rt.system.paths import data_root
from horizon_rt.tracker import HorizonTracker

WIDTH, HEIGHT = 960, 540
PANORAMAS = ("quarry_01", "umhlanga_sunrise")  # whose horizon is in sight all around
# With the second to begin at, and the pitch about which the camera is pointed; taken in turn.
MOTIONS: tuple[tuple[Motion, float, float], ...] = (("flight", 3.0, -15.0), ("boat", 0.0, 12.0))
RATE_HZ, FRAMES = 8.0, 6
SEED = 190
DRAWS = 2000  # of the bootstrap over clips
ANGLES = ("roll", "pitch")
LEAST_DEG = 0.01  # below which an error does not matter
Rows = list[list[float] | None]
Clips = list[Rows]
Seen = tuple[str, Clip, list[Frame]]
QUANTILES = {"median": 50, "p75": 75, "p95": 95}


def lens(focal_px: float, distortion: BrownConrady | KannalaBrandt) -> Camera:
    centre = {"cx": (WIDTH - 1) / 2, "cy": (HEIGHT - 1) / 2}
    return Camera(width=WIDTH, height=HEIGHT, fx=focal_px, fy=focal_px, **centre, distortion=distortion)


def wide(fov_deg: float, model: BrownConrady | KannalaBrandt) -> Camera:
    """A lens with this horizontal field of view."""
    half = math.radians(fov_deg) / 2
    edge = float(model.project(np.array([[math.sin(half), 0.0, math.cos(half)]]))[0, 0])
    return lens(WIDTH / 2 / edge, model)


# r = θ (1 − 0.02 θ² + 0.002 θ⁴), the mild fall off of a real lens; r = arctan(tan θ) by Padé's approximant.
FISHEYE = KannalaBrandt(k1=-0.02, k2=0.002)
ACTION = BrownConrady(k1=7 / 9, k2=64 / 945, k4=10 / 9, k5=5 / 21, p1=4e-4, p2=-3e-4)
LENSES = {
    "fisheye 150°": wide(150, FISHEYE),
    "fisheye 190°": wide(190, FISHEYE),
    "action 122°": wide(122, ACTION),
}


@dataclass(frozen=True)
class Later:
    """A path from a later moment on, of a camera that is pointed up by so much."""

    path: Motions
    by_s: float
    pitch_deg: float

    def at(self, time_s: float) -> Pose:
        pose = self.path.at(time_s + self.by_s)
        return replace(pose, pitch_deg=pose.pitch_deg + self.pitch_deg)


def views(scenes: int) -> Iterator[tuple[str, View]]:
    """Places that no net was trained on: so many of each kind of scene, and panoramas."""
    for kind in KINDS:
        for seed in range(scenes):
            rng = np.random.default_rng((SEED, seed))
            yield f"{kind}-{seed}", SceneView(random_scene(rng, kind))
    root = data_root()
    for panorama in [] if root is None else load_panoramas(root / "panorama"):
        if panorama.name in PANORAMAS and is_held_out(SPLIT, "panorama", panorama.name):
            yield panorama.name, PanoramaView(panorama, 40.0)


def film(view: View, camera: Camera, motion: Motion, begin_s: float, pitch_deg: float) -> Clip:
    path = Later(make_trajectory(motion, 20.0, 1), begin_s, pitch_deg)
    return Clip(view=view, path=path, camera=camera, frame_rate=RATE_HZ, duration_s=FRAMES / RATE_HZ)


def seen(view: View, camera: Camera, motion: tuple[Motion, float, float]) -> Iterator[Seen]:
    """The same flight through a lens, in a virtual view of it, and through a pinhole of its focal length."""
    pinhole = replace(camera, distortion=NO_DISTORTION)
    through, beside = film(view, camera, *motion), film(view, pinhole, *motion)
    frames = [through.frame(k) for k in range(len(through))]
    yield "lens", through, frames
    yield "virtual", beside, [rectified(frame, camera, pinhole) for frame in frames]
    yield "pinhole", beside, [beside.frame(k) for k in range(len(beside))]


def rectified(frame: Frame, camera: Camera, pinhole: Camera) -> Frame:
    """What the pinhole would have shown of what the lens saw."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    pixels = np.column_stack((columns.ravel(), rows.ravel())).astype(float)
    sources = camera.project(pinhole.rays(pixels)).reshape(HEIGHT, WIDTH, 2).astype(np.float32)
    image = cv2.remap(frame.to_bgr(), sources, None, cv2.INTER_CUBIC)
    return Frame.from_bgr(image, index=frame.index, time_s=frame.time_s)


def errors(clip: Clip, frames: list[Frame], model: str | None, overlay: Path | None, **options: Any) -> Rows:
    """Roll and pitch error in degrees and by sigma, of each frame; None for one that is not measured."""
    tracker = HorizonTracker(clip.camera, model=model, backend="onnx", device="cpu", **options)
    found: Rows = []
    for frame in frames:
        up = clip.truth(frame.index).up
        horizon = tracker.update(frame)
        if overlay is not None and frame.index == len(clip) // 2:
            cv2.imwrite(str(overlay), draw(frame, horizon, clip.camera))
        if horizon.attitude is None or horizon.observation.measurement is None:
            found.append(None)
            continue
        roll = abs(wrap_degrees(horizon.roll_deg - up.roll_deg))
        pitch = abs(horizon.pitch_deg - up.pitch_deg)
        found.append([roll, pitch, roll / horizon.roll_sd_deg, pitch / horizon.pitch_sd_deg])
    return found


def summary(lens: Clips, pinhole: Clips) -> dict[str, Any]:
    """Errors in degrees of the frames that both measured, and the ratio of their quantiles with the 5th and
    the 95th percentile of a bootstrap over clips; `share` is that of the frames that each measured.
    """
    both = [
        np.array([(a, b) for a, b in zip(one, other, strict=True) if a and b]).reshape(-1, 2, 4)
        for one, other in zip(lens, pinhole, strict=True)
    ]
    frames = np.concatenate(both)
    table: dict[str, Any] = {"clips": len(lens), "frames": sum(map(len, lens)), "in_both": len(frames)}
    for which, (name, some) in enumerate((("lens", lens), ("pinhole", pinhole))):
        table[name] = {"share": _round(np.mean([row is not None for one in some for row in one]))}
        for k, angle in enumerate(ANGLES):
            table[name][angle] = {
                what: _round(np.percentile(frames[:, which, k], q)) for what, q in QUANTILES.items()
            }
            table[name][angle]["within_2_sigma"] = _round(np.mean(frames[:, which, k + 2] <= 2))
    table["ratio"] = {
        f"{angle}_{what}": _ratio(both, k, q)
        for k, angle in enumerate(ANGLES)
        for what, q in QUANTILES.items()
    }
    table["ratio_of_clips"] = {angle: _mean_ratio(both, k) for k, angle in enumerate(ANGLES)}
    return table


def _mean_ratio(clips: list[NDArray[Any]], column: int) -> list[float]:
    """Geometric mean over clips of the ratio of their rms (`LEAST_DEG` at least), and its interval."""
    rms = [np.sqrt(np.mean(clip[:, :, column] ** 2, axis=0)) for clip in clips if len(clip)]
    one, other = np.maximum(rms, LEAST_DEG).T
    logs = np.log(one / other)
    drawn = logs[np.random.default_rng(0).integers(0, len(logs), (DRAWS, len(logs)))].mean(axis=1)
    return [_round(np.exp(v)) for v in (logs.mean(), *np.percentile(drawn, (5, 95)))]


def _ratio(clips: list[NDArray[Any]], column: int, quantile: float) -> list[float]:
    """Of the quantiles of both lenses: its value, and the ends of its interval."""
    rng = np.random.default_rng(0)
    drawn = [np.arange(len(clips)), *rng.integers(0, len(clips), (DRAWS, len(clips)))]
    frames = (np.concatenate([clips[i][:, :, column] for i in some]) for some in drawn)
    found = [np.divide(*np.percentile(some, quantile, axis=0)) for some in frames]
    return [_round(found[0]), *(_round(np.percentile(found[1:], q)) for q in (5, 95))]


def _round(value: Any) -> float:
    return round(float(value), 4)


def measure(model: str | None, scenes: int, overlays: Path | None) -> dict[str, Any]:
    rows: dict[tuple[str, str, str], Clips] = {}
    for number, (place, view) in enumerate(views(scenes)):
        motion = MOTIONS[number % len(MOTIONS)]
        for name, camera in LENSES.items():
            for how, clip, frames in seen(view, camera, motion):
                picture = None
                if overlays is not None and how != "pinhole":
                    picture = overlays / f"{name}-{how}-{place}-{motion[0]}.png".replace(" ", "-")
                rows.setdefault((name, how, "tracked"), []).append(errors(clip, frames, model, picture))
                alone = errors(clip, frames[::FRAMES], model, None, smooth="none")
                rows.setdefault((name, how, "alone"), []).append(alone)
        print(place, flush=True)
    modes = {"tracked": ("lens", "tracked"), "alone": ("lens", "alone")}
    modes |= {f"virtual, {mode}": ("virtual", mode) for mode in ("tracked", "alone")}
    return {
        name: {
            title: summary(rows[name, how, mode], rows[name, "pinhole", mode])
            for title, (how, mode) in modes.items()
        }
        for name in LENSES
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--scenes", type=int, default=6, help="of each kind")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--overlays", type=Path)
    given = parser.parse_args()
    if given.overlays is not None:
        given.overlays.mkdir(parents=True, exist_ok=True)
    table = measure(given.model, given.scenes, given.overlays)
    for name, found in table.items():
        for mode, row in found.items():
            print(name, mode, json.dumps(row))
    if given.json is not None:
        size = {"width": WIDTH, "height": HEIGHT, "frames_a_clip": FRAMES, "rate_hz": RATE_HZ}
        given.json.write_text(
            json.dumps(
                {"machine": describe(), "model": given.model or "lite0", **size, "lenses": table}, indent=1
            )
            + "\n"
        )


if __name__ == "__main__":
    main()
