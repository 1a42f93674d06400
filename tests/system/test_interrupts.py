"""Signals that ask a program to stop: when they are heard, and how often."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator

import pytest

from horizon_rt.system import interrupts
from horizon_rt.system.interrupts import interrupts_raise, interrupts_wait, undisturbed_children

WISHES = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = [signal.getsignal(number) for number in WISHES], signal.pthread_sigmask(signal.SIG_BLOCK, [])
    yield
    after = [signal.getsignal(number) for number in WISHES], signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert after == before


@pytest.mark.parametrize("number", WISHES)
def test_signals_close_together_are_one_wish(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(interrupts.time, "monotonic", lambda: now[0])
    with interrupts_raise():
        for later_s in (0.0, 1.5):
            now[0] += later_s
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
            now[0] += 0.9
            signal.raise_signal(number)
            with interrupts_wait():
                signal.raise_signal(number)


def test_a_signal_waits_for_its_block_and_reaches_what_handles_it() -> None:
    done: list[None] = []
    with interrupts_raise():
        with pytest.raises(KeyboardInterrupt), interrupts_wait():
            done.append(signal.raise_signal(signal.SIGTERM))
        signal.raise_signal(signal.SIGTERM)
    assert done == [None]


def test_a_signal_that_nothing_handles_is_a_keyboard_interrupt_after_its_block() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts_wait():
        signal.raise_signal(signal.SIGTERM)


def _heard(ready: object, kill_s: float) -> None:
    ready.set()  # type: ignore[attr-defined]
    time.sleep(kill_s)


def test_spawned_processes_hear_nothing_from_their_start_and_can_be_killed() -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    with undisturbed_children() as started:
        child = context.Process(target=_heard, args=(ready, 60), daemon=True)
        child.start()
    assert started == [child]
    for number in WISHES:
        os.kill(child.pid or 0, number)
    assert ready.wait(60)
    for number in WISHES:
        os.kill(child.pid or 0, number)
    child.join(0.3)
    assert child.is_alive()
    child.kill()
    child.join(10)
    assert child.exitcode == -signal.SIGKILL


def test_a_signal_while_processes_start_comes_after() -> None:
    started: list[None] = []
    with pytest.raises(KeyboardInterrupt), undisturbed_children():
        started.append(os.kill(os.getpid(), signal.SIGINT))
    assert started == [None]
