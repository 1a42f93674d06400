"""A link as a sink: the newest horizon at a chosen rate, from a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.sinks.base import Sink
from horizon_rt.system.retries import Retries

__all__ = ["Channel", "Counts", "LinkSink"]

_log = logging.getLogger(__name__)

_BEAT_S = 1.0
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 2.0
_JOIN_S = 3.0


class Channel(Protocol):
    """An open link; every call may raise OSError, after which it is opened anew."""

    def send(self, horizon: Horizon) -> bool:
        """Send the messages of a horizon; whether it has any."""

    def beat(self) -> None:
        """Called once a second, whether or not there are frames."""

    def close(self) -> None:
        """Give it back, with a word of farewell if the other side expects one."""


@dataclass(slots=True)
class Counts:
    """What a link did: horizons `sent`, `dropped` because the next one was there or nobody listened, how
    often it was `opened`, and `failures` to open it or to send.
    """

    sent: int = 0
    dropped: int = 0
    opened: int = 0
    failures: int = 0


class LinkSink(Sink):
    """Sends the newest horizon, at most `rate_hz` times a second, to what `connect` opens.

    It never raises and never waits: where the other side is slow or gone, horizons are dropped and counted,
    and the link is opened anew with pauses of up to two seconds. `tell` gets one line, in the link's
    thread, when the first horizon is sent.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Channel],
        rate_hz: float,
        *,
        tell: Callable[[str], object] = _log.info,
    ) -> None:
        self.name, self.counts = name, Counts()
        self._connect, self._interval_s, self._tell = connect, 1 / rate_hz, tell
        self._newest: Horizon | None = None
        self._changed = threading.Condition()
        self._closing, self._retries = False, Retries(_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S)
        self._thread = threading.Thread(target=self._run, name=f"link {name}", daemon=True)
        self._thread.start()

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        with self._changed:
            self.counts.dropped += self._newest is not None
            self._newest = horizon
            self._changed.notify_all()

    def _finish(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(_JOIN_S)
        _log.info("%s: %d sent, %d dropped", self.name, self.counts.sent, self.counts.dropped)

    def _run(self) -> None:
        while not self._wait(self._retries.pause_s):
            sent = self.counts.sent
            try:
                channel = self._connect()
                self.counts.opened += 1
                try:
                    self._serve(channel)
                finally:
                    with suppress(OSError):
                        channel.close()
            except Exception as error:  # whatever a library raises: nobody else would learn of it
                self._failed(error, had_worked=self.counts.sent > sent)

    def _failed(self, error: Exception, *, had_worked: bool) -> None:
        self.counts.failures += 1
        if self._retries.failed(had_worked=had_worked):
            reason = getattr(error, "strerror", None) or type(error).__name__
            _log.warning("%s: %s; trying again", self.name, reason)

    def _wait(self, seconds: float) -> bool:
        """Wait for the end of the link at most so long; whether it has come."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closing, seconds)

    def _serve(self, channel: Channel) -> None:
        """Send until the sink is closed, and then what still waits; raises OSError."""
        send_s = time.monotonic()
        beat_s = send_s + _BEAT_S
        channel.beat()
        while True:
            with self._changed:
                due_s = beat_s if self._newest is None else min(send_s, beat_s)
                if not self._closing:
                    self._changed.wait(max(0.0, due_s - time.monotonic()))
                closing, horizon = self._closing, None
                if self._newest is not None and (closing or time.monotonic() >= send_s):
                    horizon, self._newest = self._newest, None
            if horizon is not None:
                self._send(channel, horizon)
                send_s = max(send_s, time.monotonic() - self._interval_s) + self._interval_s
            if closing:
                return
            if time.monotonic() >= beat_s:
                channel.beat()
                beat_s += _BEAT_S

    def _send(self, channel: Channel, horizon: Horizon) -> None:
        if channel.send(horizon):
            self.counts.sent += 1
            if self.counts.sent == 1:
                self._tell(f"telemetry goes to {self.name}")
