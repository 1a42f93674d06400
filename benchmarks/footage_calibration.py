"""Lenses from footage alone: `python benchmarks/footage_calibration.py [--json FILE]`; half an hour.

Flights are rendered through lenses that differ in field of view and distortion, and calibrated as by
`horizon-rt calibrate --from-horizon`, which is told nothing of them. A camera at rest must be refused. The
file is written after each flight, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import horizon_rt as hz
from horizon_rt.bench.machine import describe
from horizon_rt.camera.brown import BrownConrady
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.camera.profile_files import save_profile
from horizon_rt.errors import CalibrationError
from horizon_rt.pipeline.lens_finder import find_lens

SCENES = ("sea", "coast", "fields", "snow", "town", "mountains", "desert", "panorama")
PANORAMAS = 7
SIZE, FPS, SECONDS = (640, 360), 12.5, 24
K1 = (0.0, 0.0, -0.08, 0.04)
STILL = ("fields?motion=rest", "sea?motion=rest", "coast?motion=rest")
Row = dict[str, Any]


def flight(number: int) -> tuple[str, hz.Camera]:
    """A source without its lens, and that lens: 50 to 120°, of which those up to 90° may bend lines."""
    rng = np.random.default_rng(7000 + number)
    hfov = 50 + 70 * ((number * 0.618034) % 1)
    k1 = K1[number % len(K1)] if hfov <= 90 else 0.0
    lens = hz.Camera.from_hfov(*SIZE, hfov)
    if k1:
        own = {"fx": lens.fx, "fy": lens.fy, "cx": lens.cx, "cy": lens.cy}
        lens = hz.Camera(width=SIZE[0], height=SIZE[1], **own, distortion=BrownConrady(k1=k1))
    scene = SCENES[number % len(SCENES)]
    if scene == "panorama":
        scene += f"/{open_panoramas()[int(rng.integers(PANORAMAS))]}"
    motion = "aerobatics" if number % 5 == 4 else "flight"
    query = f"motion={motion}&seed={100 + number}&size={SIZE[0]}x{SIZE[1]}&fps={FPS}&seconds={SECONDS}"
    return f"synth:{scene}?{query}", lens


def open_panoramas() -> list[str]:
    """Levelled ones that show their horizon, the largest first."""
    from horizon_rt.synth.panorama import load_panoramas
    from horizon_rt.system.paths import data_root

    root = data_root()
    assert root is not None, "set HORIZON_RT_DATA"
    found = [one for one in load_panoramas(root / "panorama") if one.is_open and one.is_level]
    return [one.name for one in sorted(found, key=lambda one: (-one.image.size, one.name))]


def one(source: str, lens: hz.Camera | None) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        if lens is not None:
            path = Path(folder) / "lens.toml"
            save_profile(CameraProfile(name="lens", model=lens), path)
            source += f"&lens={path}"
        try:
            with hz.open_source(source) as frames:
                found = find_lens(frames)
        except CalibrationError as error:
            return {"refused": str(error)}
    model = found.profile.model
    row = {"hfov_deg": model.hfov_deg, "hfov_sd_deg": found.hfov_sd_deg, "focal_sd": model.focal_sd}
    row |= {"k1": found.k1, "k1_sd": found.k1_sd, "turns": found.turns, "points": found.points}
    if lens is not None:
        truth = {"true_hfov_deg": lens.hfov_deg, "true_k1": getattr(lens.distortion, "k1", 0.0)}
        row |= truth | {"z": (model.hfov_deg - lens.hfov_deg) / found.hfov_sd_deg}
        row |= {"error_percent": 100 * (model.hfov_deg / lens.hfov_deg - 1)}
        row |= {"focal_error_percent": 100 * (model.focal_px / lens.focal_px - 1)}
        row |= {"k1_z": (found.k1 - truth["true_k1"]) / found.k1_sd}
    return {name: round(value, 5) for name, value in row.items()}


def summary(rows: dict[str, Row]) -> Row:
    told = [row for row in rows.values() if "z" in row]
    errors = np.abs([row["error_percent"] for row in told])
    z, k1_z = (np.abs([row[name] for row in told]) for name in ("z", "k1_z"))
    quantiles = {"median": 0.5, "95": 0.95, "largest": 1.0}
    sd = np.median([100 * row["hfov_sd_deg"] / row["hfov_deg"] for row in told])
    return {
        "flights": sum(key.startswith("flight") for key in rows),
        "told": len(told),
        "within_3_percent": int((errors <= 3).sum()),
        "error_percent": {name: round(float(np.quantile(errors, q)), 3) for name, q in quantiles.items()},
        "sd_percent": round(float(sd), 3),
        "within_1_sigma": round(float((z <= 1).mean()), 3),
        "within_2_sigma": round(float((z <= 2).mean()), 3),
        "k1_within_2_sigma": round(float((k1_z <= 2).mean()), 3),
        "still_refused": sum("refused" in row for key, row in rows.items() if key.startswith("still")),
        "still": sum(key.startswith("still") for key in rows),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/footage-calibration.json"))
    parser.add_argument("--flights", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    rows: dict[str, Row] = json.loads(options.json.read_text())["rows"] if options.json.exists() else {}
    jobs = [(f"flight {n}", *flight(n)) for n in range(options.first, options.first + options.flights)]
    jobs += [(f"still {n}", f"synth:{one}&seed={n}&fps={FPS}&seconds=8", None) for n, one in enumerate(STILL)]
    for key, source, lens in jobs:
        if key not in rows:
            rows[key] = {"source": source, **one(source, lens)}
            print(key, rows[key], flush=True)
            told = any("z" in row for row in rows.values())
            text = {"machine": describe(), "summary": summary(rows) if told else {}, "rows": rows}
            options.json.write_text(json.dumps(text, indent=1) + "\n")
    print(json.dumps(summary(rows), indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
