"""What a run writes, and whether it may."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from horizon_rt.detections.boxes import Boxes
from horizon_rt.errors import OutputError
from horizon_rt.options import EncodeOptions
from horizon_rt.recording.options import RecordOptions
from horizon_rt.sinks.drawing import DrawOptions
from horizon_rt.sinks.records import header_matches, read_header
from horizon_rt.sources import SourceInfo
from horizon_rt.system.objects import is_object

__all__ = [
    "Outputs",
    "check_apart",
    "check_taken",
    "check_targets",
    "default_outputs",
    "filled",
    "free_folder",
    "local_file",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What a run writes: telemetry files ('-' for stdout), one overlay (a folder for pictures), a page about
    it, a folder of its hardest moments, a Rerun recording, a window; the addresses of links; where its page
    is served; and a recording in segments. `drawing` is how overlays look, `coding` how video is encoded. A
    `levelled` video is written after the run, by `level_video`; with `level` overlay, window and page show
    pictures that are turned level. `boxes` of a detector are drawn on the
    overlay.
    """

    telemetry: tuple[str, ...] = ()
    overlay: Path | None = None
    levelled: Path | None = None
    report: Path | None = None
    thumbnails: Path | None = None
    rerun: Path | None = None
    window: bool = False
    level: bool = False
    links: tuple[str, ...] = ()
    web: str | None = None
    recording: RecordOptions = field(default_factory=RecordOptions)
    drawing: DrawOptions = field(default_factory=DrawOptions)
    coding: EncodeOptions = field(default_factory=EncodeOptions)
    boxes: Boxes | None = None

    def of(self, name: str, number: int) -> Outputs:
        """Those of a camera, whose name and number stand for {name} and {number}."""

        def fill(path: Path | None) -> Path | None:
            return None if path is None else Path(filled(str(path), name, number))

        return replace(
            self,
            telemetry=tuple(filled(target, name, number) for target in self.telemetry),
            overlay=fill(self.overlay),
            levelled=fill(self.levelled),
            report=fill(self.report),
            thumbnails=fill(self.thumbnails),
            rerun=fill(self.rerun),
            links=tuple(filled(address, name, number) for address in self.links),
            web=None if self.web is None else filled(self.web, name, number),
            recording=self.recording.at(lambda folder: filled(folder, name, number)),
        )

    @property
    def places(self) -> set[str]:
        """All but the window, as they were given."""
        web = () if self.web is None else (self.web,)
        return {*self.telemetry, *map(str, self.paths), *self.links, *web}

    @property
    def shows_pictures(self) -> bool:
        """Whether anything but telemetry is asked for."""
        places = self.overlay, self.report, self.thumbnails, self.rerun, self.web, self.recording.record
        return self.window or any(place is not None for place in places)

    @property
    def paths(self) -> list[Path]:
        """The files and folders that will exist after a whole run."""
        files = [Path(target) for target in self.telemetry if target != "-"]
        recorded = None if self.recording.record is None else Path(self.recording.record)
        others = (self.overlay, self.levelled, self.report, self.thumbnails, self.rerun, recorded)
        return [*files, *(path for path in others if path is not None)]


def filled(text: str, name: str, number: int) -> str:
    """A text with the name and number of a camera for {name} and {number}."""
    return text.replace("{name}", name).replace("{number}", str(number))


def default_outputs(folder: Path, name: str, *, is_image_set: bool) -> Outputs:
    """Telemetry and overlay in a folder, as `--out` and `batch` write them."""
    overlay = folder / (f"{name}.overlay" if is_image_set else f"{name}.overlay.mp4")
    return Outputs(telemetry=(str(folder / f"{name}.jsonl"),), overlay=overlay)


def free_folder(name: str) -> Path:
    """A folder in the current directory for results that nobody gave a place: new, or empty."""
    for number in itertools.count(1):
        folder = Path(f"{name}-horizon" if number == 1 else f"{name}-horizon-{number}")
        if not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir())):
            return folder
    raise AssertionError("there is always another number")


def check_taken(outputs: Outputs, info: SourceInfo) -> None:
    """Raises OutputError where telemetry of another source bears the name of one of these."""
    for path in outputs.paths:
        with suppress(OSError, ValueError, KeyError, TypeError):
            head = read_header(path)
            if not header_matches(head, info.name):
                raise OutputError(f"{path} holds the results of {head['source']}; give another folder")


def check_targets(outputs: Outputs, info: SourceInfo) -> None:
    """Outputs replace what bears their name, which must be neither the source nor one another."""
    targets = outputs.paths
    if outputs.telemetry.count("-") > 1:
        raise OutputError("standard output is wanted for two outputs; give - once")
    for target in targets:
        if info.kind in ("file", "images") and _same(target, Path(info.name)):
            raise OutputError(f"{target} is the source, which would be lost; give the output another name")
    check_apart(targets)


def check_apart(targets: Sequence[Path]) -> None:
    """Raises OutputError where two outputs have one name."""
    for i, target in enumerate(targets):
        if any(_same(target, other) for other in targets[:i] if not target.is_char_device()):
            raise OutputError(f"{target} is wanted for two outputs; give each its own name")


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.abspath(one) == os.path.abspath(other)


def local_file(info: SourceInfo) -> str | None:
    """The file whose sound and tags a video of this source keeps, None for other sources.

    One line tells where a recording has them out of reach, in an object store.
    """
    if info.kind != "file":
        return None
    if is_object(info.name):
        _log.warning("%s: its sound and tags are not kept; copy it to a local file for them", info.name)
        return None
    return info.name
