"""Telemetry that is there already, in the formats of other programs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

from horizon_rt.errors import OutputError, SourceError, SourceNotFound
from horizon_rt.pipeline.outputs import check_apart
from horizon_rt.sidecars.opening import open_sidecar
from horizon_rt.sinks.records import read_header, read_records

__all__ = ["convert_telemetry"]


def convert_telemetry(source: Path, targets: Sequence[Path], *, merge: Path | None = None) -> int:
    """Write the rows of a JSON lines file into files of other formats; the number of rows.

    `merge` is as `open_sidecar` says. A last line that is cut off is left out, with a warning in the log.
    Raises SourceError for what is no telemetry, and OutputError.
    """
    check_apart(targets)
    for target in targets:
        for other in (source, merge):
            if other is not None and os.path.realpath(target) == os.path.realpath(other):
                raise OutputError(f"{target} is an input, which would be lost; give the output another name")
    if not source.exists():
        raise SourceNotFound(f"{source}: no such file; check the name")
    try:
        return _convert(source, targets, merge)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{source}: no whole telemetry as JSON lines ({error})") from error


def _convert(source: Path, targets: Sequence[Path], merge: Path | None) -> int:
    header, count = read_header(source), 0
    rows = read_records(source)
    first = list(islice(rows, 1))
    with ExitStack() as opened:
        writers = []
        for target in targets:
            writer = open_sidecar(target, header, pictures=any("file" in row for row in first), merge=merge)
            opened.callback(writer.discard)
            writers.append(writer)
        for row in chain(first, rows):
            count += 1
            for writer in writers:
                writer.put(row)
        for writer in writers:
            writer.close()
    return count
