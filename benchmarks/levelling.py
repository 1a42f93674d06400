"""Levelled video against truth, beside vidstab of FFmpeg: `python benchmarks/levelling.py [--json FILE]`.

Rendered flights whose scene has no hills, and flights over panoramas that are held out from training, all
with exact attitude. What is left of the roll is measured on the pictures that were written, by code that
shares nothing with the tracker: where sky meets ground on rendered ones (threshold, outline, line), and on
photographs by matching features of each picture with its source (SIFT, similarity), which tells by how much
it was turned.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from accuracy import SPLIT
from numpy.typing import NDArray
from precision import cleared

import horizon_rt as hz
from horizon_rt.bench.machine import describe
from horizon_rt.datasets import is_held_out
from horizon_rt.frame import Frame, Sampling
from horizon_rt.imaging.canvas import Canvas
from horizon_rt.imaging.video_writer import VideoWriter
from horizon_rt.levelling import Leveller, Turn, needed_zoom
from horizon_rt.options import Motion, SceneKind
from horizon_rt.sources.synthetic import make_clip, parse_options
from horizon_rt.synth.clip import Clip, SceneView
from horizon_rt.system.paths import data_root

Grey = NDArray[np.uint8]
Measure = Callable[[list[Grey], list[Grey], NDArray[np.float64]], NDArray[np.float64]]
SIZE, FPS, SECONDS, HFOV = "480x270", 25, 8.0, 70.0
RENDERED: tuple[tuple[SceneKind, Motion], ...] = (
    ("fields", "flight"),
    ("desert", "flight"),
    ("fields", "boat"),
)
PANORAMAS: tuple[tuple[str, Motion], ...] = (
    ("evening_meadow", "flight"),
    ("humus_larnaca_castle", "aerobatics"),
)
DETECT, TRANSFORM = "shakiness=10:accuracy=15", "smoothing=30:optzoom=1"
ENCODER = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20"]
TIMED = (1920, 1080)


def rendered(kind: SceneKind, motion: Motion) -> Clip:
    clip = make_clip(parse_options(f"{kind}?motion={motion}&size={SIZE}&fps={FPS}&seconds={SECONDS}&seed=11"))
    assert isinstance(clip.view, SceneView)
    return replace(clip, view=SceneView(cleared(clip.view.scene)))


def clips() -> Iterator[tuple[str, Clip, Measure]]:
    for kind, motion in RENDERED:
        yield f"rendered {kind}, {motion}", rendered(kind, motion), by_outline
    root = data_root()
    assert root is not None, "set HORIZON_RT_DATA"
    for name, motion in PANORAMAS:
        assert is_held_out(SPLIT, "panorama", name)
        text = f"panorama/{name}?motion={motion}&size={SIZE}&fps={FPS}&seconds={SECONDS}"
        yield f"{name}, {motion}", make_clip(parse_options(text)), by_features


def write(clip: Clip, path: Path) -> NDArray[np.float64]:
    """The clip as a file, and its true roll in degrees."""
    writer = VideoWriter(path, frame_rate=clip.frame_rate)
    for index in range(len(clip)):
        writer.write(Canvas.from_frame(clip.frame(index)), clip.time_s(index))
    writer.close()
    return np.array([clip.truth(index).up.roll_deg for index in range(len(clip))])


def greys(path: Path) -> list[Grey]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)]


def wrap(angle: NDArray[np.float64], period: float = 360.0) -> NDArray[np.float64]:
    return np.asarray((angle + period / 2) % period - period / 2)


def by_outline(pictures: list[Grey], _: list[Grey], __: NDArray[np.float64]) -> NDArray[np.float64]:
    """Roll that shows, within ±90°; NaN where no line is found."""
    return np.array([-outline_tilt(picture) for picture in pictures])


def outline_tilt(grey: Grey) -> float:
    smooth = cv2.GaussianBlur(grey, (5, 5), 0)
    mask = largest(cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1])
    mask = 255 - largest(255 - mask)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = max(outlines, key=len)[:, 0].astype(np.float64)
    size = np.array(grey.shape[::-1])
    points = points[((points > 2) & (points < size - 3)).all(axis=1)]
    if len(points) < 20:
        return math.nan
    return refined(
        smooth.astype(np.float32),
        *cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel(),
    )


def refined(grey: NDArray[np.float32], dx: float, dy: float, x: float, y: float) -> float:
    """The tilt of a line laid through the steepest places beside it."""
    height, width = grey.shape
    along, across = np.arange(-width, width, 2.0), np.arange(-8, 8.01, 0.25)
    points = np.array([x, y]) + along[:, None, None] * [dx, dy] + across[:, None] * [-dy, dx]
    inside = ((points > 1) & (points < [width - 2, height - 2])).all(axis=(1, 2))
    if inside.sum() < 20:
        return math.nan
    profiles = cv2.remap(grey, points[inside].astype(np.float32), None, cv2.INTER_LINEAR)
    steepest = across[np.abs(np.diff(profiles, axis=1)).argmax(axis=1)] + 0.125
    at, good = along[inside], np.ones(int(inside.sum()), bool)
    for _ in range(5):
        slope, offset = np.polyfit(at[good], steepest[good], 1)
        error = np.abs(steepest - slope * at - offset)
        good = error < max(1.0, 2.5 * float(np.median(error)))
    return float((math.degrees(math.atan2(dy, dx) + math.atan(slope)) + 90) % 180 - 90)


def largest(mask: Grey) -> Grey:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    return np.where(labels == 1 + stats[1:, 4].argmax(), 255, 0).astype(np.uint8)


def by_features(pictures: list[Grey], sources: list[Grey], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """The true roll less that by which each picture was turned against its source."""
    sift = cv2.SIFT_create(800)
    pairs = zip(pictures, sources, strict=True)
    return wrap(truth - np.array([turned_deg(sift, source, picture) for picture, source in pairs]))


def turned_deg(sift: Any, source: Grey, picture: Grey) -> float:
    (one, a), (two, b) = (sift.detectAndCompute(grey, None) for grey in (source, picture))
    if a is None or b is None:
        return math.nan
    matches = [m for m, n in cv2.BFMatcher().knnMatch(b, a, k=2) if m.distance < 0.75 * n.distance]
    if len(matches) < 12:
        return math.nan
    here, there = (
        np.array([two[m.queryIdx].pt for m in matches]),
        np.array([one[m.trainIdx].pt for m in matches]),
    )
    similarity, _ = cv2.estimateAffinePartial2D(here, there, ransacReprojThreshold=1.0, maxIters=5000)
    if similarity is None:
        return math.nan
    return -math.degrees(math.atan2(similarity[1, 0], similarity[0, 0]))


def vidstab(source: Path, out: Path) -> float | None:
    """Seconds that FFmpeg takes; None where it has no vidstab."""
    if shutil.which("ffmpeg") is None:
        return None
    transforms, start = out.with_suffix(".trf"), time.perf_counter()
    detect = f"vidstabdetect={DETECT}:result={transforms}"
    steps = (
        ["-vf", detect, "-f", "null", "-"],
        ["-vf", f"vidstabtransform={TRANSFORM}:input={transforms}", *ENCODER, str(out)],
    )
    for arguments in steps:
        done = subprocess.run(
            ["ffmpeg", "-nostdin", "-y", "-v", "error", "-i", str(source), *arguments], check=False
        )
        if done.returncode:
            return None
    return time.perf_counter() - start


def figures(roll: NDArray[np.float64], seconds: float | None) -> dict[str, Any]:
    known = roll[np.isfinite(roll)]
    return {
        "rms_deg": float(np.sqrt(np.mean(known**2))),
        "p95_deg": float(np.percentile(np.abs(known), 95)),
        "a_tv_deg": float(np.nanmean(np.abs(wrap(np.diff(roll))))),
        "measured": len(known),
        "ms": None if seconds is None else 1e3 * seconds / len(roll),
    }


def black_share(pictures: list[Grey]) -> float:
    """Of pixels at the very border that are as black as what is beyond the source."""
    edges = [np.concatenate([p[0], p[-1], p[:, 0], p[:, -1]]) for p in pictures]
    return float(np.mean(np.concatenate(edges) <= 17))


def run(name: str, clip: Clip, measure: Measure, folder: Path) -> dict[str, Any]:
    source, level, stable = (folder / f"{part}.mp4" for part in ("source", "level", "vidstab"))
    truth = write(clip, source)
    summary = hz.level(source, level, hfov_deg=HFOV)
    before, after = greys(source), greys(level)
    row: dict[str, Any] = {
        "frames": len(truth),
        "largest_roll_deg": float(np.abs(truth).max()),
        "sure": summary.sure,
        "zoom": summary.zoom,
        "source": figures(truth, None),
        "level": figures(measure(after, before, truth), summary.run.seconds),
        "black": {"source": black_share(before), "level": black_share(after)},
    }
    shown = measure(before, before, truth)
    row["measuring_rms_deg"] = float(np.sqrt(np.nanmean(wrap(shown - truth, 180.0) ** 2)))
    row["a_tv_ratio"] = row["source"]["a_tv_deg"] / row["level"]["a_tv_deg"]
    seconds = vidstab(source, stable)
    if seconds is not None:
        row["vidstab"] = figures(measure(greys(stable), before, truth), seconds)
    print(name, json.dumps(row))
    return row


def cost() -> dict[str, Any]:
    """Milliseconds of one thread's own time for a picture of 1080p with 8 and 10 bits, and to plan it."""
    camera = hz.Camera.from_hfov(*TIMED, HFOV)
    turn = Turn(roll=np.radians([25.0]), pitch=np.zeros(1))
    zoom = float(needed_zoom(camera, turn, most=2.2)[0])
    leveller, threads = Leveller(camera), cv2.getNumThreads()
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {}
    cv2.setNumThreads(1)
    for bits, kind in ((8, np.uint8), (10, np.uint16)):
        shapes = (TIMED[::-1], *[(TIMED[1] // 2, TIMED[0] // 2)] * 2)
        planes = tuple(rng.integers(0, 1 << bits, shape, kind) for shape in shapes)
        frame = Frame(planes, 0, 0.0, Sampling(bits))
        found[f"{bits} bits"] = timed(lambda frame=frame: leveller.level(frame, turn, zoom))
    found["plan"] = timed(lambda: needed_zoom(camera, turn, most=2.2))
    cv2.setNumThreads(threads)
    return found


def timed(work: Callable[[], object], times: int = 40) -> list[float]:
    """Quartiles in ms."""
    taken = []
    for _ in range(times):
        start = time.thread_time()
        work()
        taken.append(1e3 * (time.thread_time() - start))
    return statistics.quantiles(taken, n=4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--only", default="", help="measure clips of this name anew, or cost, and keep the rest"
    )
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": describe(), "load_before": os.getloadavg()[0]}
    result |= {"size": SIZE, "vidstab": f"{DETECT}, {TRANSFORM}", "clips": {}}
    if arguments.only:
        result = json.loads(arguments.json.read_text())
    if arguments.only in ("", "cost"):
        result["cost_ms"] = cost()
    for name, clip, measure in clips():
        if arguments.only in name:
            with tempfile.TemporaryDirectory() as folder:
                result["clips"][name] = run(name, clip, measure, Path(folder))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
