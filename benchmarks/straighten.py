"""Photographs turned level: `python benchmarks/straighten.py [--json FILE] [--model NAME]`.

Photographs held out from training, levelled by their label and turned by a known angle, and photographs
without a horizon, all as files for `horizon-rt straighten`. Its bounds were chosen on others: on
photographs that training has seen, and on rendered scenes, whose truth is exact.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from accuracy import SPLIT
from numpy.typing import NDArray

from horizon_rt.bench.machine import describe
from horizon_rt.camera import Camera
from horizon_rt.datasets import LabelledImage, is_held_out, read_horizons
from horizon_rt.geometry import UpVector
from horizon_rt.models.weights import find_model
from horizon_rt.options import Engine
from horizon_rt.photos.crop import Crop
from horizon_rt.photos.inputs import find_photos
from horizon_rt.photos.job import Straightened, straighten_photos
from horizon_rt.photos.options import StraightenOptions
from horizon_rt.synth.occluders import random_occluders
from horizon_rt.synth.random_scene import random_scene
from horizon_rt.synth.render import camera_rays, render
from horizon_rt.synth.sensor import random_sensor
from horizon_rt.system.paths import data_root

Image = NDArray[np.uint8]
DATASETS = ("scenes", "sea")
BY_MODEL = "samadhan26"  # whose lines were proposed by a model of this program, and whose rest it got wrong
TILTS = ((0.5, 4.0), (4.0, 15.0))  # of each photograph, beside a level one
MOST_LABEL_DEG = 12.0  # that is turned back at most
RENDERED, SIZE, SEED = 150, (1280, 960), 9300
SDS, SPREADS = (0.3, 0.5, 1.0, 2.0), (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, math.inf)
WIDE = {"most_sd": 5.0, "most_spread": 90.0}  # which leaves the choice open
NEAR_DEG, WORSE_DEG = 0.3, 0.2


class Case(NamedTuple):
    """A picture in BGR and its true tilt in degrees, None where it shows no horizon."""

    name: str
    image: Image
    tilt_deg: float | None


class Outcome(NamedTuple):
    """What was said of a case; what nobody said is None."""

    name: str
    tilt_deg: float | None
    said_deg: float | None
    sd_deg: float | None
    spread_deg: float | None
    status: str
    reason: str

    @property
    def error_deg(self) -> float | None:
        """None where there is no tilt, true or said."""
        if self.tilt_deg is None or self.said_deg is None:
            return None
        return abs(self.said_deg - self.tilt_deg)


def photographs(*, held_out: bool) -> Iterator[LabelledImage]:
    for dataset in DATASETS:
        for labelled in read_horizons(data_root() / dataset):
            name = labelled.path.name
            is_wanted = held_out or not name.startswith(BY_MODEL)
            if is_wanted and is_held_out(SPLIT, dataset, name) == held_out:
                yield labelled


def cases(*, held_out: bool) -> Iterator[Case]:
    """Each photograph with a horizon level and tilted twice, and each without one as it is."""
    for labelled in photographs(held_out=held_out):
        image = cv2.imread(str(labelled.path), cv2.IMREAD_COLOR)
        if labelled.ends is None:
            yield Case(labelled.path.name, image, None)
            continue
        x1, y1, x2, y2 = labelled.ends
        label = math.degrees(math.atan2(y2 - y1, x2 - x1))
        if abs(label) > MOST_LABEL_DEG:
            continue
        rng = np.random.default_rng(zlib.crc32(labelled.path.name.encode()))
        for tilt in (0.0, *(rng.uniform(*bounds) * rng.choice([-1, 1]) for bounds in TILTS)):
            height, width = image.shape[:2]
            yield Case(labelled.path.name, Crop(width, height, label - tilt).of(image), float(tilt))


def rendered() -> Iterator[Case]:
    """Scenes as they come, half of them with things in front, as a camera sees them."""
    for number in range(RENDERED):
        rng = np.random.default_rng((SEED, number))
        camera = Camera.from_hfov(*SIZE, rng.uniform(45, 85))
        tilt = 0.0 if number % 3 == 0 else float(rng.uniform(*TILTS[number % 3 - 1]) * rng.choice([-1, 1]))
        up = UpVector.from_roll_pitch(-tilt, rng.normal(0, camera.hfov_deg / 12))
        picture = render(random_scene(rng), camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
        picture = random_occluders(picture, rng) if number % 2 else picture
        rgb = random_sensor(picture, rng, thermal=False)
        yield Case(f"rendered {number}", np.ascontiguousarray(rgb[..., ::-1]), tilt)


def outcomes(every: Iterator[Case], options: StraightenOptions) -> list[Outcome]:
    """Straighten the cases as files, a few at a time."""
    found, batch = [], []
    for case in every:
        batch.append(case)
        if len(batch) == 60:
            found += _straightened(batch, options)
            batch = []
    return found + (_straightened(batch, options) if batch else [])


def _straightened(batch: list[Case], options: StraightenOptions) -> list[Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number:03d}.jpg" for number in range(len(batch))]
        for case, path in zip(batch, paths, strict=True):
            cv2.imwrite(str(path), case.image, [cv2.IMWRITE_JPEG_QUALITY, 95])
        results = straighten_photos(find_photos(paths, Path(folder) / "out", xmp=False), options)
        return [_outcome(case, result) for case, result in zip(batch, results, strict=True)]


def _outcome(case: Case, result: Straightened) -> Outcome:
    said = result.tilt_deg, result.sd_deg, result.spread_deg
    return Outcome(case.name, case.tilt_deg, *said, result.status, result.reason)


def turned_within(rows: list[Outcome], most_sd: float, most_spread: float) -> dict[str, Any]:
    """What is turned of what was turned with wide bounds, with these."""
    turned = [
        row
        for row in rows
        if row.status == "turned" and (row.sd_deg or 0) < most_sd and (row.spread_deg or 0) < most_spread
    ]
    errors = [row.error_deg for row in turned if row.error_deg is not None]
    return {
        "most_sd": most_sd,
        "most_spread": None if math.isinf(most_spread) else most_spread,
        "turned": len(errors),
        "beyond": sum(error > NEAR_DEG for error in errors),
        "false": sum(row.tilt_deg is None for row in turned),
        "largest_deg": max(errors, default=0.0),
    }


def grid(rows: list[Outcome]) -> dict[str, Any]:
    tilted = sum(row.tilt_deg is not None and row.tilt_deg != 0 for row in rows)
    bounds = [(sd, spread) for sd in SDS for spread in SPREADS]
    return {
        "tilted": tilted,
        "without_horizon": sum(row.tilt_deg is None for row in rows),
        "bounds": [turned_within(rows, sd, spread) for sd, spread in bounds],
    }


def judged(rows: list[Outcome]) -> dict[str, Any]:
    with_horizon = [row for row in rows if row.tilt_deg is not None]
    tilted = [row for row in with_horizon if row.tilt_deg != 0]
    level = [row for row in with_horizon if row.tilt_deg == 0]
    turned = [row for row in with_horizon if row.status == "turned"]
    errors = [row.error_deg for row in turned if row.error_deg is not None]
    none = [row for row in rows if row.tilt_deg is None]
    return {
        "photographs": len(level),
        "tilted": groups(tilted),
        "level": groups(level),
        "without_horizon": groups(none),
        "error_deg": [float(np.percentile(errors, q)) for q in (50, 95, 100)] if errors else None,
        "within": sum(error <= NEAR_DEG for error in errors),
        "turned": len(errors),
        "level_made_worse": sum(row.status == "turned" and (row.error_deg or 0) > WORSE_DEG for row in level),
        "photographs_turned": len({row.name for row in tilted if row.status == "turned"}),
        "beyond": [
            dict(zip(Outcome._fields, row, strict=True)) | {"error_deg": row.error_deg}
            for row in turned
            if (row.error_deg or 0) > NEAR_DEG
        ],
    }


def groups(rows: list[Outcome]) -> dict[str, int]:
    """How many were turned, and why the others were not."""
    kinds = ["turned" if row.status == "turned" else row.reason.split(" (")[0] for row in rows]
    return {"all": len(rows)} | {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    card = find_model(name=given.model)
    options = StraightenOptions(engine=Engine(model=given.model))
    wide = replace(options, **WIDE)
    choose = {}
    for name, every in (("photographs", cases(held_out=False)), ("rendered", rendered())):
        choose[name] = grid(outcomes(every, wide))
        print(name, json.dumps(choose[name]), flush=True)
    result = {
        "machine": describe(),
        "model": {"name": card.name, "sha256": card.sha256},
        "options": {
            name: getattr(options, name) for name in ("most_sd", "most_spread", "least_turn", "most_turn")
        },
        "choose": choose,
        "judge": judged(outcomes(cases(held_out=True), options)),
    }
    print(json.dumps(result["judge"]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
