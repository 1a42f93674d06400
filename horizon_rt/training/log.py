"""The log of a training run: log.jsonl, an entry a line."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from horizon_rt.errors import TrainingError
from horizon_rt.files import append_line, write_whole
from horizon_rt.json import parse_object

__all__ = ["Curves", "append_entry", "read_log", "trim_log"]

Curves = dict[str, tuple[list[int], list[float]]]


def append_entry(path: Path, entry: dict[str, Any]) -> None:
    """Add an entry, which names its `step`; raises OutputError."""
    append_line(path, json.dumps(entry).encode() + b"\n")


def read_log(path: Path) -> Curves:
    """Steps and values by name; raises TrainingError for a damaged log."""
    curves: defaultdict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    try:
        for line in path.read_bytes().splitlines():
            step, values = _parse(line)
            for name, value in values.items():
                curves[name][0].append(step)
                curves[name][1].append(value)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} is no log of a training run: {error}") from error
    return dict(curves)


def trim_log(path: Path, step: int) -> None:
    """Leave out what was logged after a step, and what is damaged; raises OutputError."""
    if path.exists():
        lines = path.read_bytes().splitlines(keepends=True)
        write_whole(path, b"".join(line for line in lines if _is_until(line, step)))


def _is_until(line: bytes, step: int) -> bool:
    try:
        return _parse(line)[0] <= step and line.endswith(b"\n")
    except ValueError:
        return False


def _parse(line: bytes) -> tuple[int, dict[str, float]]:
    """The step of an entry and its numbers by name; raises ValueError."""
    try:
        entry = parse_object(line)
        values = entry.get("evaluation", {"training/loss": entry.get("loss")})
        numbers = {name: float(value) for name, value in values.items() if isinstance(value, (int, float))}
        return int(entry["step"]), numbers
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
