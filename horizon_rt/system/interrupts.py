"""Ctrl-C, SIGTERM and SIGHUP as a request to stop, instead of an exception in the middle of a write."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from signal import SIG_DFL, SIG_IGN, SIGINT, SIGTERM, getsignal, signal

from horizon_rt.system.host import STOP_SIGNALS, interrupts_blocked

__all__ = ["interrupts_call", "interrupts_raise", "interrupts_wait", "undisturbed_children"]

# Wrappers pass on a Ctrl-C that the terminal sent to everybody already; so close together they are one.
_ONE_REQUEST_S = 1.0


@contextmanager
def interrupts_call(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first of `STOP_SIGNALS`; one that comes later raises KeyboardInterrupt.

    Signals reach the main thread only; in another one this does nothing.
    """
    first_s: float | None = None

    def handle(*_: object) -> None:
        nonlocal first_s
        if first_s is None:
            first_s = time.monotonic()
            stop()
        elif time.monotonic() - first_s > _ONE_REQUEST_S:
            raise KeyboardInterrupt

    with _handled(handle):
        yield


@contextmanager
def interrupts_raise() -> Iterator[None]:
    """`STOP_SIGNALS` raise KeyboardInterrupt as Ctrl-C does; what comes close after one is part of it."""
    last_s = -math.inf

    def handle(*_: object) -> None:
        nonlocal last_s
        if time.monotonic() - last_s > _ONE_REQUEST_S:
            last_s = time.monotonic()
            raise KeyboardInterrupt

    with _handled(handle):
        yield


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """One of `STOP_SIGNALS` is handled when the block has ended, so that this is done or not.

    Where nothing else handles it, it raises KeyboardInterrupt.
    """
    came: int | None = None

    def note(number: int, *_: object) -> None:
        nonlocal came
        came = number

    with _handled(note):
        yield
    if came is not None:
        handler = getsignal(came)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(came, None)


@contextmanager
def undisturbed_children() -> Iterator[list[BaseProcess]]:
    """Processes that multiprocessing spawns in the block never hear of `STOP_SIGNALS` (but on Windows).

    Terminals and service managers send these to all processes; the one that spawned the others has to end
    them. After the block the list holds them. A signal that came meanwhile raises KeyboardInterrupt then.
    """
    before, started = set(active_children()), list[BaseProcess]()
    with (
        interrupts_wait(),
        interrupts_blocked(),
    ):  # this process may get them in a thread that does not block them
        try:
            yield started
        finally:
            started += set(active_children()) - before


@contextmanager
def _handled(handler: Callable[..., object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # `nohup` has a program go on without its terminal: what it ignores stays ignored.
    heard = [n for n in STOP_SIGNALS if n in (SIGINT, SIGTERM) or getsignal(n) != SIG_IGN]
    before = {number: signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal(number, SIG_DFL if earlier is None else earlier)
