"""Who does the work of a batch: this process, or several on this machine."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from contextlib import ExitStack, suppress
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from horizon_rt.batches.work import Signals
from horizon_rt.system.host import interrupts_blocked

__all__ = ["Engine", "OnAdvance", "Processes", "Teller", "ThisProcess", "WorkerLost", "cancelled"]

T = TypeVar("T")
W = TypeVar("W")
OnAdvance = Callable[[str, int], object]
"""Told of the key of a piece of work and how many more frames of it are done, from any thread."""
_TELL_EVERY_S = 0.2
_TRIES = 2
_GRACE_S = 10.0
_log = logging.getLogger(__name__)


class WorkerLost(Exception):
    """The process that did the work has ended, each time that it was tried."""


class Engine(Protocol):
    """Takes pieces of work; as a context manager it ends what it started.

    A piece is a function that can be pickled, of a value and `Signals`, with a key by which it is told of.
    """

    def submit(self, key: str, function: Callable[[W, Signals], T], value: W, /) -> Future[T]:
        """Have it done soon; the future raises what the function raises, and WorkerLost. It is cancelled
        after `stop`.
        """
        ...

    def stop(self) -> None:
        """Ask all work to end with KeyboardInterrupt or as interrupted; takes no lock, for signals."""
        ...

    def cancel(self) -> None:
        """After `stop`, cancel what has not begun."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _Closing:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(cut_off=kind is not None)

    def close(self, *, cut_off: bool = False) -> None:
        """End what was started."""


def cancelled() -> Future[Any]:
    """What becomes of work that comes after `Engine.stop`."""
    future: Future[Any] = Future()
    future.cancel()
    return future


class ThisProcess(_Closing):
    """Does each piece at once, in the calling thread."""

    def __init__(self, on_advance: OnAdvance) -> None:
        self._on_advance, self._stopped = on_advance, False

    def submit(self, key: str, function: Callable[[W, Signals], T], value: W, /) -> Future[T]:
        """See `Engine`; a KeyboardInterrupt is the outcome of the piece."""
        if self._stopped:
            return cancelled()
        done: Future[T] = Future()
        advance = functools.partial(self._on_advance, key)
        try:
            done.set_result(function(value, Signals(advance=advance, stopped=lambda: self._stopped)))
        except BaseException as error:
            self._stopped |= isinstance(error, KeyboardInterrupt)
            done.set_exception(error)
        return done

    def stop(self) -> None:
        """See `Engine`."""
        self._stopped = True

    def cancel(self) -> None:
        """See `Engine`; nothing waits."""


class Processes(_Closing):
    """So many processes at a time, each with so many threads for its libraries.

    A thread each hands work to a process of its own, so that one that is killed, or crashes in a decoder,
    takes nothing else along; its work is tried once more in another one. They end when this process does,
    however it ends, and never hear of Ctrl-C, which `stop` tells them of.
    """

    def __init__(self, jobs: int, threads: int, on_advance: OnAdvance) -> None:
        self._context = get_context("spawn")
        self._threads, self._local = threads, threading.local()
        self._stopping, self._closed = False, False
        self._started: list[ProcessPoolExecutor] = []
        self._stop = self._context.RawValue(ctypes.c_bool, False)
        self._pool = ThreadPoolExecutor(jobs, "job")
        self._on_advance = on_advance

    def submit(self, key: str, function: Callable[[W, Signals], T], value: W, /) -> Future[T]:
        """See `Engine`."""
        if self._stopping:
            return cancelled()
        return self._pool.submit(self._work, key, function, value)

    def _work(self, key: str, function: Callable[[W, Signals], T], value: W) -> T:
        for tried in range(_TRIES):
            if self._stopping:
                raise KeyboardInterrupt if tried else CancelledError
            with suppress(BrokenProcessPool):
                return self._own().submit(_in_worker, key, function, value).result()
            self._local.pool = None
        if self._stopping:
            raise KeyboardInterrupt
        raise WorkerLost(
            f"its process ended {_TRIES} times without a word; is there enough memory? Try fewer --jobs"
        )

    def _own(self) -> ProcessPoolExecutor:
        pool: ProcessPoolExecutor | None = getattr(self._local, "pool", None)
        if pool is None:
            # A pipe and a bare flag, as a process that is killed never lets go of a lock.
            told, teller = self._context.Pipe(duplex=False)
            arguments = (self._threads, self._stop, teller)
            pool = ProcessPoolExecutor(1, self._context, initializer=_begin_worker, initargs=arguments)
            with interrupts_blocked():
                pool.submit(os.getpid)
            teller.close()
            threading.Thread(target=self._listen, args=(told,), name="progress", daemon=True).start()
            self._local.pool = pool
            self._started.append(pool)
        return pool

    def _listen(self, told: Connection) -> None:
        """Pass on what one process tells, until it ends."""
        with told, suppress(EOFError, OSError):
            while True:
                key, count = told.recv()
                try:
                    self._on_advance(key, count)
                except Exception:  # a process whose words nobody takes would fail
                    _log.debug("progress", exc_info=True)

    def stop(self) -> None:
        """See `Engine`."""
        self._stopping = True
        self._stop.value = True

    def cancel(self) -> None:
        """See `Engine`."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self, *, cut_off: bool = False) -> None:
        """End the processes; those that do not end by themselves are killed."""
        if cut_off:
            self.stop()
            self.cancel()
        running = [process for pool in self._started for process in _processes(pool)]
        with ExitStack() as stack:
            if self._stopping:
                killer = threading.Timer(0.0 if cut_off else _GRACE_S, _kill, [running])
                killer.start()
                stack.callback(killer.cancel)
            self._pool.shutdown(wait=True)
            for pool in self._started:
                pool.shutdown(wait=True)


def _processes(pool: ProcessPoolExecutor) -> list[BaseProcess]:
    return list((getattr(pool, "_processes", None) or {}).values())


def _kill(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.kill()


_stop: Any = None
_told: Any = None


def _begin_worker(threads: int, stop: Any, told: Any) -> None:
    """Make ready in a process that was just started."""
    global _stop, _told
    _stop, _told = stop, told
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    from horizon_rt.system.threads import limit_threads

    limit_threads(threads)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _in_worker(key: str, function: Callable[[Any, Signals], T], value: Any) -> T:
    teller = Teller(lambda count: _told.send((key, count)))
    try:
        return function(value, Signals(advance=teller.advance, stopped=lambda: bool(_stop.value)))
    finally:
        teller.flush()


class Teller:
    """Gathers what is done, and tells of it some times a second."""

    def __init__(self, tell: Callable[[int], object]) -> None:
        self._tell, self._count, self._due_s = tell, 0, 0.0

    def advance(self, count: int) -> None:
        """So many more are done."""
        self._count += count
        if time.monotonic() >= self._due_s:
            self.flush()

    def flush(self) -> None:
        """Tell now."""
        if self._count:
            self._tell(self._count)
        self._count, self._due_s = 0, time.monotonic() + _TELL_EVERY_S
