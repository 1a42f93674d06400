"""Speed, memory and equality of batches: `python benchmarks/batch_speed.py --json FILE [PART…]`.

A rendered flight of a minute with exact attitude is written once, with a key frame every two seconds, and
strung together to longer recordings without being encoded anew. Each part (jobs, every, segments, memory) is
measured by itself and kept in FILE.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from horizon_rt.bench.machine import describe
from horizon_rt.geometry import wrap_degrees
from horizon_rt.sources.synthetic import make_clip, parse_options

SCENE = "coast?motion=flight&size=640x360&fps=25&seconds={seconds}&seed=11"
SECONDS, FPS, KEY_EVERY = 60, 25, 50
CLIPS, ROUNDS = 8, 3
SEGMENTED_MIN, LONG_MIN = 20, 60
Array = NDArray[np.float64]


class Ran(NamedTuple):
    """How long a command took, and the largest memory of its own process."""

    seconds: float
    memory_mb: float


def write_minute(path: Path) -> None:
    """The flight as H.264, and beside it roll and pitch of each frame."""
    clip = make_clip(parse_options(SCENE.format(seconds=SECONDS)))
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "640x360", "-r", str(FPS), "-i", "-"]
    coded = [
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        "-crf",
        "20",
        "-g",
        str(KEY_EVERY),
        "-sc_threshold",
        "0",
    ]
    command = ["ffmpeg", "-loglevel", "error", "-y", *raw, *coded, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        for index in range(len(clip)):
            encoder.stdin.write(clip.picture(index).tobytes())
    ups = [clip.truth(index).up for index in range(len(clip))]
    np.save(path.with_suffix(".npy"), [(up.roll_deg, up.pitch_deg) for up in ups])


def strung(minute: Path, minutes: int) -> Path:
    """The minute so many times in one file."""
    path = minute.with_name(f"{minutes}min.mp4")
    looped = ["-stream_loop", str(minutes - 1), "-i", str(minute), "-c", "copy", str(path)]
    if not path.exists():
        subprocess.run(["ffmpeg", "-loglevel", "error", "-y", *looped], check=True)
    return path


def batch(inputs: Path, out: Path, *words: str) -> Ran:
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "horizon_rt", "-q", "batch", str(inputs), "--out", str(out)]
    start_s = time.monotonic()
    process = subprocess.Popen([*command, "--threads", "1", *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return Ran(time.monotonic() - start_s, used.ru_maxrss / 1024)


def rows_of(telemetry: Path) -> list[dict[str, Any]]:
    with telemetry.open() as file:
        next(file)
        return [json.loads(line) for line in file]


def measure_jobs(minute: Path) -> dict[str, Any]:
    """Seconds of a folder of clips; each way once in each round."""
    folder = minute.with_name("clips")
    folder.mkdir(exist_ok=True)
    for number in range(CLIPS):
        shutil.copy(minute, folder / f"{number}.mp4")
    ways = {"one": ["--jobs=1"], "two": ["--jobs=2"], "dask": ["--jobs=2", "--engine=dask"]}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, words in ways.items():
            ran = batch(folder, minute.with_name("out"), "--write=telemetry", *words)
            found[name].append(round(ran.seconds, 1))
    middle = {name: statistics.median(times) for name, times in found.items()}
    return {
        "clips": CLIPS,
        "seconds_each": SECONDS,
        "seconds": found,
        "two_against_one": round(middle["one"] / middle["two"], 2),
        "dask_against_two": round(middle["dask"] / middle["two"], 2),
    }


def measure_every(minute: Path) -> dict[str, Any]:
    """An hour, whole and by its key frames, and how these are against truth."""
    hour, out = strung(minute, LONG_MIN), minute.with_name("out")
    keys = batch(hour, out, "--write=telemetry", "--every=key")
    rows = rows_of(out / f"{hour.stem}.jsonl")
    every = batch(hour, minute.with_name("out2"), "--write=telemetry")
    return {
        "minutes": LONG_MIN,
        "key_frames": len(rows),
        "seconds": {"key": round(keys.seconds, 1), "all": round(every.seconds, 1)},
        "times_faster": round(every.seconds / keys.seconds, 2),
        "key": against_truth(rows, np.load(minute.with_suffix(".npy"))),
        "all": against_truth(
            rows_of(minute.with_name("out2") / f"{hour.stem}.jsonl"), np.load(minute.with_suffix(".npy"))
        ),
    }


def against_truth(rows: list[dict[str, Any]], truth: Array) -> dict[str, Any]:
    """Errors in degrees, and the share in percent within two sigma, of frames that are tracked."""
    seen = [row for row in rows if row["state"] == "tracking"]
    index = np.array([round(row["time_s"] * FPS) % len(truth) for row in seen])
    found: dict[str, Any] = {"tracked": round(100 * len(seen) / len(rows), 1)}
    for column, name in enumerate(("roll", "pitch")):
        value, sd = (np.array([row[f"{name}{end}"] for row in seen]) for end in ("_deg", "_sd_deg"))
        error = np.abs([wrap_degrees(float(e)) for e in value - truth[index, column]])
        found[name] = {
            "median_deg": round(float(np.median(error)), 4),
            "p95_deg": round(float(np.percentile(error, 95)), 4),
            "within_2_sigma": round(100 * float((error <= 2 * sd).mean()), 1),
        }
    return found


def measure_segments(minute: Path) -> dict[str, Any]:
    """Twenty minutes in one go and in segments: the largest difference of all numbers of all rows."""
    path, outs = strung(minute, SEGMENTED_MIN), [minute.with_name(name) for name in ("out", "out2")]
    one = batch(path, outs[0], "--write=telemetry")
    two = batch(path, outs[1], "--write=telemetry", "--segment=5min", "--jobs=2")
    first, second = (rows_of(out / f"{path.stem}.jsonl") for out in outs)
    differences = [
        abs(wrap_degrees(a[name] - b[name]))
        for a, b in zip(first, second, strict=True)
        for name in ("roll_deg", "pitch_deg")
        if a[name] is not None
    ]
    return {
        "minutes": SEGMENTED_MIN,
        "rows": len(first),
        "largest_difference_deg": max(differences),
        "states_differ": sum(a["state"] != b["state"] for a, b in zip(first, second, strict=True)),
        "seconds": {"one": round(one.seconds, 1), "segments": round(two.seconds, 1)},
    }


def measure_memory(minute: Path) -> dict[str, Any]:
    """The largest memory for recordings of several lengths, with all that a batch draws."""
    found = {}
    for minutes in (1, SEGMENTED_MIN):
        path = strung(minute, minutes)
        words = "--write=telemetry,overlay,report,thumbnails"
        found[f"{minutes} min"] = round(batch(path, minute.with_name("out"), words).memory_mb, 1)
    return {"memory_mb": found}


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "jobs": measure_jobs,
    "segments": measure_segments,
    "memory": measure_memory,
    "every": measure_every,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=list(PARTS))
    parser.add_argument("--folder", type=Path, help="keep the recordings here")
    options = parser.parse_args()
    result = json.loads(options.json.read_text()) if options.json.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        minute = Path(options.folder or name) / "minute.mp4"
        if not minute.with_suffix(".npy").exists():
            write_minute(minute)
        for part in options.parts or PARTS:
            result[part] = PARTS[part](minute)
            result["machine"] = describe()
            options.json.write_text(json.dumps(result, indent=1) + "\n")
            print(part, json.dumps(result[part]), flush=True)


if __name__ == "__main__":
    main()
