"""Find the scale and floor of sigma: `python benchmarks/calibrate_sigma.py`.

To be run after installing the weights with scale 1 and floor 0.001. Formal sigmas and errors are
collected on rendered frames of new seeds, with camera effects; the photographs, the thermal frames and the
panorama clips are left for the test.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Pinhole
from horizon_rt.frame import Frame
from horizon_rt.geometry import UpVector, wrap_degrees
from horizon_rt.horizon import Measurement
from horizon_rt.synth.clip import to_frame
from horizon_rt.synth.occluders import random_occluders
from horizon_rt.synth.render import camera_rays, render
from horizon_rt.synth.scene import random_scene
from horizon_rt.synth.sensor import random_sensor
from horizon_rt.tracker import HorizonTracker

Array = NDArray[np.float64]


def errors(tracker: HorizonTracker, frame: Frame, camera: Pinhole, truth: UpVector) -> list[float] | None:
    """Errors of roll and pitch and their formal sigmas, in degrees."""
    tracker.camera = camera
    found: Measurement | None = tracker.update(frame).observation.measurement
    if found is None:
        return None
    roll = wrap_degrees(found.up.roll_deg - truth.roll_deg)
    return [abs(roll), abs(found.up.pitch_deg - truth.pitch_deg), *found.sd_deg]


def collect(count: int) -> Array:
    """One row of `errors` a frame."""
    tracker, rng = HorizonTracker(smooth="none"), np.random.default_rng(987)
    rows = []
    for _ in range(count):
        camera = Pinhole.from_hfov(640, 360, rng.uniform(40, 90))
        up = UpVector.from_roll_pitch(rng.normal(0, 12), rng.normal(0, camera.hfov_deg / 10))
        picture = render(random_scene(rng), camera_rays(camera), up, heading_deg=rng.uniform(0, 360))
        rgb = random_sensor(random_occluders(picture, rng), rng)
        rows.append(errors(tracker, to_frame(rgb), camera, up))
    return np.array([row for row in rows if row is not None])


def coverage(rows: Array, scale: float, floor: float) -> tuple[float, float]:
    """Share of roll and pitch errors within one and two sigma."""
    z = rows[:, :2] / np.sqrt((scale * rows[:, 2:]) ** 2 + floor**2)
    return float((z <= 1).mean()), float((z <= 2).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    rows = collect(parser.parse_args().count)
    medians = np.median(rows, axis=0)
    print(f"{len(rows)} frames, medians of errors and formal sigmas: {medians}")

    def misfit(setting: tuple[float, float]) -> float:
        one, two = coverage(rows, *setting)
        return abs(one - 0.683) + 2 * abs(two - 0.954)

    grid = itertools.product(np.geomspace(1, 30, 40), np.geomspace(0.02, 0.6, 30))
    for scale, floor in sorted(grid, key=misfit)[:5]:
        one, two = coverage(rows, scale, floor)
        print(f"scale {scale:.2f} floor {floor:.3f}: within 1 sigma {one:.3f}, 2 sigma {two:.3f}")


if __name__ == "__main__":
    main()
