"""Memory, files and threads of a long live run: `python benchmarks/soak.py --minutes 60 --json FILE`.

A rendered horizon comes over RTSP at 30 frames/s; one client has the page's picture and telemetry open, and
one link sends rows over UDP. What is needed is sampled every ten seconds (from /proc, so on Linux). Growth is
the slope of a line through the samples after the first five minutes.
"""

from __future__ import annotations

import argparse
import json
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from live_clients import Reader
from live_process import Live, machine
from live_streams import RATE, Camera

EVERY_S, SETTLES_S = 10.0, 300.0


def sampled(live: Live, minutes: float) -> list[dict[str, float]]:
    samples: list[dict[str, float]] = []
    while live.alive and (not samples or samples[-1]["s"] < 60 * minutes):
        next_s = live.started_s + EVERY_S * (len(samples) + 1)
        time.sleep(max(0.0, next_s - time.monotonic()))
        now_s = round(time.monotonic() - live.started_s, 1)
        samples.append({"s": now_s, "frames": len(live.rows), **live.usage()})
    return samples


def summary(samples: list[dict[str, float]]) -> dict[str, Any]:
    """Growth in MB/h, and how many file descriptors and threads there were, after the first minutes."""
    settled = [sample for sample in samples if sample["s"] >= SETTLES_S]
    hours = np.array([sample["s"] for sample in settled]) / 3600
    found: dict[str, Any] = {"settled_minutes": round(60 * float(np.ptp(hours)), 1)}
    for name in ("private_mb", "rss_mb"):
        values = np.array([sample[name] for sample in settled])
        slope, covariance = np.polyfit(hours, values, 1, cov=True)[:2]
        found[f"{name}_per_h"] = round(float(slope[0]), 2)
        found[f"{name}_per_h_sd"] = round(float(covariance[0, 0]) ** 0.5, 2)
        found[f"{name}_first_last"] = [float(values[0]), float(values[-1])]
    for name in ("files", "threads"):
        found[name] = sorted({int(sample[name]) for sample in settled})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    about = machine()
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        camera = Camera(Path(name))
        link = f"json://127.0.0.1:{receiver.getsockname()[1]}"
        with Live(camera.played, Path(name), "--web", "127.0.0.1:0", "--link", link) as live:
            readers = [Reader(live.page, path) for path in ("telemetry", "picture.mjpg")]
            samples = sampled(live, options.minutes)
            survived, (end_s, code) = live.alive, live.end()
            states = {row["state"] for _, row in live.rows[-10 * RATE :]}
        camera.kill()
    result = {
        "machine": about,
        "minutes": options.minutes,
        "survived": survived,
        "frames_per_s": round(samples[-1]["frames"] / samples[-1]["s"], 1),
        "last_states": sorted(states),
        "client_mb": round(sum(reader.count for reader in readers) / 2**20, 1),
        "end_s": round(end_s, 2),
        "exit_code": code,
        **summary(samples),
        "samples": samples,
    }
    print(json.dumps({key: value for key, value in result.items() if key != "samples"}, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
