"""What `batch` works on: recordings found in folders, patterns and lists."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from horizon_rt.batches.manifest import FOLDER, known_outputs
from horizon_rt.batches.names import Found
from horizon_rt.errors import SourceNotFound
from horizon_rt.imaging.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from horizon_rt.system.objects import find_objects, is_object

__all__ = ["find_inputs"]

_LONGEST_LIST = 1 << 26


def find_inputs(inputs: Sequence[str]) -> list[Found]:
    """Expand files, folders, patterns and lists (`@FILE`) into recordings, each once.

    A folder gives its videos and those of its subfolders; a folder that holds pictures is one input itself.
    Hidden files, links to folders and the outputs of an earlier run are left out there. What is named is
    taken whatever its extension, as is what matches a pattern with an extension; but an overlay named along
    with its recording beside it, as a shell's pattern does, is left out. A list holds one of these a line,
    relative to its own folder; empty lines and those that begin with # are passed over.

    Raises SourceNotFound when nothing matches, or a list cannot be read.
    """
    every = {_key(one.source): one for text in inputs for one in _expand(text)}
    recordings = {name for path in map(Path, every) for name in (path, path.parent / path.stem)}
    found = [
        one
        for path, one in every.items()
        if not (_is_output(Path(path)) and _recording(Path(path)) in recordings)
    ]
    if not found:
        raise SourceNotFound(f"no videos or pictures in {', '.join(inputs)}")
    return found


def _key(source: str) -> str:
    return source if is_object(source) else os.path.normpath(source)


def _expand(text: str) -> Iterator[Found]:
    path = Path(text)
    if is_object(text):
        yield from _stored(text)
    elif text.startswith("synth:"):
        yield Found(text, PurePath(text.replace("/", "_")), is_folder=True)
    elif path.is_dir():
        yield from _inside(path, path, known_outputs(path))
    elif text.startswith("@") and not os.path.lexists(path):
        yield from _listed(Path(text[1:]))
    elif os.path.lexists(path) or not glob.has_magic(text):
        yield _named(path)
    else:
        yield from _matching(text)


def _stored(address: str) -> Iterator[Found]:
    root = _in_store(address)
    if glob.has_magic(address):
        root = PurePath(*_before_magic(root))
    for one in find_objects(address):
        below = _in_store(one)
        if one != address and below.is_relative_to(root):
            below = below.relative_to(root)
        else:
            below = PurePath(below.name)
        if one == address or below.suffix.lower() in VIDEO_SUFFIXES:
            yield Found(one, below)


def _in_store(address: str) -> PurePath:
    """Where an object lies, without the scheme, which a store may spell in another way."""
    return PurePath(address.partition("://")[2].lstrip("/"))


def _named(path: Path) -> Found:
    return Found(str(path), PurePath(path.name), is_folder=path.is_dir())


def _listed(path: Path) -> Iterator[Found]:
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            text = lines.read(_LONGEST_LIST)
    except OSError as error:
        raise SourceNotFound(f"the list {path} cannot be read: {error.strerror or error}") from error
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith(("#", "@")):
            yield from _expand(
                line if ":" in line.partition("/")[0] else os.path.normpath(path.parent / line)
            )


def _matching(text: str) -> Iterator[Found]:
    suffix = Path(text).suffix
    root = Path(*_before_magic(Path(text)))
    for match in map(Path, sorted(glob.glob(text, recursive=True))):
        if _is_output(match) or match in _known_above(match):
            continue
        if match.is_dir():
            yield from _inside(match, root, known_outputs(match))
        elif match.suffix == suffix or match.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
            yield _below(match, root)


def _before_magic(pattern: PurePath) -> list[str]:
    parts: list[str] = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return parts


def _below(path: Path, root: Path) -> Found:
    below = path.relative_to(root) if path != root and path.is_relative_to(root) else PurePath(path.name)
    return Found(str(path), below, is_folder=path.is_dir())


def _inside(folder: Path, root: Path, known: frozenset[Path]) -> Iterator[Found]:
    """The recordings in a folder found below `root`, but for the `known` outputs."""
    known |= known_outputs(folder)
    if folder in known:
        return
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        yield _below(folder, root)  # it fails by name when its turn comes
        return
    entries = [entry for entry in entries if entry not in known]
    if any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in entries):
        yield _below(folder, root)
    for entry in entries:
        if entry.is_dir():
            if not entry.is_symlink() and not _is_output(entry):
                yield from _inside(entry, root, known)
        elif entry.suffix.lower() in VIDEO_SUFFIXES and not _is_output(entry):
            yield _below(entry, root)


def _known_above(path: Path) -> frozenset[Path]:
    """The outputs of earlier batches into one of the folders that a path lies in."""
    folders = [parent for parent in path.parents if (parent / FOLDER).is_dir()]
    return frozenset[Path]().union(*map(known_outputs, folders))


def _is_output(path: Path) -> bool:
    """Whether it is an overlay of an earlier run: named as one, with the telemetry beside it."""
    stem = _recording(path)
    telemetry = [stem.parent / f"{stem.name}{end}" for end in (".jsonl", ".jsonl.partial")]
    return path.name.removesuffix(".mp4") != stem.name and any(file.exists() for file in telemetry)


def _recording(path: Path) -> Path:
    """What an overlay was made from, without its extension, where both lie in one folder."""
    return path.parent / path.name.removesuffix(".mp4").removesuffix(".overlay")
