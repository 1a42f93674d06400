"""Lenses from rendered boards: `python benchmarks/calibration.py [--json FILE] [--rounds N] [--views N]`.

Ten known lenses and six fisheyes, three kinds of boards, with noise and blur; the model is found, too. Of
each parameter: how often it lies within three reported sigmas of the truth; and the focal length's error.
`--fisheyes` runs those alone, and leaves what the file has of the others.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.boards import pictures
from support.camera import brown

from horizon_rt.camera import Camera, KannalaBrandt, coefficients_of
from horizon_rt.camera.board import ChessBoard
from horizon_rt.camera.calibration import calibrate_lens
from horizon_rt.camera.circle_board import CircleBoard
from horizon_rt.camera.marker_board import MarkerBoard
from horizon_rt.errors import CalibrationError, HorizonError

WIDTH, HEIGHT = 800, 600
LENSES = [  # focal length over the width, principal point, fy/fx, k1, k2, p1, p2, k3
    (1.60, (4, -3), 1.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (1.05, (-9, 6), 1.0, -0.08, 0.02, 0.0, 0.0, 0.0),
    (0.85, (12, 8), 1.002, -0.12, 0.05, 5e-4, -3e-4, 0.0),
    (0.75, (-6, -11), 0.998, -0.2, 0.06, -8e-4, 4e-4, 0.0),
    (0.70, (15, 3), 1.0, -0.25, 0.1, 2e-4, 6e-4, -0.01),
    (0.62, (3, 14), 1.0, -0.28, 0.12, 0.0, 0.0, -0.02),
    (0.58, (-10, 5), 1.001, -0.3, 0.14, 3e-4, 3e-4, -0.025),
    (0.75, (7, -7), 1.0, 0.08, -0.05, -4e-4, 0.0, 0.0),
    (0.95, (-14, -4), 0.997, 0.15, -0.2, 0.0, 7e-4, 0.0),
    (0.55, (2, -9), 1.0, -0.25, 0.1, -3e-4, -5e-4, -0.014),
]
FISHEYES = [  # field of view over the width, principal point, fy/fx, k1, k2, k3, k4
    (122, (5, -8), 1.0, 0.03, -0.012, 0.004, 0.0),
    (140, (-7, 3), 1.001, -0.01, -0.004, 0.0, 0.0),
    (150, (4, -5), 0.999, -0.02, 0.004, 0.0, 0.0),
    (165, (11, 6), 1.0, 0.06, -0.03, 0.012, -0.002),
    (180, (-3, -9), 1.0, 0.0, 0.0, 0.0, 0.0),
    (190, (8, 2), 1.0, 0.01, -0.006, 0.001, 0.0),
]
BOARDS = {
    "chessboard": ChessBoard(columns=9, rows=6, square_mm=25),
    "charuco": MarkerBoard(columns=9, rows=6, square_mm=25),
    "circles": CircleBoard(columns=4, rows=11, square_mm=20),
}
LOOKS = ((0.6, 2.0), (1.0, 4.0), (1.5, 3.0))  # blur in px and noise in grey levels
NAMES = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4")


def lens(number: int) -> Camera:
    share, (dx, dy), aspect, k1, k2, p1, p2, k3 = LENSES[number]
    fx = share * WIDTH
    own = {"fx": fx, "fy": fx * aspect, "cx": (WIDTH - 1) / 2 + dx, "cy": (HEIGHT - 1) / 2 + dy}
    return brown(width=WIDTH, height=HEIGHT, **own, k1=k1, k2=k2, p1=p1, p2=p2, k3=k3)


def fisheye(number: int) -> Camera:
    fov, (dx, dy), aspect, *terms = FISHEYES[number]
    fx = WIDTH / np.radians(fov)
    own = {"fx": fx, "fy": fx * aspect, "cx": (WIDTH - 1) / 2 + dx, "cy": (HEIGHT - 1) / 2 + dy}
    distortion = KannalaBrandt(**dict(zip(("k1", "k2", "k3", "k4"), terms, strict=True)))
    return Camera(width=WIDTH, height=HEIGHT, **own, distortion=distortion)


def values(camera: Camera) -> dict[str, float]:
    own = {name: getattr(camera, name) for name in NAMES[:4]}
    return own | dict(coefficients_of(camera.distortion))


def one(truth: Camera, board: Any, look: tuple[float, float], seed: int, views: int) -> dict[str, Any]:
    frames = pictures(truth, board, count=views, seed=seed, blur=look[0], noise=look[1])
    found = calibrate_lens(frames, board=board)
    name = found.profile.model.distortion.name
    if name != truth.distortion.name:
        raise CalibrationError(f"taken for {name}")
    true, model = values(truth), values(found.profile.model)
    z = {name: abs(model[name] - true[name]) / sd for name, sd in found.sd.items()}
    return {
        "z": z,
        "focal": abs(model["fx"] / true["fx"] - 1),
        "rms_px": found.rms_px,
        "views": len(found.views),
        "found": found.found,
        "missing": list(found.missing),
    }


def run(board: Any, lenses: list[Camera], rounds: int, views: int) -> dict[str, Any]:
    rows, refused = [], []
    for number, truth in enumerate(lenses):
        for k in range(rounds):
            look = LOOKS[k % len(LOOKS)]
            try:
                rows.append(one(truth, board, look, 100 * number + k, views))
            except HorizonError as error:
                refused.append(f"lens {number}: {error}")
    within = {name: [row["z"][name] <= 3 for row in rows if name in row["z"]] for name in NAMES}
    pinhole = [flag for name in NAMES[:4] for flag in within[name]]
    every = [flag for flags in within.values() for flag in flags]
    return {
        "cases": len(rows),
        "refused": refused,
        "intrinsics_within_3_sigma": round(float(np.mean(pinhole)), 4),
        "parameters_within_3_sigma": round(float(np.mean(every)), 4),
        "within_3_sigma": {name: round(float(np.mean(flags)), 4) for name, flags in within.items() if flags},
        "focal_error_percent": {
            "median": round(100 * float(np.median([row["focal"] for row in rows])), 4),
            "largest": round(100 * max(row["focal"] for row in rows), 4),
        },
        "rms_px": round(float(np.median([row["rms_px"] for row in rows])), 4),
        "boards_found": round(float(np.mean([row["found"] / views for row in rows])), 3),
    }


def tried(boards: dict[str, Any], lenses: list[Camera], options: argparse.Namespace) -> dict[str, Any]:
    return {name: run(board, lenses, options.rounds, options.views) for name, board in boards.items()}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--views", type=int, default=20)
    parser.add_argument("--board", choices=BOARDS)
    parser.add_argument("--fisheyes", action="store_true")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    start = time.perf_counter()
    chosen = {name: board for name, board in BOARDS.items() if options.board in (None, name)}
    before = json.loads(options.json.read_text()) if options.fisheyes and options.json else {}
    results = {} if options.fisheyes else tried(chosen, [*map(lens, range(len(LENSES)))], options)
    fisheyes = before.get("fisheyes", {}) | tried(chosen, [*map(fisheye, range(len(FISHEYES)))], options)
    text = json.dumps({"opencv": cv2.__version__, **before, **results, "fisheyes": fisheyes}, indent=1)
    print(text, f"\n{time.perf_counter() - start:.0f} s", file=sys.stderr)
    if options.json:
        options.json.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
