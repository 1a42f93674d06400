"""The sigma of refined planes: `python benchmarks/fit_sigma.py [--model NAME] [--count N]`.

Tries what a refined plane's sigma is made of (`mask_share`, `tilt_share` and `floor_px` of
`fitting.Uncertainty`), and how much less certain a plane is that no edge supports (`unsupported_factor`). It
prints what makes the true values of roll and pitch most likely while ±2 sigma holds 95 % of them, and what
that would hold of each kind of scene if it were left out. It uses rendered frames of new seeds and the frames
of the training set; the held-out frames stay for the test.
"""

from __future__ import annotations

import argparse
import itertools
from collections import defaultdict
from collections.abc import Iterator
from functools import partial

import numpy as np
from accuracy import SPLIT
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.fitting import HorizonRefiner, Uncertainty
from horizon_rt.frame import Frame
from horizon_rt.geometry import UpVector, wrap_degrees
from horizon_rt.horizon import Measurement
from horizon_rt.synth.clip import to_frame
from horizon_rt.synth.stills import StillOptions, Stills
from horizon_rt.system.paths import data_root
from horizon_rt.tracker import HorizonTracker
from horizon_rt.training.calibration import misfit
from horizon_rt.training.samples.pictures import load, open_pictures, thinned

Array = NDArray[np.float64]
SIZES = ((640, 360), (1280, 720), (480, 480))
REAL = {"flight": 150, "thermal-sea": 150, "scenes": 100, "sea": 100}
FACTORS = np.arange(1, 3.01, 0.1)
SHARES, TILTS, FLOORS_PX = (
    (0.2, 0.3, 0.4, 0.5, 0.6, 0.8),
    (0, 0.1, 0.2, 0.3, 0.4, 0.5),
    (0.05, 0.1, 0.15, 0.3),
)
Factors = tuple[float, float, float]
WEIGHTS = {"rendered": 2.0, "flight": 1.0, "thermal-sea": 1.0, "scenes": 0.3, "sea": 0.1}


def rendered(count: int) -> Iterator[tuple[str, Frame, Camera, UpVector]]:
    for number, size in enumerate(SIZES):
        stills = Stills(StillOptions(size=size, seed=4100 + number), count // len(SIZES))
        for still in (stills[i] for i in range(len(stills))):
            yield "rendered", to_frame(still.image), still.camera, still.up


def real() -> Iterator[tuple[str, Frame, Camera, UpVector]]:
    root = data_root()
    for name, most in REAL.items() if root is not None else ():
        for picture in thinned(open_pictures(root / name, SPLIT).training, most):
            image, line, *_ = load(picture)
            if line is not None:
                camera = Camera.from_hfov(image.shape[1], image.shape[0], 70)
                yield name, Frame.from_bgr(image), camera, line.up_vector(camera.focal_px)


def variances(measured: Measurement) -> list[float]:
    """Of roll and pitch, in deg²."""
    return [sd * sd for sd in measured.sd_deg]


def squared_errors(measured: Measurement, truth: UpVector) -> Array:
    """Of roll and pitch, in deg²."""
    up = measured.up
    return np.square([wrap_degrees(up.roll_deg - truth.roll_deg), up.pitch_deg - truth.pitch_deg])


def parts(coarse: Measurement, tracker: HorizonTracker, frame: Frame, truth: UpVector) -> Array:
    """Squared errors of roll and pitch, the variance without the factors, and what 1 of each adds; (2, 5).

    Of a plane that is not refined the errors and the mask's variance, (2, 2).
    """
    assert tracker.camera is not None
    found = []
    for share, tilt, floor_px in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)):
        uncertainty = Uncertainty(mask_share=share, tilt_share=tilt, floor_px=floor_px)
        refiner = HorizonRefiner(tracker.camera, uncertainty=uncertainty)
        fine = refiner.refine(frame.luma, coarse, bit_depth=frame.sampling.bit_depth)
        if fine.up is coarse.up:
            return np.stack([squared_errors(coarse, truth), variances(coarse)], axis=1)
        found.append(variances(fine))
    least, *added = np.array(found)
    return np.stack([squared_errors(fine, truth), least, *(part - least for part in added)], axis=1)


def collect(tracker: HorizonTracker, count: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """The `parts` of the frames that are refined, (n, 2, 5), by set, and of those left, (n, 2, 2)."""
    rows: tuple[dict[str, list[Array]], dict[str, list[Array]]] = defaultdict(list), defaultdict(list)
    for name, frame, camera, truth in itertools.chain(rendered(count), real()):
        tracker.camera = camera
        coarse = tracker.update(frame).observation.measurement
        if coarse is not None:
            row = parts(coarse, tracker, frame, truth)
            rows[row.shape[1] == 2][name].append(row)
    refined, left = ({name: np.array(part) for name, part in kind.items()} for kind in rows)
    return refined, left


def coverage(squares: Array, variance: Array) -> Array:
    """Shares within ±1 and ±2 sigma, of roll and pitch; (2, 2)."""
    z2 = squares / variance
    return np.stack([(z2 <= 1).mean(axis=0), (z2 <= 4).mean(axis=0)])


def refined(rows: Array, factors: Factors) -> Array:
    """Variances of roll and pitch of refined planes, (n, 2)."""
    return np.asarray(rows[:, :, 1] + rows[:, :, 2:] @ np.square(factors))


def misfit_of(sets: dict[str, tuple[Array, Array]]) -> float:
    """The misfit of squared errors and variances by set."""
    total = sum(WEIGHTS[name] * misfit(squares, variance) for name, (squares, variance) in sets.items())
    return float(total / sum(WEIGHTS[name] for name in sets))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--count", type=int, default=600, help="rendered frames")
    options = parser.parse_args()
    tracker = HorizonTracker(model=options.model, backend="torchscript", smooth="none", refine=False)
    sets, left = collect(tracker, options.count)

    def of_factors(factors: Factors, without: str = "") -> float:
        kept = {name: rows for name, rows in sets.items() if name != without}
        return misfit_of({name: (rows[:, :, 0], refined(rows, factors)) for name, rows in kept.items()})

    def of_unsupported(factor: float) -> float:
        return misfit_of({name: (rows[:, :, 0], factor**2 * rows[:, :, 1]) for name, rows in left.items()})

    grid = sorted(itertools.product(SHARES, TILTS, FLOORS_PX), key=of_factors)
    for factors in grid[:10]:
        print(f"mask share, tilt share, floor {factors}: misfit {of_factors(factors):.3f}")
    for name, rows in sets.items():
        factors = min(grid, key=partial(of_factors, without=name))
        report(f"{name} left out, {factors}", rows[:, :, 0], refined(rows, factors))
    best = min(FACTORS, key=of_unsupported)
    print(f"unsupported {best:.1f}: misfit {of_unsupported(best):.3f}")
    for name, rows in sets.items():
        report(f"{name}, refined", rows[:, :, 0], refined(rows, grid[0]))
    for name, rows in left.items():
        report(f"{name}, left", rows[:, :, 0], best**2 * rows[:, :, 1])


def report(name: str, squares: Array, variance: Array) -> None:
    one, two = 100 * coverage(squares, variance)
    print(f"{name}, {len(squares)} frames: within 1 sigma {one.round(1)} %, within 2 {two.round(1)} %")


if __name__ == "__main__":
    main()
