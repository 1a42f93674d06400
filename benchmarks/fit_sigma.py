"""The sigma of refined planes: `python benchmarks/fit_sigma.py [--model NAME] [--count N]`.

Tries what a refined plane's sigma is made of (`_TRUST` and `_FLOOR_PX` of `fitting/refine.py`) and prints
what makes the true values of roll and pitch most likely while ±2 sigma holds 95 % of them. Rendered frames of
new seeds and the frames that were trained on; what is set aside stays for the test.
"""

from __future__ import annotations

import argparse
import itertools
from collections import defaultdict

import numpy as np
from fit_evidence import real, rendered
from numpy.typing import NDArray

from horizon_rt.fitting import refine
from horizon_rt.frame import Frame
from horizon_rt.geometry import UpVector, wrap_degrees
from horizon_rt.horizon import Measurement
from horizon_rt.tracker import HorizonTracker

Array = NDArray[np.float64]
TRUSTS, FLOORS_PX = (0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8), (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
WEIGHTS = {"rendered": 2.0, "flight": 1.0, "thermal-sea": 1.0, "scenes": 0.3, "sea": 0.1}


def variances(measured: Measurement) -> list[float]:
    """Of roll and pitch, in deg²."""
    return [sd * sd for sd in measured.sd_deg]


def parts(coarse: Measurement, tracker: HorizonTracker, frame: Frame, truth: UpVector) -> Array | None:
    """Squared errors of roll and pitch, the variance without the factors, and what 1 of each adds; (2, 4)."""
    assert tracker.camera is not None
    refiner = refine.HorizonRefiner(tracker.camera)
    found = []
    for refine._TRUST, refine._FLOOR_PX in ((0, 0), (1, 0), (0, 1)):
        fine = refiner.refine(frame.luma, coarse, bit_depth=frame.sampling.bit_depth)
        if fine is coarse:
            return None
        found.append(variances(fine))
    errors = wrap_degrees(fine.up.roll_deg - truth.roll_deg), fine.up.pitch_deg - truth.pitch_deg
    least, *added = np.array(found)
    return np.stack([np.square(errors), least, *(part - least for part in added)], axis=1)


def collect(tracker: HorizonTracker, count: int) -> dict[str, Array]:
    """The `parts` of all frames that are refined, (n, 2, 4), by set."""
    rows = defaultdict(list)
    for name, frame, camera, truth in itertools.chain(rendered(count), real()):
        tracker.camera = camera
        coarse = tracker.update(frame).observation.measurement
        row = None if coarse is None else parts(coarse, tracker, frame, truth)
        if row is not None:
            rows[name].append(row)
    return {name: np.array(part) for name, part in rows.items()}


def coverage(rows: Array, factors: tuple[float, float]) -> Array:
    """Shares within ±1 and ±2 sigma, of roll and pitch; (2, 2)."""
    z2 = rows[:, :, 0] / (rows[:, :, 1] + rows[:, :, 2:] @ np.square(factors))
    return np.stack([(z2 <= 1).mean(axis=0), (z2 <= 4).mean(axis=0)])


def misfit(sets: dict[str, Array], factors: tuple[float, float]) -> float:
    """Minus the mean log likelihood (Student's t), which asks for the order, too, and what coverage lacks."""
    total = 0.0
    for name, rows in sets.items():
        variance = rows[:, :, 1] + rows[:, :, 2:] @ np.square(factors)
        surprise = 0.5 * np.log(variance) + 2.5 * np.log1p(rows[:, :, 0] / (4 * variance))
        lacking = np.abs(coverage(rows, factors)[1] - 0.95).sum()
        total += WEIGHTS[name] * (surprise.mean() + 4 * lacking)
    return float(total / sum(WEIGHTS.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--count", type=int, default=600, help="rendered frames")
    options = parser.parse_args()
    sets = collect(HorizonTracker(model=options.model, smooth="none", refine=False), options.count)
    grid = sorted(itertools.product(TRUSTS, FLOORS_PX), key=lambda factors: misfit(sets, factors))
    for factors in grid[:10]:
        print(f"trust, floor {factors}: misfit {misfit(sets, factors):.3f}")
    for name, rows in sets.items():
        one, two = 100 * coverage(rows, grid[0])
        print(f"{name}, {len(rows)} frames: within 1 sigma {one.round(1)} %, within 2 {two.round(1)} %")


if __name__ == "__main__":
    main()
