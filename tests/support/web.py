"""A live page with horizons that go on coming."""

from __future__ import annotations

import http.client
import threading
from typing import Any

import numpy as np
from support.sinks import context, frame, horizon

from horizon_rt.sinks import Overlay
from horizon_rt.sources import Health


class Recorder:
    """A `RecordSwitch` that records nothing."""

    def __init__(self) -> None:
        self.recording, self.failure = False, ""

    def start(self) -> None:
        self.recording = True

    def stop(self) -> None:
        self.recording = False


class Run:
    """A page with horizons that go on coming, until `pause` ends them."""

    def __init__(self, place: str = "127.0.0.1:0", **more: Any) -> None:
        from horizon_rt.web.sink import WebSink  # needs the extra

        about = context(source="rtsp://camera/1")
        self.health = Health(state="receiving", age_s=0.01, reconnects=2)
        self.sink = WebSink(place, about, Overlay(about.camera), health=lambda: self.health, **more)
        self.port = int(self.sink.url.rstrip("/").rpartition(":")[2])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        index = 0
        while not self._ended.wait(0.03):
            roll = 20 * float(np.sin(index / 40))
            self.sink.write(frame(index), horizon(index, roll=roll, pitch=5.0, sd=(1.5, 1.0)))
            index += 1

    def ask(
        self, path: str, method: str = "GET", body: str = "", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, header with lower-case names, and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(
            method, path, body or None, {name.replace("_", "-"): v for name, v in headers.items()}
        )
        answer = connection.getresponse()
        found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def pause(self) -> None:
        """No more horizons come by themselves."""
        self._ended.set()
        self._thread.join()

    def close(self) -> None:
        """End it all."""
        self.pause()
        self.sink.close()
