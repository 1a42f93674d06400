"""A batch from what is named to its page, for the command line and for Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from horizon_rt.batches.inputs import find_inputs
from horizon_rt.batches.options import BatchOptions
from horizon_rt.batches.outputs import check_kinds
from horizon_rt.batches.page import check_page, write_batch_page
from horizon_rt.batches.plan import Planned, make_items, plan, settings_of
from horizon_rt.batches.run import OnResult, run_batch
from horizon_rt.batches.work import Item, Result
from horizon_rt.errors import OptionsError
from horizon_rt.options import RunOptions
from horizon_rt.system.progress import NO_PROGRESS, Progress

__all__ = ["Job", "prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be done with each input, and how."""

    out: Path
    how: BatchOptions
    options: RunOptions
    settings: Mapping[str, Any]
    planned: Sequence[Planned]

    def run(
        self, *, progress: Progress = NO_PROGRESS, on_result: OnResult = lambda result: None
    ) -> list[Result]:
        """See `run_batch`; raises HorizonError."""
        return run_batch(
            self.planned, self.options, self.settings, self.how, progress=progress, on_result=on_result
        )

    def not_begun(self, results: Sequence[Result]) -> list[Item]:
        """What an interrupt left, where this is what became of the rest."""
        ended = {result.item.name for result in results}
        return [one.item for one in self.planned if one.item.name not in ended]

    def write_page(self, results: Sequence[Result]) -> Path | None:
        """Sum up, where a page is wanted and something came to an end; raises OutputError."""
        if "report" not in self.how.kinds or not results:
            return None
        every: list[Planned | Result] = [*self.planned, *results]
        items = {one.item.name: one.item for one in every}
        return write_batch_page(self.out, [*items.values()], results)


def prepare(inputs: Sequence[str], out: Path, options: RunOptions, how: BatchOptions) -> Job:
    """Find the inputs and check all that can be checked before the work; raises HorizonError.

    Without inputs there has to be a folder to watch.
    """
    check_kinds(how.kinds)
    how.check_part(options.part)
    settings = settings_of(options, how)
    if not inputs and how.watch is None:
        raise OptionsError("no inputs; name files or folders, or a folder to --watch")
    items = make_items(find_inputs(inputs), out, how) if inputs else []
    if "report" in how.kinds:
        check_page(out)
    planned = plan(items, options, settings, resume=how.resume)
    return Job(out=out, how=how, options=options, settings=settings, planned=planned)
