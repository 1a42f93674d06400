"""What is to be done with each input, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
from av.video.stream import VideoStream

from horizon_rt.batches.foreign import why_refused
from horizon_rt.batches.manifest import read_manifest, why_not_done
from horizon_rt.batches.names import Found, check_distinct, fill_template
from horizon_rt.batches.options import BatchOptions
from horizon_rt.batches.outputs import PAGE, make_outputs
from horizon_rt.batches.work import Item, output_names
from horizon_rt.camera.profile_files import load_profile
from horizon_rt.errors import HorizonError, OutputError
from horizon_rt.imaging.opening import open_input
from horizon_rt.imaging.suffixes import is_still
from horizon_rt.options import Part, RunOptions, given_options
from horizon_rt.reports.table import Table
from horizon_rt.sinks.records import camera_fields, mount_fields
from horizon_rt.system.messages import printable
from horizon_rt.system.units import counted
from horizon_rt.tracker import model_name

__all__ = ["Planned", "make_items", "plan", "plan_table", "settings_of"]

_PROBES = 8


@dataclass(frozen=True, slots=True)
class Planned:
    """An item, why it is to be worked on (empty: it is not), and how long it is, as far as that is known."""

    item: Item
    why: str
    seconds: float | None = None
    frames: int | None = None


def make_items(found: Sequence[Found], out: Path, options: BatchOptions, *, first: int = 1) -> list[Item]:
    """The inputs with their outputs, numbered from `first`.

    Raises OutputError where two want the same output, or one would replace an input or the page of all.
    """
    items = [_item(one, out, options, index) for index, one in enumerate(found, first)]
    check_distinct(options.name, found, [item.outputs.paths for item in items])
    inputs = {Path(item.source).resolve() for item in items}
    for item in items:
        for path in item.outputs.paths:
            if path.resolve() in inputs:
                raise OutputError(
                    f"{path} is an input and would be replaced; choose another folder for --out"
                )
            if "report" in options.kinds and path.relative_to(out).as_posix().casefold() == PAGE:
                raise OutputError(
                    f"{path} is the page of the whole batch, not that of {item.source}; give another --name"
                )
    return items


def _item(found: Found, out: Path, options: BatchOptions, index: int) -> Item:
    name = fill_template(options.name, found, index)
    still = not found.source.startswith("synth:") and (found.is_folder or is_still(Path(found.source)))
    outputs = make_outputs(out, name, options.kinds, is_image_set=still)
    return Item(found.source, out, name, replace(outputs, drawing=options.drawing, coding=options.coding))


def settings_of(options: RunOptions, how: BatchOptions) -> dict[str, Any]:
    """All that the outputs of an input depend on besides itself. Raises WeightsError and CameraModelError."""
    settings: dict[str, Any] = {**options.header_fields, "model": model_name(options.engine)}
    if options.lens.camera_profile is not None:
        profile = load_profile(options.lens.camera_profile)
        settings["camera_profile"] = camera_fields(profile.model)
        settings["profile_mount"] = mount_fields(profile.mount)
        settings["readout_s"] = profile.readout_s
    return settings | given_options(how.drawing) | given_options(how.coding)


def plan(
    items: Sequence[Item], options: RunOptions, settings: Mapping[str, Any], *, resume: bool
) -> list[Planned]:
    """What is to be done with each item; the lengths of inputs are looked up several at a time."""

    def look(item: Item) -> Planned:
        why = "no --resume"
        if resume:
            note = read_manifest(item.out, item.name)
            why = why_not_done(note, item.out, item.source, settings, output_names(item))
        seconds, frames = (None, None) if not why else _length(item.source, options.part)
        return Planned(item, why, seconds, frames)

    with ThreadPoolExecutor(_PROBES, "plan") as pool:
        return list(pool.map(look, items))


def _length(source: str, part: Part) -> tuple[float | None, int | None]:
    """Seconds of a video and about how many of its frames will be tracked; None where that is unknown."""
    path = Path(source)
    if not path.is_file() or is_still(path):
        return None, None
    try:
        with open_input(path) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream) or container.duration is None:
                return None, None
            seconds = container.duration / av.time_base
            rate = float(stream.average_rate or 0)
    except (OSError, ValueError, HorizonError):
        return None, None
    ends_s = seconds if part.end_s is None else min(seconds, part.end_s)
    kept_s = max(ends_s - part.from_s, 0.0)
    return seconds, round(kept_s * rate / part.stride) if rate and not part.key_only else None


def _action(one: Planned) -> tuple[str, str]:
    if not one.why:
        return "skip", "is whole"
    refusal = why_refused(one.item)
    return ("refuse", refusal) if refusal else ("track", one.why)


def plan_table(planned: Sequence[Planned]) -> Table:
    """A row for each input: what would be done, and why."""
    rows = []
    for one in planned:
        length = "" if one.seconds is None else f"{one.seconds:.1f} s"
        outputs = ", ".join(output_names(one.item))
        rows.append((printable(one.item.source), *_action(one), length, outputs))
    todo = sum(row[1] == "track" for row in rows)
    seconds = sum(one.seconds or 0.0 for one in planned)
    head = ("input", "action", "why", "length", "outputs")
    foot = (counted(len(planned), "input"), f"{todo} to track", "", f"{seconds:.1f} s", "")
    return Table("input", "", head, tuple(rows), foot=foot)
