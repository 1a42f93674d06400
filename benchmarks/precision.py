"""What the refinement adds at 1080p: `python benchmarks/precision.py [--json FILE] [--model NAME]`.

Rendered pictures with exact truth in three grades. Easy: open sea or plain land in clear air, nothing else.
Medium: scenes as they come, with hills, haze and clouds. Hard: these with things in front and the effects of
a camera. Each is evaluated by the mask alone and with the refinement, without a filter.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.bench.machine import describe
from horizon_rt.camera import Camera
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.horizon import Horizon
from horizon_rt.metrics.lines import LineError, line_error, percentiles
from horizon_rt.models.weights import find_model
from horizon_rt.synth.clip import to_frame
from horizon_rt.synth.occluders import random_occluders
from horizon_rt.synth.random_scene import random_scene
from horizon_rt.synth.render import camera_rays, render
from horizon_rt.synth.scene import Scene, SceneKind
from horizon_rt.synth.sensor import random_sensor, to_uint8
from horizon_rt.tracker import HorizonTracker

Image = NDArray[np.uint8]
SIZE, SEED = (1920, 1080), 7300
GRADES = ("easy", "medium", "hard")
WORSE_PX = 0.1  # that an error must at least grow by to count as worse


def cleared(scene: Scene) -> Scene:
    """Without hills, haze, banks and clouds near the horizon."""
    return scene._replace(
        layers=np.empty((0, 8), np.float32), visibility=1e6, bank=0.0, streaks=np.zeros((3, 8), np.float32)
    )


def pictures(
    grade: str, count: int, kinds: Sequence[SceneKind] = ("sea", "fields"), seed: int = SEED
) -> Iterator[tuple[Image, Camera, HorizonLine]]:
    """RGB pictures; the easy ones show `kinds` in turn."""
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        scene = random_scene(rng, kinds[number % len(kinds)] if grade == "easy" else None)
        camera = Camera.from_hfov(*SIZE, rng.uniform(45, 85))
        up = UpVector.from_roll_pitch(rng.normal(0, 12), rng.normal(0, camera.hfov_deg / 12))
        if grade == "easy":
            scene = cleared(scene)
        picture = render(scene, camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
        if grade == "hard":
            rgb = random_sensor(random_occluders(picture, rng), rng, thermal=rng.random() < 0.22)
        else:
            noise = np.float32(0.01) * rng.standard_normal((*picture.shape[:2], 1), np.float32)
            rgb = to_uint8(picture + noise)
        line = camera.line(up)
        assert line is not None
        yield rgb, camera, line


def in_sigmas(horizon: Horizon, truth: UpVector) -> float:
    """The error of pitch in sigmas."""
    assert horizon.pitch_deg is not None
    assert horizon.pitch_sd_deg is not None
    return abs(horizon.pitch_deg - truth.pitch_deg) / horizon.pitch_sd_deg


def numbers(errors: list[LineError]) -> dict[str, Any]:
    dy = [e.dy_px for e in errors if e.dy_px is not None]
    dphi = [e.dphi_deg for e in errors if e.dphi_deg is not None]
    return {"dy_px": percentiles(dy, (50, 95)), "dphi_deg": percentiles(dphi, (50, 95))}


def judge(grade: str, count: int, model: str | None) -> dict[str, Any]:
    trackers = [
        HorizonTracker(model=model, backend="torchscript", smooth="none", refine=refine)
        for refine in (False, True)
    ]
    errors: list[list[LineError]] = [[], []]
    sigmas: list[float] = []
    for rgb, camera, truth in pictures(grade, count):
        found, frame = [], to_frame(rgb)
        for tracker in trackers:
            tracker.camera = camera
            found.append(tracker.update(frame))
        if all(horizon.line for horizon in found):
            for kept, horizon in zip(errors, found, strict=True):
                kept.append(line_error(horizon.line, truth, *SIZE))
            sigmas.append(in_sigmas(found[1], truth.up_vector(camera.focal_px)))
    before, after = (np.array([e.dy_px for e in kept], float) for kept in errors)
    worse = (after > 1.05 * before) & (after > before + WORSE_PX)
    return {
        "frames": count,
        "found": len(before),
        "mask": numbers(errors[0]),
        "refined": numbers(errors[1]),
        "median_ratio": float(np.median(before) / np.median(after)),
        "worse": int(worse.sum()),
        "worse_beyond_2_sigma": int((worse & (np.array(sigmas) > 2)).sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--count", type=int, default=40, help="pictures of each grade")
    options = parser.parse_args()
    card = find_model(name=options.model)
    result: dict[str, Any] = {"machine": describe(), "model": {"name": card.name, "sha256": card.sha256}}
    for grade in GRADES:
        result[grade] = judge(grade, options.count, options.model)
        print(grade, json.dumps(result[grade]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
