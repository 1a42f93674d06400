"""Where a horizon ends: `python benchmarks/lost_horizons.py [--model NAME ...] [--json FILE]`.

35 scripts test what happens between two looks of the net: another edge takes the place of the horizon, a
board rises before it and hides it, a bar slides over it, the scene is cut to one without a horizon, fog
comes within a second, the view sinks until only the shore or a field is left. None may say 'tracking' for
over 0.6 s while over 5 sigma wrong, or without a horizon in the picture.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from drawings import DRAWINGS
from faults import SIGMAS, far_off
from no_horizon import Image, panoramas, room, seen_flat

from horizon_rt.bench.late import LateTracker
from horizon_rt.bench.machine import describe
from horizon_rt.camera import Camera
from horizon_rt.datasets.base import Label
from horizon_rt.datasets.truth import above, resolve
from horizon_rt.geometry import UpVector
from horizon_rt.models.weights import find_model
from horizon_rt.options import Engine
from horizon_rt.segmentation.backends import make_segmenter
from horizon_rt.sources.synthetic import make_clip, parse_options
from horizon_rt.synth.clip import Clip, to_frame
from horizon_rt.synth.trajectory import Path as CameraPath
from horizon_rt.synth.trajectory import Pose
from horizon_rt.system.paths import data_root
from horizon_rt.tracker import HorizonTracker

SECONDS, BEGIN_S, LONGEST_S = 5.0, 2.0, 0.6
HIDDEN = 0.97  # share of the picture's contrast that is gone where nothing shows of a horizon
MODELS = ("small", "lite0")
SCENES = (
    ("sea", "boat", 11),
    ("fields", "flight", 12),
    ("coast", "flight", 3),
    ("desert", "flight", 14),
    ("coast", "boat", 15),
)

Change = Callable[[Image, UpVector, float], tuple[Image, UpVector | None]]


@dataclass(frozen=True, slots=True)
class Script:
    """A clip whose picture and truth `change` from BEGIN_S on; it is told the seconds since then.

    `picture` gives those of the clip, which several scripts share.
    """

    name: str
    scene: str
    clip: Clip
    picture: Callable[[int], Image]
    change: Change


@dataclass(frozen=True, slots=True)
class Descent:
    """A path on which the view sinks by `rate_dps` from BEGIN_S on."""

    path: CameraPath
    rate_dps: float

    def at(self, time_s: float) -> Pose:
        """The pose at a time in seconds."""
        pose, since = self.path.at(time_s), max(time_s - BEGIN_S, 0.0)
        return replace(pose, pitch_deg=pose.pitch_deg - self.rate_dps * since)


def moved(offset_px: float, camera: Camera) -> Change:
    """The same picture so much farther down from one frame to the next, as of a camera with another pitch."""

    def change(image: Image, up: UpVector, since_s: float) -> tuple[Image, UpVector]:
        shift = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, offset_px]])
        size = image.shape[1::-1]
        picture = cv2.warpAffine(image, shift, size, borderMode=cv2.BORDER_REFLECT).astype(np.uint8)
        return picture, shifted(up, camera, offset_px)

    return change


def shifted(up: UpVector, camera: Camera, offset_px: float) -> UpVector:
    """The plane whose line lies so much farther down, for a lens without distortion."""
    x, y, z = up.as_array()
    return UpVector.from_vector(np.array([x, y, z - y * offset_px / camera.focal_px]))


def replaced(pictures: Callable[[int], Image]) -> Change:
    """Pictures without a horizon, from a frame to the next."""

    def change(image: Image, up: UpVector, since_s: float) -> tuple[Image, None]:
        return pictures(round(since_s * 25.0)), None

    return change


def band(tone: int, camera: Camera) -> Change:
    """A board that rises by 60 px/s along the horizon's direction, and hides it from the first second on."""

    def change(image: Image, up: UpVector, since_s: float) -> tuple[Image, UpVector | None]:
        inside = above(shifted(up, camera, 60.0 - 60.0 * since_s), camera)
        picture = np.where(inside[:, :, None], image, np.uint8(tone))
        return picture, up if since_s < 1.0 else None

    return change


def stripe(tone: int, camera: Camera) -> Change:
    """A bar of 16 px along the horizon's direction that slides up over it by 60 px/s, and on."""

    def change(image: Image, up: UpVector, since_s: float) -> tuple[Image, UpVector]:
        below, over = (shifted(up, camera, 60.0 - 60.0 * since_s + edge) for edge in (8, -8))
        bar = above(below, camera) & ~above(over, camera)
        return np.where(bar[:, :, None], np.uint8(tone), image), up

    return change


