"""Horizons claimed where there is none: `python benchmarks/false_alarms.py [--model NAME ...] [--json FILE]`.

Sixty clips of 4 s without a horizon (`no_horizon`) go through the default causal tracker, and through one
that looks at every frame and is smoothed offline. Reported is for how many seconds each says 'tracking', or
draws a horizon at all, and the sigma that it then gives.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from no_horizon import CAMERA, FRAMES, RATE, MovingClip, all_clips

from horizon_rt.bench.machine import describe
from horizon_rt.horizon import Horizon
from horizon_rt.models.weights import find_model
from horizon_rt.synth.clip import to_frame
from horizon_rt.system.paths import data_root
from horizon_rt.tracker import HorizonTracker
from horizon_rt.tracking import smooth_horizons

MODELS = ("small", "lite0", "nano")


def judge(clip: MovingClip, horizons: list[Horizon]) -> dict[str, Any]:
    """Seconds of each claim, and how sure it was; `sd_deg` and `confidence` are medians while tracking."""
    false = [h for h in horizons if h.state == "tracking"]
    sds = [(h.roll_sd_deg or 0.0, h.pitch_sd_deg or 0.0) for h in false]
    return {
        "kind": clip.kind,
        "clip": clip.name,
        "tracking_s": round(len(false) / RATE, 2),
        "drawn_s": round(sum(h.state in ("tracking", "coasting") for h in horizons) / RATE, 2),
        "sd_deg": [round(float(sd), 3) for sd in np.median(sds, axis=0)] if sds else None,
        "confidence": round(float(np.median([h.observation.confidence for h in false])), 3) if sds else None,
        "aligned_share": round(float(np.mean([not h.observation.is_key for h in false])), 3) if sds else None,
    }


def together(rows: list[dict[str, Any]]) -> dict[str, Any]:
    sure = [max(row["sd_deg"]) for row in rows if row["sd_deg"] is not None]
    return {
        "clips": len(rows),
        "with_alarm": sum(row["tracking_s"] > 0 for row in rows),
        "tracking_s": round(sum(row["tracking_s"] for row in rows), 2),
        "drawn_s": round(sum(row["drawn_s"] for row in rows), 2),
        "sd_deg": round(float(np.median(sure)), 3) if sure else None,
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    kinds = dict.fromkeys(row["kind"] for row in rows)
    by_kind = {kind: together([row for row in rows if row["kind"] == kind]) for kind in kinds}
    return {"sum": together(rows), "kinds": by_kind, "clips": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", nargs="+", default=list(MODELS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path, help="a picture with one frame of each clip")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    root = data_root()
    if root is None:
        parser.error("the datasets are not there; set HORIZON_RT_DATA")
    trackers = {
        (name, way): HorizonTracker(
            CAMERA, model=name, backend="onnx", device="cpu", key_frames=way == "causal"
        )
        for name in options.model
        for way in ("causal", "offline")
    }
    rows: dict[str, list[dict[str, Any]]] = {f"{name}, {way}": [] for name, way in trackers}
    tiles = []
    for clip in all_clips(root):
        frames = [to_frame(image, index=k, time_s=k / RATE) for k, image in enumerate(clip.pictures())]
        tiles.append(cv2.resize(frames[FRAMES // 2].to_bgr(), (320, 180), interpolation=cv2.INTER_AREA))
        for (name, way), tracker in trackers.items():
            tracker.reset()
            said = [tracker.update(frame) for frame in frames]
            row = judge(clip, said if way == "causal" else smooth_horizons(said, CAMERA))
            rows[f"{name}, {way}"].append(row)
            print(name, way, json.dumps(row), flush=True)
    found = {
        name: {"sha256": find_model(name=name.partition(",")[0]).sha256, **summary(part)}
        for name, part in rows.items()
    }
    print(json.dumps({name: part["sum"] for name, part in found.items()}, indent=1))
    if options.json is not None:
        values = {"machine": describe(), "seconds": FRAMES / RATE, "models": found}
        options.json.write_text(json.dumps(values, indent=1) + "\n")
    if options.sheet is not None:
        sheet = [np.hstack(tiles[k : k + 6]) for k in range(0, len(tiles) // 6 * 6, 6)]
        cv2.imwrite(str(options.sheet), np.vstack(sheet))


if __name__ == "__main__":
    main()
