"""Accuracy against time, beside classical finders: `python benchmarks/peers.py --json FILE --chart FILE`.

All see the same frames, one after the other, in one process with one thread each: those for test of
thermal-sea, flight and sea, rendered pictures of all kinds, and rendered clear seas at 1080p. A peer's time
is from a BGR picture to its line, that of a model from the decoder's planes to its horizon.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from baselines import BASELINES
from matplotlib.figure import Figure
from precision import pictures

from horizon_rt.bench.machine import describe
from horizon_rt.camera import Camera
from horizon_rt.datasets import LabelledFrame, open_dataset, split_part
from horizon_rt.datasets.lines import line_row, write_lines
from horizon_rt.datasets.rendered import write_pictures
from horizon_rt.evaluation.predictors import Estimate
from horizon_rt.evaluation.runner import EvalOptions, evaluate
from horizon_rt.frame import Frame
from horizon_rt.geometry import HorizonLine, Mount
from horizon_rt.segmentation.backends import installed_backends
from horizon_rt.synth.stills import StillOptions
from horizon_rt.system.paths import data_root
from horizon_rt.tracker import HorizonTracker

SPLIT = Path(__file__).parents[1] / "weights" / "split.toml"
MODELS = ("nano", "small", "lite0")


class Timed:
    """A predictor that keeps the time of each of its answers in ms."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.camera: Camera | None = None
        self.mount: Mount | None = None
        self.times: list[float] = []

    def covers(self, labelled: LabelledFrame) -> bool:
        return True

    def restart(self) -> None:
        pass

    def look_ahead(self, frames: Iterable[tuple[Frame, Camera]]) -> None:
        pass

    def timed(self, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        found = work()
        self.times.append(1e3 * (time.perf_counter() - start))
        return found


class Peer(Timed):
    def __init__(self, name: str, find: Callable[[Any], HorizonLine | None]) -> None:
        super().__init__(name)
        self._find = find

    def estimate(self, frame: Frame, camera: Camera, *, filtered: bool) -> Estimate:
        picture = np.ascontiguousarray(frame.to_bgr())
        line = self.timed(lambda: self._find(picture))
        up = None if line is None else line.up_vector(camera.fx)
        return Estimate(view="unknown" if line is None else "horizon", up=up, line=line)


class Ours(Timed):
    def __init__(self, model: str, backend: str) -> None:
        super().__init__(f"{model}, {backend}")
        self._tracker = HorizonTracker(model=model, backend=backend, smooth="none", device="cpu")  # type: ignore[arg-type]

    def estimate(self, frame: Frame, camera: Camera, *, filtered: bool) -> Estimate:
        if self._tracker.camera != camera:
            self._tracker.camera = camera
        found = self.timed(lambda: self._tracker.update(frame))
        return Estimate(view=found.view, up=found.up, line=found.line)


def write_clear_seas(folder: Path, count: int) -> None:
    """Easy ones of `precision.py`, of other seeds."""
    rows = []
    (folder / "images").mkdir(parents=True)
    (folder / "dataset.toml").write_text('truth = "line"\n')
    for number, (rgb, camera, line) in enumerate(pictures("easy", count, kinds=("sea",), seed=78)):
        name = f"{number:03d}.png"
        cv2.imwrite(str(folder / "images" / name), rgb[:, :, ::-1])
        rows.append((name, line_row(line, camera.width, camera.height)))
    write_lines(folder, rows)


def is_for_test(dataset: str, name: str) -> bool:
    return split_part(SPLIT, dataset, name) == "test"


def judge(real: Sequence[Path], rendered: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """By set and finder: the errors of lines, and quartiles of the time."""
    rows: dict[str, dict[str, Any]] = defaultdict(dict)
    for folder in (*real, *rendered):
        dataset = open_dataset(folder)
        options = EvalOptions(keep=partial(is_for_test, dataset.name) if folder in real else None)
        finders: list[Peer | Ours] = [Peer(name, find) for name, find in BASELINES.items()]
        backends = dict.fromkeys(("torchscript", installed_backends()[0]))
        finders += [Ours(model, backend) for model in MODELS for backend in backends]
        for finder in finders:
            lines = evaluate(dataset, finder, options).summary().lines or {}
            spread = [round(float(v), 3) for v in np.percentile(finder.times[1:], [25, 50, 75])]
            rows[dataset.name][finder.name] = {
                **{key: lines[key] for key in ("frames", "found", "auc", "dy_px", "dphi_deg")},
                "ms": spread,
            }
            print(dataset.name, finder.name, json.dumps(rows[dataset.name][finder.name]), flush=True)
    return dict(rows)


def draw(rows: dict[str, dict[str, Any]], path: Path) -> None:
    """Error (100 - AUC) against time, a panel for each set of more than a few frames."""
    rows = {name: found for name, found in rows.items() if name != "sea"}
    figure = Figure(figsize=(12, 5), layout="constrained", dpi=110)
    names = list(next(iter(rows.values())))
    for axes, (name, found) in zip(
        figure.subplots(1, len(rows), sharex=True, sharey=True), rows.items(), strict=True
    ):
        for index, finder in enumerate(names):
            at = (found[finder]["ms"][1], max(100 - found[finder]["auc"], 0.3))
            marker = "s" if finder in BASELINES else "o"
            axes.plot(*at, marker, color=f"C{index % 10}", ms=9, ls="", label=finder, alpha=0.8)
        axes.set(xscale="log", yscale="log", xlabel="ms a frame, median, one thread", title=name)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("100 - AUC (less is better)")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--chart", type=Path, required=True)
    options = parser.parse_args()
    root = data_root()
    if root is None:
        parser.error("no datasets found: set HORIZON_RT_DATA to their folder")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rendered = Path(folder) / "rendered"
        clear = Path(folder) / "clear sea, rendered"
        kinds = StillOptions(kinds=("sea", "coast", "fields", "mountains"), size=(1280, 720), seed=77)
        write_pictures(rendered, kinds, count=60)
        write_clear_seas(clear, 40)
        rows = judge([root / name for name in ("thermal-sea", "flight", "sea")], [rendered, clear])
    options.json.write_text(json.dumps({"machine": describe(), "sets": rows}, indent=2) + "\n")
    draw(rows, options.chart)


if __name__ == "__main__":
    main()
