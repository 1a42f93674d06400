"""Faults of a live run, on purpose: `python benchmarks/live_faults.py [--json FILE] [--only PART …]`.

A rendered horizon comes from a real RTSP server, or as MPEG-TS from FFmpeg, to a real `horizon-rt live`
process with all its outputs. Server, broker and clients are killed, stopped and changed; datagrams are lost;
the clock jumps, a disk fills up, SIGTERM comes at any moment. Linux only, and as root for the small disk; it
needs mosquitto, and libfaketime for the clock. With --only the other parts of the result stay.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from live_files import outputs, readable
from live_outages import long_run
from live_process import Live, longest_gap_s, machine
from live_streams import Camera, Lossy, free_port, to_mpegts

SIGNALS = 10
LOSSES = ((0.0, 0.0), (0.01, 0.0), (0.05, 0.0), (0.2, 0.0), (0.0, 0.05), (0.02, 0.05), (0.0, 0.0))
"""Shares of datagrams that are lost and late, ten seconds each."""
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
Found = dict[str, Any]


def end(live: Live, folder: Path) -> Found:
    """End a run by SIGTERM: whether it was alive, how it ended, and what it left in `folder`."""
    survived = live.alive
    end_s, code = live.end()
    return {"survived": survived, "end_s": round(end_s, 2), "exit_code": code, "files": readable(folder)}


def losses(folder: Path, rng: random.Random) -> Found:
    """MPEG-TS over UDP of which datagrams are lost or come late; the last part is whole again."""
    port, rows = free_port(), []
    proxy = Lossy(port)
    with to_mpegts(proxy.port), Live(f"udp://127.0.0.1:{port}", folder / "out") as live:
        live.tracking_after(0.0, 90)
        for lost, late in LOSSES:
            proxy.lost, proxy.late = lost, late
            begin_s = time.monotonic()
            time.sleep(10.0)
            part = live.since(begin_s)
            again_s = live.tracking_after(begin_s, 5)
            rows.append(
                {
                    "lost": lost,
                    "late": late,
                    "rows": len(part),
                    "tracking": round(float(np.mean([row["state"] == "tracking" for _, row in part])), 3),
                    "longest_without_a_row_s": longest_gap_s(part),
                    "again_s": None if again_s is None else round(again_s - begin_s, 3),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
        found = end(live, folder / "out")
    return {"parts": rows, "datagrams": proxy.counts, **found}


def clock(folder: Path, rng: random.Random) -> Found:
    """The wall clock jumps an hour ahead and then a day back; the monotonic clock goes on."""
    if not FAKETIME.exists():
        return {"skipped": "no libfaketime here"}
    camera, shift = Camera(folder), folder / "shift"
    shift.write_text("+0")
    env = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(shift),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    rows = []
    with Live(camera.played, folder / "out", *outputs(folder / "out"), env=env) as live:
        live.tracking_after(0.0, 120)
        time.sleep(5.0)
        for jump in ("+0", "+3600", "-86400"):
            shift.write_text(jump)
            begin_s = time.monotonic()
            time.sleep(6.0)
            part = live.since(begin_s - 1)
            rows.append(
                {
                    "jump_s": int(jump),
                    "states": sorted({row["state"] for _, row in part}),
                    "longest_without_a_row_s": longest_gap_s(part),
                    "time_s_goes_on": all(0 < b[1]["time_s"] - a[1]["time_s"] < 1 for a, b in pairwise(part)),
                    "time_utc": [part[0][1]["time_utc"], part[-1][1]["time_utc"]],
                }
            )
            print(json.dumps(rows[-1]), flush=True)
        found = end(live, folder / "out")
    camera.kill()
    return {"jumps": rows, **found}


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of 64 kB at `folder`."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def full_disk(folder: Path, rng: random.Random) -> Found:
    """The telemetry's disk fills up within seconds; another file of telemetry lies on a disk with room."""
    if os.geteuid():
        return {"skipped": "only root may mount a small disk"}
    camera = Camera(folder)
    with small_disk(folder / "small"):
        with Live(camera.played, folder / "out", "--telemetry", folder / "small" / "t.csv") as live:
            live.tracking_after(0.0, 90)
            told = live.wait(lambda: "No space left" in live.said, 60)
            time.sleep(3.0)
            tracks = live.tracking_after(time.monotonic(), 5) is not None
            found = end(live, folder / "out")
        small = readable(folder / "small")
    camera.kill()
    return {"told": told, "tracks": tracks, "small_disk": small, **found}


def signals(folder: Path, rng: random.Random) -> list[Found]:
    """SIGTERM at random moments, from the first instant of loading to some seconds of tracking."""
    camera, rows = Camera(folder), []
    for number in range(SIGNALS):
        out = folder / f"out{number}"
        tracks = number >= SIGNALS // 3
        with Live(camera.played, out, *outputs(out), "--web", "127.0.0.1:0") as live:
            if tracks:
                live.tracking_after(0.0, 90)
            time.sleep(rng.uniform(0.0, 3.0))
            after_s = time.monotonic() - live.started_s
            found = end(live, out)
            rows.append({"after_s": round(after_s, 2), "rows": len(live.rows), **found})
        print(json.dumps(rows[-1]), flush=True)
    camera.kill()
    return rows


PARTS: dict[str, Callable[[Path, random.Random], Any]] = {
    "long run": long_run,
    "losses": losses,
    "clock": clock,
    "full disk": full_disk,
    "signals": signals,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    before = options.json and options.json.exists() and options.only != list(PARTS)
    result: Found = json.loads(options.json.read_text()) if before else {}
    result |= {"machine": machine(), "seed": options.seed}
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            result[name] = PARTS[name](Path(folder), random.Random(options.seed))
        print(name, json.dumps(result[name]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
