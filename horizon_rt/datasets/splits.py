"""Which files of a dataset are for training, for validation and for test, by a split file.

`[set_aside]` names what is held out from training by the beginnings of file names, by dataset; `[test]`, in
the same form, the part of it that is for test alone. What else is held out is for validation: evaluations
during training, early stopping and the choice of a learning rate use that part and no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from horizon_rt.errors import DatasetError
from horizon_rt.system.files import toml_text, write_atomic
from horizon_rt.system.toml import read_toml

__all__ = ["SplitPart", "is_held_out", "is_split", "split_part", "write_split"]

SplitPart = Literal["training", "validation", "test"]


def split_part(split: Path, dataset: str, name: str) -> SplitPart:
    """What a file is for; raises DatasetError for a split file that cannot be read.

    Without a table `[test]` everything that is held out is for validation.
    """
    aside, test = _prefixes(split, dataset)
    if name.startswith(test):
        return "test"
    return "validation" if name.startswith(aside) else "training"


def is_held_out(split: Path, dataset: str, name: str) -> bool:
    """Whether a split file keeps this file from training, for validation or for test.

    Raises DatasetError for a split file that cannot be read: training on what was to be held out would
    spoil every figure.
    """
    return split_part(split, dataset, name) != "training"


def is_split(split: Path, dataset: str) -> bool:
    """Whether a split file says what of this dataset is held out; raises DatasetError."""
    return any(_prefixes(split, dataset))


def write_split(
    path: Path, names: Mapping[str, Sequence[str]], test: Mapping[str, Sequence[str]] | None = None
) -> None:
    """A split file of what is held out, and what of it is for test, if anything is; raises OutputError."""
    tables = {"set_aside": names, "test": test or {}}
    lines = [line for title, table in tables.items() for line in _table(title, table)]
    if lines:
        write_atomic(path, ("\n".join(lines) + "\n").encode())


def _table(title: str, names: Mapping[str, Sequence[str]]) -> list[str]:
    given = {dataset: ", ".join(map(toml_text, files)) for dataset, files in names.items() if files}
    rows = [f"{toml_text(dataset)} = [{files}]" for dataset, files in given.items()]
    return [f"[{title}]", *rows] if rows else []


@lru_cache(maxsize=64)
def _prefixes(split: Path, dataset: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Beginnings of the names of what is held out, and of what of it is for test."""
    try:
        table = read_toml(split)
        return _named(table["set_aside"], dataset), _named(table.get("test", {}), dataset)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(f"{split} is no usable split: {reason}") from error


def _named(table: Mapping[str, object], dataset: str) -> tuple[str, ...]:
    given = table.get(dataset, [])
    if not (isinstance(given, list) and all(isinstance(prefix, str) and prefix for prefix in given)):
        raise ValueError(f"what is held out of {dataset} is a list of beginnings of file names")
    return tuple(given)
