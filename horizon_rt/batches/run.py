"""Many recordings: those that are left to do are tracked, several at a time, and summed up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from horizon_rt.batches.engine import Engine, OnAdvance, Processes, ThisProcess
from horizon_rt.batches.foreign import why_refused
from horizon_rt.batches.options import BatchOptions
from horizon_rt.batches.plan import Planned
from horizon_rt.batches.segments import (
    DamagedTimes,
    Segment,
    Tracked,
    all_meet,
    cuts_of,
    known_of,
    segments_of,
    track_segment,
)
from horizon_rt.batches.shown import Shown
from horizon_rt.batches.work import Result, Work, begin, failure, refused, run_work
from horizon_rt.options import RunOptions
from horizon_rt.system.extras import require
from horizon_rt.system.interrupts import interrupts_call
from horizon_rt.system.objects import is_object
from horizon_rt.system.progress import NO_PROGRESS, Progress
from horizon_rt.system.threads import threads_limited

__all__ = ["OnResult", "run_batch"]

_POLL_S = 0.2
_log = logging.getLogger(__name__)
T = TypeVar("T")
OnResult = Callable[[Result], object]


def run_batch(
    planned: Iterable[Planned | None],
    options: RunOptions,
    settings: Mapping[str, Any],
    how: BatchOptions,
    *,
    progress: Progress = NO_PROGRESS,
    on_result: OnResult = lambda result: None,
) -> list[Result]:
    """Work on all that is planned; stops early only when interrupted, and returns what came to an end.

    `on_result` is called after each item, in the order in which they end. Of `planned` that is no list, such
    as what a watched folder gives, None stands for a moment without anything new.
    """
    how.check_part(options.part)
    shown = Shown(progress, planned if isinstance(planned, Sequence) else ())
    with ExitStack() as stack:
        stack.enter_context(shown)
        if how.threads is not None and how.engine == "local" and how.jobs == 1:
            stack.enter_context(threads_limited(how.threads))
        engine = stack.enter_context(_engine(how, shown.advance))
        batch = _Batch(engine, options, settings, how, shown, on_result)
        stack.enter_context(interrupts_call(batch.stop))
        return batch.run(planned)


def _engine(how: BatchOptions, on_advance: OnAdvance) -> Engine:
    if how.engine == "dask":
        require("cluster", "--engine dask")
        from horizon_rt.batches.cluster import Cluster

        return Cluster(how.scheduler, how.jobs, how.threads_each, on_advance)
    if how.jobs == 1:
        return ThisProcess(on_advance)
    return Processes(how.jobs, how.threads_each, on_advance)


class _Batch:
    """What is under way, and what became of the rest."""

    def __init__(
        self,
        engine: Engine,
        options: RunOptions,
        settings: Mapping[str, Any],
        how: BatchOptions,
        shown: Shown,
        on_result: OnResult,
    ) -> None:
        self._engine, self._options, self._settings, self._how = engine, options, settings, how
        self._shown, self._on_result = shown, on_result
        self._under_way: dict[Future[Result], Work] = {}
        self._segments_under_way: dict[Future[Any], tuple[_Joining, int]] = {}
        self._busy: set[str] = set()
        self._held: dict[str, Planned] = {}
        self._results: list[Result] = []
        self._stopped = self._has_cancelled = False

    def stop(self) -> None:
        """End what is under way, and begin nothing more; called by a signal, so it only sets flags."""
        self._stopped = True
        self._engine.stop()

    def run(self, planned: Iterable[Planned | None]) -> list[Result]:
        for one in planned:
            if self._stopped:
                break
            if one is not None:
                self._take(one)
            self._collect(timeout_s=0.0)
        while self._under_way or self._segments_under_way:
            self._collect(timeout_s=_POLL_S)
        return self._results

    def _take(self, planned: Planned) -> None:
        """Begin with an item; one that is under way, as its file has changed since, has to wait."""
        if planned.item.name.casefold() in self._busy:
            self._held[planned.item.name.casefold()] = planned
        elif planned.why:
            self._begin(planned)
        else:
            self._end(Result(planned.item, "skipped"))

    def _begin(self, planned: Planned) -> None:
        self._busy.add(planned.item.name.casefold())
        work = Work(planned.item, self._options, self._settings, self._how.threads_each)
        if reason := why_refused(planned.item):
            self._end(refused(work, reason))
            return
        segments = self._segments(planned)
        if not segments:
            self._submit(work)
            return
        begin(work)
        joining = _Joining(work, len(segments))
        for number, segment in enumerate(segments):
            future = self._engine.submit(work.item.name, track_segment, segment)
            self._segments_under_way[future] = joining, number

    def _submit(self, work: Work) -> None:
        self._under_way[self._engine.submit(work.item.name, run_work, work)] = work

    def _segments(self, planned: Planned) -> list[Segment]:
        length_s, part, source = self._how.segment_s, self._options.part, planned.item.source
        if length_s is None or (planned.seconds is None and not is_object(source)):
            return []
        cuts = cuts_of(source, length_s, part)
        return segments_of(source, self._options, cuts, self._how.threads_each) if cuts else []

    def _collect(self, timeout_s: float) -> None:
        if self._stopped and not self._has_cancelled:
            self._has_cancelled = True
            self._engine.stop()
            self._engine.cancel()
        futures = [*self._under_way, *self._segments_under_way]
        cancelled = {future for future in futures if future.cancelled()}  # which `wait` would wait for
        left = [future for future in futures if future not in cancelled]
        for future in cancelled | (wait(left, timeout_s, FIRST_COMPLETED).done if left else set()):
            if future in self._segments_under_way:
                self._take_segment(future)
            else:
                self._take_result(future, self._under_way.pop(future))

    def _take_segment(self, future: Future[Any]) -> None:
        """One segment is there; the last one of an item has them all joined."""
        joining, number = self._segments_under_way.pop(future)
        try:
            joining.parts[number] = future.result()
        except (CancelledError, KeyboardInterrupt):
            joining.end(self._end, Result(joining.work.item, "interrupted"))
            self._stopped = True
        except DamagedTimes as error:
            if not self._stopped:
                joining.end(partial(self._in_one_go, joining.work), str(error))
        except Exception as error:
            joining.end(self._end, failure(joining.work, error))
        if joining.is_complete and not self._stopped:
            self._join(joining)

    def _join(self, joining: _Joining) -> None:
        """Write what was found; all anew, in one go, where a segment had not settled before its cut."""
        if all_meet(joining.all_parts):
            self._submit(replace(joining.work, parts=partial(known_of, joining.all_parts)))
            return
        self._in_one_go(joining.work, f"{joining.work.item.source}: its segments do not fit together")

    def _in_one_go(self, work: Work, why: str) -> None:
        _log.warning("%s; it is tracked in one go", why)
        self._submit(work)

    def _take_result(self, future: Future[Result], work: Work) -> None:
        try:
            result = future.result()
        except CancelledError:
            return
        except KeyboardInterrupt:
            result = Result(work.item, "interrupted")
        except Exception as error:
            result = failure(work, error)
        if result.status == "interrupted" or (result.summary and result.summary.signalled):
            self._stopped = True
        self._end(result)

    def _end(self, result: Result) -> None:
        self._results.append(result)
        self._shown.end(result.item.name)
        self._on_result(result)
        name = result.item.name.casefold()
        self._busy.discard(name)
        if name in self._held and not self._stopped:
            self._begin(self._held.pop(name))


class _Joining:
    """The segments of an item that are there."""

    def __init__(self, work: Work, count: int) -> None:
        self.work, self._has_ended = work, False
        self.parts: list[Tracked | None] = [None] * count

    @property
    def all_parts(self) -> list[Tracked]:
        return [part for part in self.parts if part is not None]

    @property
    def is_complete(self) -> bool:
        return not self._has_ended and len(self.all_parts) == len(self.parts)

    def end(self, tell: Callable[[T], object], outcome: T) -> None:
        """The segments are over, if they were not before."""
        if not self._has_ended:
            self._has_ended = True
            tell(outcome)
