"""Damaged files for every reader: `python benchmarks/fuzz.py [--cases N] [--seed S] [--json FILE]`.

Each case takes a good file (foreign_files.py), damages it (mutations.py) and has it read in a worker process.
It must end within 20 s and 1 GiB in a right result or in a HorizonError of one line. `--keep FOLDER` leaves
the files of cases that do not hold there, with `--only READER --case K` those of one case.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import resource
import selectors
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from foreign_files import READERS, Reader
from mutations import mutate

from horizon_rt.errors import HorizonError
from horizon_rt.system.messages import error_line

LONGEST_S, LARGEST_MIB = 20.0, 1024.0
_KILLED_AFTER_S = 60.0
_ROOM_BYTES = 4 << 30  # of addresses beyond what a warm reader has, so that a bomb cannot fill the machine
_SHOWN = 300
_GROUP = 200  # cases that a worker takes at once


@dataclass(frozen=True)
class Case:
    """A reader and the number of one of its cases, which the seed makes files of."""

    reader: str
    number: int


@dataclass(frozen=True)
class Verdict:
    """How a case ended: `read`, `refused`, or what is wrong; with the time and memory that it took."""

    reader: str
    number: int
    outcome: str
    detail: str
    seconds: float
    mib: float

    @property
    def good(self) -> bool:
        """Whether it held."""
        return self.outcome in ("read", "refused")


# --- the process that reads


def prepare(reader: Reader, seeds: Path, folder: Path, number: int, seed: int) -> str:
    """The files of a case in a new folder; returns which of them is damaged."""
    chance = random.Random(f"{seed}/{reader.name}/{number}")
    source = seeds / reader.name
    every = sorted({path for pattern in reader.damaged for path in source.glob(pattern) if path.is_file()})
    chosen = every[number % len(every)]
    if reader.alone:
        folder.mkdir()
        shutil.copy(chosen, folder)
    else:
        shutil.copytree(source, folder)
    damaged = folder / chosen.relative_to(source)
    damaged.write_bytes(mutate(damaged.read_bytes(), chance, text=not reader.binary))
    return str(chosen.relative_to(source))


def judge(case: Case, reader: Reader, folder: Path) -> Verdict:
    """Read what lies there."""
    before, start = _reset_peak(), time.perf_counter()
    outcome, detail = _outcome(reader, folder)
    seconds, mib = time.perf_counter() - start, (_status("VmHWM") - before) / 1024
    if seconds > LONGEST_S or mib > LARGEST_MIB:
        outcome, detail = "too much", f"{outcome}: {detail}"
    return Verdict(case.reader, case.number, outcome, detail, seconds, mib)


def _outcome(reader: Reader, folder: Path) -> tuple[str, str]:
    try:
        reader.read(folder)
    except HorizonError as error:
        text = str(error)
        if "\n" in text or not error_line(error).isprintable():
            return "not one line", ascii(text)[:_SHOWN]
        return "refused", text[:_SHOWN]
    except AssertionError as error:
        return "wrong result", ascii(str(error))[:_SHOWN]
    except MemoryError as error:
        return "out of memory", ascii(str(error))[:_SHOWN]
    except Exception as error:  # what a user would be asked to report
        return f"unexpected {type(error).__name__}", f"{_place(error)}: {ascii(str(error))[:_SHOWN]}"
    return "read", ""


def _place(error: BaseException) -> str:
    """The innermost line of this package in the traceback."""
    places, trace = [""], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "horizon_rt" in code.co_filename:
            places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return places[-1]


def serve(seeds: Path, seed: int) -> None:
    """Evaluate the cases that stdin names, one a line, and answer each on stdout."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    warnings.simplefilter("error", RuntimeWarning)
    warm: set[str] = set()
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-"))
    for line in sys.stdin:
        case = Case(**json.loads(line))
        reader = READERS[case.reader]
        if case.reader not in warm:
            _warm_up(reader, seeds, scratch)
            warm.add(case.reader)
        folder = scratch / f"{case.number}-{len(warm)}"
        prepare(reader, seeds, folder, case.number, seed)
        print(json.dumps(asdict(judge(case, reader, folder))), file=answers)
        shutil.rmtree(folder)
    shutil.rmtree(scratch)


