"""What a batch notes of each of its inputs beside the outputs, so that it can be resumed.

The note of an input lies in `.horizon-rt/NAME.json` in the folder of outputs. It is written before the work
begins, and once more when all outputs bear their names, so that it vouches for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from horizon_rt.batches.fingerprint import input_fingerprint, output_fingerprint
from horizon_rt.system.files import write_atomic
from horizon_rt.system.json import parse_object

__all__ = ["FOLDER", "Manifest", "known_outputs", "own_outputs", "read_manifest", "why_not_done"]

FOLDER = ".horizon-rt"
_SCHEMA = "horizon-rt-batch/1"
_LARGEST = 1 << 24

Progressed = Literal["begun", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What became of an input: `input` and `settings` are what its outputs depend on, `outputs` the
    fingerprints of what was written by their names below the folder of outputs, `results` numbers for pages.
    An output that a run has begun to write has none yet. `earlier` is what other runs wrote, such as those
    with other kinds of outputs or other settings, and still stands.
    """

    source: str
    status: Progressed
    input: Mapping[str, Any]
    settings: Mapping[str, Any]
    outputs: Mapping[str, Any]
    reason: str = ""
    results: Mapping[str, Any] = field(default_factory=dict)
    earlier: Mapping[str, Any] = field(default_factory=dict)

    def write(self, out: Path, name: str) -> None:
        """Put it beside the outputs of this name; raises OutputError."""
        values = {"schema": _SCHEMA} | {key: getattr(self, key) for key in self.__slots__}
        text = json.dumps(values, ensure_ascii=True, indent=1) + "\n"
        write_atomic(manifest_path(out, name), text.encode())


def manifest_path(out: Path, name: str) -> Path:
    """Where the note of a name lies."""
    return out / FOLDER / f"{name}.json"


def read_manifest(out: Path, name: str) -> Manifest | None:
    """What was noted of a name; None where there is none that makes sense."""
    return _read(manifest_path(out, name))


def _read(path: Path) -> Manifest | None:
    try:
        with path.open("rb") as file:
            values = parse_object(file.read(_LARGEST))
        if values.pop("schema") != _SCHEMA:
            return None
        found = Manifest(**values)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    parts = (found.input, found.settings, found.outputs, found.results, found.earlier)
    return found if all(isinstance(part, dict) for part in parts) else None


def known_outputs(folder: Path) -> frozenset[Path]:
    """All that batches have written into a folder, or have begun to write."""
    return frozenset(folder / name for note in _notes(folder) for name in (*note.outputs, *note.earlier))


def own_outputs(out: Path, name: str) -> dict[str, Any]:
    """The outputs that runs wrote under a name, with the fingerprints that they had, whatever they hold now.

    A run that was killed could not note what it had finished: of its outputs those count that are no older
    than its note, so that what others put there before it began is left out.
    """
    note = read_manifest(out, name)
    if note is None:
        return {}
    found = {one: known for one, known in {**note.earlier, **note.outputs}.items() if known is not None}
    if note.status == "begun":
        with suppress(OSError):
            found |= _written_since(manifest_path(out, name).stat().st_mtime_ns, out, note.outputs)
    return found


def _written_since(time_ns: int, out: Path, names: Iterable[str]) -> dict[str, Any]:
    found = {}
    for name in names:
        with suppress(OSError):
            if (out / name).stat().st_mtime_ns >= time_ns:
                found[name] = output_fingerprint(out / name)
    return found


def _notes(folder: Path) -> Iterator[Manifest]:
    for path in sorted((folder / FOLDER).rglob("*.json")):
        if (note := _read(path)) is not None:
            yield note


def why_not_done(
    note: Manifest | None, out: Path, source: str, settings: Mapping[str, Any], outputs: Sequence[str]
) -> str:
    """Why an input has to be worked on, in a few words; empty where all of its outputs are whole."""
    if note is None:
        return "new"
    if note.status == "begun":
        return "was interrupted"
    if note.status == "failed":
        return f"failed: {note.reason}"
    try:
        if note.input != input_fingerprint(source):
            return "the input has changed"
    except OSError:
        return "the input cannot be read"
    if note.settings != settings:
        return f"other settings: {_difference(note.settings, settings)}"
    return _damage(note, out, outputs)


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    return ", ".join(changed)


def _damage(note: Manifest, out: Path, outputs: Sequence[str]) -> str:
    for name in outputs:
        try:
            if name not in note.outputs:
                return f"{name} is not written yet"
            if output_fingerprint(out / name) != note.outputs[name]:
                return f"{name} has changed"
        except OSError:
            return f"{name} is missing"
    return ""
