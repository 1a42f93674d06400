"""Dip and range: `python benchmarks/sea.py [--json benchmarks/results/sea.json]`; a minute.

Ranges are compared with a ray that is cast to a sphere in 80-bit floats, their sigmas with many attitudes. Of
a plane through the camera, in place of the cone, it is computed from which height on its pitch is off by more
than a tenth of a sigma: as it is, and less the dip. Rendered seas are tracked with their height and without.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

import horizon_rt as hz
from horizon_rt.bench.machine import describe
from horizon_rt.geometry import UpVector
from horizon_rt.geometry.earth import EARTH_RADIUS_M, REFRACTION, dip, horizon_distance, sea_range
from horizon_rt.horizon import Attitude, Horizon, Observation

RADIUS_M = EARTH_RADIUS_M / (1 - REFRACTION)
HEIGHTS_M = (2, 5, 10, 20, 50, 100, 200, 500)
SIGMAS_DEG = (0.02, 0.1, 0.5)


def cast(height_m: float, depression: float) -> float:
    """Distance along the sphere to where a straight ray meets it."""
    high = np.longdouble
    c = np.array([high(0), high(RADIUS_M) + high(height_m)])
    d = np.array([np.cos(high(depression)), -np.sin(high(depression))])
    half, rest = c @ d, c @ c - high(RADIUS_M) ** 2
    x, y = c + (-half - np.sqrt(half * half - rest)) * d
    return float(high(RADIUS_M) * np.arctan2(x, y))


def depression_of(height_m: float, distance_m: float) -> float:
    angle = distance_m / RADIUS_M
    return math.atan2(height_m + 2 * RADIUS_M * math.sin(angle / 2) ** 2, RADIUS_M * math.sin(angle))


def ranges() -> dict[str, Any]:
    """The largest relative error from 50 m to 90 % of the distance of the horizon."""
    worst = 0.0
    for height in HEIGHTS_M:
        for distance in np.geomspace(50, 0.9 * horizon_distance(height), 200):
            depression = depression_of(height, float(distance))
            found = sea_range(height, depression, 1e-12)
            assert found is not None
            for truth in (float(distance), cast(height, depression)):
                worst = max(worst, abs(found.distance_m / truth - 1))
    return {"heights_m": HEIGHTS_M, "largest_relative_error": worst}


def coverage(count: int = 400) -> list[dict[str, Any]]:
    """Shares of attitudes whose ranges hold the truth within two sigmas, where there is one; a boat at half
    way to the horizon, or nearer.
    """
    camera, rng, rows = hz.Camera.from_hfov(1920, 1080, 70), np.random.default_rng(1), []
    for height in HEIGHTS_M:
        for share in (0.05, 0.2, 0.5, 0.9):
            rows += [_covered(camera, rng, height, share, sd_deg, count) for sd_deg in (0.005, 0.05)]
    return rows


def _covered(
    camera: hz.Camera, rng: np.random.Generator, height: float, share: float, sd_deg: float, count: int
) -> dict[str, Any]:
    up = UpVector.from_roll_pitch(10, -2)
    distance = max(50.0, share * horizon_distance(height))
    forward = np.array([0, 0, 1.0]) - up.z * up.as_array()
    down = depression_of(height, distance)
    ray = math.cos(down) * forward / np.linalg.norm(forward) - math.sin(down) * up.as_array()
    x, y = camera.project(ray[None])[0]
    covariance, told, inside, size = up.isotropic_covariance(sd_deg), 0, 0, []
    seen = Observation(view="horizon", confidence=1.0, sky_fraction=0.5)
    for error in rng.multivariate_normal(np.zeros(3), covariance, count):
        attitude = Attitude(up=UpVector.from_vector(up.as_array() + error), covariance=covariance)
        horizon = Horizon(
            frame=0, time_s=0, state="tracking", observation=seen, attitude=attitude, camera=camera,
            height_m=height,
        )  # fmt: skip
        found = horizon.range_to(float(x), float(y))
        if found is not None:
            told += 1
            inside += abs(found.distance_m - distance) <= 2 * found.sd_m
            size.append(found.sd_m / found.distance_m)
    return {
        "height_m": height, "distance_m": round(distance), "sd_deg": sd_deg, "told": told / count,
        "wrong": (told - inside) / count, "relative_sd": float(np.median(size)) if size else None,
    }  # fmt: skip


def plane_error(height_m: float, hfov_deg: float) -> tuple[float, float]:
    """Pitch of the plane that fits the cone best in a level picture: its error in degrees, as it is and less
    the dip.
    """
    down, half = dip(height_m), math.radians(hfov_deg) / 2
    across = np.tan(half) * np.linspace(-1, 1, 201)  # equal steps in the picture
    azimuth = np.arctan(across)
    rays = np.stack(
        [np.cos(down) * np.sin(azimuth), np.full_like(azimuth, np.sin(down)), np.cos(down) * np.cos(azimuth)],
        1,
    )
    pitch = 0.0
    for _ in range(20):
        up = np.array([0.0, -math.cos(pitch), math.sin(pitch)])
        slope = rays @ np.array([0.0, math.sin(pitch), math.cos(pitch)])
        pitch -= float(slope @ (rays @ up) / (slope @ slope))
    return math.degrees(pitch), math.degrees(pitch - down)


def heights_of_planes() -> list[dict[str, Any]]:
    rows = []
    for hfov in (40, 70, 120):
        for sd in SIGMAS_DEG:
            limits = [_limit(hfov, sd, which) for which in (0, 1)]
            rows.append({"hfov_deg": hfov, "sd_deg": sd, "plane_m": limits[0], "plane_less_dip_m": limits[1]})
    return rows


def _limit(hfov_deg: float, sd_deg: float, which: int) -> float:
    """Height in m from which an error of `plane_error` is more than a tenth of a sigma."""
    low, high = 1e-4, 1e6
    for _ in range(60):
        middle = math.sqrt(low * high)
        small = abs(plane_error(middle, hfov_deg)[which]) < sd_deg / 10
        low, high = (middle, high) if small else (low, middle)
    return float(f"{low:.2g}")


def rendered() -> list[dict[str, Any]]:
    rows = []
    for height in (0, 20, 300, 3000, 12000):
        for given in (None, height) if height else (0,):
            source = hz.open_source(f"synth:sea?height={height}&seconds=4&size=1280x720&seed=4")
            tracker, errors = hz.HorizonTracker(hfov=70, height_m=given), []
            for frame in source:
                horizon, truth = tracker.update(frame), source.clip.truth(frame.index).up
                if horizon.attitude is not None:
                    errors.append((horizon.roll_deg - truth.roll_deg, horizon.pitch_deg - truth.pitch_deg))
            roll, pitch = np.median(np.abs(errors), axis=0)
            roll_rms, pitch_rms = np.sqrt(np.mean(np.square(errors), axis=0))
            rows.append(
                {
                    "height_m": height,
                    "given_m": given,
                    "frames": len(errors),
                    "roll_median_deg": float(f"{roll:.2g}"),
                    "pitch_median_deg": float(f"{pitch:.2g}"),
                    "roll_rms_deg": float(f"{roll_rms:.2g}"),
                    "pitch_rms_deg": float(f"{pitch_rms:.2g}"),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    path = parser.parse_args().json
    result = {
        "ranges": ranges(),
        "coverage": coverage(),
        "planes": heights_of_planes(),
        "rendered": rendered(),
    }
    text = json.dumps({"machine": describe(), **result}, indent=1)
    print(text)
    if path is not None:
        path.write_text(text + "\n")


if __name__ == "__main__":
    main()
