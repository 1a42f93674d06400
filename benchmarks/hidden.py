"""Horizons of which a part is hidden: `python benchmarks/hidden.py [--model NAME] [--json FILE]`.

Pictures whose horizon shows on 20 to 50 % of its length, the rest behind what rises above it: rendered seas
behind islands, cliffs, towns and ships; views of the panoramas for test and photographs for test, behind the
ground of other pictures for test. What shows has a contrast that can be seen. Each picture is the
same every time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from accuracy import SPLIT, attitude_error
from numpy.typing import NDArray

from horizon_rt.bench.machine import describe
from horizon_rt.camera import Camera
from horizon_rt.datasets import split_part
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.metrics import summarise_uncertainty
from horizon_rt.metrics.lines import line_error, summarise
from horizon_rt.synth.chance import log_uniform
from horizon_rt.synth.clip import to_frame
from horizon_rt.synth.panorama import load_panoramas, panorama_view
from horizon_rt.synth.random_scene import random_scene
from horizon_rt.synth.render import camera_rays, render
from horizon_rt.synth.scene import BLOCKS, SMOOTH, TREES
from horizon_rt.synth.sensor import random_sensor
from horizon_rt.system.paths import data_root
from horizon_rt.tracker import HorizonTracker
from horizon_rt.training.samples.occlusion import hide_part
from horizon_rt.training.samples.pictures import Picture, load, open_pictures, thinned
from horizon_rt.training.samples.sample import HalfPlane

Image = NDArray[np.float32]
Draw = Callable[[np.random.Generator], "tuple[Image, Image, Camera, UpVector] | None"]
COUNTS = {"rendered": 80, "panorama": 60, "photographs": 60}
SIZE, SEED, TRIES = (640, 480), 9100, 400
SHOWN, LEAST_CONTRAST = (0.2, 0.5), 5.0  # share of the length; grey levels between the sides of what shows
CALM, LEAST_CLEAR = 0.5, 0.6  # spread of the sky against the step below; share of what shows
LARGEST_PX = 1280
DATASETS = {"flight": 40, "scenes": 200, "thermal-sea": 20}
# kind, elevation of the top in degrees, share of the azimuth, features per radian
SHAPES = {
    "island": (SMOOTH, (0.5, 8.0), (0.2, 0.5), (2.0, 12.0)),
    "cliff": (SMOOTH, (5.0, 25.0), (0.3, 0.6), (1.0, 6.0)),
    "wood": (TREES, (1.0, 15.0), (0.3, 0.7), (4.0, 60.0)),
    "town": (BLOCKS, (1.0, 15.0), (0.4, 0.8), (12.0, 80.0)),
    "ships": (BLOCKS, (0.5, 6.0), (0.2, 0.4), (8.0, 60.0)),
}


class Hidden(NamedTuple):
    """A picture (height, width, 3) uint8 RGB and its truth; `shown` is the share of the horizon in sight."""

    rgb: NDArray[np.uint8]
    camera: Camera
    up: UpVector
    line: HorizonLine
    shown: float


def along(line: HorizonLine, size: tuple[int, int], off: float) -> tuple[NDArray[np.int64], ...]:
    """Rows and columns of a (height, width) picture `off` px above a line, where it is in the picture."""
    (height, width), (nx, ny) = size, line.normal
    t = np.arange(-(width + height), width + height)
    x = (width - 1) / 2 + (off - line.offset_px) * nx - ny * t
    y = (height - 1) / 2 + (off - line.offset_px) * ny + nx * t
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return np.rint(y[inside]).astype(np.int64), np.rint(x[inside]).astype(np.int64)


def clear_share(image: Image, hidden: NDArray[np.bool_], line: HorizonLine) -> tuple[float, float]:
    """Of a horizon's length where a calm sky meets something else right on it, and nothing is hidden: in
    parts of the whole and of what is not hidden.
    """
    (y, x), (nx, ny) = along(line, hidden.shape, 0), line.normal
    places = np.arange(-5, 25)[:, None]
    grey = cv2.GaussianBlur(255 * image.mean(axis=2), (0, 0), 1.0)
    at = (np.float32(x + nx * places), np.float32(y + ny * places))
    luma = cv2.remap(grey, *at, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    step = np.abs(luma[7:11].mean(axis=0) - luma[:4].mean(axis=0))
    clear = (step >= LEAST_CONTRAST) & (luma[8:].std(axis=0) < CALM * step)
    open_ = ~hidden[y, x]
    return float((clear & open_).mean()), float((clear & open_).sum() / max(open_.sum(), 1))


def changes(before: Image, after: Image) -> NDArray[np.bool_]:
    """Where something was changed, and 2 px around it."""
    changed = (np.abs(after - before).max(axis=2) > 1 / 255).astype(np.uint8)
    return cv2.dilate(changed, np.ones((5, 5), np.uint8)) > 0


def contrast(rgb: NDArray[np.uint8], changed: NDArray[np.bool_], line: HorizonLine) -> float:
    """Median grey levels between 4 px above and below the horizon, where nothing was changed."""
    grey = np.where(changed, np.nan, rgb.mean(axis=2))
    above, below = grey[along(line, grey.shape, 4)], grey[along(line, grey.shape, -4)]
    length = min(len(above), len(below))
    step = np.abs(above[:length] - below[:length])
    return float(np.nanmedian(step)) if np.isfinite(step).any() else 0.0


def random_view(rng: np.random.Generator) -> tuple[Camera, UpVector]:
    camera = Camera.from_hfov(*SIZE, rng.uniform(40, 90))
    return camera, UpVector.from_roll_pitch(rng.normal(0, 6), rng.normal(0, camera.hfov_deg / 9))


def rendered(rng: np.random.Generator) -> tuple[Image, Image, Camera, UpVector]:
    """A sea or coast without and with things that stand before its horizon."""
    camera, up = random_view(rng)
    scene = random_scene(rng, "sea" if rng.random() < 0.7 else "coast")
    layers = []
    for name in rng.choice(list(SHAPES), int(rng.integers(1, 4))):
        kind, rise, cover, grain = SHAPES[name]
        distance = scene.height * log_uniform(rng, 6, 80) + 20
        top = scene.height + distance * np.tan(np.radians(log_uniform(rng, *rise)))
        tone = scene.ground[int(rng.integers(4))] * rng.uniform(0.4, 1.2)
        layers.append((kind, distance, top, rng.uniform(*cover), log_uniform(rng, *grain), *tone))
    layers.sort(key=lambda layer: -layer[1])
    rays, heading = camera_rays(camera), rng.uniform(0, 360)
    clear = scene._replace(layers=np.empty((0, 8), np.float32))
    hidden = scene._replace(layers=np.array(layers, np.float32))
    before, after = (render(some, rays, up, heading_deg=heading) for some in (clear, hidden))
    return before, after, camera, up


def photographs(root: Path) -> tuple[list[Picture], list[Picture]]:
    """Those for test whose horizon is known, and those whose ground hides others."""
    found = [thinned(open_pictures(root / name, SPLIT).test, most) for name, most in DATASETS.items()]
    lined = [[p for p in some if p.label.ends is not None] for some in found]
    return [p for some in lined for p in some], [*lined[0], *lined[1]]


def behind(image: Image, up: UpVector, camera: Camera, grounds: list[Picture], rng: Any) -> Image:
    line = camera.line(up)
    assert line is not None
    covered = image
    for _ in range(int(rng.integers(1, 3))):
        covered = hide_part(covered, HalfPlane.of(line), grounds, rng)[0]
    return covered


def draws(root: Path) -> dict[str, Draw]:
    panoramas = [p for p in load_panoramas(root / "panorama") if p.is_open]
    panoramas = [p for p in panoramas if split_part(SPLIT, "panorama", p.name) == "test"]
    lined, grounds = photographs(root)

    def panorama(rng: np.random.Generator) -> tuple[Image, Image, Camera, UpVector]:
        camera, up = random_view(rng)
        chosen = panoramas[int(rng.integers(len(panoramas)))]
        image = panorama_view(chosen, camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
        return image, behind(image, up, camera, grounds, rng), camera, up

    def photograph(rng: np.random.Generator) -> tuple[Image, Image, Camera, UpVector] | None:
        bgr, line, *_ = load(lined[int(rng.integers(len(lined)))])
        height, width = bgr.shape[:2]
        if line is None or max(bgr.shape) > LARGEST_PX:
            return None
        camera = Camera.from_hfov(width, height, 70)
        image = bgr[:, :, ::-1].astype(np.float32) / np.float32(255)
        up = line.up_vector(camera.focal_px)
        return image, behind(image, up, camera, grounds, rng), camera, up

    return {"rendered": rendered, "panorama": panorama, "photographs": photograph}


def pictures(root: Path, seed: int = SEED) -> Iterator[tuple[str, Hidden]]:
    """All pictures of the benchmark, with the name of their group."""
    for number, (name, draw) in enumerate(draws(root).items()):
        for index in range(COUNTS[name]):
            yield name, picture(draw, np.random.default_rng((seed, number, index)))


def picture(draw: Draw, rng: np.random.Generator) -> Hidden:
    """The first draw that shows as much as it should."""
    for _ in range(TRIES):
        made = draw(rng)
        line = None if made is None else made[2].line(made[3])
        if made is None or line is None:
            continue
        before, after, camera, up = made
        changed = changes(before, after)
        shown, of_open = clear_share(before, changed, line)
        if not (SHOWN[0] <= shown <= SHOWN[1] and of_open >= LEAST_CLEAR):
            continue
        rgb = random_sensor(after, rng)
        if contrast(rgb, changed, line) >= LEAST_CONTRAST:
            return Hidden(rgb, camera, up, line, shown)
    raise RuntimeError(f"{TRIES} draws in a row show too much or too little of the horizon")


def judge(made: list[Hidden], tracker: HorizonTracker) -> dict[str, Any]:
    errors, known = [], []
    for hidden in made:
        tracker.camera = hidden.camera
        horizon = tracker.update(to_frame(hidden.rgb))
        height, width = hidden.rgb.shape[:2]
        errors.append(line_error(horizon.line, hidden.line, width, height))
        error = attitude_error(horizon, hidden.up)
        known += [] if error is None else [error]
    summary, e = summarise(errors), np.array([error.e for error in errors])
    return {
        **{name: summary[name] for name in ("frames", "found", "auc", "dy_px", "dphi_deg")},
        "within_1_percent": float((e < 0.01).mean()),
        "within_2_sigma": summarise_uncertainty(known).get("within_2_sigma"),
    }


def sheet(groups: dict[str, list[Hidden]], each: int = 20) -> NDArray[np.uint8]:
    """A contact sheet with the truth drawn, RGB."""
    tiles = []
    for made in groups.values():
        for rgb, _, _, line, shown in made[:: max(1, len(made) // each)][:each]:
            tile = np.ascontiguousarray(rgb)
            x1, y1, x2, y2 = (round(v) for v in line.ends(tile.shape[1], tile.shape[0]))
            cv2.line(tile, (x1, y1), (x2, y2), (255, 0, 0), 1, cv2.LINE_AA)
            cv2.putText(tile, f"{shown:.2f}", (6, 30), 0, 1, (255, 255, 0), 2)
            tiles.append(cv2.resize(tile, (320, 240), interpolation=cv2.INTER_AREA))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 6)
    return np.vstack([np.hstack(tiles[i : i + 6]) for i in range(0, len(tiles), 6)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path, help="draw a contact sheet and stop")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    root = data_root()
    if root is None:
        parser.error("the datasets are not there; set HORIZON_RT_DATA")
    groups: dict[str, list[Hidden]] = {}
    for name, hidden in pictures(root):
        groups.setdefault(name, []).append(hidden)
    if options.sheet is not None:
        cv2.imwrite(str(options.sheet), np.ascontiguousarray(sheet(groups)[:, :, ::-1]))
        return
    tracker = HorizonTracker(smooth="none", model=options.model, backend="onnx", device="cpu")
    everything = [hidden for made in groups.values() for hidden in made]
    rows = {name: judge(made, tracker) for name, made in (*groups.items(), ("all", everything))}
    for name, row in rows.items():
        print(name, json.dumps(row), flush=True)
    if options.json is not None:
        values = {"machine": describe(), "model": tracker.model, "groups": rows}
        options.json.write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
