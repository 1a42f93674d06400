"""Where the datasets lie, and what is held out from training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from horizon_rt.errors import DatasetError
from horizon_rt.system.files import toml_text, write_atomic
from horizon_rt.system.toml import read_toml

__all__ = ["is_held_out", "is_split", "write_split"]


def is_held_out(split: Path, dataset: str, name: str) -> bool:
    """Whether a split file (`[set_aside]` name prefixes by dataset) keeps this file from training.

    Raises DatasetError for a split file that cannot be read: training on what was to be held out would
    spoil every figure.
    """
    return name.startswith(_prefixes(split, dataset))


def is_split(split: Path, dataset: str) -> bool:
    """Whether a split file says what of this dataset is held out; raises DatasetError."""
    return bool(_prefixes(split, dataset))


def write_split(path: Path, names: Mapping[str, Sequence[str]]) -> None:
    """A split file of these file names by dataset, if there are any; raises OutputError."""
    given = {dataset: ", ".join(map(toml_text, files)) for dataset, files in names.items() if files}
    lines = [f"{toml_text(dataset)} = [{files}]" for dataset, files in given.items()]
    if lines:
        write_atomic(path, ("\n".join(["[set_aside]", *lines]) + "\n").encode())


@lru_cache(maxsize=64)
def _prefixes(split: Path, dataset: str) -> tuple[str, ...]:
    try:
        given = read_toml(split)["set_aside"].get(dataset, [])
        if not (isinstance(given, list) and all(isinstance(prefix, str) and prefix for prefix in given)):
            raise ValueError(f"what is held out of {dataset} is a list of beginnings of file names")
        return tuple(given)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(f"{split} is no usable split: {reason}") from error