def _warm_up(reader: Reader, seeds: Path, scratch: Path) -> None:
    """Read good files first: they must be read, and imports and compilation are no part of a case."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    chosen = sorted((seeds / reader.name).iterdir()) if reader.alone else [seeds / reader.name]
    for number, path in enumerate(chosen):
        folder = scratch / f"good-{number}"
        shutil.copytree(path, folder) if path.is_dir() else (folder.mkdir(), shutil.copy(path, folder))
        reader.read(folder)
        shutil.rmtree(folder)
    limit = 1024 * _status("VmSize") + _ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def _status(name: str) -> int:
    """A value of this process's memory in KiB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def _reset_peak() -> int:
    """Begin a new peak of memory; returns what is held now, in KiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


# --- the process that counts


class Worker:
    """A process that reads; one that hangs or dies gives a verdict, too, and is replaced."""

    def __init__(self, seeds: Path, seed: int, log: Path) -> None:
        self._command = [sys.executable, __file__, "--serve", str(seeds), "--seed", str(seed)]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def judge(self, case: Case) -> Verdict:
        """The verdict on a case."""
        process = self._process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        start = time.perf_counter()
        fresh = 180.0 if self._log.stat().st_size == 0 else 60.0  # imports and compilation
        try:
            process.stdin.write(json.dumps(asdict(case)).encode() + b"\n")
            process.stdin.flush()
            outcome = "hangs"
            if self._is_answered(process, _KILLED_AFTER_S + fresh):
                if line := process.stdout.readline():
                    return Verdict(**json.loads(line))
                outcome = f"ends the process ({process.wait()})"
        except BrokenPipeError:
            outcome = f"ends the process ({process.wait()})"
        self.close(kill=True)
        tail = self._log.read_text(errors="replace")[-_SHOWN:]
        return Verdict(case.reader, case.number, outcome, ascii(tail), time.perf_counter() - start, 0.0)

    def close(self, *, kill: bool = False) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            if kill:
                process.kill()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait()
            process.stdout.close()

    def _started(self) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with self._log.open("wb") as log:
            return subprocess.Popen(self._command, stderr=log, **pipes)

    @staticmethod
    def _is_answered(process: subprocess.Popen[bytes], within_s: float) -> bool:
        with selectors.DefaultSelector() as waiting:
            assert process.stdout is not None
            waiting.register(process.stdout, selectors.EVENT_READ)
            return bool(waiting.select(within_s))


def cases(count: int, only: str | None = None) -> list[Case]:
    """So many cases, each reader by its share and at least one."""
    readers = [reader for reader in READERS.values() if only in (None, reader.name)]
    total = sum(reader.share for reader in readers)
    counts = {reader.name: max(1, round(count * reader.share / total)) for reader in readers}
    most = max(counts, key=counts.__getitem__)
    counts[most] = max(1, counts[most] + count - sum(counts.values()))  # what was rounded
    return [Case(name, number) for name, n in counts.items() for number in range(n)]


def make_seeds(folder: Path, names: set[str]) -> None:
    """Good files for these readers."""
    for name in sorted(names):
        (folder / name).mkdir(parents=True)
        READERS[name].make(folder / name)


def run(todo: list[Case], seeds: Path, seed: int, workers: int, logs: Path) -> list[Verdict]:
    """The verdicts, in the order of the cases; one worker takes those of a reader in groups."""
    waiting: queue.SimpleQueue[list[Case]] = queue.SimpleQueue()
    for _, of_reader in groupby(todo, key=lambda case: case.reader):
        group = list(of_reader)
        for start in range(0, len(group), _GROUP):
            waiting.put(group[start : start + _GROUP])
    found: list[Verdict] = []

    def work(number: int) -> None:
        worker = Worker(seeds, seed, logs / f"worker-{number}.log")
        with suppress(queue.Empty):
            while True:
                found.extend(map(worker.judge, waiting.get_nowait()))
        worker.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    order = {(case.reader, case.number): place for place, case in enumerate(todo)}
    return sorted(found, key=lambda verdict: order[verdict.reader, verdict.number])


def summary(verdicts: list[Verdict]) -> dict[str, dict[str, Any]]:
    """What became of the cases of each reader."""
    table: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(verdict.reader for verdict in verdicts):
        own = [verdict for verdict in verdicts if verdict.reader == name]
        slowest = max(own, key=lambda verdict: verdict.seconds)
        largest = max(own, key=lambda verdict: verdict.mib)
        table[name] = {
            "cases": len(own),
            "outcomes": dict(Counter(verdict.outcome for verdict in own)),
            "slowest_s": round(slowest.seconds, 2),
            "slowest_case": slowest.number,
            "largest_mib": round(largest.mib, 1),
            "largest_case": largest.number,
            "failures": [asdict(verdict) for verdict in own if not verdict.good],
        }
    return table


def main(arguments: list[str] | None = None) -> int:
    """Run all cases; 1 if one did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=sorted(READERS))
    parser.add_argument("--case", type=int)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.serve is not None:
        serve(given.serve, given.seed)
        return 0
    todo = cases(given.cases, given.only)
    if given.case is not None:
        todo = [Case(given.only, given.case)]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        seeds = Path(folder) / "seeds"
        make_seeds(seeds, {case.reader for case in todo})
        (logs := Path(folder) / "logs").mkdir()
        verdicts = run(todo, seeds, given.seed, given.workers, logs)
        if given.keep is not None:
            keep([v for v in verdicts if not v.good or given.case is not None], seeds, given.seed, given.keep)
    return report(verdicts, given.seed, given.json)


def keep(verdicts: list[Verdict], seeds: Path, seed: int, folder: Path) -> None:
    """Leave the files of these cases in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for verdict in verdicts:
        place = folder / f"{verdict.reader} {verdict.number}"
        print(f"{place}: {prepare(READERS[verdict.reader], seeds, place, verdict.number, seed)}")


def report(verdicts: list[Verdict], seed: int, path: Path | None) -> int:
    """Print a line for each reader, write the JSON, and return 1 if a case did not hold."""
    table = summary(verdicts)
    for name, row in table.items():
        print(f"{name}: {row['outcomes']}, at most {row['slowest_s']} s and {row['largest_mib']} MiB")
    bad = [verdict for verdict in verdicts if not verdict.good]
    for verdict in bad:
        print(f"{verdict.reader} {verdict.number}: {verdict.outcome}: {verdict.detail}")
    print(f"{len(verdicts)} cases, {len(bad)} did not hold")
    if path is not None:
        from horizon_rt.bench.machine import describe

        values = {
            "machine": describe(),
            "seed": seed,
            "cases": len(verdicts),
            "not_held": len(bad),
            "readers": table,
        }
        path.write_text(json.dumps(values, indent=1) + "\n")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
