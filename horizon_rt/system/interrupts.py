"""Ctrl-C and SIGTERM as a wish to stop, instead of an exception in the middle of a write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from signal import SIG_DFL, SIGINT, SIGTERM, default_int_handler, signal

__all__ = ["interrupts_call", "interrupts_raise", "interrupts_wait"]

# Wrappers pass on a Ctrl-C that the terminal sent to everybody already; so close together they are one.
_ONE_WISH_S = 1.0


@contextmanager
def interrupts_call(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGINT or SIGTERM; one that comes later raises KeyboardInterrupt.

    Signals reach the main thread only; in another one this does nothing.
    """
    first_s: float | None = None

    def handle(*_: object) -> None:
        nonlocal first_s
        if first_s is None:
            first_s = time.monotonic()
            stop()
        elif time.monotonic() - first_s > _ONE_WISH_S:
            raise KeyboardInterrupt

    with _handled(handle):
        yield


@contextmanager
def interrupts_raise() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt as Ctrl-C does."""
    with _handled(default_int_handler):
        yield


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """A SIGINT or SIGTERM raises KeyboardInterrupt when the block has ended, so that it is done or not."""
    came = False

    def note(*_: object) -> None:
        nonlocal came
        came = True

    with _handled(note):
        yield
    if came:
        raise KeyboardInterrupt


@contextmanager
def _handled(handler: Callable[..., object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal(number, handler) for number in (SIGINT, SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal(number, SIG_DFL if earlier is None else earlier)
