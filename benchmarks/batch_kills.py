"""A batch that is killed again and again: `python benchmarks/batch_kills.py --json FILE`.

Short clips, some of them broken, are tracked with --resume, --jobs 2, telemetry and overlays. The program is
killed (SIGKILL) at random moments: itself, one of its workers, or all of them at once; every second time not
before something more is whole. In the end every good clip must be whole and its files equal to those of a run
that nobody disturbed, what was whole after a kill must never be written again, and the broken clips must be
named. A later run must have nothing left to do.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from horizon_rt.bench.clips import write_clip
from horizon_rt.bench.machine import describe

LENGTHS = (6, 9, 12, 15)
WHOM = ("program", "worker", "all")
AFTER_S = 2.0


def make_clips(folder: Path, good: int, broken: int) -> None:
    """Clips of four lengths under many names, and what is none."""
    folder.mkdir()
    for frames in LENGTHS:
        write_clip(folder.parent / f"{frames}.mp4", (192, 112), frames)
    for number in range(good):
        shutil.copy(folder.parent / f"{LENGTHS[number % len(LENGTHS)]}.mp4", folder / f"good{number:03}.mp4")
    whole = (folder.parent / f"{LENGTHS[0]}.mp4").read_bytes()
    ways = (b"", b"no video\n" * 99, whole[:900], whole[-900:], bytes(9999))
    for number in range(broken):
        (folder / f"broken{number:02}.mp4").write_bytes(ways[number % len(ways)] + bytes(number // len(ways)))


def start(clips: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "horizon_rt", "batch", str(clips), "--out", str(out), "--resume"]
    options = ["--jobs", "2", "--model", "nano", "--hfov", "70"]
    return subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill(run: subprocess.Popen[str], whom: str) -> None:
    if whom == "worker":
        children = [child for child in psutil.Process(run.pid).children() if "spawn_main" in _words(child)]
        if children:
            random.choice(children).kill()
            time.sleep(random.uniform(0, 0.5))
    with suppress(ProcessLookupError):
        if whom == "all":
            os.killpg(run.pid, signal.SIGKILL)
        run.kill()
    run.communicate()


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def whole(out: Path) -> dict[str, int]:
    """When the outputs that are noted as done were written."""
    stamps = {}
    for note in sorted((out / ".horizon-rt").glob("*.json")):
        values = json.loads(note.read_text())
        if values["status"] == "done":
            for name in values["outputs"]:
                stamps[name] = (out / name).stat().st_mtime_ns
    return stamps


def wait_for_more(run: subprocess.Popen[str], out: Path, count: int) -> None:
    """Until more outputs are whole, or the run has ended."""
    while run.poll() is None and len(whole(out)) <= count:
        time.sleep(0.05)


def files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def killed_once(clips: Path, out: Path, number: int, start_s: float, known: int) -> str:
    """Start a run and kill it; whom it hit, '' where the run had ended before."""
    run, whom = start(clips, out), random.choice(WHOM)
    if number % 2:
        wait_for_more(run, out, known)
        time.sleep(random.uniform(0.0, AFTER_S))
    else:
        time.sleep(random.uniform(0.0, 1.5 * start_s))
    if run.poll() is not None:
        run.communicate()
        return ""
    kill(run, whom)
    time.sleep(0.1)
    return whom


def measure(folder: Path, good: int, broken: int, kills: int, seed: int) -> dict[str, Any]:
    """Kill so many runs; where all is whole before, the next ones write into another folder."""
    random.seed(seed)
    clips, calm = folder / "clips", folder / "calm"
    make_clips(clips, good, broken)
    begun = time.monotonic()
    alone = start(clips, calm)
    wait_for_more(alone, calm, 0)
    start_s = time.monotonic() - begun
    alone.communicate()
    alone_s = time.monotonic() - begun
    hit, folders = dict.fromkeys(WHOM, 0), list[dict[str, Any]]()
    while (done := sum(hit.values())) < kills:
        out = folder / f"out{len(folders)}"
        again, known, progress = 0, dict[str, int](), list[int]()
        while done + len(progress) < kills and (
            whom := killed_once(clips, out, len(progress), start_s, len(known))
        ):
            now = whole(out)
            again += sum(now.get(name) != stamp for name, stamp in known.items())
            known = now
            progress.append(len(known))
            hit[whom] += 1
        folders.append(checked(clips, calm, out, known) | {"whole_after_each_kill": progress})
        folders[-1]["written_again"] += again
    return {
        "clips": good,
        "broken": broken,
        "kills": hit,
        "undisturbed_s": round(alone_s, 1),
        "exit_code_undisturbed": alone.returncode,
        "folders": folders,
    }


def checked(clips: Path, calm: Path, out: Path, known: dict[str, int]) -> dict[str, Any]:
    """A run to the end and one more, and what is there then."""
    last = start(clips, out)
    told, _ = last.communicate()
    now = whole(out)
    failed = [line for line in told.splitlines() if line.startswith("failed: ")]
    one, two = files(calm), files(out)
    idle = start(clips, out)
    left, _ = idle.communicate()
    return {
        "exit_codes": [last.returncode, idle.returncode],
        "whole_outputs": len(now),
        "written_again": sum(now.get(name) != stamp for name, stamp in known.items()),
        "named_as_broken": sum("broken" in line for line in failed),
        "good_ones_that_failed": sum("good" in line for line in failed),
        "files_that_differ": sorted(
            name for name in one.keys() | two.keys() if one.get(name) != two.get(name)
        ),
        "done_by_a_later_run": sum(line.startswith("done: ") for line in left.splitlines()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--good", type=int, default=190)
    parser.add_argument("--broken", type=int, default=10)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name), options.good, options.broken, options.kills, options.seed)
    result = {"machine": describe(), **found}
    options.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
