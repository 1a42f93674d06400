"""Several cameras in one process: each has its reader, tracker and sinks, and all share one net."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

from horizon_rt.errors import OptionsError
from horizon_rt.options import RunOptions
from horizon_rt.pipeline.outputs import Outputs, filled
from horizon_rt.pipeline.run import run
from horizon_rt.pipeline.stages import RunSummary
from horizon_rt.pipeline.team import Team
from horizon_rt.pipeline.watch import Watch, reporting
from horizon_rt.sources import Source
from horizon_rt.system.address import without_secrets
from horizon_rt.system.interrupts import interrupts_call

__all__ = ["Feed", "OnEnd", "feeds_of", "run_several"]

_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A camera by its name, with what becomes of it."""

    name: str
    open: Callable[[], Source]
    options: RunOptions
    outputs: Outputs


OnEnd = Callable[[Feed, RunSummary | Exception], object]


def feeds_of(
    sources: Sequence[tuple[str, Callable[[], Source]]], options: RunOptions, outputs: Outputs
) -> list[Feed]:
    """The cameras of these names, '' for camera1, camera2 and so on by their place; {name} and {number} stand
    for either in the outputs and the camera profile.

    Raises OptionsError where two have the same name or output.
    """
    named = [(name or f"camera{number}", opener) for number, (name, opener) in enumerate(sources, 1)]
    feeds = [
        Feed(name=name, open=opener, options=_filled(options, name, number), outputs=outputs.of(name, number))
        for number, (name, opener) in enumerate(named, 1)
    ]
    for one, other in combinations(feeds, 2):
        if one.name == other.name:
            raise OptionsError(f"two cameras are called {one.name}; give each its own NAME=SOURCE")
        if both := one.outputs.places & other.outputs.places:
            shared = ", ".join(sorted(map(without_secrets, both)))
            raise OptionsError(f"several cameras need {{name}} or {{number}} in {shared}")
    return feeds


def _filled(options: RunOptions, name: str, number: int) -> RunOptions:
    profile = options.lens.camera_profile
    if profile is None:
        return options
    return replace(options, lens=replace(options.lens, camera_profile=filled(profile, name, number)))


def run_several(
    feeds: Sequence[Feed],
    *,
    on_end: OnEnd,
    on_page: Callable[[Feed, str], object],
    on_line: Callable[[Feed, str], object],
) -> None:
    """Track all feeds in real time until each has ended or a signal ends all; from the main thread.

    `on_end` is called there with what became of each, in the order in which they end; one that fails leaves
    the others alone. `on_page` and `on_line` are those of `run`, from any thread. A feed that is still being
    opened when a signal comes is left behind without a word.
    """
    team, ended = Team(), queue.SimpleQueue[tuple[Feed, RunSummary | Exception]]()
    watches = [Watch(feed.name) for feed in feeds]
    opening = {feed.name for feed in feeds}

    def work(feed: Feed, watch: Watch) -> None:
        try:
            source = feed.open()
            opening.discard(feed.name)
            outcome: RunSummary | Exception = run(
                source,
                feed.options,
                feed.outputs,
                real_time=True,
                on_page=partial(on_page, feed),
                on_line=partial(on_line, feed),
                team=team,
                watch=watch,
            )
        except Exception as error:
            outcome = error
        opening.discard(feed.name)
        ended.put((feed, outcome))

    left = {feed.name for feed in feeds}
    with interrupts_call(team.stop), reporting(watches):
        for feed, watch in zip(feeds, watches, strict=True):
            threading.Thread(target=work, args=(feed, watch), name=feed.name, daemon=True).start()
        while left - (opening if team.stopped else set()):
            with suppress(queue.Empty):
                feed, outcome = ended.get(timeout=_LOOK_S)
                left.discard(feed.name)
                on_end(feed, outcome)
