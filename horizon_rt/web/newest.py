"""The newest frame with its horizon, for any number of readers of which none can hold up the writer."""

from __future__ import annotations

import threading
from typing import NamedTuple

from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.sinks.jpeg import overlay_jpeg
from horizon_rt.sinks.overlay import Overlay

__all__ = ["Newest", "Shown"]


class Shown(NamedTuple):
    """A frame, its horizon, a number that rises with each, and when the newest true picture was decoded: in
    silence others stand in.
    """

    number: int
    frame: Frame
    horizon: Horizon
    seen_s: float


class Newest:
    """Keeps the newest frame; its picture is drawn and compressed once, when a reader asks for it."""

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay
        self._changed = threading.Condition()
        self._drawing = threading.Lock()
        self._shown: Shown | None = None
        self._picture: tuple[int, bytes] = (-1, b"")
        self.ended = False

    def put(self, frame: Frame, horizon: Horizon) -> None:
        """Take the next frame."""
        with self._changed:
            last = self._shown
            seen_s = last.seen_s if frame.stands_in and last else frame.decoded_at_s
            self._shown = Shown(self._number + 1, frame, horizon, seen_s)
            self._changed.notify_all()

    def end(self) -> None:
        """No more frames come."""
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def get(self, after: int, wait_s: float) -> Shown | None:
        """The newest frame, once its number is larger than `after`; None after `wait_s` and at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or self._number > after, wait_s)
            return self._shown if self._number > after else None

    @property
    def _number(self) -> int:
        return -1 if self._shown is None else self._shown.number

    def jpeg(self, shown: Shown) -> bytes:
        """The picture of a frame with its overlay; of the newest that is drawn where others came first."""
        with self._drawing:
            if self._picture[0] < shown.number:
                data = overlay_jpeg(self._overlay, shown.frame, shown.horizon)
                self._picture = (shown.number, data)
            return self._picture[1]
