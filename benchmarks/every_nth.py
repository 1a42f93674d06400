"""Every Nth frame of rendered flights against truth: `python benchmarks/every_nth.py --json FILE`.

Quick flights turn by tens of degrees between two frames that are far apart. Errors of roll in degrees, causal
and smoothed over the whole recording, and how many lie beyond three sigma.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from horizon_rt.bench.machine import describe
from horizon_rt.geometry import wrap_degrees
from horizon_rt.horizon import Horizon
from horizon_rt.sources.synthetic import make_clip, parse_options
from horizon_rt.synth.clip import Clip
from horizon_rt.tracker import HorizonTracker
from horizon_rt.tracking import smooth_horizons

SCENE = "coast?motion={motion}&size=480x270&fps=25&seconds={seconds}&seed=3"
FLIGHTS = (("flight", 5), ("aerobatics", 12), ("aerobatics", 6))
EVERY = (1, 2, 3, 5, 10, 25)


def errors(clip: Clip, horizons: Sequence[Horizon]) -> dict[str, Any]:
    told = [one for one in horizons if one.up is not None]
    roll = np.array([wrap_degrees(one.roll_deg - clip.truth(one.frame).up.roll_deg) for one in told])
    sigma = np.array([one.roll_sd_deg for one in told])
    return {
        "frames": len(horizons),
        "told": len(told),
        "rms_deg": round(float(np.sqrt((roll**2).mean())), 2),
        "largest_deg": round(float(np.abs(roll).max()), 1),
        "beyond_3_sigma": int((np.abs(roll) > 3 * sigma).sum()),
    }


def measure(motion: str, seconds: int, model: str) -> dict[str, Any]:
    clip = make_clip(parse_options(SCENE.format(motion=motion, seconds=seconds)))
    frames = [clip.frame(k) for k in range(len(clip))]
    found = {}
    for every in EVERY:
        tracker = HorizonTracker(clip.camera, model=model, device="cpu")
        said = [tracker.update(frame) for frame in frames[::every]]
        offline = smooth_horizons(said, clip.camera)
        found[str(every)] = {"causal": errors(clip, said), "offline": errors(clip, offline)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--model", default="small")
    options = parser.parse_args()
    runs = {f"{motion}, {seconds} s": measure(motion, seconds, options.model) for motion, seconds in FLIGHTS}
    result = {"machine": describe(), "model": options.model, "runs": runs}
    options.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(runs))


if __name__ == "__main__":
    main()
