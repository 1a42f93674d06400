"""How well telemetry is aligned with logs: `python benchmarks/compare.py [--json FILE] [--count N]`.

Flights of known offset, drift and mount. Telemetry of 30 frames a second has errors of 0.4° that last for a
second (roll) and for three (pitch), and white ones of 0.15°; the log has 25 samples a second and goes on for
twelve minutes. Unrelated logs are those of other flights.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.flights import Flight, log_of, seen_track

import horizon_rt as hz
from horizon_rt.errors import HorizonError

OFFSET_S, DRIFT = 312.3456, 40e-6
MOUNT = hz.Mount(roll_deg=2, pitch_deg=-12, yaw_deg=5)
SWELL = {"slowest": 0.08, "fastest": 0.15}
CASES: dict[str, tuple[float, dict[str, float]]] = {
    "flight, 30 s": (30.0, {}),
    "flight, 3 min": (180.0, {}),
    "flight, 20 min": (1200.0, {}),
    "swell, 10 min": (600.0, {"roll_sd": 4.0, "pitch_sd": 2.0, **SWELL}),
}
UNRELATED: dict[str, tuple[float, dict[str, float]]] = {
    "flight, 20 s": (20.0, {}),
    "flight, 3 min": (180.0, {}),
    "swell, 2 min": (120.0, SWELL),
    "swell, 10 min": (600.0, SWELL),
}


def related(span_s: float, motion: dict[str, Any], count: int) -> dict[str, Any]:
    rows, refused = [], 0
    for seed in range(count):
        flight = Flight(seed, **motion)
        track = seen_track(flight, span_s=span_s, mount=MOUNT, offset_s=OFFSET_S, drift=DRIFT)
        try:
            found = hz.compare(track, log_of(flight, np.arange(0, span_s + 720, 0.04)))
        except HorizonError:
            refused += 1
            continue
        one = found.alignment
        offset = one.offset_s - (OFFSET_S + DRIFT * one.middle_s)
        pitch = found.mount.pitch_deg - MOUNT.pitch_deg
        rows.append((offset, offset / one.offset_sd_s, pitch, pitch / found.mount_sd_deg[1]))
    values = np.array(rows).reshape(-1, 4)
    rms = np.sqrt((values**2).mean(axis=0)).round(4).tolist() if rows else None
    names = ("offset_s", "offset_over_sigma", "mount_pitch_deg", "mount_pitch_over_sigma")
    return {"flights": count, "refused": refused, "rms": rms and dict(zip(names, rms, strict=True))}


def unrelated(span_s: float, motion: dict[str, Any], count: int) -> dict[str, int]:
    accepted = 0
    for seed in range(count):
        track = seen_track(Flight(seed, **motion), span_s=span_s, mount=MOUNT, offset_s=OFFSET_S, drift=DRIFT)
        try:
            hz.compare(track, log_of(Flight(seed + 50000, **motion), np.arange(0, 900, 0.04)))
        except HorizonError:
            continue
        accepted += 1
    return {"logs": count, "accepted": accepted}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--count", type=int, default=40)
    options = parser.parse_args(arguments)
    results = {
        "related": {name: related(*case, options.count) for name, case in CASES.items()},
        "unrelated": {name: unrelated(*case, 2 * options.count) for name, case in UNRELATED.items()},
    }
    text = json.dumps(results, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
