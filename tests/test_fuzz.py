"""The short form of benchmarks/fuzz.py, and that its judge sees what is wrong."""

from __future__ import annotations

import mmap
import random
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from support import ROOT

from horizon_rt.errors import DatasetError

BENCHMARKS = ROOT / "benchmarks"
CASES = 150


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import fuzz

    return fuzz


def test_damage_is_that_of_its_seed(fuzz: ModuleType) -> None:
    good = b'{"a": 1.5, "b": [2, 3]}\n' * 20
    damaged = [fuzz.mutate(good, random.Random(seed), text=True) for seed in range(200)]
    assert damaged == [fuzz.mutate(good, random.Random(seed), text=True) for seed in range(200)]
    assert len(set(damaged)) > 150
    assert damaged.count(good) < 10


def _fails(_: Path) -> None:
    raise KeyError("lost")


def _says_much(_: Path) -> None:
    raise DatasetError("one\nline too many")


def _refuses(_: Path) -> None:
    raise DatasetError("a.csv, line 3: no number")


def _is_wrong(_: Path) -> None:
    raise AssertionError("3 is not 4")


def _takes_memory(_: Path) -> None:
    with mmap.mmap(-1, 80 << 20) as room:  # malloc may give what the process already holds
        for _ in range(80):
            room.write(bytes(range(256)) * 4096)


@pytest.mark.parametrize(
    ("read", "outcome"),
    [
        (lambda _: None, "read"),
        (_refuses, "refused"),
        (_fails, "unexpected KeyError"),
        (_says_much, "not one line"),
        (_is_wrong, "wrong result"),
        (_takes_memory, "too much"),
        (lambda _: time.sleep(0.3), "too much"),
    ],
)
def test_the_judge_sees_what_is_wrong(
    fuzz: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[Path], None],
    outcome: str,
) -> None:
    monkeypatch.setattr(fuzz, "LONGEST_S", 0.25)
    monkeypatch.setattr(fuzz, "LARGEST_MIB", 40.0)
    reader = fuzz.Reader("a", lambda _: None, read, ("*",), 1.0)
    verdict = fuzz.judge(fuzz.Case("a", 0), reader, tmp_path)
    assert (verdict.outcome, verdict.good) == (outcome, outcome in ("read", "refused"))


def test_damaged_files_are_read_or_refused_in_one_line(
    fuzz: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len({case.reader for case in fuzz.cases(CASES)}) == len(fuzz.READERS)
    assert fuzz.main(["--cases", str(CASES), "--seed", "14"]) == 0, capsys.readouterr().out
