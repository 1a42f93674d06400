"""Speed of the way over the GPU: `python benchmarks/gpu.py [CLIP] [--json FILE]`.

Preprocess and net of one frame that is on the GPU already, in half precision, by the clock of the GPU; frames
a second of batches of such frames; and the time from a decoded frame to its telemetry while a clip plays.
Without a CUDA device it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from horizon_rt.bench.clips import write_clip
from horizon_rt.bench.machine import describe
from horizon_rt.bench.measure import Plan, measure
from horizon_rt.frame import DevicePlane, Frame
from horizon_rt.models.weights import find_model
from horizon_rt.options import BATCH, Engine
from horizon_rt.segmentation.backends import make_segmenter
from horizon_rt.segmentation.gpu import GpuSegmenter
from horizon_rt.sources import open_source
from horizon_rt.sources.gpu import gpu_refusal

SIZE = (1920, 1080)
WARM_UP, REPLAYS, FRAMES = 50, 1000, 6000
TARGETS = {"preprocess and net, ms": 0.25, "decoded to telemetry, ms p99": 1.0, "batched, frames/s": 3000}


def uploaded(path: Path, count: int) -> list[Frame]:
    """The first frames of a clip, on the GPU."""
    frames = []
    with open_source(path) as source:
        for frame in islice(source, count):
            planes = tuple(
                DevicePlane(torch.from_numpy(np.ascontiguousarray(p)).cuda()) for p in frame.planes
            )
            frames.append(replace(frame, planes=planes))
    torch.cuda.synchronize()
    return frames


def one_frame_ms(segmenter: GpuSegmenter, frame: Frame) -> list[float]:
    """Each replay of the graph of one frame, between two events of its stream."""
    for _ in range(WARM_UP):
        segmenter.segment(frame)
    graph = segmenter.graph_of_one(frame)
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(REPLAYS + 1)]
    marks[0].record()
    for mark in marks[1:]:
        graph()
        mark.record()
    torch.cuda.synchronize()
    return [before.elapsed_time(after) for before, after in pairwise(marks)]


def answer_ms(segmenter: GpuSegmenter, frames: Iterator[Frame]) -> list[float]:
    """From the call with a frame on the GPU until its mask is on the host."""
    times = []
    for frame in islice(frames, REPLAYS):
        start = time.perf_counter()
        segmenter.segment(frame)
        times.append(1e3 * (time.perf_counter() - start))
    return times


def batched_fps(segmenter: GpuSegmenter, frames: Iterator[Frame]) -> float:
    for _ in segmenter.segment_all(islice(frames, WARM_UP)):
        pass
    start = time.perf_counter()
    for _ in segmenter.segment_all(islice(frames, FRAMES)):
        pass
    return FRAMES / (time.perf_counter() - start)


def quantiles(values: list[float]) -> dict[str, float]:
    names = ("p25", "p50", "p75", "p99")
    return dict(zip(names, np.percentile(values, [25, 50, 75, 99]).round(4).tolist(), strict=True))


def measured(clip: Path) -> dict[str, Any]:
    segmenter = make_segmenter(find_model(), Engine(device="cuda"))
    assert isinstance(segmenter, GpuSegmenter)
    frames = uploaded(clip, 16)
    with open_source(clip) as source:
        size = f"{source.info.width}x{source.info.height}"
    return {
        "clip": size,
        "preprocess and net, ms": quantiles(one_frame_ms(segmenter, frames[0])),
        "frame to mask on the host, ms": quantiles(answer_ms(segmenter, cycle(frames))),
        "batched, frames/s": round(batched_fps(segmenter, cycle(frames))),
        "frames of a batch": BATCH,
        "hardware decoding": gpu_refusal() or "yes",
        "whole tracker": {
            decoder: asdict(measure(clip, Plan(engine=Engine(device="cuda"), decoder=decoder, overlay=False)))
            for decoder in ("cpu", *(["cuda"] if gpu_refusal() is None else []))
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path, nargs="?", help="a video; without one, 1080p is rendered")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA device: not measured")
        return
    with tempfile.TemporaryDirectory() as folder:
        clip = options.clip or Path(folder, "clip.mp4")
        if options.clip is None:
            write_clip(clip, SIZE, 300)
        result = {"machine": describe(), "targets": TARGETS, **measured(clip)}
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
