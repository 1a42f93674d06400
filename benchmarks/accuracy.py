"""Accuracy on the data set aside from training: `python benchmarks/accuracy.py [--model NAME] [--json FILE]`.

Frames of flight, thermal-sea, scenes and sea are judged one by one, without a filter; frames labelled as
without a horizon by how many are refused. Panorama clips are rendered with exact attitude and tracked.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe

from horizon_rt.camera import Pinhole
from horizon_rt.datasets import data_root, is_set_aside, open_dataset
from horizon_rt.evaluation import AttitudeError, summarise_uncertainty
from horizon_rt.evaluation.lines import percentiles
from horizon_rt.evaluation.results import Evaluation
from horizon_rt.evaluation.runner import EvalOptions, evaluate
from horizon_rt.frame import Frame
from horizon_rt.geometry import UpVector, wrap_degrees
from horizon_rt.segmentation.weights import default_model
from horizon_rt.synth.clip import Clip, PanoramaView, to_frame
from horizon_rt.synth.panorama import load_panoramas, panorama_view
from horizon_rt.synth.render import camera_rays
from horizon_rt.synth.room import random_room
from horizon_rt.synth.sensor import Image, to_uint8
from horizon_rt.synth.trajectory import make_path
from horizon_rt.tracker import HorizonTracker

HEADINGS_DEG = (40.0, 220.0)
VIEWS = 60  # of each kind without a horizon
SPLIT = Path(__file__).parents[1] / "weights" / "split.toml"


def judge_frames(root: Path, name: str, tracker: HorizonTracker) -> tuple[dict[str, Any], Evaluation]:
    options = EvalOptions(keep=lambda file: is_set_aside(SPLIT, name, file))
    found = evaluate(open_dataset(root / name), tracker, options)
    summary = found.summary()
    row = (summary.lines or {}) | (summary.uncertainty or {})
    refusal = summary.refusal or {}
    if refusal.get("without_horizon"):
        row |= {"without_horizon": refusal["without_horizon"], "refused": refusal["refused"]}
    return row, found


def judge_clip(clip: Clip, model: str | None) -> tuple[list[float], dict[str, Any]]:
    tracker = HorizonTracker(clip.camera, model=model)
    errors = []
    for index in range(len(clip)):
        horizon, truth = tracker.update(clip.frame(index)), clip.truth(index).up
        if horizon.up is None or horizon.state not in ("tracking", "coasting"):
            continue
        roll = wrap_degrees(horizon.up.roll_deg - truth.roll_deg)
        pitch = horizon.up.pitch_deg - truth.pitch_deg
        errors.append(AttitudeError(roll, pitch, horizon.roll_sd_deg, horizon.pitch_sd_deg))
    rolls = [abs(error.roll_deg) for error in errors]
    row = {
        "frames": len(clip),
        "availability": len(errors) / len(clip),
        "roll_deg": percentiles(rolls, (50, 95)),
        "pitch_deg": percentiles([abs(error.pitch_deg) for error in errors], (50, 95)),
    }
    return rolls, row | summarise_uncertainty(errors)


def judge_clips(root: Path, model: str | None, motion: str, seconds: float) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    every: list[float] = []
    camera = Pinhole.from_hfov(640, 360, 70)
    for panorama in load_panoramas(root / "panorama"):
        if not (panorama.is_open and is_set_aside(SPLIT, "panorama", panorama.name)):
            continue
        for heading in HEADINGS_DEG:
            path = make_path(motion, seconds, 1)
            clip = Clip(view=PanoramaView(panorama, heading), path=path, camera=camera, duration_s=seconds)
            roll, rows[f"{panorama.name}, {heading:.0f}°"] = judge_clip(clip, model)
            every += roll
    rows["all"] = {"roll_deg": percentiles(every, (50, 95))}
    return rows


def without_horizon(root: Path) -> dict[str, list[tuple[Frame, Pinhole]]]:
    """Frames that show no horizon, by kind; none of the panoramas is trained on, none of the seeds is."""
    rng, camera = np.random.default_rng(555), Pinhole.from_hfov(640, 360, 70)
    rays = camera_rays(camera)
    aside = [p for p in load_panoramas(root / "panorama") if is_set_aside(SPLIT, "panorama", p.name)]
    frames: dict[str, list[tuple[Frame, Pinhole]]] = {}

    def add(kind: str, image: Image) -> None:
        frames.setdefault(kind, []).append((to_frame(to_uint8(image)), camera))

    for _ in range(VIEWS):
        level = UpVector.from_roll_pitch(rng.normal(0, 8), rng.normal(0, 6))
        for pitch, kind in ((65.0, "sky only"), (-65.0, "ground only, top-down")):
            up = UpVector.from_roll_pitch(
                rng.uniform(-180, 180), pitch + rng.uniform(-5, 20) * np.sign(pitch)
            )
            panorama = [p for p in aside if p.is_open][int(rng.integers(3))]
            add(kind, panorama_view(panorama, rays, up, heading_deg=rng.uniform(0, 360)))
        for terrain in ("forest", "urban"):
            hidden = [p for p in aside if not p.is_open and p.terrain.replace("snow", "forest") == terrain]
            panorama = hidden[int(rng.integers(len(hidden)))]
            add(terrain, panorama_view(panorama, rays, level, heading_deg=rng.uniform(0, 360)))
        add("indoor, rendered", random_room(rng, rays, level, heading_deg=rng.uniform(0, 360)))
    return frames


def judge_refusal(root: Path, model: str | None) -> dict[str, Any]:
    """How many of them are refused, by kind."""
    tracker, rows = HorizonTracker(smooth="none", model=model), {}
    for kind, frames in without_horizon(root).items():
        refused = 0
        for frame, camera in frames:
            tracker.camera = camera
            refused += tracker.update(frame).up is None
        rows[kind] = {"frames": len(frames), "refused": refused}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worst", action="store_true", help="name the worst frames")
    options = parser.parse_args()
    root = data_root()
    if root is None:
        parser.error("no datasets found: set HORIZON_RT_DATA to their folder")
    card = default_model(name=options.model)
    result: dict[str, Any] = {"machine": describe(), "model": {"name": card.name, "sha256": card.sha256}}
    tracker = HorizonTracker(model=options.model)
    for name in ("flight", "thermal-sea", "scenes", "sea"):
        result[name], found = judge_frames(root, name, tracker)
        print(name, json.dumps(result[name]), flush=True)
        if options.worst:
            for frame in found.worst[:12]:
                print(f"    {frame.score:.3f} {frame.name}")
    result["without a horizon"] = judge_refusal(root, options.model)
    print("without a horizon", json.dumps(result["without a horizon"]), flush=True)
    for motion in ("flight", "aerobatics"):
        result[f"panorama clips, {motion}"] = judge_clips(root, options.model, motion, 12.0)
        print(motion, json.dumps(result[f"panorama clips, {motion}"]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
