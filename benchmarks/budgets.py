"""The time of each stage of the analysis on one core: `python benchmarks/budgets.py [--json FILE]`.

A rendered 1080p clip is encoded to H.264 and decoded with one thread; each stage then runs on the decoded
planes, one after the other, and is timed on its own. Medians and quartiles over all frames. The ratio to
the decoder is of the same run, so that a busy machine shifts both.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import torch

from horizon_rt.bench.clips import RATE_HZ, write_clip
from horizon_rt.bench.machine import describe
from horizon_rt.frame import Frame
from horizon_rt.horizon import Observation
from horizon_rt.segmentation import Segmentation
from horizon_rt.segmentation.compile import TorchScript
from horizon_rt.segmentation.weights import default_model, load_net
from horizon_rt.sources import open_source
from horizon_rt.tracker import HorizonTracker
from horizon_rt.tracker import describe as describe_horizon

BUDGET_MS = {"preprocess": 0.6, "segment": 2.0, "fit": 0.25, "refine": 0.4, "attitude and track": 0.02}
T = TypeVar("T")


def measure(path: Path) -> dict[str, list[float]]:
    """Times in ms of every stage for every frame after the warm-up."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    tracker = HorizonTracker()
    times: dict[str, list[float]] = defaultdict(list)

    def timed(stage: str, work: Callable[..., T], *arguments: Any) -> T:
        start = time.perf_counter()
        result = work(*arguments)
        times[stage].append(1e3 * (time.perf_counter() - start))
        return result

    with open_source(path, threads=1) as source:
        while (frame := timed("decode, one thread", source.read)) is not None:
            fitter, segmenter = tracker._fitter_for(frame), tracker._segmenter
            letterbox = timed("preprocess", segmenter.preprocess, frame)
            logits, presence = timed("segment", segmenter.backend, segmenter.preprocess.input)
            observation = timed("fit", fitter.fit, Segmentation(logits, presence, letterbox))
            observation = timed("refine", tracker._refined, frame, observation)
            timed("attitude and track", track, tracker, frame, observation)
    return {stage: values[10:] for stage, values in times.items()}


def track(tracker: HorizonTracker, frame: Frame, observation: Observation) -> None:
    """The last stage: filter and description."""
    found = tracker._filter.update(frame.time_s, observation)
    describe_horizon(frame, observation, found, tracker._fitter_for(frame).camera)


def report(times: dict[str, list[float]]) -> dict[str, Any]:
    """Quartiles by stage, and the share of decoding that the analysis costs."""
    stages = {
        stage: {
            "budget_ms": BUDGET_MS.get(stage),
            "quartiles_ms": [round(float(v), 4) for v in np.percentile(values, [25, 50, 75])],
        }
        for stage, values in times.items()
    }
    analysis = sum(float(np.median(times[stage])) for stage in BUDGET_MS)
    decode = float(np.median(times["decode, one thread"]))
    return {"stages": stages, "analysis_ms": analysis, "analysis_over_decode": analysis / decode}


def startup() -> dict[str, float]:
    """Seconds until the compiled net is ready."""
    start = time.perf_counter()
    TorchScript(load_net(default_model()))
    return {"load_and_compile_s": time.perf_counter() - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_clip(path, (1920, 1080), options.frames)
        megabits = 8e-6 * path.stat().st_size * RATE_HZ / options.frames
        result = {"machine": describe(), "video_mbit_s": megabits, **startup(), **report(measure(path))}
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
