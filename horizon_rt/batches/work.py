"""One input tracked into its outputs, in whichever process or machine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from horizon_rt.batches.fingerprint import input_fingerprint, output_fingerprint
from horizon_rt.batches.manifest import Manifest, own_outputs, read_manifest
from horizon_rt.errors import HorizonError, SourceError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.options import RunOptions
from horizon_rt.pipeline.level_options import LevelOptions
from horizon_rt.pipeline.levelling import Observed, level_video
from horizon_rt.pipeline.outputs import Outputs
from horizon_rt.pipeline.run import Known, run
from horizon_rt.pipeline.stages import RunSummary
from horizon_rt.reports.statistics import StatisticsSink
from horizon_rt.sources import open_source
from horizon_rt.system.messages import error_reason

__all__ = [
    "Item",
    "Result",
    "Signals",
    "Status",
    "Work",
    "begin",
    "failure",
    "output_names",
    "refused",
    "run_work",
    "spec_of",
]

_log = logging.getLogger(__name__)

Status = Literal["done", "skipped", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Item:
    """An input, the name of its outputs in the folder `out`, and what they are."""

    source: str
    out: Path
    name: str
    outputs: Outputs


@dataclass(frozen=True, slots=True)
class Work:
    """What it takes to work on an item: `settings` are noted beside the outputs; `threads` is the number that
    the decoder may take, 0 for one per core. With `parts` it was tracked in segments already.
    """

    item: Item
    options: RunOptions
    settings: Mapping[str, Any]
    threads: int = 0
    parts: Callable[[], Known] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an item; `reason` is the error's line, or why it was worked on."""

    item: Item
    status: Status
    summary: RunSummary | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """How work and who waits for it talk: `advance` is told of every frame, `stopped` is asked as often."""

    advance: Callable[[int], object] = lambda _: None
    stopped: Callable[[], bool] = lambda: False

    def on_frame(self, _frame: Frame, _horizon: Horizon) -> None:
        """One more is done; raises KeyboardInterrupt where the work is to end."""
        self.advance(1)
        if self.stopped():
            raise KeyboardInterrupt


def output_names(item: Item) -> list[str]:
    """The outputs of an item by their paths below its folder."""
    return [str(path.relative_to(item.out)) for path in item.outputs.paths]


def run_work(work: Work, signals: Signals) -> Result:
    """Track an item, and note beside its outputs what became of it; never raises an Exception."""
    item = work.item
    try:
        before = _fingerprint(item.source)
        note = _note_of(work, before)
        replace(note, outputs={**dict.fromkeys(output_names(item)), **note.outputs}).write(
            item.out, item.name
        )
        result = _tracked(work, before, signals)
    except KeyboardInterrupt:
        result = Result(item, "interrupted")
    except Exception as error:
        _log.debug("%s", item.source, exc_info=True)
        return failure(work, error)
    if result.status == "interrupted":
        begin(work)
    return result


def begin(work: Work) -> None:
    """Note that an item is not done and nothing of it is being written, where that can be noted."""
    with suppress(HorizonError):
        _note_of(work, _fingerprint(work.item.source)).write(work.item.out, work.item.name)


def failure(work: Work, error: Exception) -> Result:
    """A failed item, which is noted where that can be."""
    return _failed(work, error_reason(error, work.item.source))


def refused(work: Work, reason: str) -> Result:
    """An item that nothing was written of; a note of what was whole before stays as it is."""
    note = read_manifest(work.item.out, work.item.name)
    if note is not None and note.status == "done":
        return Result(work.item, "failed", reason=reason)
    return _failed(work, reason)


def _failed(work: Work, reason: str) -> Result:
    try:
        replace(_note_of(work, {}), status="failed", reason=reason).write(work.item.out, work.item.name)
    except HorizonError as error:
        _log.debug("%s", error)
    return Result(work.item, "failed", reason=reason)


def _note_of(work: Work, found: Mapping[str, Any]) -> Manifest:
    """What is noted of an item, whose input has the fingerprint `found`, beside those of its outputs that
    are there: what runs wrote and still stands.
    """
    item, names = work.item, output_names(work.item)
    own = own_outputs(item.out, item.name)
    now = {name: now for name in own if (now := _output(item.out / name)) is not None}
    return Manifest(
        source=item.source,
        status="begun",
        input=found,
        settings=work.settings,
        outputs={name: now[name] for name in names if name in now},
        earlier={name: now[name] for name in now if name not in names and now[name] == own[name]},
    )


def _output(path: Path) -> dict[str, Any] | None:
    """The fingerprint of an output; None where it cannot be read."""
    try:
        return output_fingerprint(path)
    except OSError:
        return None


def _tracked(work: Work, before: Mapping[str, Any], signals: Signals) -> Result:
    item, numbers = work.item, StatisticsSink()
    offline = work.options.smooth == "offline"
    observed = Observed() if item.outputs.levelled is not None and work.options.smooth == "causal" else None
    summary = run(
        _open(work),
        work.options,
        item.outputs,
        also=[numbers] if observed is None else [numbers, observed],
        known=None if work.parts is None else work.parts(),
        keep_interrupted=False,
        on_first_pass=signals.on_frame,
        on_frame=None if offline else signals.on_frame,
    )
    if summary.interrupted or (item.outputs.levelled is not None and not _levelled(work, observed, signals)):
        return Result(item, "interrupted", summary)
    if _fingerprint(item.source) != before:
        raise SourceError(f"{item.source} has changed while it was read; run it again")
    results = numbers.statistics.to_dict() | {
        "share_with_horizon": round(summary.share_with_horizon, 6),
        "warnings": summary.warnings,
    }
    written = {name: output_fingerprint(item.out / name) for name in output_names(item)}
    note = replace(_note_of(work, before), status="done", outputs=written, results=results)
    note.write(item.out, item.name)
    return Result(item, "done", summary)


def _levelled(work: Work, observed: Observed | None, signals: Signals) -> bool:
    """Write the levelled video; whether it came to its end."""
    target, outputs = work.item.outputs.levelled, work.item.outputs
    assert target is not None
    known = {item.name: getattr(work.options, item.name) for item in fields(RunOptions)}
    options = LevelOptions(**{**known, "smooth": "offline"}, coding=outputs.coding)
    stops = replace(signals, advance=lambda _: None)
    return not level_video(
        _open(work), target, options, observed=observed, on_first_pass=stops.on_frame, on_frame=stops.on_frame
    ).run.interrupted


def _fingerprint(source: str) -> dict[str, Any]:
    """That of an input; none of what cannot be read, which fails by name when it is opened."""
    try:
        return input_fingerprint(source)
    except (OSError, ValueError):
        return {}


def _open(work: Work) -> Any:
    return open_source(spec_of(work.item.source), **work.options.source_fields, threads=work.threads)


def spec_of(source: str) -> str | Path:
    """What `open_source` takes for an input of a batch, whose files may have any name."""
    return source if "://" in source or source.startswith("synth:") else Path(source)
