"""Who does the work of a batch, and what is told of it meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from horizon_rt.batches.engine import OnAdvance, Processes, ThisProcess
from horizon_rt.batches.inputs import find_inputs
from horizon_rt.batches.options import BatchOptions
from horizon_rt.batches.plan import Planned, make_items
from horizon_rt.batches.run import run_batch
from horizon_rt.batches.work import Result, Signals
from horizon_rt.options import RunOptions


def advancing(count: int, signals: Signals) -> int:
    signals.advance(count)
    return count


def test_a_bar_that_fails_costs_no_work() -> None:
    told: list[int] = []

    def failing(_key: str, count: int) -> None:
        told.append(count)
        raise KeyError(count)

    with Processes(1, 1, failing) as engine:
        assert [engine.submit("a", advancing, count).result(60) for count in (1, 2, 3)] == [1, 2, 3]
    assert told[:2] == [1, 2]


@pytest.mark.parametrize("make", [lambda: ThisProcess(print), lambda: Processes(1, 1, print)])
def test_work_that_comes_after_a_stop_is_cancelled(make: Any) -> None:
    with make() as engine:
        engine.stop()
        assert engine.submit("a", advancing, 1).cancelled()
        engine.cancel()
        assert engine.submit("a", advancing, 1).cancelled()


def test_an_item_may_end_while_its_frames_are_counted(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting, ended, errors = threading.Event(), threading.Event(), list[Exception]()
    how = BatchOptions(jobs=2, write="telemetry")
    one = Planned(make_items(find_inputs([str(clip)]), tmp_path, how)[0], "it is new", frames=9)

    class Slow(int):
        """A count that is compared for a while."""

        def __gt__(self, other: int) -> bool:
            counting.set()
            ended.wait(0.5)
            return int(self) > other

        def __lt__(self, other: int) -> bool:
            return not self > other

    class Engine(ThisProcess):
        """Its work has ended before the last of its frames are counted."""

        def __init__(self, _jobs: int, _threads: int, advance: OnAdvance) -> None:
            super().__init__(advance)
            self.advance = advance

        def submit(self, key: str, *_: object) -> Future[Any]:
            threads.append(threading.Thread(target=self.count, args=(key,)))
            threads[-1].start()
            assert counting.wait(10)
            future: Future[Any] = Future()
            future.set_result(Result(one.item, "done"))
            return future

        def count(self, key: str) -> None:
            try:
                self.advance(key, Slow(3))
            except Exception as error:
                errors.append(error)

    threads: list[threading.Thread] = []
    monkeypatch.setattr("horizon_rt.batches.run.Processes", Engine)
    results = run_batch([one], RunOptions(), {}, how, on_result=lambda _: ended.set())
    threads[0].join()
    assert [result.status for result in results] == ["done"]
    assert errors == []
