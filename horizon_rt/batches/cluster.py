"""The work of a batch done by a Dask cluster, or by one that is started on this machine.

Scheduling, retries and the loss of workers are Dask's matter. Workers read inputs and write outputs under the
same paths as this process; segments come back to it.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import distributed
from dask import config
from distributed.diagnostics.plugin import WorkerPlugin

from horizon_rt.batches.engine import OnAdvance, Teller, WorkerLost, cancelled
from horizon_rt.batches.work import Signals
from horizon_rt.errors import DeviceError, HorizonError
from horizon_rt.system.host import interrupts_blocked
from horizon_rt.system.threads import threads_limited

__all__ = ["Cluster"]

T = TypeVar("T")
W = TypeVar("W")
_RETRIES = 2
CONNECT_S = 15.0
_ASK_EVERY_S = 1.0


class _Threads(WorkerPlugin):  # type: ignore[misc]
    """Limits the threads of each worker's libraries while a batch runs."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def setup(self, worker: distributed.Worker) -> None:
        """See `WorkerPlugin`."""
        self._stack = ExitStack()
        self._stack.enter_context(threads_limited(self._threads))

    def teardown(self, worker: distributed.Worker) -> None:
        """See `WorkerPlugin`."""
        self._stack.close()


class Cluster:
    """An engine of Dask workers: those of the scheduler at an address, or so many of its own.

    Raises DeviceError where nobody answers.
    """

    def __init__(self, address: str | None, jobs: int, threads: int, on_advance: OnAdvance) -> None:
        self._stack = ExitStack()
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._on_advance, self._topic = on_advance, f"horizon-rt-{uuid.uuid4().hex}"
        self._tasks: dict[Future[Any], distributed.Future] = {}
        self._lock = threading.Lock()
        self._stopped = False
        settings = {"distributed.scheduler.allowed-failures": _RETRIES}
        self._stack.enter_context(config.set(settings))
        try:
            self._client = self._stack.enter_context(_client(address, jobs, self._stack))
        except (OSError, ValueError, TimeoutError) as error:
            self._stack.close()
            raise DeviceError(f"no Dask scheduler answers at {address}: {error}") from error
        self._client.register_plugin(_Threads(threads), name=self._topic)
        if address is not None:  # others use its workers, too
            self._stack.callback(self._let_go)
        self._client.subscribe_topic(self._topic, self._tell)

    def _let_go(self) -> None:
        with suppress(Exception):
            self._client.unregister_worker_plugin(self._topic)

    def _tell(self, event: tuple[float, Any]) -> None:
        key, count = event[1]
        self._on_advance(key, count)

    def submit(self, key: str, function: Callable[[W, Signals], T], value: W, /) -> Future[T]:
        """See `Engine`."""
        if self._stopped:
            return cancelled()
        done: Future[T] = Future()
        task = self._client.submit(
            _in_worker, self._topic, key, function, value, pure=False, retries=_RETRIES, key=_task_key(key)
        )
        with self._lock:
            self._tasks[done] = task
        task.add_done_callback(lambda task: self._hand_on(task, done))
        return done

    def _hand_on(self, task: distributed.Future, done: Future[T]) -> None:
        with self._lock:
            self._tasks.pop(done, None)
        if not done.set_running_or_notify_cancel():
            return
        try:
            result = task.result()
            if isinstance(result, _Raised):
                done.set_exception(result.error)
            else:
                done.set_result(result)
        except (CancelledError, distributed.client.FutureCancelledError):
            done.set_exception(KeyboardInterrupt())
        except distributed.KilledWorker:
            lost = WorkerLost(
                f"its worker ended {_RETRIES + 1} times without a word; is there enough memory?"
            )
            done.set_exception(lost)
        except BaseException as error:
            done.set_exception(error)

    def stop(self) -> None:
        """See `Engine`; workers hear of it by `cancel`."""
        self._stopped = True

    def cancel(self) -> None:
        """See `Engine`; work that runs on a worker hears of it within a second."""
        with suppress(Exception):
            distributed.Event(self._topic, client=self._client).set()
        with self._lock:
            tasks = list(self._tasks.values())
        self._client.cancel(tasks, force=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def _client(address: str | None, jobs: int, stack: ExitStack) -> distributed.Client:
    """A client of a scheduler, or of a cluster of so many processes that ends with the stack."""
    if address is not None:
        return distributed.Client(address, timeout=CONNECT_S)
    with interrupts_blocked():  # its threads and processes never hear of Ctrl-C
        cluster = stack.enter_context(
            distributed.LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                dashboard_address=None,
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            )
        )
        return distributed.Client(cluster)


def _task_key(key: str) -> str:
    return f"{key}-{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class _Raised:
    """What work raised that another try would raise too, or that would end its worker."""

    error: BaseException


def _in_worker(topic: str, key: str, function: Callable[[W, Signals], T], value: W) -> T | _Raised:
    worker = distributed.get_worker()
    teller = Teller(lambda count: worker.log_event(topic, (key, count)))
    asked = _Asked(topic)
    try:
        return function(value, Signals(advance=teller.advance, stopped=asked))
    except (KeyboardInterrupt, HorizonError) as error:
        return _Raised(error)
    finally:
        teller.flush()


class _Asked:
    """Whether the work is to end: asks once in a second."""

    def __init__(self, topic: str) -> None:
        self._event, self._due_s = distributed.Event(topic), time.monotonic() + _ASK_EVERY_S

    def __call__(self) -> bool:
        if time.monotonic() < self._due_s:
            return False
        self._due_s = time.monotonic() + _ASK_EVERY_S
        return bool(self._event.is_set())
