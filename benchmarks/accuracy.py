"""Accuracy on the data for test alone: `python benchmarks/accuracy.py [--model NAME] [--json FILE]`.

Frames of flight, thermal-sea, scenes and sea are evaluated one by one, without a filter; frames labelled as
without a horizon by how many are refused. Panorama clips are rendered with exact attitude and tracked.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter1d

from horizon_rt.bench.machine import describe
from horizon_rt.camera import Camera
from horizon_rt.datasets import is_held_out, open_dataset, split_part
from horizon_rt.evaluation.results import Evaluation
from horizon_rt.evaluation.runner import EvalOptions, evaluate
from horizon_rt.frame import Frame
from horizon_rt.geometry import UpVector, wrap_degrees
from horizon_rt.horizon import Horizon
from horizon_rt.metrics import AttitudeError, summarise_uncertainty
from horizon_rt.metrics.lines import percentiles
from horizon_rt.metrics.motion import AttitudeSample, summarise_motion
from horizon_rt.models.weights import find_model
from horizon_rt.synth.clip import Clip, PanoramaView, to_frame
from horizon_rt.synth.indoor import random_room
from horizon_rt.synth.panorama import load_panoramas, panorama_view
from horizon_rt.synth.render import camera_rays
from horizon_rt.synth.sensor import Image, to_uint8
from horizon_rt.synth.trajectory import Motion, make_trajectory
from horizon_rt.system.paths import data_root
from horizon_rt.tracker import HorizonTracker
from horizon_rt.tracking import smooth_horizons

HEADINGS_DEG = (40.0, 220.0)
# Views in which walls, trees, dunes, a bank or fog hide the horizon over more than half of the width, by eye
# on level views of 70°. Elsewhere the far border lies within some 1.5° of it.
HIDDEN = {
    ("evening_meadow", 40.0), ("humus_larnaca_castle", 220.0), ("key_biscayne_3", 40.0),
    ("key_biscayne_4", 220.0), ("key_biscayne_5", 40.0), ("key_biscayne_5", 220.0),
    ("panolens_sunset", 220.0), ("teufelsberg_lookout", 40.0), ("teufelsberg_roof", 40.0),
    ("teufelsberg_roof", 220.0), ("umhlanga_sunrise", 220.0),
}  # fmt: skip
VIEWS = 60  # of each kind without a horizon
SPLIT = Path(__file__).parents[1] / "weights" / "split.toml"


def judge_frames(root: Path, name: str, tracker: HorizonTracker) -> tuple[dict[str, Any], Evaluation]:
    options = EvalOptions(keep=lambda file: split_part(SPLIT, name, file) == "test")
    found = evaluate(open_dataset(root / name), tracker, options)
    summary = found.summary()
    row = (summary.lines or {}) | (summary.uncertainty or {})
    refusal = summary.refusal or {}
    if refusal.get("without_horizon"):
        row |= {"without_horizon": refusal["without_horizon"], "refused": refusal["refused"]}
    return row, found


def attitude_error(horizon: Horizon, truth: UpVector) -> AttitudeError | None:
    if horizon.up is None:
        return None
    assert horizon.roll_sd_deg is not None
    assert horizon.pitch_sd_deg is not None
    roll = wrap_degrees(horizon.up.roll_deg - truth.roll_deg)
    return AttitudeError(
        roll, horizon.up.pitch_deg - truth.pitch_deg, horizon.roll_sd_deg, horizon.pitch_sd_deg
    )


def judge_track(clip: Clip, horizons: list[Horizon]) -> tuple[dict[str, Any], list[AttitudeSample]]:
    truth = [clip.truth(k).up for k in range(len(clip))]
    errors = [attitude_error(h, up) for h, up in zip(horizons, truth, strict=True)]
    known = [error for error in errors if error is not None]
    moments = [
        AttitudeSample(h.time_s, up.roll_deg, up.pitch_deg, error, in_view=True)
        for h, up, error in zip(horizons, truth, errors, strict=True)
    ]
    row = {
        "frames": len(clip),
        "availability": len(known) / len(clip),
        "roll_deg": percentiles([abs(error.roll_deg) for error in known], (50, 95)),
        "pitch_deg": percentiles([abs(error.pitch_deg) for error in known], (50, 95)),
    }
    return row | summarise_uncertainty(known), moments


def judge_clips(root: Path, model: str | None, motion: Motion, seconds: float) -> dict[str, Any]:
    """Clips of the panoramas held out: with the filter, and smoothed offline."""
    rows: dict[str, Any] = {}
    groups: dict[str, dict[str, list[list[AttitudeSample]]]] = {
        group: {"causal": [], "offline": []} for group in ("all", "open", "hidden")
    }
    camera = Camera.from_hfov(640, 360, 70)
    for panorama in load_panoramas(root / "panorama"):
        if not (panorama.is_open and is_held_out(SPLIT, "panorama", panorama.name)):
            continue
        for heading in HEADINGS_DEG:
            path = make_trajectory(motion, seconds, 1)
            clip = Clip(view=PanoramaView(panorama, heading), path=path, camera=camera, duration_s=seconds)
            tracker = HorizonTracker(camera, model=model, backend="torchscript")
            frames = [clip.frame(k) for k in range(len(clip))]
            causal = [tracker.update(frame) for frame in frames]
            alone = HorizonTracker(camera, smooth="none", careful=False, model=model, backend="torchscript")
            offline = smooth_horizons([alone.update(frame) for frame in frames], camera)
            name = f"{panorama.name}, {heading:.0f}°"
            group = "hidden" if (panorama.name, heading) in HIDDEN else "open"
            for kind, horizons in (("causal", causal), ("offline", offline)):
                row, moments = judge_track(clip, horizons)
                for one in ("all", group):
                    groups[one][kind].append(moments)
                if kind == "causal":
                    rows[name] = row | {"horizon": group}
                else:
                    rows[name]["offline"] = {key: row[key] for key in ("roll_deg", "pitch_deg")}
    parts = {group: {kind: together(one) for kind, one in kinds.items()} for group, kinds in groups.items()}
    return rows | parts


def together(clips: list[list[AttitudeSample]]) -> dict[str, Any]:
    """Over the frames of all clips."""
    known = [moment.error for clip in clips for moment in clip if moment.error is not None]
    rolls, pitches = [abs(e.roll_deg) for e in known], [abs(e.pitch_deg) for e in known]
    return {
        "availability": len(known) / sum(map(len, clips)),
        "roll_deg": percentiles(rolls, (50, 95)),
        "pitch_deg": percentiles(pitches, (50, 95)),
        "rms_deg": float(np.sqrt(np.mean(np.square([*rolls, *pitches])))),
        "unsteady_deg": unsteadiness(clips),
        **summarise_motion(clips),
    }


def unsteadiness(clips: list[list[AttitudeSample]]) -> float:
    """Root mean square of what the errors of roll and pitch differ from their mean over a second, in degrees:
    the part that a smoother can take away.
    """
    squares = []
    for clip in clips:
        errors = np.array([(m.error.roll_deg, m.error.pitch_deg) for m in clip if m.error is not None])
        window = round(1 / float(np.median(np.diff([m.time_s for m in clip]))))
        means = uniform_filter1d(errors, window, axis=0, mode="nearest")
        squares.append(np.square(errors - means).ravel())
    return float(np.sqrt(np.concatenate(squares).mean()))


def without_horizon(root: Path) -> dict[str, list[tuple[Frame, Camera]]]:
    """Frames that show no horizon, by kind; none of the panoramas is trained on, none of the seeds is."""
    rng, camera = np.random.default_rng(555), Camera.from_hfov(640, 360, 70)
    rays = camera_rays(camera)
    aside = [p for p in load_panoramas(root / "panorama") if is_held_out(SPLIT, "panorama", p.name)]
    frames: dict[str, list[tuple[Frame, Camera]]] = {}

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
    tracker, rows = HorizonTracker(smooth="none", model=model, backend="torchscript"), {}
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
    card = find_model(name=options.model)
    result: dict[str, Any] = {"machine": describe(), "model": {"name": card.name, "sha256": card.sha256}}
    tracker = HorizonTracker(model=options.model, backend="torchscript")
    for name in ("flight", "thermal-sea", "scenes", "sea"):
        result[name], found = judge_frames(root, name, tracker)
        print(name, json.dumps(result[name]), flush=True)
        if options.worst:
            for frame in found.worst[:12]:
                print(f"    {frame.score:.3f} {frame.name}")
    result["without a horizon"] = judge_refusal(root, options.model)
    print("without a horizon", json.dumps(result["without a horizon"]), flush=True)
    motions: tuple[Motion, ...] = ("flight", "aerobatics")
    for motion in motions:
        result[f"panorama clips, {motion}"] = judge_clips(root, options.model, motion, 12.0)
        print(motion, json.dumps(result[f"panorama clips, {motion}"]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
