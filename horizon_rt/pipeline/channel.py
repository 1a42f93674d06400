"""What joins two threads of the pipeline."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

__all__ = ["DEPTH", "Channel", "pump"]

T = TypeVar("T")
DEPTH = 3


class Channel(Generic[T]):
    """A bounded queue between two threads that can end, fail or be cut off by its reader.

    With `newest` it holds one item, and a put replaces an item that was not taken. `cut_short` becomes true
    when the reader stops because of a cut, with items or the end still to come.
    """

    def __init__(self, *, newest: bool) -> None:
        self.dropped = 0
        self.cut_short = False
        self._items: deque[T] = deque()
        self._depth, self._newest = (1 if newest else DEPTH), newest
        self._changed = threading.Condition()  # its lock is reentrant, so that a signal handler may cut
        self._ended = self._cut = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Hand over an item; False when the reader is gone."""
        with self._changed:
            if self._newest:
                self.dropped += len(self._items)
                self._items.clear()
            self._changed.wait_for(lambda: len(self._items) < self._depth or self._cut)
            if not self._cut:
                self._items.append(item)
                self._changed.notify_all()
            return not self._cut

    def end(self, error: BaseException | None = None) -> None:
        """No more items; `error` is raised in the reader after the last one. Without effect after a cut."""
        with self._changed:
            if not self._cut:
                self._ended, self._error = True, error
                self._changed.notify_all()

    def cut(self) -> None:
        """The reader wants no more.

        A signal handler may call it in the midst of the reader's step, so the items are the reader's to drop.
        """
        with self._changed:
            self._cut = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        return (item for item in self.read(lambda: None) if item is not None)

    def read(self, pause_s: Callable[[], float | None]) -> Iterator[T | None]:
        """The items, and None whenever none has come for as long as `pause_s` says."""
        while True:
            with self._changed:
                ready = self._changed.wait_for(
                    lambda: bool(self._items) or self._ended or self._cut, pause_s()
                )
                if ready and (self._cut or not self._items):
                    complete = self._ended and not self._items and self._error is None
                    self.cut_short = self._cut and not complete
                    self._items.clear()
                    break
                item = self._items.popleft() if ready else None
                self._changed.notify_all()
            yield item
            del item  # or it would live on while the next one is awaited
        if self._error is not None and not self.cut_short:
            raise self._error


def pump(name: str, items: Iterable[T], channel: Channel[T]) -> threading.Thread:
    """A thread, to be started, that moves items into a channel until either side ends."""
    return threading.Thread(target=_move, args=(items, channel), name=name, daemon=True)


def _move(items: Iterable[T], channel: Channel[T]) -> None:
    error: BaseException | None = None
    try:
        for item in items:
            if not channel.put(item):
                break
            del item
    except BaseException as caught:
        error = caught
    channel.end(error)
