"""Streams from the network: the newest picture always, and a connection that comes back by itself.

A thread of its own reads the stream and keeps the newest frame, so that no reader makes it lag. Where no
frame comes for two frame intervals and a second the stream has stalled. Then, and where the connection ends,
it is opened anew: at first at once, then after pauses that double up to 0.3 s, each longer or shorter
by chance.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from horizon_rt.errors import HorizonError, SourceError, SourceNotFound
from horizon_rt.frame import Frame
from horizon_rt.sources.base import Health, Receiving, Source, SourceInfo
from horizon_rt.sources.clock import StreamClock
from horizon_rt.sources.connection import connect, is_listening
from horizon_rt.system.address import shown, with_password
from horizon_rt.system.messages import error_line
from horizon_rt.system.retries import Retries

__all__ = ["NetworkSource", "open_network"]

_log = logging.getLogger(__name__)

# On one read, after which a connection is given up: that of a live stream was left behind long before.
_LIMIT_S, _PIECE_S = 5.0, 14.0  # the second for playlists, which are read piece by piece
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 0.3
_LOOK_S = 0.1


def open_network(url: str, *, threads: int = 0) -> Source:
    """Open a stream by its address; RTSP comes over TCP.

    What has a length, such as a file on a web server, is a recording and is read as one. Raises
    SourceNotFound where nothing answers, SourceError where it may not be read and DecodeError where it holds
    no video, OptionsError where a password cannot be read.
    """
    url = with_password(url)
    in_pieces = ".m3u8" in url.lower()
    reach = partial(connect, url, threads=threads, limit_s=_PIECE_S if in_pieces else _LIMIT_S)
    first = _first(url, reach)
    return NetworkSource(first, reach, in_pieces=in_pieces) if first.info.live else first


def _first(url: str, reach: Callable[[], Source]) -> Source:
    """The first connection, for as long as it takes where the address is one to listen at."""
    told = False
    while True:
        try:
            return reach()
        except SourceNotFound:
            if not is_listening(url):
                raise
        if not told:
            _log.warning("%s: waiting for what is to be sent there", shown(url))
            told = True


class NetworkSource(Source):
    """A stream that `connect` opens anew where it breaks off; `first` is open. What comes `in_pieces` of some
    seconds is shown at its own pace.
    """

    def __init__(self, first: Source, connect: Callable[[], Source], *, in_pieces: bool = False) -> None:
        super().__init__()
        self._in_pieces = in_pieces
        self.info: SourceInfo = first.info
        self._connect, self._current = connect, first
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._failure: Exception | None = None
        self._state: Receiving = "receiving"
        self._reason, self._reconnects, self._count = "", 0, 0
        self._started_s = self._arrived_s = time.monotonic()
        self._clock = StreamClock()
        self._thread = threading.Thread(target=self._receive, name="network", daemon=True)
        self._thread.start()

    @property
    def health(self) -> Health:
        """How the stream fares now."""
        age_s = time.monotonic() - self._arrived_s
        state = self._state
        if state == "receiving" and age_s > self.patience_s:
            state = "stalled"
        return Health(state=state, age_s=age_s, reconnects=self._reconnects, reason=self._reason)

    @property
    def patience_s(self) -> float:
        """See `Source`; more for what comes in pieces."""
        return super().patience_s + (_PIECE_S if self._in_pieces else 0.0)

    def _next_frame(self) -> Frame | None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest is not None or self._closing.is_set() or self._failure is not None
            )
            frame, self._newest = self._newest, None
        if self._closing.is_set():
            return None
        if frame is None and self._failure is not None:
            raise SourceError(f"{self.info.name}: {error_line(self._failure)}")
        return frame

    def close(self) -> None:
        """See `Source.close`."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        super().close()

    def _release(self) -> None:
        self._current.close()

    def _receive(self) -> None:
        """Read one connection after the other, until the source is closed."""
        try:
            while not self._closing.is_set():
                reason = self._wait_for_end()
                self._current.close()
                if not self._closing.is_set():
                    self._come_back(reason)
        except Exception as error:  # nobody else would learn of it
            self._fail(error)
        finally:
            self._state = "ended"
            self._current.close()

    def _wait_for_end(self) -> str:
        """Have the connection read, until it ends or stalls; why it ended."""
        ended = threading.Event()
        self._arrived_s = time.monotonic()
        threading.Thread(
            target=self._read_out, args=(self._current, ended), name="stream", daemon=True
        ).start()
        while not self._closing.is_set() and time.monotonic() - self._arrived_s < self.patience_s:
            if ended.wait(_LOOK_S):
                return "it ended"
        return "it fell silent"

    def _read_out(self, current: Source, ended: threading.Event) -> None:
        try:
            for frame in self._at_its_pace(current) if self._in_pieces else current:
                self._keep(current, frame)
        except HorizonError as error:
            _log.warning("%s", error)
        except Exception as error:
            if current is self._current:
                self._fail(error)
            else:
                _log.debug("a connection that was left behind: %s", error)
        finally:
            ended.set()

    def _at_its_pace(self, current: Source) -> Iterator[Frame]:
        """The frames by their own times, later where one comes late."""
        start_s = -math.inf
        for frame in current:
            now_s = time.monotonic()
            start_s = max(start_s, now_s - frame.time_s)
            if self._closing.wait(start_s + frame.time_s - now_s):
                return
            yield frame

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    def _come_back(self, reason: str) -> None:
        """Open the stream anew, as often as it takes; another reason why it fails is told at once."""
        self._state, self._reason = "reconnecting", reason
        _log.warning("%s: %s; it is opened anew until it is back", self.info.name, reason)
        since_s, retries = time.monotonic(), Retries(_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S)
        told: set[str] = set()
        while not self._closing.wait(retries.pause_s):
            try:
                current = self._connect()
            except HorizonError as error:
                self._reason = str(error)
                if retries.failed() or self._reason not in told:
                    told.add(self._reason)
                    _log.warning("%s; trying again", error)
                continue
            self._current = current
            if self._closing.is_set():
                return
            self._reconnects += 1
            self._state = "receiving"
            lost_s = time.monotonic() - since_s
            _log.warning("%s: back after %.1f s", self.info.name, lost_s)
            return

    def _keep(self, current: Source, frame: Frame) -> None:
        if current is not self._current:
            return
        now_s = time.monotonic()
        self._arrived_s = now_s
        time_s = self._clock.stamp(frame.time_s, now_s - self._started_s)
        timed = replace(frame, index=self._count, time_s=time_s)
        self._count += 1
        with self._changed:
            self._newest = timed
            self._changed.notify_all()
