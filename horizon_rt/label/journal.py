"""The lines of label.jsonl, to and from values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from horizon_rt.datasets.text import finite
from horizon_rt.errors import DatasetError
from horizon_rt.geometry import HorizonLine
from horizon_rt.horizon import View
from horizon_rt.json import parse_object
from horizon_rt.label.proposal import Proposal

__all__ = ["FORMAT", "Journal", "LabelFrame", "frame_entry", "line", "load"]

FORMAT = "horizon-rt-label/1"
_MOST_FRAMES, _LARGEST_SIDE = 1 << 53, 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFrame:
    """A picture on offer: its file in images/, where it comes from, its size in px, the tracker's opinion."""

    file: str
    index: int
    time_s: float
    width: int
    height: int
    proposal: Proposal


@dataclass(slots=True)
class Journal:
    """What a journal says; `cut` tells that its last line is not whole and left out of `entries`."""

    source: str
    every: int
    entries: list[dict[str, Any]]
    cut: bool
    complete: bool = False
    frames: list[LabelFrame] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)

    def take(self, entry: dict[str, Any]) -> None:
        """Apply one entry after the header."""
        if "index" in entry:
            self.frames.append(_frame(entry))
        elif "complete" in entry:
            self.complete = bool(entry["complete"])
        elif entry["skipped"]:
            self.skipped.add(str(entry["file"]))
        else:
            self.skipped.discard(str(entry["file"]))


def line(entry: dict[str, Any]) -> bytes:
    """One line of the journal."""
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def frame_entry(frame: LabelFrame) -> dict[str, Any]:
    """The entry of a frame."""
    seen = frame.proposal
    proposal: dict[str, Any] = {"view": seen.view, "confidence": round(seen.confidence, 4)}
    if seen.line is not None:
        proposal |= {
            "angle_deg": round(seen.line.angle_deg, 4),
            "offset_px": round(seen.line.offset_px, 3),
            "angle_sd_deg": round(seen.angle_sd_deg, 4),
            "offset_sd_px": round(seen.offset_sd_px, 3),
        }
    size = {"width": frame.width, "height": frame.height}
    when = {"index": frame.index, "time_s": round(frame.time_s, 6)}
    return {"file": frame.file, **when, **size, "proposal": proposal}


def load(path: Path) -> Journal:
    """Read a journal; raises DatasetError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    whole, _, rest = data.rpartition(b"\n")
    try:
        header, *entries = [parse_object(text) for text in whole.split(b"\n")]
        if header["format"] != FORMAT:
            raise ValueError(f"its format is {header['format']!a:.60}, not {FORMAT}")
        every = _whole(header, "every", 1, _MOST_FRAMES)
        journal = Journal(str(header["source"]), every, [header, *entries], bool(rest))
        for entry in entries:
            journal.take(entry)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DatasetError(f"{path} is no journal of a labelling: {error}") from error
    return journal


def _frame(entry: dict[str, Any]) -> LabelFrame:
    name = str(entry["file"])
    if Path(name).name != name or name in ("", "..") or "\x00" in name:
        raise ValueError(f"a frame's file is a plain name, got {name!r}")
    return LabelFrame(
        file=name,
        index=_whole(entry, "index", 0, _MOST_FRAMES),
        time_s=finite(entry["time_s"]),
        width=_whole(entry, "width", 2, _LARGEST_SIDE),
        height=_whole(entry, "height", 2, _LARGEST_SIDE),
        proposal=_proposal(entry["proposal"]),
    )


def _whole(entry: dict[str, Any], key: str, least: int, most: int) -> int:
    value = entry[key]
    if not (type(value) is int and least <= value <= most):
        raise ValueError(f"{key} is a whole number from {least} to {most}, got {value!a:.60}")
    return value


def _proposal(entry: dict[str, Any]) -> Proposal:
    if entry["view"] not in get_args(View):
        raise ValueError(f"unknown view {entry['view']!r}")
    seen = Proposal(view=entry["view"], confidence=finite(entry["confidence"]))
    if "angle_deg" not in entry:
        return seen
    return Proposal(
        view=seen.view,
        confidence=seen.confidence,
        line=HorizonLine(finite(entry["angle_deg"]), finite(entry["offset_px"])),
        angle_sd_deg=finite(entry["angle_sd_deg"]),
        offset_sd_px=finite(entry["offset_sd_px"]),
    )
