"""The moving picture of README: `python benchmarks/overlay_picture.py [--out docs/overlay.webp]`.

Tracks a rendered flight over a coast with the default model and writes every second frame with its overlay as
an animated WebP.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from horizon_rt.imaging.canvas import Canvas
from horizon_rt.sinks import Overlay
from horizon_rt.sources import open_source
from horizon_rt.tracker import HorizonTracker

SCENE = "synth:coast?motion=aerobatics&size=640x360&fps=25&seconds={seconds}&seed={seed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "overlay.webp")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quality", type=int, default=55)
    options = parser.parse_args()
    animation, tracker = cv2.Animation(), HorizonTracker()
    frames, durations = [], []
    with open_source(SCENE.format(seconds=options.seconds, seed=options.seed)) as source:
        for frame in source:
            horizon = tracker.update(frame)
            if frame.index % 2:
                continue
            assert tracker.camera is not None
            canvas = Canvas.from_frame(frame)
            Overlay(tracker.camera).draw(canvas, horizon)
            frames.append(canvas.to_bgr())
            durations.append(80)
    animation.frames, animation.durations, animation.loop_count = frames, durations, 0
    cv2.imwriteanimation(str(options.out), animation, [cv2.IMWRITE_WEBP_QUALITY, options.quality])
    print(f"{options.out}: {len(frames)} frames, {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
