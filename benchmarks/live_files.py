"""The files that a live run writes, and whether others can read them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import av
from mcap.reader import make_reader

__all__ = ["outputs", "readable"]


def readable(folder: Path) -> dict[str, int | str]:
    """How many rows, messages or pictures each output holds, or why it cannot be read."""
    found: dict[str, int | str] = {}
    for path in sorted(folder.rglob("*.*")):
        kind = path.name.removesuffix(".partial").rpartition(".")[2]
        if kind not in COUNTS:
            continue
        try:
            found[str(path.relative_to(folder))] = COUNTS[kind](path)
        except Exception as error:  # whatever a reader raises is the finding
            found[str(path.relative_to(folder))] = f"{type(error).__name__}: {error}"
    return found


def _pictures(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def _messages(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in make_reader(file).iter_messages(topics=["/horizon/diagnostics"]))


COUNTS: dict[str, Callable[[Path], int]] = {
    "jsonl": lambda path: len([json.loads(line) for line in path.read_text().splitlines()]) - 1,
    "csv": lambda path: len(list(csv.DictReader(path.open()))),
    "mcap": _messages,
    "mp4": _pictures,
}


def outputs(folder: Path) -> list[str | Path]:
    """The options for one file of each kind in a folder."""
    files = [("--telemetry", "t.csv"), ("--telemetry", "t.mcap"), ("--overlay", "v.mp4"), ("--record", "r")]
    return [word for option, name in files for word in (option, folder / name)]
