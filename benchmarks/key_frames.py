"""Key frames against a look at every frame: `python benchmarks/key_frames.py [--model NAME] [--json FILE]`.

Clips of the panoramas held out, with exact attitude, are tracked twice, in turn, by the same process.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from accuracy import SPLIT, attitude_error, together

from horizon_rt.bench.machine import describe
from horizon_rt.camera import Camera
from horizon_rt.datasets import is_held_out
from horizon_rt.horizon import Horizon
from horizon_rt.metrics import summarise_uncertainty
from horizon_rt.metrics.motion import AttitudeSample
from horizon_rt.synth.clip import Clip, PanoramaView
from horizon_rt.synth.panorama import Panorama, load_panoramas
from horizon_rt.synth.trajectory import Motion, make_trajectory
from horizon_rt.system.paths import data_root
from horizon_rt.tracker import HorizonTracker

SECONDS, HEADING_DEG = 12.0, 40.0
MOTIONS: tuple[Motion, ...] = ("flight", "aerobatics")


def samples_of(clip: Clip, horizons: list[Horizon]) -> list[AttitudeSample]:
    truth = [clip.truth(k).up for k in range(len(clip))]
    return [
        AttitudeSample(h.time_s, up.roll_deg, up.pitch_deg, attitude_error(h, up), in_view=True)
        for h, up in zip(horizons, truth, strict=True)
    ]


def compare(panorama: Panorama, motion: Motion, model: str | None) -> dict[str, Any]:
    camera = Camera.from_hfov(640, 360, 70)
    path = make_trajectory(motion, SECONDS, 1)
    clip = Clip(view=PanoramaView(panorama, HEADING_DEG), path=path, camera=camera, duration_s=SECONDS)
    frames = [clip.frame(k) for k in range(len(clip))]
    found: dict[str, Any] = {}
    for name, key_frames in (("every frame", False), ("key frames", True)):
        tracker = HorizonTracker(camera, model=model, backend="onnx", device="cpu", key_frames=key_frames)
        tracker.update(frames[0])
        tracker.reset()
        start = time.perf_counter()
        horizons = [tracker.update(frame) for frame in frames]
        ms = 1e3 * (time.perf_counter() - start) / len(frames)
        samples = samples_of(clip, horizons)
        share = float(np.mean([horizon.observation.is_key for horizon in horizons]))
        found[name] = {"samples": samples, "key_share": share, "ms": ms}
    return found


def summary(parts: list[dict[str, Any]]) -> dict[str, Any]:
    clips = [part["samples"] for part in parts]
    every = together(clips)
    known = [sample.error for clip in clips for sample in clip if sample.error is not None]
    coverage = summarise_uncertainty(known).get("within_2_sigma")
    return {
        **{key: every[key] for key in ("availability", "roll_deg", "pitch_deg")},
        "within_2_sigma": coverage,
        "key_share": round(float(np.mean([part["key_share"] for part in parts])), 4),
        "ms": round(float(np.mean([part["ms"] for part in parts])), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    root = data_root()
    if root is None:
        parser.error("the datasets are not there; set HORIZON_RT_DATA")
    panoramas = [p for p in load_panoramas(root / "panorama") if p.is_open]
    rows: dict[str, Any] = {}
    for motion in MOTIONS:
        runs: dict[str, list[dict[str, Any]]] = {"every frame": [], "key frames": []}
        for panorama in panoramas:
            if not is_held_out(SPLIT, "panorama", panorama.name):
                continue
            for name, part in compare(panorama, motion, options.model).items():
                runs[name].append(part)
                print(motion, panorama.name, name, json.dumps(summary([part])), flush=True)
        rows[motion] = {name: summary(parts) for name, parts in runs.items()}
        print(motion, json.dumps(rows[motion], indent=1))
    if options.json is not None:
        values = {"machine": describe(), "model": options.model or "default", "motions": rows}
        options.json.write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
