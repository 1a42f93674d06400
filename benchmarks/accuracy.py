"""Accuracy on the data set aside from training: `python benchmarks/accuracy.py [--model NAME] [--json FILE]`.

Frames of flight, thermal-sea, scenes and sea are judged one by one, without a filter; frames labelled as
without a horizon by how many are refused. Panorama clips are rendered with exact attitude and tracked.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from machine import describe

from horizon_rt.camera import Pinhole
from horizon_rt.datasets import LabelledImage, data_root, is_set_aside, read_horizons
from horizon_rt.evaluation import LineError, line_error, summarise
from horizon_rt.frame import Frame
from horizon_rt.geometry import HorizonLine, wrap_degrees
from horizon_rt.segmentation.weights import default_model
from horizon_rt.synth.clip import Clip, PanoramaView
from horizon_rt.synth.panorama import load_panoramas
from horizon_rt.synth.trajectory import make_path
from horizon_rt.tracker import HorizonTracker

HEADINGS_DEG = (40.0, 220.0)
SPLIT = Path(__file__).parents[1] / "weights" / "split.toml"


def judge_frames(root: Path, name: str, model: str | None) -> tuple[dict[str, Any], list[tuple[float, Path]]]:
    tracker = HorizonTracker(smooth="none", model=model)
    errors: list[LineError] = []
    worst: list[tuple[float, Path]] = []
    refused = without = 0
    ratios: list[tuple[float, float]] = []
    for labelled, frame in frames(root, name):
        tracker.camera = None
        horizon = tracker.update(frame)
        if labelled.ends is None:
            without += 1
            refused += horizon.up is None
            continue
        truth = HorizonLine.from_points(
            *labelled.ends, frame.width, frame.height, sky_above=labelled.sky_above
        )
        error = line_error(horizon.line, truth, frame.width, frame.height)
        errors.append(error)
        worst.append((error.e, labelled.path))
        if horizon.up is not None:
            true_up = truth.up_vector(Pinhole.from_hfov(frame.width, frame.height, 70).focal_px)
            ratios.append(
                (
                    wrap_degrees(horizon.up.roll_deg - true_up.roll_deg) / horizon.roll_sd_deg,
                    (horizon.up.pitch_deg - true_up.pitch_deg) / horizon.pitch_sd_deg,
                )
            )
    row = summarise(errors) | coverage(ratios)
    if without:
        row |= {"without_horizon": without, "refused": refused}
    return row, sorted(worst, reverse=True)[:12]


def coverage(ratios: list[tuple[float, float]]) -> dict[str, Any]:
    z = np.abs(np.array(ratios).reshape(-1, 2))
    if len(z) == 0:
        return {}
    return {
        "within_1_sigma": [float(v) for v in (z <= 1).mean(axis=0)],
        "within_2_sigma": [float(v) for v in (z <= 2).mean(axis=0)],
        "median_error_over_sigma": [float(v) for v in np.median(z, axis=0)],
    }


def frames(root: Path, name: str) -> Iterator[tuple[LabelledImage, Frame]]:
    for labelled in read_horizons(root / name):
        if is_set_aside(SPLIT, name, labelled.path.name):
            yield labelled, Frame.from_bgr(cv2.imread(str(labelled.path), cv2.IMREAD_COLOR))


def percentiles(values: list[float]) -> list[float] | None:
    return [float(v) for v in np.percentile(values, [50, 95])] if values else None


def judge_clip(clip: Clip, model: str | None) -> tuple[list[float], dict[str, Any]]:
    tracker = HorizonTracker(clip.camera, model=model)
    roll, pitch, ratios = [], [], []
    for index in range(len(clip)):
        horizon, truth = tracker.update(clip.frame(index)), clip.truth(index).up
        if horizon.up is None or horizon.state not in ("tracking", "coasting"):
            continue
        roll.append(abs(wrap_degrees(horizon.up.roll_deg - truth.roll_deg)))
        pitch.append(abs(horizon.up.pitch_deg - truth.pitch_deg))
        ratios.append((roll[-1] / horizon.roll_sd_deg, pitch[-1] / horizon.pitch_sd_deg))
    row = {
        "frames": len(clip),
        "availability": len(roll) / len(clip),
        "roll_deg": percentiles(roll),
        "pitch_deg": percentiles(pitch),
    }
    return roll, row | coverage(ratios)


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
    rows["all"] = {"roll_deg": percentiles(every)}
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
    for name in ("flight", "thermal-sea", "scenes", "sea"):
        result[name], worst = judge_frames(root, name, options.model)
        print(name, json.dumps(result[name]), flush=True)
        if options.worst:
            for e, path in worst:
                print(f"    {e:.3f} {path.name}")
    for motion in ("flight", "aerobatics"):
        result[f"panorama clips, {motion}"] = judge_clips(root, options.model, motion, 12.0)
        print(motion, json.dumps(result[f"panorama clips, {motion}"]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
