"""The photographs that are named, and where their copies go."""

from __future__ import annotations

import glob
import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from horizon_rt.errors import OutputError, SourceNotFound
from horizon_rt.imaging.suffixes import IMAGE_SUFFIXES
from horizon_rt.sources.images import natural_key

__all__ = ["FOLDER", "Task", "find_photos"]

FOLDER = "straightened"
"""The folder beside a photograph for its copy, where no other is given."""


@dataclass(frozen=True, slots=True)
class Task:
    """A photograph, and what is to be written for it."""

    photo: Path
    target: Path


def find_photos(inputs: Sequence[str | Path], out: Path | None, *, xmp: bool) -> list[Task]:
    """The photographs of files, folders and patterns, each with its copy or sidecar.

    A folder gives those directly in it, without hidden ones. Copies go to `out`, else to `straightened`
    beside the photograph; sidecars to `out`, else beside it. Raises SourceNotFound where there are none, and
    OutputError where a copy would replace one of them.
    """
    photos = list(dict.fromkeys(path for text in inputs for path in _expand(str(text))))
    if not photos:
        raise SourceNotFound(f"no photographs in {', '.join(map(str, inputs))}")
    targets = _targets(photos, out, xmp=xmp)
    originals = {os.path.realpath(photo) for photo in photos}
    for target in targets:
        if os.path.realpath(target) in originals:
            raise OutputError(
                f"{target} is a photograph and would be replaced; give another folder for --out"
            )
    return [Task(photo, target) for photo, target in zip(photos, targets, strict=True)]


def _expand(text: str) -> Iterator[Path]:
    path = Path(text)
    if path.is_dir():
        yield from _inside(path)
    elif os.path.lexists(path) or not glob.has_magic(text):
        yield path
    else:
        for match in sorted(map(Path, glob.glob(text, recursive=True)), key=_key):
            if match.is_dir():
                yield from _inside(match)
            elif match.suffix.lower() in IMAGE_SUFFIXES:
                yield match


def _inside(folder: Path) -> list[Path]:
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return [folder]  # it fails by name when its turn comes
    photos = [entry for entry in entries if entry.suffix.lower() in IMAGE_SUFFIXES and entry.is_file()]
    return sorted(photos, key=_key)


def _key(path: Path) -> list[tuple[int, str]]:
    return natural_key(str(path))


def _targets(photos: Sequence[Path], out: Path | None, *, xmp: bool) -> list[Path]:
    """A place for each; those of one name in `out` begin with that of the folder, others get a number."""
    names = [f"{photo.stem}.xmp" if xmp else photo.name for photo in photos]
    common = Counter(name.lower() for name in names)
    places = []
    for photo, name in zip(photos, names, strict=True):
        clashes = out is not None and common[name.lower()] > 1
        apart = f"{Path(os.path.abspath(photo)).parent.name}_{name}" if clashes else name
        places.append((out or photo.parent / ("" if xmp else FOLDER)) / apart)
    return list(_numbered(places))


def _numbered(paths: Sequence[Path]) -> Iterator[Path]:
    """Each path, the later ones of the same as NAME-2, NAME-3 and so on where none is called so."""
    wanted, taken = set(map(_place, paths)), set[str]()
    for path in paths:
        free = path
        for number in itertools.count(2):
            if _place(free) not in (taken if free is path else taken | wanted):
                break
            free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        taken.add(_place(free))
        yield free


def _place(path: Path) -> str:
    return os.path.abspath(path).lower()
