"""The sigma of refined planes: `python benchmarks/fit_sigma.py [--model NAME] [--count N]`.

Tries what a refined plane's sigma is made of (`_TRUST` and `_FLOOR_PX` of `fitting/refine.py`), and how much
less sure a plane is that no edge bears out (`_UNSEEN`), and prints what makes the true values of roll and
pitch most likely while ±2 sigma holds 95 % of them. Rendered frames of
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
UNSEEN = np.arange(1, 3.01, 0.1)
TRUSTS, FLOORS_PX = (0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8), (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
WEIGHTS = {"rendered": 2.0, "flight": 1.0, "thermal-sea": 1.0, "scenes": 0.3, "sea": 0.1}


def variances(measured: Measurement) -> list[float]:
    """Of roll and pitch, in deg²."""
    return [sd * sd for sd in measured.sd_deg]


def squared_errors(measured: Measurement, truth: UpVector) -> Array:
    """Of roll and pitch, in deg²."""
    up = measured.up
    return np.square([wrap_degrees(up.roll_deg - truth.roll_deg), up.pitch_deg - truth.pitch_deg])


def parts(coarse: Measurement, tracker: HorizonTracker, frame: Frame, truth: UpVector) -> Array:
    """Squared errors of roll and pitch, the variance without the factors, and what 1 of each adds; (2, 4).

    Of a plane that is not refined the errors and the mask's variance, (2, 2).
    """
    assert tracker.camera is not None
    refiner = refine.HorizonRefiner(tracker.camera)
    found = []
    for refine._TRUST, refine._FLOOR_PX in ((0, 0), (1, 0), (0, 1)):
        fine = refiner.refine(frame.luma, coarse, bit_depth=frame.sampling.bit_depth)
        if fine.up is coarse.up:
            return np.stack([squared_errors(coarse, truth), variances(coarse)], axis=1)
        found.append(variances(fine))
    least, *added = np.array(found)
    return np.stack([squared_errors(fine, truth), least, *(part - least for part in added)], axis=1)


def collect(tracker: HorizonTracker, count: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """The `parts` of the frames that are refined, (n, 2, 4), by set, and of those left, (n, 2, 2)."""
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


def refined(rows: Array, factors: tuple[float, float]) -> Array:
    """Variances of roll and pitch of refined planes, (n, 2)."""
    return np.asarray(rows[:, :, 1] + rows[:, :, 2:] @ np.square(factors))


def misfit(sets: dict[str, tuple[Array, Array]]) -> float:
    """Minus the mean log likelihood (Student's t), which asks for the order, too, and what coverage lacks; of
    squared errors and variances by set.
    """
    total = 0.0
    for name, (squares, variance) in sets.items():
        surprise = 0.5 * np.log(variance) + 2.5 * np.log1p(squares / (4 * variance))
        lacking = np.abs(coverage(squares, variance)[1] - 0.95).sum()
        total += WEIGHTS[name] * (surprise.mean() + 4 * lacking)
    return float(total / sum(WEIGHTS.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--count", type=int, default=600, help="rendered frames")
    options = parser.parse_args()
    tracker = HorizonTracker(model=options.model, backend="torchscript", smooth="none", refine=False)
    sets, left = collect(tracker, options.count)

    def of_factors(factors: tuple[float, float]) -> float:
        return misfit({name: (rows[:, :, 0], refined(rows, factors)) for name, rows in sets.items()})

    def of_unseen(factor: float) -> float:
        return misfit({name: (rows[:, :, 0], factor**2 * rows[:, :, 1]) for name, rows in left.items()})

    grid = sorted(itertools.product(TRUSTS, FLOORS_PX), key=of_factors)
    for factors in grid[:10]:
        print(f"trust, floor {factors}: misfit {of_factors(factors):.3f}")
    best = min(UNSEEN, key=of_unseen)
    print(f"unseen {best:.1f}: misfit {of_unseen(best):.3f}")
    for name, rows in sets.items():
        report(f"{name}, refined", rows[:, :, 0], refined(rows, grid[0]))
    for name, rows in left.items():
        report(f"{name}, left", rows[:, :, 0], best**2 * rows[:, :, 1])


def report(name: str, squares: Array, variance: Array) -> None:
    one, two = 100 * coverage(squares, variance)
    print(f"{name}, {len(squares)} frames: within 1 sigma {one.round(1)} %, within 2 {two.round(1)} %")


if __name__ == "__main__":
    main()