def fog(image: Image, up: UpVector, since_s: float) -> tuple[Image, UpVector | None]:
    """A veil that takes all contrast within a second; the noise of the sensor stays."""
    share = min(since_s, 1.0)
    noise = np.random.default_rng(round(1e3 * since_s)).normal(0, 2, image.shape[:2])[:, :, None]
    picture = (1 - share) * image + share * 165.0 + noise
    return picture.clip(0, 255).astype(np.uint8), up if share < HIDDEN else None


def unchanged(image: Image, up: UpVector, since_s: float) -> tuple[Image, UpVector]:
    return image, up


def scripts(root: Path) -> Iterator[Script]:
    """Seven kinds in five scenes each."""
    offsets, tones, rates = (6, 12, 25, 50, 90), (40, 80, 120, 190, 230), (8, 12, 16, 25, 40)
    drawings = ("facade", "blinds", "page", "shelves", "stairs")
    scenes = [*[(f"panorama {c.name}", c.picture) for c in list(panoramas(root / "panorama"))[2::2]]]
    scenes.append(("room", partial(room, 0)))
    rows = zip(SCENES, offsets, tones, rates, drawings, scenes, strict=True)
    for number, ((kind, motion, seed), offset, tone, rate, drawing, (place, pictures)) in enumerate(rows):
        options = f"{kind}?motion={motion}&size=640x360&seconds=9&seed={seed}&hfov=70"
        clip, scene = make_clip(parse_options(options)), f"{kind}, {motion}"
        camera, paint, seen = clip.camera, DRAWINGS[drawing][0], cache(clip.picture)
        drawn = partial(seen_flat, [paint(np.random.default_rng((8, number)))], number)
        yield Script(f"moved, {offset} px", scene, clip, seen, moved(offset, camera))
        yield Script(f"drawing, {drawing}", scene, clip, seen, replaced(drawn))
        yield Script(f"band, tone {tone}", scene, clip, seen, band(tone, camera))
        yield Script(f"stripe, tone {tone}", scene, clip, seen, stripe(tone, camera))
        yield Script(f"cut, {place}", scene, clip, seen, replaced(pictures))
        yield Script("fog", scene, clip, seen, fog)
        sinking = Clip(view=clip.view, path=Descent(clip.path, rate), camera=camera, duration_s=9.0)
        yield Script(f"sinks, {rate}°/s", scene, sinking, sinking.picture, unchanged)


def played(script: Script) -> Iterator[tuple[float, Image, UpVector | None]]:
    """Time, picture and truth of each frame; no truth where no horizon shows."""
    clip = script.clip
    for k in range(round(SECONDS * clip.frame_rate)):
        time_s, up = clip.time_s(k), clip.truth(k).up
        image: Image = script.picture(k)
        truth: UpVector | None = up
        if time_s >= BEGIN_S:
            image, truth = script.change(image, up, time_s - BEGIN_S)
        if truth is not None and not resolve(Label(up=truth), clip.camera).in_view:
            truth = None
        yield time_s, image, truth


def judge(script: Script, tracker: HorizonTracker | LateTracker) -> dict[str, Any]:
    step, wrong_s, longest_s, states = 1 / script.clip.frame_rate, 0.0, 0.0, ""
    for index, (time_s, image, truth) in enumerate(played(script)):
        horizon = tracker.update(to_frame(image, time_s=time_s, index=index))
        good = truth is not None and horizon.up is not None and far_off(horizon, truth) < SIGMAS
        wrong = horizon.state == "tracking" and not good
        states += "w" if wrong else horizon.state[0]
        wrong_s = wrong_s + step if wrong else 0.0
        longest_s = max(longest_s, wrong_s)
    return {
        "fault": script.name,
        "scene": script.scene,
        "wrong_s": round(longest_s, 2),
        "passed": longest_s <= LONGEST_S + 1e-6,
        "states": states,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", nargs="+", default=list(MODELS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--lag", type=int, default=0, help="frames by which looks are late, in real time")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    root = data_root()
    if root is None:
        parser.error("the datasets are not there; set HORIZON_RT_DATA")
    models = {}
    for name in options.model:
        segmenter = make_segmenter(find_model(name=name), Engine(backend="onnx", device="cpu"))
        rows = []
        for script in scripts(root):
            camera = script.clip.camera
            if options.lag:
                with LateTracker(segmenter, options.lag, camera, name) as late:
                    rows.append(judge(script, late))
            else:
                rows.append(judge(script, HorizonTracker(camera, model=name, segmenter=segmenter)))
            print(name, json.dumps(rows[-1]), flush=True)
        passed = sum(row["passed"] for row in rows)
        print(f"{name}: {passed} of {len(rows)} passed")
        models[name] = {"sha256": find_model(name=name).sha256, "passed": passed, "scripts": rows}
    if options.json is not None:
        found = {"machine": describe(), "lag_frames": options.lag, "models": models}
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
