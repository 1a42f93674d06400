"""A folder that is watched: new recordings are found once nobody writes them any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from horizon_rt.batches.inputs import find_inputs
from horizon_rt.batches.names import Found, fill_template
from horizon_rt.batches.options import BatchOptions
from horizon_rt.batches.plan import make_items
from horizon_rt.batches.work import Item
from horizon_rt.errors import OutputError, SourceNotFound

__all__ = ["items_of", "watch_folder"]

_LOOK_EVERY_S = 1.0
Seen = tuple[int, int]


def watch_folder(
    folder: Path, settle_s: float, ended: Callable[[], bool] = lambda: False
) -> Iterator[Found | None]:
    """The recordings in a folder, each when its size and time of change have not moved for so long, and those
    that are replaced once more; None for each look that finds nothing, about once a second, until `ended`.

    It looks at the files themselves, as no notice comes from most network shares and cards.
    """
    since: dict[str, tuple[Seen, float]] = {}
    given: dict[str, Seen] = {}
    while not ended():
        for found in _recordings(folder):
            seen, now_s = _seen(Path(found.source)), time.monotonic()
            if seen is None or given.get(found.source) == seen:
                continue
            before = since.get(found.source)
            if before is None or before[0] != seen:
                since[found.source] = seen, now_s
            elif now_s - before[1] >= settle_s:
                given[found.source] = seen
                del since[found.source]
                yield found
        yield None
        time.sleep(_LOOK_EVERY_S)


def items_of(
    coming: Iterator[Found | None], before: Sequence[Item], out: Path, how: BatchOptions
) -> Iterator[Item | OutputError | None]:
    """What is found, with its outputs; an error for one that would replace those of another one, be it of
    `before`. Names that differ in the case of letters count as one.
    """
    owners = {item.name.casefold(): item.source for item in before}
    for found in coming:
        if found is None:
            yield None
            continue
        try:
            owner = owners.setdefault(fill_template(how.name, found, 1).casefold(), found.source)
            if owner != found.source:
                raise OutputError(f"{owner} has the same name")
            yield make_items([found], out, how)[0]
        except OutputError as error:
            yield OutputError(f"{found.source} ({error})")


def _recordings(folder: Path) -> list[Found]:
    try:
        return find_inputs([str(folder)])
    except SourceNotFound:
        return []


def _seen(path: Path) -> Seen | None:
    """Size and time of change of a file; of a folder of pictures, all sizes and the latest change."""
    try:
        files = [path, *path.iterdir()] if path.is_dir() else [path]
        facts = [file.stat() for file in files]
    except OSError:
        return None
    return sum(fact.st_size for fact in facts), max(fact.st_mtime_ns for fact in facts)
