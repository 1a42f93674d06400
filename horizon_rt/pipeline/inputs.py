"""What `batch` works on: recordings found in folders and patterns, each with names for its outputs."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from horizon_rt.errors import OutputError, SourceNotFound
from horizon_rt.imaging.suffixes import IMAGE_SUFFIXES, is_still
from horizon_rt.pipeline.outputs import Outputs, default_outputs

__all__ = ["VIDEO_SUFFIXES", "BatchItem", "find_inputs"]

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".h264", ".h265", ".hevc", ".m2ts", ".m4v", ".mkv", ".mov"}
    | {".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv"}
)


@dataclass(frozen=True, slots=True)
class BatchItem:
    """An input and where its outputs go."""

    source: Path
    outputs: Outputs


def find_inputs(
    inputs: Sequence[str], out: Path, *, overlay: bool = True, also: Sequence[str] = ()
) -> list[BatchItem]:
    """Expand files, folders and patterns into jobs with distinct names.

    A folder gives its videos and those of its subfolders; a folder that holds pictures is one input itself.
    Hidden files, links to folders and the outputs of an earlier run are left out there. What is named is
    taken whatever its extension, as is what matches a pattern with an extension; but an overlay named along
    with its recording beside it, as a shell's pattern does, is left out. `also` are endings
    of further telemetry, such as '.srt'.

    Raises SourceNotFound when nothing matches and OutputError when an output would replace an input.
    """
    every = dict.fromkeys(path for text in inputs for path in _expand(text))
    recordings = {name for path in every for name in (path, path.parent / path.stem)}
    found = [path for path in every if not (_is_output(path) and _recording(path) in recordings)]
    if not found:
        raise SourceNotFound(f"no videos or pictures in {', '.join(inputs)}")
    jobs = [
        BatchItem(path, _outputs(path, out, name, overlay=overlay, also=also))
        for path, name in zip(found, _distinct_names(found), strict=True)
    ]
    _check_inputs_stay(jobs)
    return jobs


def _expand(text: str) -> Iterator[Path]:
    path = Path(text)
    if path.is_dir():
        yield from _inside(path)
    elif os.path.lexists(path) or not glob.has_magic(text):
        yield path
    else:
        for match in map(Path, sorted(glob.glob(text, recursive=True))):
            if _is_output(match):
                continue
            if match.is_dir():
                yield from _inside(match)
            elif match.suffix == path.suffix or match.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
                yield match


def _inside(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        yield folder  # it fails by name when its turn comes
        return
    if any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in entries):
        yield folder
    for entry in entries:
        if entry.is_dir():
            if not entry.is_symlink() and not _is_output(entry):
                yield from _inside(entry)
        elif entry.suffix.lower() in VIDEO_SUFFIXES and not _is_output(entry):
            yield entry


def _is_output(path: Path) -> bool:
    """Whether it is an overlay of an earlier run: named as one, with the telemetry beside it."""
    stem = _recording(path)
    telemetry = [stem.parent / f"{stem.name}{end}" for end in (".jsonl", ".jsonl.partial")]
    return path.name.removesuffix(".mp4") != stem.name and any(file.exists() for file in telemetry)


def _recording(path: Path) -> Path:
    """What an overlay was made from, without its extension, where both lie in one folder."""
    return path.parent / path.name.removesuffix(".mp4").removesuffix(".overlay")


def _distinct_names(paths: Sequence[Path]) -> list[str]:
    """The stem of each path, with as much of its path in front as keeps the names apart."""
    absolute = [Path(os.path.abspath(path)) for path in paths]
    names = [path.name if path.is_dir() else path.stem for path in absolute]
    for depth in range(max(len(path.parts) for path in absolute)):
        clashing = _clashing(names)
        for i, path in enumerate(absolute):
            if names[i].lower() in clashing:
                names[i] = "_".join(path.parts[max(len(path.parts) - 1 - depth, 1) :])
    clashing = _clashing(names)  # a_b/c and a/b_c
    return [f"{name}-{i}" if name.lower() in clashing else name for i, name in enumerate(names, 1)]


def _clashing(names: Sequence[str]) -> set[str]:
    return {name for name, count in Counter(name.lower() for name in names).items() if count > 1}


def _outputs(source: Path, out: Path, name: str, *, overlay: bool, also: Sequence[str]) -> Outputs:
    outputs = default_outputs(out, name, is_image_set=source.is_dir() or is_still(source))
    more = [str(out / f"{name}{ending}") for ending in also]
    outputs = replace(outputs, telemetry=tuple(dict.fromkeys([*outputs.telemetry, *more])))
    return outputs if overlay else replace(outputs, overlay=None)


def _check_inputs_stay(jobs: Sequence[BatchItem]) -> None:
    inputs = {os.path.realpath(job.source) for job in jobs}
    for job in jobs:
        for path in job.outputs.paths:
            if os.path.realpath(path) in inputs:
                raise OutputError(
                    f"{path} is an input and would be replaced; choose another folder for --out"
                )
