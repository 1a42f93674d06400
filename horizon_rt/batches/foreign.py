"""What bears the name of an output and was written by others: a batch leaves it as it is."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from horizon_rt.batches.manifest import own_outputs
from horizon_rt.batches.work import Item, output_names
from horizon_rt.pipeline.outputs import default_outputs
from horizon_rt.sinks.records import header_matches, read_header

__all__ = ["why_refused"]


def why_refused(item: Item) -> str:
    """The first output of an item whose name is taken, in a line; empty where it may be written.

    What an earlier run wrote is known by its note, and the results of `track` by the header of their
    telemetry. All else was written by others.
    """
    known = {item.out / name for name in own_outputs(item.out, item.name)} | _tracked(item)
    for path in map(item.out.joinpath, output_names(item)):
        if os.path.lexists(path) and path not in known:
            return f"{path} exists and is by no earlier run; move it away or give another folder for --out"
    return ""


def _tracked(item: Item) -> set[Path]:
    """Telemetry and overlay as `track --out` writes them, where the telemetry is that of this source."""
    usual = [default_outputs(item.out, item.name, is_image_set=still) for still in (False, True)]
    with suppress(OSError, ValueError, KeyError, TypeError):
        if header_matches(read_header(Path(usual[0].telemetry[0])), item.source):
            return {path for one in usual for path in one.paths}
    return set()
