"""How a batch is done; what is done with each input stands in `RunOptions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from horizon_rt.batches.names import check_template
from horizon_rt.batches.outputs import WRITERS, kinds_of
from horizon_rt.errors import OptionsError
from horizon_rt.options import EncodeOptions, Help, Part
from horizon_rt.sinks.drawing import DrawOptions
from horizon_rt.system.host import usable_cores
from horizon_rt.system.units import seconds_of

__all__ = ["BatchOptions"]

_MOST_JOBS = 1024
_SHORTEST_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """What is written, under which names, and by how many. Raises OptionsError."""

    write: Annotated[
        str, Help(text=f"What to write of each input, of {', '.join(WRITERS)}.", metavar="KIND,KIND…")
    ] = "telemetry,overlay"
    name: Annotated[
        str,
        Help(
            text="Name of the outputs of an input, of {stem}, {name}, {ext}, {parent}, {path} (below the "
            "folder given) and {index}.",
            metavar="TEMPLATE",
        ),
    ] = "{stem}"
    resume: Annotated[
        bool,
        Help(text="Skip inputs whose outputs are whole, of the same input and settings.", flag="--resume"),
    ] = False
    jobs: Annotated[
        int, Help(text="Inputs to work on at a time, each in a process of its own.", minimum=1)
    ] = 1
    threads: Annotated[
        int | None, Help(text="Threads of each job; else the cores are shared out.", minimum=1)
    ] = None
    engine: Annotated[
        Literal["local", "dask"], Help(text="Who does the work: this machine, or the workers of Dask.")
    ] = "local"
    scheduler: Annotated[
        str | None,
        Help(
            text="Dask scheduler, such as tcp://host:8786; without one, --jobs workers are started here.",
            metavar="ADDRESS",
        ),
    ] = None
    segment: Annotated[
        str | None,
        Help(
            text="Cut recordings into segments of about this length, such as 5min, that are tracked at the "
            "same time.",
            metavar="TIME",
        ),
    ] = None
    watch: Annotated[
        str | None,
        Help(text="Go on with what is put into this folder, until Ctrl-C.", metavar="FOLDER", named="file"),
    ] = None
    settle: Annotated[
        str,
        Help(text="A file to watch is finished when it has not changed for so long.", metavar="TIME"),
    ] = "5s"
    dry_run: Annotated[bool, Help(text="Show what would be done and why, and end.", flag="--dry-run")] = False
    drawing: DrawOptions = field(default_factory=DrawOptions)
    coding: EncodeOptions = field(default_factory=EncodeOptions)

    def __post_init__(self) -> None:
        kinds_of(self.write)
        check_template(self.name)
        if not 1 <= self.jobs <= _MOST_JOBS:
            raise OptionsError(f"--jobs lies between 1 and {_MOST_JOBS}, got {self.jobs}")

        if self.watch is not None and (self.dry_run or "{index}" in self.name):
            raise OptionsError("--watch goes neither with --dry-run nor with {index} in --name")
        _seconds("--settle", self.settle)
        if self.scheduler is not None and self.engine != "dask":
            raise OptionsError("--scheduler goes with --engine dask")
        if self.segment is not None and (self.segment_s or 0.0) < _SHORTEST_S:
            raise OptionsError(f"--segment is at least {_SHORTEST_S:g}s, got {self.segment}")

    def check_part(self, part: Part) -> None:
        """Raises OptionsError for frames that are left out of recordings that are cut into segments, or
        levelled.
        """
        if "level" in self.kinds and part.every is not None:
            raise OptionsError("--write level takes every frame; leave --every out")
        if self.segment is not None and (part.key_only or part.stride > 1):
            raise OptionsError("--segment does not go with --every; leave one of them out")

    @property
    def segment_s(self) -> float | None:
        """Length of the segments in s."""
        if self.segment is None:
            return None
        return _seconds("--segment", self.segment)

    @property
    def settle_s(self) -> float:
        """How long a file has not changed when it is taken for finished, in s."""
        return _seconds("--settle", self.settle)

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds of outputs, in their order."""
        return kinds_of(self.write)

    @property
    def threads_each(self) -> int:
        """Threads of each job; 0 leaves them to the libraries, for one job that may have all cores. Workers
        of a scheduler, of which this machine knows nothing, have one.
        """
        if self.threads is not None:
            return self.threads
        if self.scheduler is not None:
            return 1
        return 0 if self.jobs == 1 and self.engine == "local" else max(1, usable_cores() // self.jobs)


def _seconds(flag: str, text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError:
        raise OptionsError(f"{flag} is a time such as 5s or 5min, got {text!r}") from None
