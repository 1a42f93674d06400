"""What a batch can write of each input: the one list of `--write`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from horizon_rt.errors import OptionsError
from horizon_rt.sidecars.endings import ENDINGS, OF_PICTURES
from horizon_rt.system.extras import require

if TYPE_CHECKING:
    from horizon_rt.pipeline.outputs import Outputs

__all__ = ["PAGE", "WRITERS", "check_kinds", "kinds_of", "make_outputs"]

PAGE = "batch.html"
"""The page of a whole batch, beside the outputs."""
Place = Callable[[str], Path]
"""The path of an output for the ending of its name."""
Maker = Callable[[Place, bool], Mapping[str, Any]]
"""Fields of `Outputs` for a place and whether the input is pictures that stand alone."""


def _telemetry(ending: str) -> Maker:
    return lambda place, still: {"telemetry": str(place(ending))}


WRITERS: dict[str, Maker] = {
    "telemetry": _telemetry(".jsonl"),
    "csv": _telemetry(".csv"),
    "mcap": _telemetry(".mcap"),
    **{ending.removeprefix("."): _telemetry(ending) for ending in ENDINGS if ending.startswith(".")},
    "overlay": lambda place, still: {"overlay": place(".overlay" if still else ".overlay.mp4")},
    "report": lambda place, still: {"report": place(".html")},
    "level": lambda place, still: {"levelled": place(".level.mp4")},
    "thumbnails": lambda place, still: {"thumbnails": place(".thumbnails")},
    "rerun": lambda place, still: {"rerun": place(".rrd")},
}
"""Each kind of output with what it adds to a run; a new one is a line here."""
_OF_VIDEO = {"level"}
_EXTRAS = {"mcap": "mcap", "parquet": "tables", "rerun": "rerun", "report": "report"}


def kinds_of(text: str) -> list[str]:
    """The kinds of outputs of a list such as 'telemetry,overlay'; raises OptionsError."""
    kinds = [*dict.fromkeys(part.strip() for part in text.split(",") if part.strip())]
    unknown = [kind for kind in kinds if kind not in WRITERS]
    if unknown or not kinds:
        raise OptionsError(f"--write takes some of {', '.join(WRITERS)}, with commas between, got {text!r}")
    return kinds


def check_kinds(kinds: Sequence[str]) -> None:
    """Raises MissingExtra where a package for one of these outputs is not installed."""
    for kind in kinds:
        if kind in _EXTRAS:
            require(_EXTRAS[kind], f"--write {kind}")


def make_outputs(out: Path, name: str, kinds: Sequence[str], *, is_image_set: bool) -> Outputs:
    """The outputs of these kinds in a folder under this name.

    Of a video those that are for pictures are left out, and the other way round, unless nothing else is
    wanted of it.
    """
    from horizon_rt.pipeline.outputs import Outputs

    left_out = _OF_VIDEO if is_image_set else {ending.removeprefix(".") for ending in OF_PICTURES}
    fitting = [kind for kind in kinds if kind not in left_out]
    found = Outputs()
    for kind in fitting or kinds:
        fields = dict(WRITERS[kind](lambda ending: out / f"{name}{ending}", is_image_set))
        if "telemetry" in fields:
            fields["telemetry"] = (*found.telemetry, fields["telemetry"])
        found = replace(found, **fields)
    return found
